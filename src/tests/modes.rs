//! The modes of a message: what each may change, and how a message keeps its own.

use codeflow::protocol::{Fragment, Message, MessageId, MessageKind, Mode, ProjectId, RunState};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Model, Reply, Server, data_dir, until};

fn writes(words: &str) -> Vec<Reply> {
    vec![Reply::write("index.html", words), Reply::done()]
}

/// Sends a message with these further fields.
pub async fn send(
    server: &Server,
    project: ProjectId,
    text: &str,
    more: &[(&str, &str)],
) -> (StatusCode, Value) {
    let project = project.to_string();
    let form = [&[("project", &*project), ("text", text)][..], more].concat();
    server.post("/api/messages/send", &form).await
}

/// Makes a project by a message in this mode.
pub async fn create(server: &Server, prompt: &str, mode: &str) -> ProjectId {
    let form = [("prompt", prompt), ("mode", mode)];
    let (status, id) = server.post("/api/projects/create", &form).await;
    assert!(status.is_success() || status.is_redirection(), "{id}");
    serde_json::from_value(id).unwrap()
}

pub async fn versions(server: &Server, project: ProjectId) -> usize {
    let path = format!("/api/versions/list?project={project}");
    let listed: Vec<Fragment> = server.get(&path).await.json().await.unwrap();
    listed.len()
}

pub async fn page(server: &Server, project: ProjectId) -> String {
    let path = format!("/api/files/read?project={project}&path=index.html&plain=true");
    let view: Value = server.get(&path).await.json().await.unwrap();
    view["text"].as_str().unwrap_or_default().to_owned()
}

/// The names of the tools that a request offers.
pub fn tools(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array().unwrap().iter();
    tools
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect()
}

pub async fn prompt(server: &Server, project: ProjectId, text: &str) -> (MessageId, Mode) {
    let messages = server.workspace(project).await.messages;
    let is_it = |message: &&Message| message.content == text;
    let found = messages.iter().rev().find(is_it).unwrap();
    (found.id, found.mode)
}

