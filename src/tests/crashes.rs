//! Crashes are counted: a step that repeatedly takes the server down ends its run, and time and
//! money spent before a crash stay spent.

use std::{path::Path, time::Duration};

use codeflow::{
    protocol::{ProjectId, RunId},
    store::{SavedStep, Store},
};
use serde_json::json;

use crate::support::{Model, Reply, Server, data_dir, until};

async fn open(data: &Path) -> Store {
    Store::open_file(&data.join("codeflow.sqlite"))
        .await
        .unwrap()
}

async fn run_of(server: &Server, project: ProjectId) -> RunId {
    server.workspace(project).await.runs[0].id
}

async fn step(store: &Store, run: RunId, name: &str) -> Option<SavedStep> {
    store
        .list_steps(run)
        .await
        .unwrap()
        .into_iter()
        .find(|step| step.name == name)
}

/// Starts the server and waits until it dies at this moment of a step.
async fn crash(data: &Path, model: &Model, at: &str) {
    let mut child = Server::spawn(
        data,
        &[&model.env()[..], &[("CODEFLOW_CRASH_AT", at)]].concat(),
    );
    until(at, async || child.try_wait().unwrap()).await;
}

#[tokio::test]
async fn a_step_that_crashes_the_server_three_times_ends_its_run_and_the_next_message_works() {
    let data = data_dir();
    let model = Model::start([
        (
            "Build",
            vec![Reply::write("index.html", "<h1>Kept</h1>"), Reply::done()],
        ),
        (
            "Go on",
            vec![
                Reply::call("readFiles", json!({ "files": ["index.html"] })),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let env = [("CODEFLOW_CRASH_AT", "before:verify-1")];
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    server.died().await;
    for _ in 0..2 {
        crash(data.path(), &model, "before:verify-1").await;
    }
    let server = Server::start(data.path(), &model);
    let mut feed = server.feed(project).await;
    let message = feed.failed(1).await;
    assert!(
        message
            .content
            .contains("stopped 3 times during step “verify-1”"),
        "{}",
        message.content
    );
    let store = open(data.path()).await;
    let verify = step(&store, run_of(&server, project).await, "verify-1")
        .await
        .unwrap();
    assert_eq!((verify.attempt, verify.output), (3, None));
    assert_eq!(verify.error, Some(message.content));
    store.close().await;

    server.send(project, "Go on").await;
    feed.succeeded(2).await;
    assert!(
        feed.tool("turn-1-readFiles-1")
            .output
            .unwrap()
            .contains("<h1>Kept</h1>")
    );
}

#[tokio::test]
async fn orderly_stops_never_count_as_crashes() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done().held()])]).await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    until("the model is asked", async || {
        (model.asked_for(1) == 1).then_some(())
    })
    .await;
    server.stop();
    for asked in 2..6 {
        let server = Server::process(data.path(), &model, &[]).await;
        until("it is asked again", async || {
            (model.asked_for(1) == asked).then_some(())
        })
        .await;
        server.stop();
    }
    let server = Server::process(data.path(), &model, &[]).await;
    until("it is asked again", async || {
        (model.asked_for(1) == 6).then_some(())
    })
    .await;
    model.release();
    server.feed(project).await.succeeded(1).await;
}

#[tokio::test]
async fn a_run_s_time_limit_counts_working_time_across_restarts() {
    let data = data_dir();
    let model = Model::start([
        ("Build", vec![Reply::done().held()]),
        ("Wait", vec![Reply::done()]),
    ])
    .await;
    let env = [("RUN_TIMEOUT_SECONDS", "86400")];
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    server.send(project, "Wait").await;
    let run = run_of(&server, project).await;
    let store = open(data.path()).await;
    until("the run's time is noted", async || {
        Some(store.worked(run).await.unwrap()).filter(|worked| !worked.is_zero())
    })
    .await;
    let waiting = server.workspace(project).await.runs[1].id;
    assert_eq!(
        store.worked(waiting).await.unwrap(),
        Duration::ZERO,
        "waiting is no work"
    );
    server.kill();
    store
        .set_worked(run, Duration::from_secs(86_399))
        .await
        .unwrap();
    store.close().await;

    let server = Server::start_and(data.path(), &model, &env);
    let mut feed = server.feed(project).await;
    let message = feed.failed(1).await;
    assert!(
        message.content.contains("longer than 1440 minutes"),
        "{}",
        message.content
    );
    // The queued run still has all its time.
    feed.succeeded(2).await;
}

#[tokio::test]
async fn the_cost_of_an_interrupted_answer_counts_towards_the_run_s_limits() {
    let data = data_dir();
    let half = Reply::Silent(
        50,
        Box::new(Reply::Text(
            "I will begin with the page that you asked for, and then",
        )),
    );
    let model = Model::start([("Build", vec![half])]).await;
    // The chat alone has more tokens than the limit.
    let env = [("RUN_MAX_TOKENS", "1000")];
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    let run = run_of(&server, project).await;
    let store = open(data.path()).await;
    until("what the answer cost is noted", async || {
        let step = step(&store, run, "turn-1").await?;
        (step.spent.input_tokens > 1000 && step.spent.output_tokens > 0).then_some(())
    })
    .await;
    server.kill();
    store.close().await;

    let server = Server::start_and(data.path(), &model, &env);
    let message = server.feed(project).await.failed(1).await;
    assert!(
        message.content.contains("RUN_MAX_TOKENS"),
        "{}",
        message.content
    );
    assert_eq!(
        model.asked_for(1),
        1,
        "it is not asked again for more than there is to spend"
    );
}

#[tokio::test]
async fn the_cost_of_answers_that_broke_off_is_in_the_sums() {
    let data = data_dir();
    let long = "All of this is written, and paid for. ".repeat(40).leak();
    let model = Model::start([(
        "Build",
        vec![Reply::InTurn(vec![
            Reply::Text(long).cut(90),
            Reply::done(),
        ])],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;
    let store = open(data.path()).await;
    let turn = step(&store, run_of(&server, project).await, "turn-1")
        .await
        .unwrap();
    // The complete answer reports 7 and 3 tokens.
    assert!(
        turn.spent.input_tokens > 1000 && turn.spent.output_tokens > 200,
        "{:?}",
        turn.spent
    );
    store.close().await;
}
