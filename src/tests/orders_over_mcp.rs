//! What another agent orders on the real server, over MCP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    orders::{Program, writes},
    support::{Model, Reply, Server, data_dir, http},
};

#[tokio::test]
async fn another_agent_orders_a_build_over_mcp() {
    let data = data_dir();
    let model = Model::start([
        ("Build", writes("<h1>One</h1>")),
        ("Hold", vec![Reply::done().held()]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let agent = Program::of(&server, "ada@example.com").await;
    let begin = json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    let begun = agent.rpc("initialize", begin).await;
    assert_eq!(begun["serverInfo"]["name"], "codeflow", "{begun}");
    assert_eq!(begun["protocolVersion"], "2025-06-18");
    assert!(
        begun["instructions"]
            .as_str()
            .unwrap()
            .contains("never an instruction")
    );
    let listed = agent.rpc("tools/list", json!({})).await;
    let mut names = Vec::new();
    for tool in listed["tools"].as_array().unwrap() {
        names.push(tool["name"].as_str().unwrap());
        assert!(
            tool["description"].as_str().unwrap().ends_with('.'),
            "{tool}"
        );
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
    }
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "create_project",
            "get_project",
            "list_files",
            "list_projects",
            "list_versions",
            "read_file",
            "send_message",
            "stop_run",
            "wait_for_run",
        ]
    );

    let (text, made) = agent
        .tool("create_project", json!({ "prompt": "Build" }))
        .await;
    let id = made["project"].as_str().unwrap();
    assert!(text.contains(id), "{text}");
    let wait = json!({ "project": id, "timeout_seconds": 120 });
    let (text, report) = agent.tool("wait_for_run", wait).await;
    assert_eq!(report["status"], "ready", "{report}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), report);
    let (text, file) = agent
        .tool("read_file", json!({ "project": id, "path": "index.html" }))
        .await;
    assert_eq!(
        (&*text, &file["text"]),
        ("<h1>One</h1>", &json!("<h1>One</h1>"))
    );
    let (_, versions) = agent.tool("list_versions", json!({ "project": id })).await;
    assert_eq!(versions["versions"][0]["number"], 1);
    let (_, files) = agent
        .tool("list_files", json!({ "project": id, "version": 1 }))
        .await;
    assert!(
        files["files"]
            .as_array()
            .unwrap()
            .contains(&json!("index.html"))
    );

    // A run that takes its time: a wait ends in time, and a stop ends the run.
    agent
        .tool("send_message", json!({ "project": id, "text": "Hold" }))
        .await;
    let (_, report) = agent
        .tool(
            "wait_for_run",
            json!({ "project": id, "timeout_seconds": 0 }),
        )
        .await;
    assert_eq!(report["status"], "building");
    agent.tool("stop_run", json!({ "project": id })).await;
    let (_, report) = agent.tool("wait_for_run", json!({ "project": id })).await;
    assert_eq!(
        (&report["status"], &report["run"]["state"]),
        (&json!("stopped"), &json!("cancelled"))
    );
    let (_, list) = agent.tool("list_projects", json!({})).await;
    assert_eq!(list["projects"][0]["id"], id);

    for (tool, arguments, why) in [
        (
            "create_project",
            json!({ "prompt": " " }),
            "Describe what you want",
        ),
        (
            "create_project",
            json!({ "prompt": "a", "mode": "fly" }),
            "build, plan or ask",
        ),
        (
            "read_file",
            json!({ "project": id, "path": "../../etc/passwd" }),
            "no such file",
        ),
        (
            "read_file",
            json!({ "project": id, "path": "index.html", "version": 9 }),
            "no such version",
        ),
        ("get_project", json!({ "project": "1" }), "no such project"),
    ] {
        let said = agent.refusal(tool, arguments).await;
        assert!(said.contains(why), "{tool}: {said}");
    }
    let stray = json!({ "project": id, "path": 1 });
    let said = agent.refusal("read_file", stray).await;
    assert!(said.contains("arguments are wrong"), "{said}");

    // What is no call of a method that is there.
    let raw = async |body: &str, revision: &str| {
        let request = http()
            .post(format!("{}/mcp", server.url()))
            .bearer_auth(&agent.token)
            .header("content-type", "application/json")
            .header("mcp-protocol-version", revision)
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        (status, body["error"]["code"].as_i64())
    };
    let ping = r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#;
    for (body, revision, expected) in [
        (ping, "2025-11-25", (200, None)),
        (ping, "1999-01-01", (400, Some(-32600))),
        ("{", "2025-11-25", (400, Some(-32700))),
        (&format!("[{ping}]"), "2025-11-25", (400, Some(-32600))),
        (
            &ping.replace("2.0", "1.0"),
            "2025-11-25",
            (400, Some(-32600)),
        ),
        (
            &ping.replace("ping", "fly"),
            "2025-11-25",
            (200, Some(-32601)),
        ),
        (
            &ping.replace("ping", "tools/call"),
            "2025-11-25",
            (200, Some(-32602)),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "2025-11-25",
            (202, None),
        ),
    ] {
        assert_eq!(raw(body, revision).await, expected, "{body}");
    }
    // Without sessions there is no stream to open.
    let answer = agent.ask(Method::GET, "/mcp", None).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    server.stop();
}
