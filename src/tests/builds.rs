//! The main flow with a scripted model: from a prompt to a version of a working app, and on to the
//! next version.

use codeflow::protocol::{EventKind, MessageKind, RunState, Status};
use serde_json::json;

use crate::support::{Host, Model, Reply, Server, data_dir, http, until};

#[tokio::test]
async fn a_prompt_becomes_an_app_that_answers_and_a_follow_up_changes_it() {
    let data = data_dir();
    let model = Model::start([
        (
            "Build a page",
            vec![
                Reply::call("listFiles", json!({ "path": "app" })),
                Reply::Calls(vec![
                    ("readFiles", json!({ "files": ["app/page.tsx"] }).to_string()),
                    (
                        "createOrUpdateFiles",
                        json!({ "files": [{ "path": "index.html", "content": "<h1>Über „Milch“ & Brot</h1>" }] }).to_string(),
                    ),
                ]),
                Reply::call("terminal", json!({ "command": "wc -l < index.html; exit 4" })),
                Reply::done(),
            ],
        ),
        (
            "Now with butter",
            vec![Reply::write("index.html", "<h1>Butter</h1>"), Reply::done()],
        ),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build a page").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_eq!(message.kind, MessageKind::Result);
    assert_eq!(message.content, "Built **what you asked for**.");
    assert!(
        message.html.contains("<strong>what you asked for</strong>"),
        "{}",
        message.html
    );
    let fragment = message.fragment.expect("a result has a version");
    assert_eq!(
        (fragment.number, fragment.title.as_str()),
        (1, "Scripted app")
    );

    // Tool calls came over in pieces, were executed in the sandbox, and their results went back.
    assert_eq!(
        feed.tool("turn-1-listFiles-1").output.unwrap(),
        "icon.png\npage.tsx"
    );
    assert!(
        feed.tool("turn-2-readFiles-1")
            .output
            .unwrap()
            .contains("export default function Page")
    );
    let terminal = feed.tool("turn-3-terminal-1");
    assert!(
        terminal.failed
            && terminal
                .output
                .unwrap()
                .starts_with("exit code 4\nstdout:\n0")
    );
    let turns = model.turns();
    let last = turns[3]["messages"].as_array().unwrap();
    let results: Vec<_> = last
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| message["tool_call_id"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["call_0", "call_0", "call_1", "call_0"]);
    assert!(feed.events.iter().any(|event| event.kind
        == EventKind::Status {
            status: Status::Ready
        }));

    // The preview shows what was written, under its own host name on the app's listener.
    let url = feed.preview().await;
    let host = url
        .strip_prefix("http://")
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    assert!(
        host.ends_with(&format!(".localhost:{}", server.port)),
        "{url}"
    );
    let seen = async || {
        http()
            .get(server.url())
            .header("host", &host)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert_eq!(seen().await, "<h1>Über „Milch“ & Brot</h1>");

    server.send(project, "Now with butter").await;
    let message = feed.succeeded(2).await;
    assert_eq!(message.fragment.unwrap().number, 2);
    assert_eq!(seen().await, "<h1>Butter</h1>");
    // The follow-up knew what was said before.
    let turns = model.turns();
    let roles: Vec<_> = turns[4]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "system", "user"]);

    // All that the model read, word for word; the system prompt has a snapshot of its own.
    let mut messages = turns[4]["messages"].clone();
    messages[0]["content"] = json!("[the system prompt]");
    insta::assert_snapshot!(
        "messages of a follow-up",
        serde_json::to_string_pretty(&messages).unwrap()
    );

    let workspace = server.workspace(project).await;
    assert_eq!(workspace.project.title, "Scripted app");
    assert_eq!(workspace.messages.len(), 4);
    assert_eq!(
        workspace.after,
        feed.events.last().unwrap().seq.max(workspace.after)
    );
    let page = server.get(&format!("/projects/{project}")).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("Now with butter"));
    server.stop();
}

