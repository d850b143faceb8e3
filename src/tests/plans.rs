//! Questions that wait for days, and plans that are approved once and ticked as they are built.

use codeflow::protocol::{
    AppPlan, EventKind, Message, MessageKind, MessagePart, Mode, ProjectId, Question, RunState,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    modes::{create, page, prompt, send, tools, versions},
    support::{Feed, Model, Postgres, Reply, Server, data_dir, until},
};

const ANSWERS: &str = "Which colours? Blue\nWho uses it? You decide.";
const APPROVAL: &str =
    "Build this plan:\n\n## Pages\n\nOnly home\n\n## Steps\n\n1. Write the page\n2. Add the form";

fn questions() -> Reply {
    let asked = json!([
        { "question": "Which colours?", "options": ["Blue", "Red"] },
        { "question": "Who uses it?", "options": ["I", "My team"] },
    ]);
    Reply::call("askQuestions", json!({ "questions": asked }))
}

fn plan() -> Reply {
    let plan = json!({
        "pages": "Home and about", "data": "In the browser", "look": "Blue",
        "steps": ["Write the page", "Add the form", "Add an about page"],
    });
    Reply::call("proposePlan", plan)
}

/// Answers the questions or approves the plan.
async fn answer(server: &Server, asked: &Message, text: &str) -> (StatusCode, Value) {
    let mode = match asked.kind {
        MessageKind::Plan => "build",
        _ => "plan",
    };
    let id = asked.id.to_string();
    send(
        server,
        asked.project,
        text,
        &[("mode", mode), ("answers", &id)],
    )
    .await
}

/// The steps of the approved plan in the conversation, those that are done in capitals.
async fn steps(server: &Server, project: ProjectId) -> Vec<String> {
    let messages = server.workspace(project).await.messages;
    let approved = messages
        .iter()
        .rev()
        .find_map(|message| match &message.part {
            Some(MessagePart::Plan { plan }) if message.kind == MessageKind::Prompt => Some(plan),
            _ => None,
        });
    shown(approved.unwrap())
}

fn shown(plan: &AppPlan) -> Vec<String> {
    let steps = plan.steps.iter();
    steps
        .map(|step| match step.done {
            true => step.text.to_uppercase(),
            false => step.text.clone(),
        })
        .collect()
}

