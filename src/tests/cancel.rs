//! Runs that their user stops, and queued runs.

use std::fs;

use codeflow::protocol::{EventKind, ProjectId, RunState};
use serde_json::json;

use crate::support::{Model, Reply, Server, data_dir, until};

/// Stops a run; the status of the answer.
async fn cancel(server: &Server, run: &str) -> u16 {
    server
        .post("/api/runs/cancel", &[("run", run)])
        .await
        .0
        .as_u16()
}

/// Whether a process of this command line runs on the machine.
fn runs(command: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let line = |process: fs::DirEntry| fs::read(process.path().join("cmdline")).unwrap_or_default();
    processes
        .map(line)
        .any(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == command)
}

#[tokio::test]
async fn a_stopped_run_ends_its_command_and_keeps_its_files_for_the_next_one() {
    let data = data_dir();
    let model = Model::start([
        (
            "Build",
            vec![
                Reply::write("index.html", "<h1>Half</h1>"),
                Reply::call("terminal", json!({ "command": "sleep 86399" })),
                Reply::done(),
            ],
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
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    until("the command runs", async || {
        runs("sleep 86399").then_some(())
    })
    .await;
    let run = server.workspace(project).await.runs[0].id;
    assert_eq!(cancel(&server, &run.to_string()).await, 200);

    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Cancelled);
    assert!(
        message.content.contains("Stopped") && message.content.contains("kept"),
        "{}",
        message.content
    );
    until("the command is ended", async || {
        (!runs("sleep 86399")).then_some(())
    })
    .await;
    assert_eq!(model.asked_for(3), 0, "the model is not asked any more");
    // Again, and it stays as it is.
    assert_eq!(cancel(&server, &run.to_string()).await, 200);
    assert_eq!(server.states(project).await, [RunState::Cancelled]);

    server.send(project, "Go on").await;
    feed.succeeded(2).await;
    assert!(
        feed.tool("turn-1-readFiles-1")
            .output
            .unwrap()
            .contains("<h1>Half</h1>")
    );
    let replies = feed.find(|kind| match kind {
        EventKind::Run { run } if run.state == RunState::Succeeded => Some(run.id),
        _ => None,
    });
    assert_ne!(replies.await, run);
}

#[tokio::test]
async fn a_stopped_answer_says_whether_there_is_a_part_of_it_and_keeps_that() {
    const ANSWER: &str = "It is a shop that sells cheese, and has been one since it was opened.";
    let data = data_dir();
    let model = Model::start([
        (
            "What is it?",
            vec![Reply::Silent(60, Box::new(Reply::Text(ANSWER)))],
        ),
        ("And then?", vec![Reply::Text(ANSWER).held()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let form = [("prompt", "What is it?"), ("mode", "ask")];
    let (_, id) = server.post("/api/projects/create", &form).await;
    let project: ProjectId = serde_json::from_value(id).unwrap();
    let mut feed = server.feed(project).await;
    let is_piece = |kind: &EventKind| matches!(kind, EventKind::TextPiece { .. }).then_some(());
    feed.find(is_piece).await;
    let run = server.workspace(project).await.runs[0].id;
    assert_eq!(cancel(&server, &run.to_string()).await, 200);
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Cancelled);
    let expected = "answered so far is kept above. The model does not continue from it";
    assert!(message.content.contains(expected), "{}", message.content);
    // It is kept, for whoever opens the project later.
    let events = server.workspace(project).await.events;
    let kept = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Text { text, .. } => Some(text.clone()),
        _ => None,
    });
    let kept = kept.unwrap();
    assert!(!kept.is_empty() && ANSWER.starts_with(&kept), "{kept}");

    let form = [
        ("project", &*project.to_string()),
        ("text", "And then?"),
        ("mode", "ask"),
    ];
    let (status, sent) = server.post("/api/messages/send", &form).await;
    assert_eq!(status, 200, "{sent}");
    until("the model is asked", async || {
        (model.turns_of("And then?").len() == 1).then_some(())
    })
    .await;
    let asked = serde_json::to_string(&model.turns_of("And then?")).unwrap();
    assert!(!asked.contains("sells cheese"), "{asked}");
    let run = server.workspace(project).await.runs[1].id;
    assert_eq!(cancel(&server, &run.to_string()).await, 200);
    let (_, message) = feed.ended(2).await;
    let expected = "Stopped before there was an answer.";
    assert!(message.content.starts_with(expected), "{}", message.content);
}

#[tokio::test]
async fn a_queued_run_stops_without_asking_the_model_and_the_ones_behind_it_continue() {
    let data = data_dir();
    let model = Model::start([
        ("First", vec![Reply::done().held()]),
        ("Second", vec![Reply::done()]),
        ("Third", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("First").await;
    until("the first run asks the model", async || {
        (model.turns().len() == 1).then_some(())
    })
    .await;
    server.send(project, "Second").await;
    server.send(project, "Third").await;
    let second = server.workspace(project).await.runs[1].id;
    assert_eq!(cancel(&server, &second.to_string()).await, 200);
    assert_eq!(
        server.states(project).await,
        [RunState::Running, RunState::Cancelled, RunState::Queued]
    );
    model.release();
    server.feed(project).await.ended(3).await;
    assert_eq!(
        server.states(project).await,
        [
            RunState::Succeeded,
            RunState::Cancelled,
            RunState::Succeeded
        ]
    );
    assert_eq!(model.turns().len(), 2);

    assert_eq!(
        cancel(&server, "01a1fe8c-0228-71c3-9751-e449137d0f7a").await,
        404
    );
}

#[tokio::test]
async fn a_stopped_run_stays_stopped_when_the_server_is_killed() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("index.html", "<h1>Half</h1>"),
            Reply::done().held(),
        ],
    )])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    until("the second turn is asked for", async || {
        (model.asked_for(2) == 1).then_some(())
    })
    .await;
    let run = server.workspace(project).await.runs[0].id;
    assert_eq!(cancel(&server, &run.to_string()).await, 200);
    server.kill();
    let server = Server::start(data.path(), &model);
    assert_eq!(server.states(project).await, [RunState::Cancelled]);
    server.send(project, "Build").await;
    model.release();
    server.feed(project).await.ended(2).await;
    assert_eq!(
        server.states(project).await,
        [RunState::Cancelled, RunState::Succeeded]
    );
}

#[tokio::test]
async fn runs_beyond_the_limit_wait_their_turn() {
    let data = data_dir();
    let model = Model::start([
        ("First", vec![Reply::done().held()]),
        ("Second", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[("RUNS_MAX_CONCURRENT", "1")]);
    let first = server.create("First").await;
    until("the first run asks the model", async || {
        (model.turns().len() == 1).then_some(())
    })
    .await;
    let second = server.create("Second").await;
    assert_eq!(server.states(second).await, [RunState::Queued]);
    assert_eq!(model.turns().len(), 1);
    model.release();
    server.feed(first).await.ended(1).await;
    server.feed(second).await.ended(1).await;
    assert_eq!(server.states(second).await, [RunState::Succeeded]);
}
