//! A run without a result saves its work as a draft that survives the loss of its sandbox: “The
//! files are kept” is true.

use std::fs;

use codeflow::protocol::{Fragment, MessageKind, ProjectId, RunState};
use serde_json::json;

use crate::support::{ControlPlane, Host, Model, Reply, Server, data_dir, until};

/// The draft of the project's last message, when it is there.
async fn draft(server: &Server, project: ProjectId) -> Fragment {
    until("the draft is saved", async || {
        let workspace = server.workspace(project).await;
        let last = workspace
            .messages
            .into_iter()
            .rfind(|message| message.kind == MessageKind::Error)?;
        last.fragment.filter(|fragment| fragment.draft)
    })
    .await
}

/// Writes a file by a tool and another by a command.
fn work() -> Vec<Reply> {
    vec![
        Reply::write("written.txt", "by a tool"),
        Reply::call(
            "terminal",
            json!({ "command": "echo by a command > made.txt; rm app/icon.png" }),
        ),
    ]
}

fn with_end(end: Reply) -> Vec<Reply> {
    work().into_iter().chain([end]).collect()
}

#[tokio::test]
async fn the_work_of_failed_and_stopped_runs_is_there_when_the_sandbox_is_lost() {
    let data = data_dir();
    let look = Reply::call(
        "terminal",
        json!({ "command": "cat written.txt made.txt; ls app" }),
    );
    let model = Model::start([
        ("Fail", with_end(Reply::Status(401, "bad key"))),
        (
            "Stop",
            with_end(Reply::call(
                "terminal",
                json!({ "command": "echo waits; sleep 86396" }),
            )),
        ),
        (
            "Only talk",
            vec![
                Reply::call("listFiles", json!({ "path": "" })),
                Reply::Status(401, "bad key"),
            ],
        ),
        ("Look", vec![look, Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let failed = server.create("Fail").await;
    assert_eq!(server.feed(failed).await.ended(1).await.0, RunState::Failed);
    let first = draft(&server, failed).await;
    assert_eq!((first.number, first.title.as_str()), (0, "Draft of Fail"));

    let stopped = server.create("Stop").await;
    until("the last command is asked for", async || {
        let events = server.workspace(stopped).await.events;
        events
            .iter()
            .any(|event| format!("{:?}", event.kind).contains("turn-3-terminal-1"))
            .then_some(())
    })
    .await;
    let run = server.workspace(stopped).await.runs[0].id;
    assert_eq!(
        server
            .post("/api/runs/cancel", &[("run", &run.to_string())])
            .await
            .0,
        200
    );
    assert_eq!(
        server.feed(stopped).await.ended(1).await.0,
        RunState::Cancelled
    );
    draft(&server, stopped).await;

    // Nothing was changed, so there is nothing to keep; and nothing is kept twice.
    server.send(failed, "Only talk").await;
    assert_eq!(server.feed(failed).await.ended(2).await.0, RunState::Failed);
    server.send(failed, "Fail").await;
    assert_eq!(server.feed(failed).await.ended(3).await.0, RunState::Failed);
    server.stop();
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();

    let server = Server::start(data.path(), &model);
    for (project, count) in [(failed, 4), (stopped, 2)] {
        let drafts = server
            .workspace(project)
            .await
            .messages
            .iter()
            .filter(|message| message.fragment.is_some())
            .count();
        assert_eq!(drafts, 1);
        server.send(project, "Look").await;
        let mut feed = server.feed(project).await;
        let (state, message) = feed.ended(count).await;
        assert_eq!(state, RunState::Succeeded, "{}", message.content);
        let fragment = message.fragment.unwrap();
        assert_eq!((fragment.number, fragment.draft), (1, false));
        let said = feed.tool("turn-1-terminal-1").output.unwrap();
        assert!(
            said.contains("by a toolby a command")
                && said.contains("page.tsx")
                && !said.contains("icon.png"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_made_from_the_runs_steps_where_the_sandbox_is_gone() {
    let host = Host::start().await;
    let data = tempfile::tempdir().unwrap();
    let model = Model::start([
        (
            "Fail",
            vec![
                Reply::write("written.txt", "by a tool"),
                Reply::Held(Box::new(Reply::Status(401, "bad key"))),
            ],
        ),
        (
            "Look",
            vec![
                Reply::call(
                    "readFiles",
                    json!({ "files": ["written.txt", "app/page.tsx"] }),
                ),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let server = host.serve(data.path(), &model);
    let project = server.create("Fail").await;
    until("the second turn is asked for", async || {
        (model.asked_for(2) == 1).then_some(())
    })
    .await;
    let sandbox = host.get("/v2/sandboxes").await[0]["sandboxID"]
        .as_str()
        .unwrap()
        .to_owned();
    host.client.kill(&sandbox).await.unwrap();
    model.release();
    assert_eq!(
        server.feed(project).await.ended(1).await.0,
        RunState::Failed
    );
    draft(&server, project).await;

    server.send(project, "Look").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(2).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    let read = feed.tool("turn-1-readFiles-1").output.unwrap();
    assert!(
        read.contains("by a tool") && read.contains("The template"),
        "{read}"
    );
    drop(feed);
    drop(server);
    host.stop().await;
}
