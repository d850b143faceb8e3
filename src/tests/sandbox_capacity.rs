//! Limits of all sandboxes together: none starts beyond them, and none takes another's share.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{ControlPlane, Host, PATIENCE, run, traces, until};

/// Allocates memory endlessly, on demand.
const HOG: &str = "node -e 'const kept = []; for (;;) kept.push(Buffer.alloc(16 << 20, 1))'";

/// Keeps 120 MB of memory, in the background.
const FILL: &str = "node -e 'globalThis.kept = Buffer.alloc(120 << 20, 1); console.log(1); \
                    setInterval(() => {}, 1e6)' >filled & until [ -s filled ]; do sleep 0.1; done";

/// The bounds of the group above a sandbox's: bytes, and processes.
fn bounds_of_all(sandbox: &str) -> Vec<String> {
    let groups = traces(sandbox)
        .into_iter()
        .filter(|trace| trace.starts_with("/sys/fs/cgroup"));
    let above = groups.filter_map(|group| Some(Path::new(&group).parent()?.to_owned()));
    above
        .flat_map(|group| {
            ["memory.limit_in_bytes", "memory.max", "pids.max"]
                .map(|file| fs::read_to_string(group.join(file)))
        })
        .filter_map(|read| Some(read.ok()?.trim().to_owned()))
        .collect()
}

#[tokio::test]
async fn a_full_machine_takes_the_memory_of_sleeping_sandboxes_or_else_refuses_with_a_reason() {
    let host = Host::start_with(|settings| {
        settings.memory_mb = 256;
        settings.total_memory_mb = Some(800);
        settings.total_pids = Some(700);
    })
    .await;
    let create = async || {
        host.answer(
            "/v2/sandboxes",
            &json!({ "templateID": "nextjs", "timeout": 300, "autoPause": true }),
        )
        .await
    };
    // Most of the 256 MB that it may have: what it is expected to use counts for a while only.
    let fill = async |sandbox: &Value| {
        let id = sandbox["sandboxID"].as_str().unwrap();
        let sandbox = host.client.connect(id, PATIENCE).await.unwrap();
        let (code, said) = run(&sandbox, FILL).await;
        assert_eq!(code, 0, "{said}");
        id.to_owned()
    };
    let mut made = Vec::new();
    for _ in 0..3 {
        let (status, sandbox) = create().await;
        assert_eq!(status, 201, "{sandbox}");
        made.push(fill(&sandbox).await);
    }
    let bounds = bounds_of_all(&made[0]);
    assert!(
        bounds.contains(&(800_u64 << 20).to_string()) && bounds.contains(&"700".to_owned()),
        "{bounds:?}"
    );

    let (status, said) = create().await;
    assert_eq!((status, said["code"].as_u64()), (429, Some(429)), "{said}");
    let message = said["message"].as_str().unwrap();
    assert!(
        message.contains("The machine is full")
            && message.contains("of the 800 MB")
            && message.contains("SANDBOX_TOTAL_MEMORY_MB"),
        "{said}"
    );
    assert_eq!(host.get("/v2/sandboxes").await.as_array().unwrap().len(), 3);

    // One that sleeps gives up its memory, not its files.
    assert_eq!(host.pause(&made[0], json!({})).await, 204);
    assert!(!traces(&made[0]).is_empty());
    let (status, another) = create().await;
    assert_eq!(status, 201, "{another}");
    fill(&another).await;
    assert_eq!(traces(&made[0]), [] as [String; 0]);
    // And it wakes when there is room for it again.
    let connect = async || {
        host.answer(
            &format!("/v2/sandboxes/{}/connect", made[0]),
            &json!({ "timeout": 300 }),
        )
        .await
    };
    let (status, said) = connect().await;
    assert_eq!(status, 429, "{said}");
    host.client.kill(&made[1]).await.unwrap();
    assert_eq!(connect().await.0, 201);
    host.stop().await;
}

#[tokio::test]
async fn sandboxes_without_a_server_need_little_room_to_start() {
    let host = Host::start_with(|settings| {
        settings.memory_mb = 256;
        settings.total_memory_mb = Some(1000);
    })
    .await;
    let template = host.folder().join("templates/base");
    fs::create_dir_all(template.join("v1/home")).unwrap();
    fs::write(template.join("v1/template.json"), "{}").unwrap();
    fs::write(template.join("current"), "v1").unwrap();
    let create = async || {
        host.answer(
            "/v2/sandboxes",
            &json!({ "templateID": "base", "timeout": 300 }),
        )
        .await
    };
    for number in 1..=6 {
        let (status, sandbox) = create().await;
        assert_eq!(status, 201, "number {number}: {sandbox}");
    }
    host.stop().await;
}

#[tokio::test]
async fn the_pool_gives_way_to_sandboxes_in_use() {
    let host = Host::start_with(|settings| {
        settings.memory_mb = 256;
        settings.total_memory_mb = Some(600);
        settings.pool_size = 1;
    })
    .await;
    let folders = || {
        fs::read_dir(host.folder().join("sandboxes"))
            .unwrap()
            .count()
    };
    until("one waits", async || (folders() == 1).then_some(())).await;
    // With variables, no waiting one will do.
    let create = async || {
        let request = json!({ "templateID": "nextjs", "timeout": 300, "envVars": { "A": "b" } });
        host.post("/v2/sandboxes", &request).await["sandboxID"].clone()
    };
    let (one, two) = (create().await, create().await);
    assert_ne!(one, two);
    assert_eq!(folders(), 2, "the one that waited made room");
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_that_takes_all_memory_ends_neither_another_nor_the_host() {
    let host = Host::start_with(|settings| {
        settings.memory_mb = 1024;
        settings.total_memory_mb = Some(512);
    })
    .await;
    let (hog, other) = (host.create().await, host.create().await);
    let server = async || {
        run(
            &other,
            "until pgrep -f '^node server.mjs'; do sleep 0.1; done",
        )
        .await
        .1
    };
    let before = server().await;
    for _ in 0..3 {
        assert_ne!(run(&hog, HOG).await.0, 0, "it is ended");
    }
    assert_eq!(
        server().await,
        before,
        "the other one's server is the same as before"
    );
    assert_eq!(host.detail(other.id()).await["notice"], Value::Null);
    assert_eq!(
        host.preview(other.id(), 3000, "/")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    host.stop().await;
}
