//! Bad input gets a clear answer and does no harm: prompts, addresses, frames, and a model's tool
//! calls.

use codeflow::protocol::FeedFrame;
use serde_json::json;

use crate::support::{Feed, FeedEnd, Model, Reply, Server, data_dir, http};

#[tokio::test]
async fn a_model_that_calls_tools_wrongly_gets_an_error_and_can_continue() {
    let data = data_dir();
    let wrong: Vec<(&str, String, &str)> = vec![
        ("terminal", "{\"command\": ".to_owned(), "not valid"),
        (
            "terminal",
            json!({ "cmd": "ls" }).to_string(),
            "missing field `command`",
        ),
        (
            "createOrUpdateFiles",
            json!({ "files": "all" }).to_string(),
            "invalid type",
        ),
        (
            "makeCoffee",
            "{}".to_owned(),
            "the tools are terminal, createOrUpdateFiles, editFile, readFiles, listFiles, searchFiles, explore, unsplashImage, checkApp",
        ),
        ("../../etc", "{}".to_owned(), "there is no tool"),
        (
            "createOrUpdateFiles",
            json!({ "files": [{ "path": "../../etc/passwd", "content": "" }] }).to_string(),
            "outside of /home/user",
        ),
        (
            "readFiles",
            json!({ "files": ["/etc/passwd"] }).to_string(),
            "outside of /home/user",
        ),
        (
            "readFiles",
            json!({ "files": ["app/icon.png"] }).to_string(),
            "is a binary file",
        ),
        (
            "readFiles",
            json!({ "files": ["app/none.tsx"] }).to_string(),
            "does not exist",
        ),
        (
            "readFiles",
            json!({ "files": ["app"] }).to_string(),
            "is a directory",
        ),
        (
            "createOrUpdateFiles",
            json!({ "files": [{ "path": "node_modules/x.js", "content": "" }] }).to_string(),
            "node_modules",
        ),
        (
            "createOrUpdateFiles",
            json!({ "files": [{ "path": "index.html/x", "content": "" }] }).to_string(),
            "index.html",
        ),
        ("listFiles", json!({ "path": "none" }).to_string(), "none"),
        (
            "terminal",
            json!({ "command": "chmod 000 app/page.tsx; exit 1" }).to_string(),
            "exit code 1",
        ),
        (
            "readFiles",
            json!({ "files": ["app/page.tsx"] }).to_string(),
            "permission denied",
        ),
        (
            "terminal",
            json!({ "command": "chmod 644 app/page.tsx; exit 1" }).to_string(),
            "exit code 1",
        ),
    ];
    let calls = wrong
        .iter()
        .map(|(name, arguments, _)| (*name, arguments.clone()))
        .collect();
    let model = Model::start([(
        "Build",
        vec![
            Reply::Calls(calls),
            Reply::write("index.html", "<h1>Went on</h1>"),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;

    let turns = model.turns();
    let messages = turns[1]["messages"].as_array().unwrap();
    let results: Vec<&str> = messages
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(results.len(), wrong.len());
    for ((name, arguments, expected), result) in wrong.iter().zip(results) {
        assert!(result.contains(expected), "{name} {arguments}: {result}");
    }
    // Arguments that a provider can't parse are not sent back to it.
    let calls = messages
        .iter()
        .find_map(|message| message["tool_calls"].as_array())
        .unwrap();
    assert_eq!(calls[0]["function"]["arguments"], "{}");
    for (index, (name, ..)) in wrong.iter().enumerate() {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        assert!(
            feed.tool(&format!("turn-1-{name}-{}", index + 1)).failed,
            "{name}"
        );
    }
}

#[tokio::test]
async fn prompts_that_are_blank_or_too_long_are_refused_and_change_nothing() {
    let data = data_dir();
    let model = Model::start([("ok", vec![Reply::done()])]).await;
    let server = Server::start(data.path(), &model);
    let long = "ü".repeat(10_001);
    for prompt in ["", " \n\t ", &long] {
        let (status, error) = server
            .post("/api/projects/create", &[("prompt", prompt)])
            .await;
        assert_eq!(status, 400);
        assert_eq!(
            (error["code"].as_str(), error["field"].as_str()),
            (Some("invalid"), Some("prompt")),
            "{error}"
        );
    }
    let projects: serde_json::Value = server.get("/api/projects/list").await.json().await.unwrap();
    assert_eq!(projects, json!([]));

    let project = server.create("ok").await;
    server.feed(project).await.ended(1).await;
    for text in ["", &long] {
        let (status, error) = server
            .post(
                "/api/messages/send",
                &[("project", &project.to_string()), ("text", text)],
            )
            .await;
        assert_eq!(status, 400);
        assert_eq!(error["field"], "text");
    }
    assert_eq!(server.workspace(project).await.messages.len(), 2);
    // At the limit it is accepted: characters count, not bytes.
    let (status, _) = server
        .post("/api/projects/create", &[("prompt", &"ü".repeat(10_000))])
        .await;
    assert!(status.is_success() || status.is_redirection(), "{status}");
}

#[tokio::test]
async fn a_missing_page_or_project_is_a_404() {
    let data = data_dir();
    let model = Model::start([]).await;
    let server = Server::start(data.path(), &model);
    let unknown = "0198f0a0-0000-7000-8000-000000000000";
    for path in [
        format!("/projects/{unknown}"),
        "/projects/nonsense".to_owned(),
        "/no/such/page".to_owned(),
    ] {
        let page = server.get(&path).await;
        assert_eq!(page.status(), 404, "{path}");
        let html = page.text().await.unwrap();
        assert!(html.to_lowercase().contains("not found"), "{path}: {html}");
    }
    assert_eq!(
        server
            .get(&format!("/api/projects/workspace?project={unknown}"))
            .await
            .status(),
        404
    );
    let (status, error) = server
        .post(
            "/api/messages/send",
            &[("project", unknown), ("text", "hi")],
        )
        .await;
    assert_eq!(
        (status.as_u16(), error["code"].as_str()),
        (404, Some("not_found"))
    );
    assert_eq!(server.get("/healthz").await.text().await.unwrap(), "ok");
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    assert_eq!(
        ready.json::<serde_json::Value>().await.unwrap(),
        json!({ "database": "ok", "files": "ok", "sandboxes": "ok", "unenforced": [] })
    );
}

#[tokio::test]
async fn a_feed_request_that_makes_no_sense_closes_that_feed_with_a_reason() {
    let data = data_dir();
    let model = Model::start([("ok", vec![Reply::done().held()])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("ok").await;
    let mut good = server.feed(project).await;

    let closed = async |path: String| Feed::open(&server, &path).await.closed().await;
    let expect = |end: FeedEnd, reason: &str| {
        assert_eq!(end.code, 1008, "{end:?}");
        assert!(end.reason.contains(reason), "{end:?}");
    };
    expect(
        closed("/ws/projects/nonsense".to_owned()).await,
        "no such project",
    );
    expect(
        closed("/ws/projects/0198f0a0-0000-7000-8000-000000000000?after=0".to_owned()).await,
        "no such project",
    );
    for after in ["yesterday", "-1", "1.5", "99999999999999999999"] {
        expect(
            closed(format!("/ws/projects/{project}?after={after}")).await,
            "is not a sequence number",
        );
    }
    expect(
        closed(format!("/ws/projects/{project}?after=999999")).await,
        "lies in the future",
    );
    for frame in ["", "{", "[]", r#"{"frame":"dance"}"#] {
        let mut feed = server.feed(project).await;
        feed.send(frame).await;
        expect(feed.closed().await, "not a feed request");
    }

    good.send(r#"{"frame":"ping"}"#).await;
    while good.frame().await != FeedFrame::Pong {}
    model.release();
    server.feed(project).await.succeeded(1).await;
}

#[tokio::test]
async fn a_foreign_host_name_is_refused_and_a_preview_s_host_reaches_no_control_plane() {
    let data = data_dir();
    let model = Model::start([]).await;
    let server = Server::start(data.path(), &model);
    let ask = async |host: &str, path: &str| {
        let request = http()
            .get(format!("{}{path}", server.url()))
            .header("host", host);
        request
            .header("x-api-key", "e2b_0000")
            .send()
            .await
            .unwrap()
            .status()
    };
    for path in ["/", "/api/projects/list", "/healthz"] {
        assert_eq!(ask("rebound.example:3000", path).await, 421, "{path}");
        assert_eq!(ask("localhost:3000", path).await, 200, "{path}");
    }
    let preview = format!("3000-inosuchsandbox.localhost:{}", server.port);
    assert_eq!(ask(&preview, "/v2/sandboxes").await, 502);
    let tricked = http()
        .get(format!("{}/v2/sandboxes", server.url()))
        .header("host", &preview);
    let tricked = tricked
        .header("e2b-sandbox-id", "ix")
        .header("x-api-key", "e2b_0000")
        .send()
        .await
        .unwrap();
    assert_eq!(tricked.status(), 502);
}
