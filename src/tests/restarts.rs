//! Nothing is lost, neither in a crash during a run nor with the sandbox.

use std::{collections::HashMap, fs};

use codeflow::{
    protocol::{EventKind, RunState},
    store::Store,
};
use serde_json::json;

use crate::support::{ControlPlane, Host, Model, PATIENCE, Reply, Server, data_dir, http, until};

#[tokio::test]
async fn a_run_interrupted_by_a_crash_resumes_and_repeats_no_finished_step() {
    let data = data_dir();
    let append = |line: &str| {
        Reply::call(
            "terminal",
            json!({ "command": format!("echo {line} >> log.txt") }),
        )
    };
    let model = Model::start([(
        "Build",
        vec![
            append("first"),
            append("second"),
            append("third").held(),
            Reply::call("readFiles", json!({ "files": ["log.txt"] })),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let run = feed
        .find(|kind| match kind {
            EventKind::Run { run } => Some(run.id),
            _ => None,
        })
        .await;
    until("the third turn is asked for", async || {
        (model.asked_for(3) == 1).then_some(())
    })
    .await;
    server.kill();

    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let before: HashMap<String, (i32, String)> = steps(&store, run).await;
    assert!(
        before.contains_key("turn-2-terminal-1") && !before.contains_key("turn-3"),
        "{before:?}"
    );

    let server = Server::start(data.path(), &model);
    until("the third turn is asked for again", async || {
        (model.asked_for(3) == 2).then_some(())
    })
    .await;
    assert_eq!(
        server.workspace(project).await.runs[0].state,
        RunState::Running
    );
    let mut feed = server.feed(project).await;
    model.release();
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);

    assert_eq!(
        (model.asked_for(1), model.asked_for(2)),
        (1, 1),
        "an answer that was saved is not asked for again"
    );
    assert_eq!(
        feed.tool("turn-4-readFiles-1").output.unwrap(),
        "=== log.txt\nfirst\nsecond\nthird\n\n"
    );
    // The result is announced within the last step, whose own output is saved after it.
    let after = until("the last step is saved", async || {
        Some(steps(&store, run).await).filter(|steps| steps.contains_key("save-to-db"))
    })
    .await;
    for (name, step) in &before {
        assert_eq!(after.get(name), Some(step), "{name} ran again");
    }
    for name in ["verify-1", "get-sandbox-url", "generate-metadata"] {
        assert!(after.contains_key(name), "{name} is missing in {after:?}");
    }
    let results = server.workspace(project).await.messages.len();
    assert_eq!(results, 2, "one prompt, one result");
    store.close().await;
}

/// The steps that have an output: how many times they were begun, and the output.
async fn steps(store: &Store, run: codeflow::protocol::RunId) -> HashMap<String, (i32, String)> {
    let steps = store.list_steps(run).await.unwrap();
    steps
        .into_iter()
        .filter_map(|step| Some((step.name, (step.attempt, step.output?))))
        .collect()
}

#[tokio::test]
async fn an_orderly_stop_in_mid_run_loses_nothing_either() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("index.html", "<h1>Kept</h1>"),
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
    server.stop();
    let server = Server::start(data.path(), &model);
    until("it is asked for again", async || {
        (model.asked_for(2) == 2).then_some(())
    })
    .await;
    model.release();
    let (state, _) = server.feed(project).await.ended(1).await;
    assert_eq!(state, RunState::Succeeded);
    assert_eq!(model.asked_for(1), 1);
}

#[tokio::test]
async fn a_lost_sandbox_is_built_anew_from_the_latest_version() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("index.html", "<h1>Version one</h1>"),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    server.feed(project).await.ended(1).await;
    server.stop();
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();

    let server = Server::start(data.path(), &model);
    // Following the feed is looking at the preview.
    let mut feed = server.feed(project).await;
    let page = until("the preview shows the version", async || {
        let workspace = server.workspace(project).await;
        let codeflow::protocol::PreviewState::Ready { url, .. } = workspace.preview else {
            return None;
        };
        let host = url
            .strip_prefix("http://")?
            .trim_end_matches('/')
            .to_owned();
        let page = http()
            .get(server.url())
            .header("host", host)
            .send()
            .await
            .unwrap();
        if page.status() == 200 {
            Some(page.text().await.unwrap())
        } else {
            None
        }
    })
    .await;
    assert_eq!(page, "<h1>Version one</h1>");
    feed.preview().await;
}

#[tokio::test]
async fn a_run_whose_sandbox_was_lost_meanwhile_resumes_in_another_with_what_it_had_written() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("index.html", "<h1>Written</h1>"),
            Reply::call("readFiles", json!({ "files": ["index.html"] })).held(),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    until("the second turn is asked for", async || {
        (model.asked_for(2) == 1).then_some(())
    })
    .await;
    server.stop();
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();

    let server = Server::start(data.path(), &model);
    until("the second turn is asked for again", async || {
        (model.asked_for(2) == 2).then_some(())
    })
    .await;
    model.release();
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_eq!(
        model.asked_for(1),
        1,
        "what the model said is not asked for again"
    );
    let read = feed.tool("turn-2-readFiles-1").output.unwrap();
    assert!(
        read.contains("<h1>Written</h1>") && read.contains("has been made anew"),
        "{read}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_vanishes_in_mid_run_is_rebuilt_from_the_version_and_what_the_run_wrote() {
    let host = Host::start().await;
    let data = tempfile::tempdir().unwrap();
    let model = Model::start([
        (
            "Build",
            vec![Reply::write("index.html", "<h1>One</h1>"), Reply::done()],
        ),
        (
            "Change",
            vec![
                Reply::write("second.html", "<h1>Two</h1>"),
                Reply::call(
                    "terminal",
                    json!({ "command": "echo $$ > command; sleep 86397" }),
                ),
                Reply::call(
                    "readFiles",
                    json!({ "files": ["index.html", "second.html"] }),
                ),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let server = host.serve(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    assert_eq!(feed.ended(1).await.0, RunState::Succeeded);
    server.send(project, "Change").await;
    let sandboxes = async || {
        host.get("/v2/sandboxes").await[0]["sandboxID"]
            .as_str()
            .map(str::to_owned)
    };
    let first = sandboxes().await.unwrap();
    until("the command runs", async || {
        host.client
            .connect(&first, PATIENCE)
            .await
            .unwrap()
            .read_file("/home/user/command")
            .await
            .ok()
    })
    .await;
    host.client.kill(&first).await.unwrap();

    let (state, message) = feed.ended(2).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_ne!(sandboxes().await.unwrap(), first);
    let output = feed.tool("turn-2-terminal-1").output.unwrap();
    assert!(
        output.contains("was interrupted") && output.contains("has been made anew"),
        "{output}"
    );
    let read = feed.tool("turn-3-readFiles-1").output.unwrap();
    assert!(
        read.contains("<h1>One</h1>") && read.contains("<h1>Two</h1>"),
        "{read}"
    );
    assert_eq!(
        model.turns().len(),
        6,
        "the model is asked for nothing twice"
    );
    drop(server);
    host.stop().await;
}

#[tokio::test]
async fn the_model_learns_of_a_command_that_a_crash_interrupted_and_it_is_not_run_again() {
    let data = data_dir();
    let command = "echo begun >> marks; sleep 86398";
    let model = Model::start([(
        "Build",
        vec![
            Reply::call("terminal", json!({ "command": command })),
            Reply::call("readFiles", json!({ "files": ["marks"] })),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    until("the command runs", async || {
        let read = server
            .get(&format!("/api/files/read?project={project}&path=marks"))
            .await;
        (read.status() == 200).then_some(())
    })
    .await;
    server.kill();
    let server = Server::start(data.path(), &model);
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    let tool = feed.tool("turn-1-terminal-1");
    assert!(tool.failed && tool.output.unwrap().contains("was interrupted"));
    assert_eq!(
        feed.tool("turn-2-readFiles-1").output.unwrap(),
        "=== marks\nbegun\n\n"
    );
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let run = server.workspace(project).await.runs[0].id;
    let steps = store.list_steps(run).await.unwrap();
    let step = steps
        .iter()
        .find(|step| step.name == "turn-1-terminal-1")
        .unwrap();
    assert_eq!(step.attempt, 2);
    assert!(
        step.input_digest
            .as_ref()
            .is_some_and(|digest| digest.len() == 64)
    );
    assert!(step.finished_at.unwrap() >= step.started_at);
    store.close().await;
}
