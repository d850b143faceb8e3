//! What programs order on the real server, over HTTP: from a prompt to files, and what they
//! may not.

use std::time::{Duration, Instant};

use codeflow::protocol::{ApiError, ErrorCode};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    accounts::{PASSWORD, cookie, post, sign},
    api_tokens::{PROJECTS, make},
    support::{Model, Reply, Server, data_dir, http, until},
};

/// A program with a token.
pub struct Program<'a> {
    pub server: &'a Server,
    pub token: String,
}

impl<'a> Program<'a> {
    /// Of an account of its own.
    pub async fn of(server: &'a Server, email: &str) -> Self {
        let cookie = cookie(&sign(server, "sign-up", email, PASSWORD).await).unwrap();
        let token = make(server, &cookie, &[("name", "A program")]).await.token;
        Self { server, token }
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = http()
            .request(method, format!("{}{path}", self.server.url()))
            .bearer_auth(&self.token)
            .header("accept", "application/json, text/event-stream");
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, None).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Calls a method of MCP, and returns what its answer has.
    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let answer = self.post("/mcp", call).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["id"], 7, "{answer}");
        answer["result"].clone()
    }

    /// Calls a tool; returns its words and what it has besides.
    pub async fn tool(&self, name: &str, arguments: Value) -> (String, Value) {
        let call = json!({ "name": name, "arguments": arguments });
        let result = self.rpc("tools/call", call).await;
        assert_ne!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        (text, result["structuredContent"].clone())
    }

    /// Calls a tool that refuses; returns why.
    pub async fn refusal(&self, name: &str, arguments: Value) -> String {
        let call = json!({ "name": name, "arguments": arguments });
        let result = self.rpc("tools/call", call).await;
        assert_eq!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        assert_eq!(result["structuredContent"]["error"]["message"], text);
        text
    }
}

pub fn writes(words: &str) -> Vec<Reply> {
    vec![Reply::write("index.html", words), Reply::done()]
}

