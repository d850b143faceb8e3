//! Every kind of fault of real models: each failure ends as designed, and nothing is executed twice
//! or partially.

use std::time::Instant;

use codeflow::protocol::{EventKind, MessageKind, RunState};
use serde_json::json;

use crate::support::{Feed, Model, Reply, Server, data_dir};

/// Leaves a line behind each time it is executed.
fn mark() -> Reply {
    Reply::call("terminal", json!({ "command": "echo once >> marks" }))
}

fn marks() -> Reply {
    Reply::call("readFiles", json!({ "files": ["marks"] }))
}

/// A run whose first turn fails as scripted, in one go with those after it.
async fn run(model: &Model, env: &[(&str, &str)]) -> (RunState, String, Feed) {
    let data = data_dir();
    let server = Server::start_and(data.path(), model, env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(
        message.kind == MessageKind::Result,
        state == RunState::Succeeded
    );
    (state, message.content, feed)
}

/// A run that recovers from the failures of its first turn: the command is executed once.
async fn gets_over(failures: Vec<Reply>, env: &[(&str, &str)]) -> (Model, Feed) {
    let asked = failures.len() + 1;
    let first = Reply::InTurn(failures.into_iter().chain([mark()]).collect());
    let model = Model::start([("Build", vec![first, marks(), Reply::done()])]).await;
    let (state, content, feed) = run(&model, env).await;
    assert_eq!(state, RunState::Succeeded, "{content}");
    assert_eq!(
        feed.tool("turn-2-readFiles-1").output.unwrap(),
        "=== marks\nonce\n\n"
    );
    assert_eq!(model.asked_for(1), asked);
    (model, feed)
}

#[tokio::test]
async fn temporary_refusals_are_retried_after_the_requested_wait() {
    let begun = Instant::now();
    gets_over(
        vec![Reply::Later(429, "2"), Reply::Status(429, "too many")],
        &[],
    )
    .await;
    assert!(begun.elapsed().as_secs() >= 2);
    gets_over(
        vec![
            Reply::Status(500, "oops"),
            Reply::Later(503, "0.1"),
            Reply::Status(502, "<html>bad gateway</html>"),
        ],
        &[],
    )
    .await;
}

#[tokio::test]
async fn a_request_is_retried_whenever_its_connection_breaks_and_half_an_answer_is_discarded() {
    let (_, feed) = gets_over(vec![Reply::Dropped, mark().cut(0)], &[]).await;
    assert!(feed.events.iter().any(|event| matches!(
        &event.kind,
        EventKind::Status {
            status: codeflow::protocol::Status::Retrying
        }
    )));
    // In mid-text; then in mid-arguments.
    gets_over(
        vec![Reply::Text("I will first look at").cut(50), mark().cut(60)],
        &[],
    )
    .await;
    // After a whole tool call, without the answer's end.
    gets_over(vec![mark().cut(100)], &[]).await;
}

#[tokio::test]
async fn a_silent_stream_is_abandoned_and_a_slow_one_is_awaited() {
    let silent = |percent| Reply::Silent(percent, Box::new(mark()));
    gets_over(vec![silent(0), silent(70)], &[("AI_SILENCE_SECONDS", "3")]).await;
    let slow = Reply::Slow(500, Box::new(mark()));
    let model = Model::start([("Build", vec![slow, Reply::done()])]).await;
    let (state, content, _) = run(&model, &[("AI_SILENCE_SECONDS", "3")]).await;
    assert_eq!(state, RunState::Succeeded, "{content}");
    assert_eq!(model.asked_for(1), 1);
}

#[tokio::test]
async fn a_permanent_failure_is_reported_after_the_attempts_it_deserves() {
    for (failure, attempts, said) in [
        (Reply::Status(500, "on fire"), 4, "on fire (500)"),
        (Reply::Status(401, "bad key"), 1, "OPENAI_API_KEY"),
        (Reply::Status(404, "no such model"), 1, "AI_MODEL"),
        (Reply::Later(429, "3600"), 1, "at its limit"),
        (Reply::Status(402, "empty"), 1, "no credit left"),
        (mark().cut(50), 3, "was cut off"),
    ] {
        let model = Model::start([("Build", vec![failure])]).await;
        let (state, content, _) = run(&model, &[]).await;
        assert_eq!(state, RunState::Failed);
        assert!(content.contains(said), "{content}");
        assert_eq!(model.asked_for(1), attempts, "{content}");
    }
    let model = Model::start([("Build", vec![Reply::done()])]).await;
    // Nobody listens there.
    let (state, content, _) = run(&model, &[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]).await;
    assert_eq!(state, RunState::Failed);
    assert!(
        content.contains("can't be reached") && content.contains("refused"),
        "{content}"
    );
}

#[tokio::test]
async fn the_next_provider_takes_over_where_the_first_is_limited_or_down() {
    let first = Model::start([("Build", vec![mark(), Reply::Status(402, "empty")])]).await;
    let second = Model::start([("Build", vec![mark(), marks(), Reply::done()])]).await;
    let ollama = second.url.trim_end_matches("/v1").to_owned();
    let fallback = [
        ("AI_FALLBACK", "ollama:scripted"),
        ("OLLAMA_BASE_URL", &*ollama),
    ];
    let (state, content, feed) = run(&first, &fallback).await;
    assert_eq!(state, RunState::Succeeded, "{content}");
    assert_eq!(
        feed.tool("turn-2-readFiles-1").output.unwrap(),
        "=== marks\nonce\n\n"
    );
    let asked = |model: &Model| [1, 2, 3].map(|turn| model.asked_for(turn));
    // What failed once is not asked again in this run.
    assert_eq!((asked(&first), asked(&second)), ([1, 1, 0], [0, 1, 1]));

    // Both are down: the honest error is the last one's.
    let first = Model::start([("Build", vec![Reply::Status(402, "empty")])]).await;
    let second = Model::start([("Build", vec![Reply::Status(402, "empty too")])]).await;
    let ollama = second.url.trim_end_matches("/v1").to_owned();
    let fallback = [("AI_FALLBACK", "ollama"), ("OLLAMA_BASE_URL", &*ollama)];
    let (state, content, _) = run(&first, &fallback).await;
    assert_eq!(state, RunState::Failed);
    assert!(content.contains("empty too"), "{content}");
    assert_eq!((first.asked_for(1), second.asked_for(1)), (1, 1));
}
