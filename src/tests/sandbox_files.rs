//! What envd says and keeps about files: metadata, links, changes, and signed addresses.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{ControlPlane, Host, run, token};

/// A request to a sandbox's envd.
async fn envd(host: &Host, sandbox: &str, method: Method, path: &str) -> RequestBuilder {
    host.http
        .request(method, format!("{}{path}", host.host.url()))
        .header("e2b-sandbox-id", sandbox)
        .header("e2b-sandbox-port", "49983")
        .header("x-access-token", token(host, sandbox).await)
}

/// A call of its file system service.
async fn call(host: &Host, sandbox: &str, method: &str, message: Value) -> Value {
    let path = format!("/filesystem.Filesystem/{method}");
    let request = envd(host, sandbox, Method::POST, &path).await;
    let answer = request.json(&message).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn metadata_stays_with_its_file_until_it_is_written_again() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let write = async |path: &str, metadata: &[(&str, &str)]| {
        let path = format!("/files?path={path}");
        let mut request = envd(&host, sandbox.id(), Method::POST, &path).await;
        for (key, value) in metadata {
            request = request.header(format!("X-Metadata-{key}"), *value);
        }
        let request = request.header("content-type", "application/octet-stream");
        let answer = request.body("content").send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let stat = async |path: &str| {
        let answer = call(&host, sandbox.id(), "Stat", json!({ "path": path })).await;
        answer["entry"]["metadata"].clone()
    };
    let expected = json!({ "author": "mish", "purpose": "" });
    let (status, entries) = write("a.txt", &[("Author", "mish"), ("purpose", "")]).await;
    assert_eq!(status, 200);
    assert_eq!(entries[0]["metadata"], expected);
    assert_eq!(stat("a.txt").await, expected);
    let moved = call(
        &host,
        sandbox.id(),
        "Move",
        json!({ "source": "a.txt", "destination": "deep/b.txt" }),
    )
    .await;
    assert_eq!(moved["entry"]["metadata"], expected);
    let listed = call(&host, sandbox.id(), "ListDir", json!({ "path": "deep" })).await;
    assert_eq!(listed["entries"][0]["metadata"], expected);
    // It outlives the sandbox's memory.
    assert_eq!(
        host.pause(sandbox.id(), json!({ "memory": false })).await,
        204
    );
    assert_eq!(stat("deep/b.txt").await, expected);

    let (_, entries) = write("deep/b.txt", &[("other", "1")]).await;
    assert_eq!(entries[0]["metadata"], json!({ "other": "1" }));
    assert_eq!(stat("deep/b.txt").await, json!({ "other": "1" }));
    let (_, entries) = write("deep/b.txt", &[]).await;
    assert_eq!(entries[0].get("metadata"), None);
    assert_eq!(stat("deep/b.txt").await, Value::Null);

    let (status, refusal) = write("c.txt", &[("a", &"x".repeat(4000))]).await;
    assert_eq!(status, 400);
    let message = refusal["message"].as_str().unwrap();
    assert!(message.contains("store less of it"), "{message}");
    assert_eq!(run(&sandbox, "ls -A c.txt .codeflow-*").await.0, 2);
    host.stop().await;
}

#[tokio::test]
async fn a_link_says_where_it_leads() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    run(
        &sandbox,
        "mkdir d && touch d/file && ln -s d/file link && ln -s link chain && ln -s none dangling",
    )
    .await;
    for (link, target) in [
        ("link", "/home/user/d/file"),
        ("chain", "/home/user/d/file"),
        ("dangling", "/home/user/none"),
    ] {
        let answer = call(&host, sandbox.id(), "Stat", json!({ "path": link })).await;
        assert_eq!(answer["entry"]["symlinkTarget"], target, "{answer}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_watched_file_that_is_written_appears_as_written_with_its_entry_and_nothing_else_does() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    run(&sandbox, "mkdir w && echo old > w/a.txt").await;
    let request =
        json!({ "path": "w", "recursive": true, "includeEntry": true, "allowNetworkMounts": true });
    let watcher = call(&host, sandbox.id(), "CreateWatcher", request).await;
    sandbox
        .write_file("/home/user/w/a.txt", "longer")
        .await
        .unwrap();
    run(&sandbox, "mkdir w/inner").await;
    let events = async || {
        let answer = call(&host, sandbox.id(), "GetWatcherEvents", watcher.clone()).await;
        answer["events"].as_array().cloned().unwrap_or_default()
    };
    let mut seen = events().await;
    sandbox
        .write_file("/home/user/w/inner/b.txt", "b")
        .await
        .unwrap();
    seen.extend(events().await);
    let written = |name: &str| {
        let found = seen
            .iter()
            .find(|event| event["type"] == "EVENT_TYPE_WRITE" && event["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {seen:?}"))
    };
    assert_eq!(written("a.txt")["entry"]["size"], "6");
    assert_eq!(
        written("inner/b.txt")["entry"]["path"],
        "/home/user/w/inner/b.txt"
    );
    let names: Vec<&str> = seen
        .iter()
        .filter_map(|event| event["name"].as_str())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| ["a.txt", "inner", "inner/b.txt"].contains(name)),
        "{names:?}"
    );
    host.stop().await;
}

#[tokio::test]
async fn an_address_that_opens_no_file_is_refused_whether_it_names_the_sandbox_or_not() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let addressed = |query: &str| {
        let url = format!("{}/files?path=a.txt{query}", host.host.url());
        host.http.get(url)
    };
    for (query, message) in [
        ("", "missing signature query parameter"),
        ("&signature=v1_none", "invalid signature"),
        (
            "&signature=v1_none&signature_expiration=1",
            "invalid signature",
        ),
    ] {
        let named = addressed(query)
            .header("e2b-sandbox-id", sandbox.id())
            .header("e2b-sandbox-port", "49983");
        for request in [addressed(query), named] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401);
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body, json!({ "code": 401, "message": message }));
        }
    }
    host.stop().await;
}
