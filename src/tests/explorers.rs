//! Explorers: questions about the app that are answered beside each other by small conversations
//! which only read.

use codeflow::protocol::{MessageKind, RunState};
use serde_json::json;

use crate::{
    modes::tools,
    support::{Model, Reply, Server, data_dir, until},
};

const FIRST: &str = "Where is the heading?";
const SECOND: &str = "Which files are styles?";
const THIRD: &str = "Who wrote it?";

fn explore(questions: &[&str]) -> Reply {
    Reply::call("explore", json!({ "questions": questions }))
}

fn read() -> Reply {
    Reply::call("readFiles", json!({ "files": ["index.html"] }))
}

#[tokio::test]
async fn explorers_only_read_and_a_crash_repeats_none_of_their_answers() {
    let data = data_dir();
    let tries = Reply::Calls(vec![
        ("readFiles", json!({ "files": ["index.html"] }).to_string()),
        (
            "terminal",
            json!({ "command": "rm index.html" }).to_string(),
        ),
        ("explore", json!({ "questions": ["More?"] }).to_string()),
    ]);
    let model = Model::start([
        (
            "Build it",
            vec![
                Reply::write("index.html", "<h1>Heading</h1>").costly(10, 1),
                explore(&[FIRST, SECOND, THIRD, "Left out?"]).costly(20, 2),
                Reply::done().costly(30, 3),
            ],
        ),
        (
            FIRST,
            vec![
                tries.costly(400, 40),
                Reply::Text("In index.html:1.").costly(500, 50),
            ],
        ),
        (SECOND, vec![read(), Reply::Text("None.").held()]),
        (THIRD, vec![Reply::Status(400, "This is refused.")]),
    ])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build it").await;
    until("two are answered, and one is waited for", async || {
        let asked = [FIRST, SECOND, THIRD].map(|question| model.turns_of(question).len());
        (asked == [2, 2, 1]).then_some(())
    })
    .await;
    let run = server.workspace(project).await.runs[0].id;
    until("the first answer is saved", async || {
        let steps = server.details(run).await.steps;
        let mut answers = steps.iter().filter(|step| step.name.ends_with("-q1-2"));
        answers.any(|step| step.finished_at.is_some()).then_some(())
    })
    .await;
    server.kill();

    let server = Server::start(data.path(), &model);
    let mut feed = server.feed(project).await;
    until("the second one is asked again", async || {
        (model.turns_of(SECOND).len() == 3).then_some(())
    })
    .await;
    model.release();
    let built = feed.succeeded(1).await;
    assert_eq!(built.kind, MessageKind::Result);
    assert_eq!(
        model.turns_of(FIRST).len(),
        2,
        "no answer is asked for twice"
    );
    for question in [FIRST, SECOND] {
        for request in model.turns_of(question) {
            assert_eq!(tools(&request), ["readFiles", "listFiles", "searchFiles"]);
            let chat = request["messages"].to_string();
            assert!(!chat.contains("Build it"), "they know only their question");
        }
    }
    let asked = model.turns_of(FIRST)[1]["messages"].to_string();
    assert!(asked.contains("<h1>Heading</h1>"), "{asked}");
    assert_eq!(asked.matches("there is no tool").count(), 2, "{asked}");

    let explored = feed.tool("turn-2-explore-1");
    let found = explored.output.unwrap();
    assert!(!explored.failed && explored.title == "3 questions");
    for part in [
        "# Where is the heading?\n\nIn index.html:1.",
        "# Which files are styles?\n\nNone.",
        "# Who wrote it?\n\nNo answer: ",
        "This is refused.",
    ] {
        assert!(found.contains(part), "{found}");
    }
    assert!(!found.contains("Left out?"), "{found}");
    let turns = model.turns_of("Build it");
    let sent = turns.last().unwrap()["messages"].to_string();
    assert!(sent.contains("In index.html:1."), "{sent}");
    let shown = feed.events.iter().filter(|event| {
        let event = serde_json::to_string(event).unwrap();
        event.contains("-q1-")
    });
    assert_eq!(shown.count(), 0, "the conversation shows one call");

    let details = server.details(run).await;
    let names: Vec<&str> = details.steps.iter().map(|step| &*step.name).collect();
    for name in [
        "turn-2-explore-1",
        "turn-2-explore-1-q1-1",
        "turn-2-explore-1-q1-1-readFiles-1",
        "turn-2-explore-1-q2-2",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let spent = server.workspace(project).await.runs[0].spent.unwrap();
    assert!(spent.input_tokens >= 960, "{spent:?}");
    assert!(spent.output_tokens >= 96, "{spent:?}");
}

#[tokio::test]
async fn what_explorers_use_counts_for_the_run_s_limit() {
    let data = data_dir();
    let model = Model::start([
        (
            "Build it",
            vec![explore(&[FIRST]), Reply::write("index.html", "<h1>A</h1>")],
        ),
        (FIRST, vec![read().costly(900, 200), Reply::Text("Here.")]),
    ])
    .await;
    let limit = [("RUN_MAX_TOKENS", "1000")];
    let server = Server::start_and(data.path(), &model, &limit);
    let project = server.create("Build it").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Failed);
    assert!(
        message.content.contains("RUN_MAX_TOKENS"),
        "{}",
        message.content
    );
    let explored = feed.tool("turn-1-explore-1");
    assert!(explored.failed && explored.output.unwrap().contains("No answer"));
    assert_eq!(model.turns_of(FIRST).len(), 1);
    assert_eq!(model.turns_of("Build it").len(), 1);
}