#[tokio::test]
async fn the_code_tab_shows_the_sandboxs_files_and_what_can_not_be_shown_says_why() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done()])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    server.feed(project).await.ended(1).await;
    let tree: serde_json::Value = server
        .get(&format!("/api/files/list?project={project}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(tree[0]["name"], "app");
    assert_eq!(tree[0]["children"][1]["path"], "app/page.tsx");
    let read = async |path: &str| {
        server
            .get(&format!("/api/files/read?project={project}&path={path}"))
            .await
    };
    let page: serde_json::Value = read("app/page.tsx").await.json().await.unwrap();
    assert!(
        page["lines"][0].as_str().unwrap().contains("hl-keyword"),
        "{page}"
    );
    let icon: serde_json::Value = read("app/icon.png").await.json().await.unwrap();
    assert!(
        icon["notice"].as_str().unwrap().contains("binary"),
        "{icon}"
    );
    assert_eq!(read("../../etc/passwd").await.status(), 404);
    assert_eq!(read("app/none.tsx").await.status(), 404);
}

#[tokio::test]
async fn an_app_whose_page_fails_is_no_result_and_its_files_are_kept() {
    let data = data_dir();
    let model = Model::start([
        (
            "Break it",
            vec![
                Reply::write("broken", "<html>no</html>"),
                Reply::done(),
                Reply::done(),
            ],
        ),
        (
            "Mend it",
            vec![
                Reply::call("terminal", json!({ "command": "rm broken" })),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Break it").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(
        (state, message.kind),
        (RunState::Failed, MessageKind::Error)
    );
    assert!(
        message.content.contains("does not work yet") && message.content.contains("500"),
        "{}",
        message.content
    );
    server.send(project, "Mend it").await;
    feed.succeeded(2).await;
}

#[tokio::test]
async fn a_model_s_failure_is_reported_and_the_project_continues() {
    let data = data_dir();
    let model = Model::start([
        ("Refused", vec![Reply::Status(401, "bad key")]),
        (
            "Cut",
            vec![Reply::call("terminal", json!({ "command": "touch half" })).cut(60)],
        ),
        (
            "Silent",
            vec![
                Reply::Text("I would rather talk."),
                Reply::Text("And talk."),
            ],
        ),
        (
            "Works",
            vec![Reply::call("listFiles", json!({})), Reply::done()],
        ),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Refused").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Failed);
    assert!(message.content.contains("bad key"), "{}", message.content);

    server.send(project, "Cut").await;
    let (state, message) = feed.ended(2).await;
    assert_eq!(state, RunState::Failed, "{}", message.content);
    server.send(project, "Silent").await;
    let message = feed.failed(3).await;
    assert!(
        message.content.contains("without saying that it is done"),
        "{}",
        message.content
    );

    server.send(project, "Works").await;
    feed.succeeded(4).await;
    // Half a tool call is never executed.
    let listed = feed.tool("turn-1-listFiles-1").output.unwrap();
    assert!(
        listed.contains("index.html") && !listed.contains("half"),
        "{listed}"
    );
}

// The host runs in this process and answers even while the test waits for the server to stop.
#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_of_another_machine_are_used_over_the_same_protocol() {
    let host = Host::start().await;
    let data = tempfile::tempdir().unwrap();
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("index.html", "<h1>Elsewhere</h1>"),
            Reply::done(),
        ],
    )])
    .await;
    let server = host.serve(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    let url = feed.preview().await;
    assert!(url.ends_with(&format!("{}/", host.host.domain())), "{url}");
    assert!(!data.path().join("sandboxes").exists());
    let sandbox = url.split(['-', '.']).nth(1).unwrap();
    let page = host.preview(sandbox, 3000, "/").send().await.unwrap();
    assert_eq!(page.text().await.unwrap(), "<h1>Elsewhere</h1>");
    drop(server);
    host.stop().await;
}

#[tokio::test]
async fn a_message_that_had_to_wait_knows_the_answer_before_it() {
    let data = data_dir();
    let model = Model::start([
        ("First", vec![Reply::done().held()]),
        ("Second", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("First").await;
    until("the first run asks the model", async || {
        (model.turns().len() == 1).then_some(())
    })
    .await;
    server.send(project, "Second").await;
    assert_eq!(
        server.states(project).await,
        [RunState::Running, RunState::Queued]
    );
    model.release();
    server.feed(project).await.succeeded(2).await;
    let turns = model.turns();
    let messages = turns[1]["messages"].as_array().unwrap();
    let said: Vec<_> = messages
        .iter()
        .filter(|message| message["role"] != "system")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["First", "Built **what you asked for**.", "Second"]);
}