#[tokio::test]
async fn ask_reads_and_answers_and_writes_nothing_whatever_the_model_tries() {
    let data = data_dir();
    let write = json!({ "files": [{ "path": "index.html", "content": "<h1>Two</h1>" }] });
    let read = json!({ "files": ["index.html"] });
    let tries = Reply::Calls(vec![
        ("createOrUpdateFiles", write.to_string()),
        ("readFiles", read.to_string()),
        ("proposePlan", json!({ "steps": ["x"] }).to_string()),
    ]);
    let words = "It says **One**.\n\n```html index.html\n<h1>Three</h1>\n```";
    let model = Model::start([
        ("Build", writes("<h1>One</h1>")),
        (
            "What is there?",
            vec![
                tries,
                Reply::call("terminal", json!({ "command": "echo Four > index.html" })),
                Reply::call("checkApp", json!({})),
                Reply::Text(words),
            ],
        ),
        ("Is it good?", vec![Reply::Text("Nothing is built yet.")]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    let (status, sent) = send(&server, project, "What is there?", &[("mode", "ask")]).await;
    assert_eq!(status, 200, "{sent}");
    let answer = feed.succeeded(2).await;
    assert_eq!((answer.kind, answer.mode), (MessageKind::Result, Mode::Ask));
    assert_eq!((&*answer.content, answer.fragment), (words, None));
    assert!(
        answer.html.contains("<strong>One</strong>"),
        "{}",
        answer.html
    );
    assert_eq!(feed.said(4), "", "the message has the words");
    for step in [
        "turn-1-createOrUpdateFiles-1",
        "turn-1-proposePlan-3",
        "turn-2-terminal-1",
        "turn-3-checkApp-1",
    ] {
        let tool = feed.tool(step);
        let output = tool.output.unwrap();
        assert!(
            tool.failed && output.contains("nothing is changed"),
            "{output}"
        );
    }
    let read = feed.tool("turn-1-readFiles-2").output.unwrap();
    assert!(read.contains("<h1>One</h1>"), "{read}");
    assert_eq!(page(&server, project).await, "<h1>One</h1>");
    assert_eq!(versions(&server, project).await, 1);
    for request in model.turns_of("What is there?") {
        assert_eq!(tools(&request), ["readFiles", "listFiles", "searchFiles"]);
    }
    let run = server.workspace(project).await.runs[1].id;
    let steps = server.details(run).await.steps;
    let names: Vec<&str> = steps.iter().map(|step| &*step.name).collect();
    assert!(
        !names.iter().any(|name| name.starts_with("verify")),
        "{names:?}"
    );
    assert_eq!(names.last(), Some(&"save-to-db"));

    // A project without an app can be asked about as well.
    let empty = create(&server, "Is it good?", "ask").await;
    let answer = server.feed(empty).await.succeeded(1).await;
    assert_eq!(answer.content, "Nothing is built yet.");
    assert_eq!(versions(&server, empty).await, 0);
}

#[tokio::test]
async fn a_mode_is_kept_in_the_queue_and_when_its_message_is_changed_or_tried_again() {
    let data = data_dir();
    let model = Model::start([
        ("Wait", vec![Reply::done().held()]),
        ("What is it?", vec![Reply::Text("An app.")]),
        (
            "Plan it",
            vec![Reply::Text("## Pages\n\nHome\n\n## Steps\n\n1. Write it")],
        ),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Wait").await;
    let mut feed = server.feed(project).await;
    until("it works", async || {
        (model.turns_of("Wait").len() == 1).then_some(())
    })
    .await;
    send(&server, project, "What?", &[("mode", "ask")]).await;
    let (message, mode) = prompt(&server, project, "What?").await;
    assert_eq!(mode, Mode::Ask);
    let message = message.to_string();
    let edited = [("message", &*message), ("text", "What is it?")];
    assert_eq!(server.post("/api/messages/edit", &edited).await.0, 200);
    assert_eq!(prompt(&server, project, "What is it?").await.1, Mode::Ask);
    model.release();
    assert_eq!(feed.succeeded(2).await.content, "An app.");
    let retried = [("message", &*message)];
    assert_eq!(server.post("/api/messages/retry", &retried).await.0, 200);
    assert_eq!(feed.succeeded(3).await.content, "An app.");
    let (message, mode) = prompt(&server, project, "What is it?").await;
    assert_eq!(mode, Mode::Ask);
    let message = message.to_string();
    let edited = [
        ("message", &*message),
        ("text", "Plan it"),
        ("mode", "plan"),
    ];
    assert_eq!(server.post("/api/messages/edit", &edited).await.0, 200);
    // A model without tools writes its plan in words.
    let planned = feed.succeeded(4).await;
    assert_eq!(
        (planned.kind, planned.mode),
        (MessageKind::Plan, Mode::Plan)
    );
    assert_eq!(prompt(&server, project, "Plan it").await.1, Mode::Plan);
    assert_eq!(versions(&server, project).await, 1);
}

#[tokio::test]
async fn a_wrong_mode_or_answer_is_refused_with_what_would_be_right() {
    let data = data_dir();
    let model = Model::start([("Build", writes("<h1>One</h1>"))]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;
    let form = [("prompt", "Build"), ("mode", "fly")];
    let created = server.post("/api/projects/create", &form).await;
    let sent = send(&server, project, "Build", &[("mode", "build,ask")]).await;
    let (message, mode) = prompt(&server, project, "Build").await;
    assert_eq!(mode, Mode::Build);
    let message = message.to_string();
    let form = [("message", &*message), ("text", "x"), ("mode", "Plan")];
    let edited = server.post("/api/messages/edit", &form).await;
    for (status, refused) in [created, sent, edited] {
        assert_eq!(
            (status, &refused["field"]),
            (StatusCode::BAD_REQUEST, &json!("mode"))
        );
        let why = refused["message"].as_str().unwrap();
        assert!(why.contains("build, plan or ask"), "{why}");
    }
    // Only questions and plans are answered.
    let (status, _) = send(&server, project, "Build", &[("answers", &message)]).await;
    assert_eq!(status, 404);
    assert_eq!(server.states(project).await, [RunState::Succeeded]);
}

#[tokio::test]
async fn the_demo_says_that_it_only_builds() {
    let data = data_dir();
    let server = Server::start_with(data.path(), &[("AI_PROVIDER", "demo")]);
    for mode in ["ask", "plan"] {
        let project = create(&server, "Build me a todo app with dark mode", mode).await;
        let answer = server.feed(project).await.succeeded(1).await;
        assert!(answer.content.contains("only builds"), "{}", answer.content);
        assert_eq!(answer.kind, MessageKind::Result);
    }
}
