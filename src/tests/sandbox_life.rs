//! A sandbox's life as the control plane reports it; when it ends, nothing remains on the machine.

use std::fs;

use codeflow::sandbox::SandboxError;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ControlPlane, Host, HostProcess, PATIENCE, begin, data_dir, token, traces, until,
};

#[tokio::test]
async fn the_control_plane_asks_for_its_key_and_names_what_it_does_not_find() {
    let host = Host::start().await;
    let url = format!("{}/sandboxes/inosuchsandbox", host.host.url());
    for (key, message) in [
        (None, "authorization header is missing"),
        (Some("wrong"), "authorization header is malformed"),
        (Some("e2b_0000"), "Invalid API key"),
    ] {
        let mut request = host.http.get(&url);
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], 401);
        assert!(
            body["message"].as_str().unwrap().contains(message),
            "{body}"
        );
    }
    assert_eq!(
        host.status(Method::GET, "/sandboxes/inosuchsandbox").await,
        404
    );
    assert_eq!(
        host.status(Method::DELETE, "/sandboxes/inosuchsandbox")
            .await,
        404
    );

    let create = async |body: Value| host.answer("/v2/sandboxes", &body).await;
    let (status, body) = create(json!({ "templateID": "nonsense" })).await;
    assert_eq!(status, 404);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("codeflow template build nonsense"),
        "{body}"
    );
    assert_eq!(
        create(json!({ "templateID": "nextjs", "timeout": 0 }))
            .await
            .0,
        400
    );
    assert_eq!(
        create(json!({ "templateID": "nextjs", "timeout": 90_000 }))
            .await
            .0,
        400
    );
    assert_eq!(create(json!({})).await.0, 400);
    assert_eq!(
        host.http
            .get(format!("{}/health", host.host.url()))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_is_described_in_full_and_its_envd_requires_its_token() {
    let host = Host::start().await;
    let request = json!({ "templateID": "nextjs", "timeout": 60, "metadata": { "project": "p" }, "envVars": { "A": "b" }, "autoPause": true });
    let answer = host
        .api(Method::POST, "/v2/sandboxes")
        .json(&request)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    let made: Value = answer.json().await.unwrap();
    let (id, token) = (
        made["sandboxID"].as_str().unwrap(),
        made["envdAccessToken"].as_str().unwrap(),
    );
    let detail: Value = host.detail(id).await;
    assert_eq!(detail["state"], "running");
    assert_eq!(detail["templateID"], "nextjs");
    assert_eq!(detail["metadata"], json!({ "project": "p" }));
    assert_eq!(
        detail["lifecycle"],
        json!({ "autoResume": false, "onTimeout": "pause" })
    );
    assert!(
        detail["endAt"].as_str().unwrap() > detail["startedAt"].as_str().unwrap(),
        "{detail}"
    );

    let envd = |path: &str| {
        let request = host.http.get(format!("{}{path}", host.host.url()));
        request
            .header("e2b-sandbox-id", id)
            .header("e2b-sandbox-port", "49983")
    };
    assert_eq!(envd("/health").send().await.unwrap().status(), 204);
    assert_eq!(
        envd("/files?path=server.mjs")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!(
        envd("/files?path=server.mjs")
            .header("x-access-token", "wrong")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    let file = envd("/files?path=server.mjs")
        .header("x-access-token", token)
        .send()
        .await
        .unwrap();
    assert!(file.text().await.unwrap().contains("createServer"));
    let get = async |path: &str| -> Value {
        envd(path)
            .header("x-access-token", token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let envs = get("/envs").await;
    assert_eq!(envs["A"], "b");
    assert_eq!(envd("/metrics").send().await.unwrap().status(), 401);
    let metrics = get("/metrics").await;
    assert!(
        metrics["mem_used"].as_u64() > Some(1 << 20)
            && metrics["mem_used"].as_u64() < metrics["mem_total"].as_u64(),
        "{metrics}"
    );
    assert_eq!(metrics["disk_total"], 4_u64 << 30);
    // What the host alone asks of a sandbox's init.
    for path in ["/codeflow/stop", "/codeflow/tunnel/3000", "/codeflow/alive"] {
        assert_eq!(
            envd(path)
                .header("x-access-token", token)
                .send()
                .await
                .unwrap()
                .status(),
            404,
            "{path}"
        );
    }
    host.stop().await;
}

#[tokio::test]
async fn a_killed_sandbox_leaves_nothing_and_is_not_found_again() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let folder = host.folder().join("sandboxes").join(sandbox.id());
    assert!(folder.exists());
    assert!(
        !traces(sandbox.id()).is_empty(),
        "a running sandbox has a control group at least"
    );
    host.client.kill(sandbox.id()).await.unwrap();
    assert_eq!(traces(sandbox.id()), [] as [String; 0]);
    assert!(!folder.exists());
    assert!(matches!(
        sandbox.read_file("/home/user/server.mjs").await,
        Err(SandboxError::NotFound)
    ));
    assert!(matches!(
        host.client.connect(sandbox.id(), PATIENCE).await,
        Err(SandboxError::NotFound)
    ));
    host.stop().await;
}

#[tokio::test]
async fn a_host_that_stops_while_a_sandbox_is_killed_leaves_nothing_of_it() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let killing = tokio::spawn({
        let (client, id) = (host.client.clone(), sandbox.id().to_owned());
        async move { client.kill(&id).await }
    });
    until("it is no more to be found", async || {
        (host.get("/v2/sandboxes").await == json!([])).then_some(())
    })
    .await;
    let data = host.stop().await;
    assert_eq!(traces(sandbox.id()), [] as [String; 0]);
    assert!(!data.path().join("sandboxes").join(sandbox.id()).exists());
    let _ = killing.await;
}

#[tokio::test]
async fn at_its_time_out_a_sandbox_is_killed_or_paused_as_its_creator_asked() {
    let host = Host::start().await;
    let create = async |auto_pause: bool| {
        let request = json!({ "templateID": "nextjs", "timeout": 1, "autoPause": auto_pause });
        let made: Value = host.post("/sandboxes", &request).await;
        made["sandboxID"].as_str().unwrap().to_owned()
    };
    let (killed, paused) = (create(false).await, create(true).await);
    until("the first is killed", async || {
        let status = host
            .status(Method::GET, &format!("/sandboxes/{killed}"))
            .await;
        (status == 404).then_some(())
    })
    .await;
    until("the second is paused", async || {
        (host.state(&paused).await == "paused").then_some(())
    })
    .await;
    host.stop().await;
    assert_eq!(traces(&paused), [] as [String; 0]);
}

#[tokio::test]
async fn files_outlive_a_pause_and_a_restart_of_the_host_and_a_request_wakes_the_sandbox() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    sandbox
        .write_file("/home/user/index.html", "<h1>Mine</h1>")
        .await
        .unwrap();
    sandbox.remove("/home/user/app/page.tsx").await.unwrap();
    assert_eq!(host.pause(sandbox.id(), json!({})).await, 204);
    assert_eq!(host.state(sandbox.id()).await, "paused");
    assert_eq!(host.pause(sandbox.id(), json!({})).await, 409);
    assert_eq!(
        sandbox.read_file("/home/user/index.html").await.unwrap(),
        b"<h1>Mine</h1>"
    );
    assert_eq!(host.state(sandbox.id()).await, "running");

    let data = host.stop().await;
    assert_eq!(traces(sandbox.id()), [] as [String; 0]);
    let host = Host::start_on(data, |_| {}).await;
    assert_eq!(host.state(sandbox.id()).await, "paused");
    let connect = host
        .api(
            Method::POST,
            &format!("/v2/sandboxes/{}/connect", sandbox.id()),
        )
        .json(&json!({ "timeout": 300 }));
    assert_eq!(
        connect.try_clone().unwrap().send().await.unwrap().status(),
        201
    );
    assert_eq!(connect.send().await.unwrap().status(), 200);
    let sandbox = host.client.connect(sandbox.id(), PATIENCE).await.unwrap();
    assert_eq!(
        sandbox.read_file("/home/user/index.html").await.unwrap(),
        b"<h1>Mine</h1>"
    );
    assert!(matches!(
        sandbox.read_file("/home/user/app/page.tsx").await,
        Err(SandboxError::NoSuchPath(_))
    ));
    host.stop().await;
}

#[tokio::test]
async fn what_a_host_that_was_killed_left_running_is_ended_by_the_next_one() {
    let data = data_dir();
    let crashed = HostProcess::start(data.path(), &[("SANDBOX_POOL_SIZE", "0")]);
    let sandbox = crashed.create().await;
    let id = sandbox.id().to_owned();
    // A folder that was being made as the host died.
    fs::create_dir_all(data.path().join("sandboxes/ihalfmade/layer")).unwrap();
    crashed.kill();
    assert!(!traces(&id).is_empty(), "its container outlives the host");

    let host = Host::start_on(data, |_| {}).await;
    assert_eq!(traces(&id), [] as [String; 0]);
    assert_eq!(host.state(&id).await, "paused");
    assert!(!host.folder().join("sandboxes/ihalfmade").exists());
    host.stop().await;
}

#[tokio::test]
async fn two_hosts_can_not_share_one_folder() {
    let host = Host::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = codeflow::sandbox_host::SandboxHost::start(
        crate::support::settings(host.folder()),
        listener,
    )
    .await;
    let refusal = second.err().expect("the second is refused").to_string();
    assert!(refusal.contains("CODEFLOW_DATA_DIR"), "{refusal}");
    host.stop().await;
}

#[tokio::test]
async fn without_a_runtime_the_host_says_what_to_do_and_never_runs_anything_unconfined() {
    let host =
        Host::start_with(|settings| settings.runtime = Some("/nonexistent/runc".to_owned())).await;
    let fault = host.host.runtime().unwrap_err();
    assert!(
        fault.contains("/nonexistent/runc is not installed") && fault.contains("SANDBOX_RUNTIME"),
        "{fault}"
    );
    let (status, body) = host
        .answer(
            "/v2/sandboxes",
            &json!({ "templateID": "nextjs", "timeout": 300 }),
        )
        .await;
    assert_eq!(status, 503);
    assert_eq!(body["message"], fault);
    host.stop().await;

    // One that is there and does not work is no runtime either.
    let host =
        Host::start_with(|settings| settings.runtime = Some("/usr/bin/false".to_owned())).await;
    assert!(
        host.host
            .runtime()
            .unwrap_err()
            .contains("does not work here")
    );
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_that_dies_is_started_again_by_the_next_request() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    sandbox.write_file("/home/user/kept", "kept").await.unwrap();
    let processes = traces(sandbox.id())
        .into_iter()
        .filter_map(|trace| trace.strip_prefix("/proc/")?.parse::<i32>().ok());
    let init = processes.min().expect("its init is seen from the host");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(init),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    let content = until("the file is read again", async || {
        tokio::time::timeout(PATIENCE, sandbox.read_file("/home/user/kept"))
            .await
            .unwrap()
            .ok()
    })
    .await;
    assert_eq!(content, b"kept");
    host.stop().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_sandbox_half_awake() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let token = token(&host, sandbox.id()).await;
    // Without its memory its container has to be started again.
    assert_eq!(
        host.pause(sandbox.id(), json!({ "memory": false })).await,
        204
    );
    let connection = begin(
        &host,
        sandbox.id(),
        &token,
        "GET /files?path=server.mjs",
        0,
        b"",
    );
    until("its container is being started", async || {
        (!traces(sandbox.id()).is_empty()).then_some(())
    })
    .await;
    drop(connection);
    assert!(
        !sandbox
            .read_file("/home/user/server.mjs")
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(host.state(sandbox.id()).await, "running");
    host.stop().await;
}
