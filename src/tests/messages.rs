//! Changes to sent messages: edited and sent again, retried, changed and removed while queued, and
//! loaded in pages. None of it loses anything.

use codeflow::protocol::{
    Author, EventKind, Fragment, History, Message, MessageId, ProjectId, Role, RunState,
    StepDetails, Workspace,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{ControlPlane, Host, Model, PATIENCE, Reply, Server, data_dir, http, until};

/// The numbers and authors of the project's versions, newest first.
async fn versions(server: &Server, project: ProjectId) -> Vec<(i32, Author)> {
    let path = format!("/api/versions/list?project={project}");
    let listed: Vec<Fragment> = server.get(&path).await.json().await.unwrap();
    listed
        .iter()
        .map(|version| (version.number, version.author))
        .collect()
}

/// What users and assistants say in the conversation.
fn said(workspace: &Workspace) -> Vec<(Role, &str)> {
    let messages = workspace.messages.iter();
    messages
        .map(|message| (message.role, message.content.as_str()))
        .collect()
}

fn prompt(workspace: &Workspace, text: &str) -> MessageId {
    let is_it = |message: &&Message| message.role == Role::User && message.content == text;
    workspace.messages.iter().find(is_it).unwrap().id
}

async fn edit(server: &Server, message: MessageId, text: &str, stop: bool) -> (StatusCode, Value) {
    let (message, stop) = (message.to_string(), stop.to_string());
    let form = [("message", &*message), ("text", text), ("stop", &*stop)];
    server.post("/api/messages/edit", &form).await
}

async fn act(server: &Server, what: &str, message: MessageId) -> (StatusCode, Value) {
    let form = [("message", &*message.to_string())];
    server.post(&format!("/api/messages/{what}"), &form).await
}

/// The text of the app's page; `None` when there is none.
async fn page(server: &Server, project: ProjectId, path: &str) -> Option<String> {
    let path = format!("/api/files/read?project={project}&path={path}&plain=true");
    let read = server.get(&path).await;
    (read.status() == 200).then_some(())?;
    let view: Value = read.json().await.unwrap();
    view["text"].as_str().map(str::to_owned)
}

fn writes(words: &str) -> Vec<Reply> {
    vec![Reply::write("index.html", words), Reply::done()]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_message_begins_again_from_the_version_before_it_and_nothing_is_lost() {
    let host = Host::start().await;
    let data = tempfile::tempdir().unwrap();
    let other = vec![
        Reply::call("readFiles", json!({ "files": ["index.html"] })),
        Reply::write("index.html", "<h1>Other</h1>"),
        Reply::done(),
    ];
    let model = Model::start([
        ("Build", writes("<h1>One</h1>")),
        ("Change", writes("<h1>Two</h1>")),
        ("Again", writes("<h1>Three</h1>")),
        ("Wait", vec![Reply::done().held()]),
        ("Other", other),
        (
            "From scratch",
            vec![
                Reply::call("listFiles", json!({ "path": "." })),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let server = host.serve(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    for (number, text) in [(2, "Change"), (3, "Again")] {
        server.send(project, text).await;
        feed.succeeded(number).await;
    }
    // A command's file is in no version yet.
    let own = host.get("/v2/sandboxes").await[0]["sandboxID"].clone();
    let sandbox = host
        .client
        .connect(own.as_str().unwrap(), PATIENCE)
        .await
        .unwrap();
    sandbox
        .write_file("/home/user/late.txt", b"by hand".to_vec())
        .await
        .unwrap();

    // A run at work is left alone, unless its user says otherwise.
    server.send(project, "Wait").await;
    until("it works", async || {
        (server.states(project).await.last() == Some(&RunState::Running)).then_some(())
    })
    .await;
    let before = server.workspace(project).await;
    let change = prompt(&before, "Change");
    let (status, refused) = edit(&server, change, "Other", false).await;
    assert_eq!(status, 409, "{refused}");
    assert!(
        refused["message"].as_str().unwrap().contains("Stop it"),
        "{refused}"
    );
    assert_eq!(said(&server.workspace(project).await), said(&before));
    let (status, answer) = edit(&server, change, "Other", true).await;
    assert_eq!(status, 200, "{answer}");
    feed.succeeded(5).await;

    let after = server.workspace(project).await;
    let prompts: Vec<&str> = said(&after)
        .into_iter()
        .filter(|(role, _)| *role == Role::User)
        .map(|(_, text)| text)
        .collect();
    assert_eq!(prompts, ["Build", "Other"]);
    assert_eq!(after.messages.len(), 4, "each has its reply");
    assert_eq!(after.runs.len(), 2);
    assert_eq!(
        page(&server, project, "index.html").await.as_deref(),
        Some("<h1>Other</h1>")
    );
    assert_eq!(page(&server, project, "late.txt").await, None);
    // The page that the new run found, and the conversation that its model got.
    assert!(
        feed.tool("turn-1-readFiles-1")
            .output
            .unwrap()
            .contains("One")
    );
    let asked = model.turns_of("Other")[0].to_string();
    assert!(
        asked.contains("Build") && !asked.contains("Again"),
        "{asked}"
    );
    let listed = versions(&server, project).await;
    let expected = [
        (6, Author::Agent),
        (5, Author::Restore),
        (4, Author::You),
        (3, Author::Agent),
        (2, Author::Agent),
        (1, Author::Agent),
    ];
    assert_eq!(listed, expected);
    let kept = format!("/api/versions/file?project={project}&version=4&path=late.txt");
    assert_eq!(server.get(&kept).await.status(), 200);
    // Whoever follows from the beginning learns what is no longer part of it.
    let withdrawn = feed
        .find(|kind| match kind {
            EventKind::Withdrawn { messages } => Some(messages.clone()),
            _ => None,
        })
        .await;
    assert!(
        withdrawn.contains(&change) && withdrawn.len() == 6,
        "{withdrawn:?}"
    );

    // A removed message can't be sent again from any tab.
    let (status, refused) = edit(&server, change, "Build", false).await;
    assert_eq!(status, 409, "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("no longer part"),
        "{refused}"
    );

    // Before the first message there was nothing but the template.
    let (status, answer) = edit(&server, prompt(&after, "Build"), "From scratch", false).await;
    assert_eq!(status, 200, "{answer}");
    feed.succeeded(6).await;
    assert!(
        !feed
            .tool("turn-1-listFiles-1")
            .output
            .unwrap()
            .contains("late.txt")
    );
    assert_ne!(
        page(&server, project, "index.html").await.as_deref(),
        Some("<h1>Other</h1>")
    );
    assert_eq!(server.states(project).await, [RunState::Succeeded]);
    drop(server);
    host.stop().await;
}

#[tokio::test]
async fn a_crash_right_after_a_message_was_sent_again_ends_with_the_version_before_and_its_run() {
    let data = data_dir();
    let model = Model::start([
        ("Build", writes("<h1>One</h1>")),
        (
            "Change",
            vec![Reply::write("lib/two.html", "Two"), Reply::done()],
        ),
        (
            "Other",
            vec![
                Reply::call("listFiles", json!({ "path": "." })),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let env = [("CODEFLOW_CRASH_AT", "after:rewind")];
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    server.send(project, "Change").await;
    feed.succeeded(2).await;
    let message = prompt(&server.workspace(project).await, "Change");
    let form = [
        ("message", message.to_string()),
        ("text", "Other".to_owned()),
    ];
    let url = format!("{}/api/messages/edit", server.url());
    assert!(http().post(url).form(&form).send().await.is_err());
    server.died().await;

    let server = Server::start(data.path(), &model);
    let mut feed = server.feed(project).await;
    feed.succeeded(3).await;
    assert_eq!(page(&server, project, "lib/two.html").await, None);
    assert!(
        !feed
            .tool("turn-1-listFiles-1")
            .output
            .unwrap()
            .contains("two.html")
    );
    let workspace = server.workspace(project).await;
    assert_eq!(workspace.messages[2].content, "Other");
    assert_eq!(workspace.runs.len(), 2);
}

#[tokio::test]
async fn messages_that_wait_are_changed_and_removed_and_one_that_began_is_not() {
    let data = data_dir();
    let model = Model::start([
        (
            "Build",
            vec![Reply::write("index.html", "One"), Reply::done().held()],
        ),
        ("Third, changed", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    for text in ["Second", "Third"] {
        server.send(project, text).await;
    }
    until("it works", async || {
        (server.states(project).await[0] == RunState::Running).then_some(())
    })
    .await;
    let workspace = server.workspace(project).await;
    let (first, second, third) = (
        prompt(&workspace, "Build"),
        prompt(&workspace, "Second"),
        prompt(&workspace, "Third"),
    );
    let (status, refused) = act(&server, "remove", first).await;
    assert_eq!(status, 409, "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("being worked on"),
        "{refused}"
    );
    let (status, refused) = edit(&server, third, "  ", false).await;
    assert_eq!(
        (status, refused["field"].as_str()),
        (StatusCode::BAD_REQUEST, Some("text"))
    );
    // Two tabs at once: one removes it, the other learns that it is gone.
    let (one, two) = tokio::join!(
        act(&server, "remove", second),
        act(&server, "remove", second)
    );
    let mut statuses = [one.0.as_u16(), two.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(edit(&server, third, "Third, changed", false).await.0, 200);
    let workspace = server.workspace(project).await;
    let waiting: Vec<_> = said(&workspace).into_iter().map(|(_, text)| text).collect();
    assert_eq!(waiting, ["Build", "Third, changed"]);
    assert_eq!(
        server.states(project).await,
        [RunState::Running, RunState::Queued]
    );
    model.release();
    feed.succeeded(2).await;
    let (status, refused) = act(&server, "remove", third).await;
    assert_eq!(status, 409, "{refused}");
    assert_eq!(server.states(project).await, [RunState::Succeeded; 2]);
}

#[tokio::test]
async fn a_failed_message_is_retried_with_what_it_wrote_and_a_finished_one_from_before_it() {
    let data = data_dir();
    let retried = vec![
        Reply::InTurn(vec![
            Reply::write("index.html", "Half"),
            Reply::call("readFiles", json!({ "files": ["index.html"] })),
        ]),
        Reply::InTurn(vec![Reply::Status(400, "no"), Reply::done()]),
    ];
    let model = Model::start([("Build", retried)]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.failed(1).await;
    let message = prompt(&server.workspace(project).await, "Build");
    assert_eq!(act(&server, "retry", message).await.0, 200);
    feed.succeeded(2).await;
    assert!(
        feed.tool("turn-1-readFiles-1")
            .output
            .unwrap()
            .contains("Half")
    );
    let workspace = server.workspace(project).await;
    assert_eq!(prompt(&workspace, "Build"), message);
    assert_eq!(
        server.states(project).await,
        [RunState::Failed, RunState::Succeeded]
    );

    assert_eq!(act(&server, "retry", message).await.0, 200);
    feed.succeeded(3).await;
    let workspace = server.workspace(project).await;
    assert_ne!(prompt(&workspace, "Build"), message);
    assert_eq!(workspace.runs.len(), 1);
    let stranger = MessageId(uuid::Uuid::nil());
    assert_eq!(act(&server, "retry", stranger).await.0, 404);
}

#[tokio::test]
async fn a_long_conversation_is_read_in_parts_and_a_call_shows_what_it_changed() {
    let data = data_dir();
    let change = vec![
        Reply::call(
            "editFile",
            json!({ "path": "index.html", "old": "One", "new": "Two" }),
        ),
        Reply::call("terminal", json!({ "command": "echo first\necho second" })),
        Reply::done().costly(1200, 34),
    ];
    let model = Model::start([
        ("Build", writes("<h1>One</h1>\n")),
        ("Change", change),
        ("Wait", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    for (number, text) in [(2, "Change"), (3, "Wait")] {
        server.send(project, text).await;
        feed.succeeded(number).await;
    }
    let last = format!("/api/projects/workspace?project={project}&last=1");
    let workspace: Workspace = server.get(&last).await.json().await.unwrap();
    assert_eq!(
        (
            workspace.earlier,
            workspace.messages.len(),
            workspace.runs.len()
        ),
        (2, 2, 1)
    );
    let before = workspace.messages[0].id;
    let history = format!("/api/projects/history?project={project}&before={before}");
    let history: History = server.get(&history).await.json().await.unwrap();
    assert_eq!(
        (history.earlier, history.messages.len(), history.runs.len()),
        (0, 4, 2)
    );
    let run = &history.runs[1];
    assert!(
        run.spent.is_some_and(|spent| spent.input_tokens >= 1200),
        "{run:?}"
    );

    let step = async |name: &str| -> StepDetails {
        let path = format!("/api/runs/step?run={}&step={name}", run.id);
        server.get(&path).await.json().await.unwrap()
    };
    let edited = step("turn-1-editFile-1").await;
    let change = &edited.changes[0];
    assert_eq!((change.added, change.removed), (1, 1), "{change:?}");
    assert!(
        change.lines.contains(&"-<h1>One</h1>".to_owned()),
        "{change:?}"
    );
    let command = step("turn-2-terminal-1").await;
    assert_eq!(command.command.as_deref(), Some("echo first\necho second"));
    assert!(command.output.contains("second"), "{command:?}");
    let took = feed.tool("turn-2-terminal-1").took;
    assert!(took.is_some(), "{took:?}");
    let unknown = format!("/api/runs/step?run={}&step=turn-9-terminal-1", run.id);
    assert_eq!(server.get(&unknown).await.status(), 404);
}