#[tokio::test]
async fn a_program_orders_a_build_waits_reads_the_files_and_orders_more() {
    let data = data_dir();
    let model = Model::start([
        ("Build", writes("<h1>One</h1>")),
        ("More", writes("<h1>Two</h1>")),
        ("Explain", vec![Reply::Text("It says two.")]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let program = Program::of(&server, "ada@example.com").await;
    let made = program.post(PROJECTS, json!({ "prompt": "Build" })).await;
    assert_eq!(made.status(), 200);
    let made: Value = made.json().await.unwrap();
    let id = made["project"].as_str().unwrap();
    let project = format!("{PROJECTS}/{id}");
    let url = made["url"].as_str().unwrap();
    assert!(
        url.starts_with("http://") && url.ends_with(&format!("/projects/{id}")),
        "{url}"
    );

    let report = program.get(&format!("{project}/wait?timeout=120")).await;
    assert_eq!(
        (&report["status"], &report["id"]),
        (&json!("ready"), &json!(id)),
        "{report}"
    );
    assert_eq!(report["run"]["id"], made["run"]);
    assert_eq!(report["run"]["state"], "succeeded");
    assert_eq!(report["message"]["kind"], "result");
    assert_eq!(
        report["message"]["content"],
        "Built **what you asked for**."
    );
    assert_eq!(report["version"]["number"], 1);
    assert_eq!(report["title"], "Scripted app");
    until("the preview's address is known", async || {
        let url = program.get(&project).await["preview_url"].clone();
        url.as_str()
            .filter(|url| url.contains("://3000-"))
            .map(drop)
    })
    .await;

    let files = program.get(&format!("{project}/files")).await;
    let files: Vec<&str> = files["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| path.as_str().unwrap())
        .collect();
    assert!(
        files.contains(&"index.html") && files.contains(&"app/page.tsx"),
        "{files:?}"
    );
    let file = program.get(&format!("{project}/files/index.html")).await;
    assert_eq!(
        (&file["text"], &file["size"]),
        (&json!("<h1>One</h1>"), &json!(12))
    );

    let sent = program
        .post(&format!("{project}/messages"), json!({ "text": "More" }))
        .await;
    assert_eq!(sent.status(), 200);
    let report = program.get(&format!("{project}/wait?timeout=120")).await;
    assert_eq!(report["version"]["number"], 2, "{report}");
    let versions = program.get(&format!("{project}/versions")).await;
    let numbers: Vec<_> = versions["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["number"])
        .collect();
    assert_eq!(numbers, [2, 1]);
    for (which, text) in [
        ("", "<h1>Two</h1>"),
        ("?version=1", "<h1>One</h1>"),
        ("?version=2", "<h1>Two</h1>"),
    ] {
        let file = program
            .get(&format!("{project}/files/index.html{which}"))
            .await;
        assert_eq!(file["text"], text, "{which}");
    }
    let first = program.get(&format!("{project}/files?version=1")).await;
    assert!(
        first["files"]
            .as_array()
            .unwrap()
            .contains(&json!("index.html"))
    );
    let asked = json!({ "text": "Explain", "mode": "ask" });
    assert_eq!(
        program
            .post(&format!("{project}/messages"), asked)
            .await
            .status(),
        200
    );
    let report = program.get(&format!("{project}/wait?timeout=120")).await;
    assert_eq!(
        (&report["message"]["mode"], &report["message"]["content"]),
        (&json!("ask"), &json!("It says two."))
    );
    let list = program.get(PROJECTS).await;
    assert_eq!(
        (&list["projects"][0]["id"], &list["projects"][0]["status"]),
        (&json!(id), &json!("ready"))
    );

    // For somebody else, none of it exists over either API.
    let eve = Program::of(&server, "eve@example.com").await;
    let nothing = eve.get(PROJECTS).await;
    assert_eq!(nothing, json!({ "projects": [] }));
    for path in [
        "",
        "/wait",
        "/files",
        "/files/index.html",
        "/files?version=1",
        "/versions",
    ] {
        let answer = eve
            .ask(Method::GET, &format!("{project}{path}"), None)
            .await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for (path, body) in [
        ("/messages", json!({ "text": "More" })),
        ("/stop", json!({})),
    ] {
        let answer = eve.post(&format!("{project}{path}"), body).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for tool in [
        "get_project",
        "wait_for_run",
        "list_files",
        "list_versions",
        "stop_run",
    ] {
        let why = eve.refusal(tool, json!({ "project": id })).await;
        assert_eq!(why, "There is no such project.", "{tool}");
    }
    server.stop();
}

#[tokio::test]
async fn a_wait_ends_with_the_run_and_with_the_server() {
    let data = data_dir();
    let model = Model::start([("Hold", vec![Reply::done().held()])]).await;
    let server = Server::start(data.path(), &model);
    // On loopback, for the one user.
    let program = Program {
        server: &server,
        token: String::new(),
    };
    let made = program.post(PROJECTS, json!({ "prompt": "Hold" })).await;
    let made: Value = made.json().await.unwrap();
    let project = format!("{PROJECTS}/{}", made["project"].as_str().unwrap());
    let wait = format!("{project}/wait?timeout=100");
    let stop = async {
        until("the run is at work", async || {
            let report = program.get(&project).await;
            (report["run"]["state"] == "running").then_some(())
        })
        .await;
        program.post(&format!("{project}/stop"), json!({})).await
    };
    let begun = Instant::now();
    let (report, stopped) = futures::join!(program.get(&wait), stop);
    assert_eq!(report["status"], "stopped", "{report}");
    assert_eq!(stopped.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(90));
    // Nothing is at work: it does not wait.
    assert_eq!(program.get(&wait).await["status"], "stopped");
    let answer = program
        .ask(Method::GET, &format!("{project}/wait?timeout=x"), None)
        .await;
    let error: ApiError = answer.json().await.unwrap();
    assert_eq!(error.field.as_deref(), Some("timeout"));
    let answer = program.post(PROJECTS, json!({ "text": "Build" })).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let error: ApiError = answer.json().await.unwrap();
    assert!(error.message.contains("prompt"), "{}", error.message);

    let again = program
        .post(&format!("{project}/messages"), json!({ "text": "Hold" }))
        .await;
    assert_eq!(again.status(), 200);
    let waiting = http().get(format!("{}{wait}", server.url())).send();
    let waiting = tokio::spawn(waiting);
    until("the run is at work", async || {
        let report = program.get(&project).await;
        (report["run"]["state"] == "running").then_some(())
    })
    .await;
    server.stop();
    // Answered, or cut off; but not after the time that it asked for.
    let _ = waiting.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(100));
}

#[tokio::test]
async fn orders_are_paid_and_limited_with_what_the_account_does_in_the_page() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done().held()])]).await;
    let env = [("AUTH", "on"), ("FREE_POINTS", "1")];
    let server = Server::start_and(data.path(), &model, &env);
    let signed_up = sign(&server, "sign-up", "ada@example.com", PASSWORD).await;
    let ada = cookie(&signed_up).unwrap();
    let token = make(&server, &ada, &[("name", "A program")]).await.token;
    let program = Program {
        server: &server,
        token,
    };
    let made = program.post(PROJECTS, json!({ "prompt": "Build" })).await;
    assert_eq!(made.status(), 200);
    let refused = program.post(PROJECTS, json!({ "prompt": "Build" })).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    let error: ApiError = refused.json().await.unwrap();
    assert_eq!(error.code, ErrorCode::OutOfCredits);
    let why = program
        .refusal("create_project", json!({ "prompt": "Build" }))
        .await;
    assert!(why.contains("out of credits"), "{why}");
    assert_eq!(
        program.get(PROJECTS).await["projects"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    // Both use up one allowance.
    let nowhere = codeflow::protocol::ProjectId::new();
    let messages = format!("{PROJECTS}/{nowhere}/messages");
    let mut served = 0;
    let limited = loop {
        let answer = program.post(&messages, json!({ "text": "More" })).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        served += 1;
        assert!(served < 2000);
    };
    let error: ApiError = limited.json().await.unwrap();
    assert_eq!(error.code, ErrorCode::TooMany);
    let project = nowhere.to_string();
    let form = [("project", &*project), ("text", "More")];
    let in_page = async || {
        let sent = post(&server, "/api/messages/send", &ada, &form).await;
        sent.status() == StatusCode::TOO_MANY_REQUESTS
    };
    // One more comes free every two seconds.
    let mut limited = false;
    for _ in 0..20 {
        limited |= in_page().await;
    }
    assert!(limited);
    let why = program
        .refusal(
            "send_message",
            json!({ "project": project, "text": "More" }),
        )
        .await;
    assert!(
        why.contains("too many attempts") || why.contains("no such project"),
        "{why}"
    );
    assert_eq!(program.ask(Method::GET, PROJECTS, None).await.status(), 200);
    server.stop();
}