#[tokio::test]
async fn a_plan_asks_waits_through_a_crash_is_approved_once_and_ticked_as_it_is_built() {
    let data = data_dir();
    let build = vec![
        Reply::Calls(vec![
            (
                "createOrUpdateFiles",
                json!({ "files": [{ "path": "index.html", "content": "<h1>Shop</h1>" }] })
                    .to_string(),
            ),
            ("completeStep", json!({ "step": "1" }).to_string()),
        ]),
        Reply::call("completeStep", json!({ "step": "add the form" })).held(),
        Reply::call("completeStep", json!({ "step": 3 })),
        Reply::done(),
    ];
    let more = vec![
        Reply::call("completeStep", json!({ "step": 1 })),
        Reply::done(),
    ];
    let model = Model::start([
        ("Plan a shop", vec![questions()]),
        (
            ANSWERS,
            vec![Reply::call("listFiles", json!({ "path": "." })), plan()],
        ),
        (APPROVAL, build),
        ("More", more),
    ])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = create(&server, "Plan a shop", "plan").await;
    server.feed(project).await.succeeded(1).await;
    server.kill();

    let server = Server::process(data.path(), &model, &[]).await;
    let mut feed = server.feed(project).await;
    let asked = feed.succeeded(1).await;
    assert_eq!(asked.kind, MessageKind::Questions);
    let expected = Question {
        question: "Which colours?".to_owned(),
        options: vec!["Blue".to_owned(), "Red".to_owned()],
        tool: None,
    };
    match &asked.part {
        Some(MessagePart::Questions { questions }) => assert_eq!(questions[0], expected),
        other => panic!("{other:?}"),
    }
    assert_eq!(answer(&server, &asked, ANSWERS).await.0, 200);
    let (status, refused) = answer(&server, &asked, ANSWERS).await;
    assert_eq!(status, 409, "{refused}");
    let why = refused["message"].as_str().unwrap();
    assert!(why.contains("answered already"), "{why}");

    let proposed = feed.succeeded(2).await;
    assert_eq!(proposed.kind, MessageKind::Plan);
    assert!(
        proposed.content.contains("3. Add an about page"),
        "{}",
        proposed.content
    );
    assert_eq!(versions(&server, project).await, 0);
    // It is approved as it was edited, and only to be built.
    let id = proposed.id.to_string();
    let asked = [("mode", "ask"), ("answers", &*id)];
    assert_eq!(send(&server, project, APPROVAL, &asked).await.0, 409);
    assert_eq!(answer(&server, &proposed, APPROVAL).await.0, 200);
    let (status, refused) = answer(&server, &proposed, APPROVAL).await;
    assert_eq!(status, 409, "{refused}");
    let why = refused["message"].as_str().unwrap();
    assert!(why.contains("approved already"), "{why}");
    // A step is ticked while the run is at work, and stays so.
    let ticked = feed
        .find(|kind| match kind {
            EventKind::Message { message } => match &message.part {
                Some(MessagePart::Plan { plan }) if plan.done() > 0 => Some(shown(plan)),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(ticked, ["WRITE THE PAGE", "Add the form"]);
    until("the second turn is asked for", async || {
        (model.turns_of(APPROVAL).len() == 2).then_some(())
    })
    .await;
    server.kill();

    let server = Server::start(data.path(), &model);
    assert_eq!(steps(&server, project).await, ticked);
    let mut feed = server.feed(project).await;
    until("it is asked for again", async || {
        (model.turns_of(APPROVAL).len() == 3).then_some(())
    })
    .await;
    model.release();
    let built = feed.succeeded(3).await;
    assert_eq!(built.fragment.unwrap().number, 1);
    assert_eq!(page(&server, project).await, "<h1>Shop</h1>");
    let done = ["WRITE THE PAGE", "ADD THE FORM"];
    assert_eq!(steps(&server, project).await, done);
    let none = feed.tool("turn-3-completeStep-1");
    assert!(none.failed && none.output.unwrap().contains("1 to 2"));
    let messages = server.workspace(project).await.messages;
    assert_eq!(messages.len(), 6, "nothing is doubled");

    // What is built later knows the plan, and ticks nothing twice.
    server.send(project, "More").await;
    feed.succeeded(4).await;
    let request = &model.turns_of("More")[0];
    assert!(tools(request).contains(&"completeStep"));
    let known = request["messages"].to_string();
    assert!(
        known.contains("[x] Add the form") && known.contains("Only home"),
        "{known}"
    );
    assert!(!tools(&model.turns_of("Plan a shop")[0]).contains(&"terminal"));
    assert_eq!(steps(&server, project).await, done);
    let ticks = feed.events.iter().filter(|event| match &event.kind {
        EventKind::Message { message } => {
            message.kind == MessageKind::Prompt && message.part.is_some()
        }
        _ => false,
    });
    assert_eq!(
        ticks.count(),
        2,
        "what was ticked before the crash, and after it"
    );
}

#[tokio::test]
async fn an_answer_that_is_stopped_stays_the_answer_and_can_be_tried_again() {
    let data = data_dir();
    let model = Model::start([
        ("Plan a shop", vec![questions()]),
        (ANSWERS, vec![plan().held()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = create(&server, "Plan a shop", "plan").await;
    let mut feed = server.feed(project).await;
    let asked = feed.succeeded(1).await;
    answer(&server, &asked, ANSWERS).await;
    until("the plan is asked for", async || {
        (model.turns_of(ANSWERS).len() == 1).then_some(())
    })
    .await;
    let run = server.workspace(project).await.runs[1].id.to_string();
    server.post("/api/runs/cancel", &[("run", &run)]).await;
    assert_eq!(feed.ended(2).await.0, RunState::Cancelled);
    assert_eq!(answer(&server, &asked, ANSWERS).await.0, 409);
    let (message, mode) = prompt(&server, project, ANSWERS).await;
    assert_eq!(mode, Mode::Plan);
    let message = message.to_string();
    let (status, retried) = server
        .post("/api/messages/retry", &[("message", &message)])
        .await;
    assert_eq!(status, 200, "{retried}");
    until("it is asked for again", async || {
        (model.turns_of(ANSWERS).len() == 2).then_some(())
    })
    .await;
    model.release();
    assert_eq!(feed.succeeded(3).await.kind, MessageKind::Plan);
    assert_eq!(versions(&server, project).await, 0, "nor is there a draft");
    // Once the answer is removed from the conversation, the questions are open again.
    let edited = [
        ("message", &*message),
        ("text", "Plan a shop"),
        ("mode", "ask"),
    ];
    let (status, sent) = server.post("/api/messages/edit", &edited).await;
    assert_eq!(status, 200, "{sent}");
    assert_eq!(
        feed.failed(4).await.mode,
        Mode::Ask,
        "no such answer is scripted"
    );
    assert_eq!(answer(&server, &asked, ANSWERS).await.0, 200);
}

#[tokio::test]
async fn of_many_answers_at_the_same_time_one_counts_on_postgresql_as_well() {
    let (postgres, data) = (Postgres::start().await, data_dir());
    let model = Model::start([
        ("Plan a shop", vec![questions()]),
        (ANSWERS, vec![plan()]),
        (
            APPROVAL,
            vec![
                Reply::Calls(vec![
                    ("completeStep", json!({ "step": 1 }).to_string()),
                    ("completeStep", json!({ "step": 2 }).to_string()),
                ]),
                Reply::done(),
            ],
        ),
    ])
    .await;
    for env in [vec![], vec![("DATABASE_URL", &*postgres.url)]] {
        let server = Server::start_and(data.path(), &model, &env);
        let project = create(&server, "Plan a shop", "plan").await;
        let mut feed: Feed = server.feed(project).await;
        for (count, text) in [(1, ANSWERS), (2, APPROVAL)] {
            let asked = feed.succeeded(count).await;
            let all = (0..6).map(|_| answer(&server, &asked, text));
            let all = futures::future::join_all(all).await;
            let mut statuses: Vec<u16> = all.iter().map(|(status, _)| status.as_u16()).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);
        }
        feed.succeeded(3).await;
        assert_eq!(
            steps(&server, project).await,
            ["WRITE THE PAGE", "ADD THE FORM"]
        );
        assert_eq!(server.workspace(project).await.runs.len(), 3);
        server.stop();
    }
}
