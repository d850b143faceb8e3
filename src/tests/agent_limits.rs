//! Limits of a run: loops, tokens, money, turns, the size of a chat, and secrets that must stay on
//! this machine.

use codeflow::protocol::{MessageKind, RunState};
use serde_json::json;

use crate::support::{Model, Reply, Server, data_dir};

fn list() -> Reply {
    Reply::call("listFiles", json!({ "path": "app" }))
}

fn keep() -> Reply {
    Reply::write("kept.txt", "kept")
}

/// A run that writes a file is stopped after this many answers, with these words; the next message
/// continues with the file.
async fn is_stopped(env: &[(&str, &str)], replies: Vec<Reply>, answers: usize, said: &[&str]) {
    let data = data_dir();
    let read = Reply::call("readFiles", json!({ "files": ["kept.txt"] }));
    let model = Model::start([("Build", replies), ("Go on", vec![read, Reply::done()])]).await;
    let server = Server::start_and(data.path(), &model, env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(
        (state, message.kind),
        (RunState::Failed, MessageKind::Error),
        "{}",
        message.content
    );
    for said in said {
        assert!(
            message.content.contains(said),
            "{said:?} is not in {}",
            message.content
        );
    }
    assert_eq!(model.turns().len(), answers);
    server.send(project, "Go on").await;
    feed.succeeded(2).await;
    assert_eq!(
        feed.tool("turn-1-readFiles-1").output.unwrap(),
        "=== kept.txt\nkept\n"
    );
}

#[tokio::test]
async fn the_third_same_result_of_the_same_call_ends_the_run() {
    let replies = vec![keep(), list(), list(), list(), Reply::done()];
    is_stopped(
        &[],
        replies,
        4,
        &["went round in circles", "listFiles 3 times", "icon.png"],
    )
    .await;
}

#[tokio::test]
async fn a_run_ends_when_its_tokens_are_used_up() {
    let replies = vec![keep().costly(500, 499), list().costly(1, 0), Reply::done()];
    is_stopped(
        &[("RUN_MAX_TOKENS", "1000")],
        replies,
        2,
        &["RUN_MAX_TOKENS", "it has used 1000 tokens"],
    )
    .await;
}

#[tokio::test]
async fn a_run_ends_when_it_reaches_its_cost_limit() {
    // At 2.50 dollars for a million tokens read, and 10 for a million written.
    let replies = vec![
        keep().costly(40_000, 0),
        list().costly(10_000, 7_500),
        Reply::done(),
    ];
    is_stopped(
        &[("AI_MODEL", "gpt-4o"), ("RUN_MAX_COST", "0.20")],
        replies,
        2,
        &["RUN_MAX_COST", "it has cost $0.20"],
    )
    .await;
}

#[tokio::test]
async fn the_last_turn_may_call_no_tools_and_is_for_the_summary() {
    let data = data_dir();
    let summary = Reply::Text("<task_summary>The page works; the shop is missing.</task_summary>");
    let model = Model::start([
        ("Build", vec![list(), summary]),
        // A call in the last turn is not executed.
        (
            "Again",
            vec![
                list(),
                Reply::call("terminal", json!({ "command": "touch late" })),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[("AGENT_MAX_TURNS", "2")]);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_eq!(message.content, "The page works; the shop is missing.");
    let turns = model.turns();
    assert_eq!(
        turns[0]["tools"], turns[1]["tools"],
        "the cache begins with them"
    );
    assert!(turns[0].get("tool_choice").is_none() && turns[1]["tool_choice"] == "none");
    let said = model.said(2);
    let (role, note) = said.last().unwrap();
    assert_eq!(role, "system");
    assert!(note.contains("This is your last turn"), "{note}");

    server.send(project, "Again").await;
    let message = feed.failed(2).await;
    assert!(
        message.content.contains("after 2 of at most 2 turns"),
        "{}",
        message.content
    );
    assert!(feed.find_tool("turn-2-terminal-1").is_none());
}

/// A command that prints this many characters, ending with the number.
fn say(number: usize) -> Reply {
    Reply::call(
        "terminal",
        json!({ "command": format!("printf '%04000d' {number}") }),
    )
}

#[tokio::test]
async fn a_chat_near_the_model_s_context_limit_loses_old_outputs_but_no_word_of_the_user() {
    let data = data_dir();
    let prompt: &'static str = format!("{}Thanks.", "Build a page about bread. ".repeat(30)).leak();
    let replies = (1..=6).map(say).chain([Reply::done()]).collect();
    let model = Model::start([(prompt, replies)]).await;
    let server = Server::start_and(data.path(), &model, &[("AI_CONTEXT_TOKENS", "8000")]);
    let project = server.create(prompt).await;
    server.feed(project).await.succeeded(1).await;

    let whole = |output: &String| output.len() > 4000;
    assert!(model.results(2).iter().all(whole), "there was room");
    let results = model.results(7);
    assert_eq!(results.len(), 6);
    assert!(
        results[0].contains("left out to save room"),
        "{}",
        results[0]
    );
    assert!(
        whole(&results[5]) && results[5].ends_with('6'),
        "the latest stays"
    );
    let (first, last) = (model.said(1), model.said(7));
    assert_eq!(first[0], last[0], "the system prompt stays");
    let user = last.iter().find(|(role, _)| role == "user").unwrap();
    assert_eq!(user.1, prompt);
}

#[tokio::test]
async fn a_chat_that_the_model_refuses_as_too_long_is_sent_again_with_less() {
    let data = data_dir();
    let refusal = Reply::Status(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    );
    let last = Reply::InTurn(vec![refusal, Reply::done()]);
    let model = Model::start([("Build", (1..=5).map(say).chain([last]).collect())]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;

    assert_eq!((model.turns().len(), model.asked_for(6)), (7, 2));
    let length = |request: usize| {
        model
            .said(request)
            .iter()
            .map(|(_, content)| content.len())
            .sum::<usize>()
    };
    assert!(length(7) < length(6), "{} and {}", length(7), length(6));
    let left_out = |request: usize| model.results(request)[0].contains("left out to save room");
    assert!(!left_out(6) && left_out(7));
    assert_eq!(
        model.said(6)[0],
        model.said(7)[0],
        "the system prompt stays"
    );
}

/// The replacement for a secret.
const PLACEHOLDER: &str = "[secret left out]";

#[tokio::test]
async fn no_model_sees_keys_in_messages_and_outputs_or_can_overwrite_them_unseen() {
    let data = data_dir();
    let theirs = "sk-efghefghefghefghefghefghefghefgh";
    let printed = "sk-abcdabcdabcdabcdabcdabcdabcdabcd";
    // The call itself, which is the model's, does not spell it out.
    let print = "key=sk-$(printf 'abcd%.0s' 1 2 3 4 5 6 7 8); echo \"OPENAI_API_KEY=$key\" | tee .env; echo \"const key = '$key';\"";
    let read = || Reply::call("terminal", json!({ "command": "cat .env" }));
    let edit = json!({ "path": ".env", "old": "OPENAI_API_KEY", "new": format!("OPENAI_API_KEY={PLACEHOLDER}\nX") });
    let model = Model::start([
        (
            "Use [secret left out] for it",
            vec![
                Reply::call("terminal", json!({ "command": print })),
                Reply::write(
                    ".env",
                    &format!("OPENAI_API_KEY={PLACEHOLDER}\nPORT=4000\n"),
                ),
                Reply::call("editFile", edit),
                read(),
                Reply::done(),
            ],
        ),
        ("Again", vec![read(), Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create(&format!("Use {theirs} for it")).await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    server.send(project, "Again").await;
    feed.succeeded(2).await;

    let results = model.results(5);
    assert_eq!(
        results[0],
        format!("exit code 0\nstdout:\nOPENAI_API_KEY={PLACEHOLDER}\nconst key = '{PLACEHOLDER}';")
    );
    for refused in &results[1..3] {
        assert!(
            refused.starts_with("Error: the text for .env")
                && refused.contains("a value that you were not shown"),
            "{refused}"
        );
    }
    // The value is still there: the app has it, and people see it.
    let shown = feed.tool("turn-1-terminal-1").output.unwrap();
    assert_eq!(
        shown,
        format!("exit code 0\nstdout:\nOPENAI_API_KEY={printed}")
    );
    for request in model.requests() {
        let request = request.to_string();
        assert!(
            !request.contains(theirs) && !request.contains(printed),
            "{request}"
        );
    }
}
