//! Idle sandboxes: paused ones, which are frozen at first, and those in the pool.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ControlPlane, Host, HostProcess, PATIENCE, data_dir, in_own_mounts, run, stream, traces, until,
};

/// Processor time that the sandbox's processes have used, in clock ticks.
fn processor_time(sandbox: &str) -> u64 {
    let processes = traces(sandbox)
        .into_iter()
        .filter(|trace| trace.starts_with("/proc/"));
    let ticks = |process: String| {
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
        let fields: Vec<u64> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        fields.get(11).unwrap_or(&0) + fields.get(12).unwrap_or(&0)
    };
    processes.map(ticks).sum()
}

#[tokio::test]
async fn a_paused_sandbox_keeps_its_memory_uses_no_processor_and_resumes_where_it_was() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    // Counts as fast as it can.
    run(
        &sandbox,
        "nohup sh -c 'while :; do :; done' >/dev/null 2>&1 & echo $! > /tmp/pid",
    )
    .await;
    assert_eq!(host.pause(sandbox.id(), json!({})).await, 204);
    assert_eq!(host.pause(sandbox.id(), json!({})).await, 409);
    let before = processor_time(sandbox.id());
    assert!(before > 0, "its processes are still there");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(processor_time(sandbox.id()), before);

    assert_eq!(
        run(&sandbox, "kill -0 $(cat /tmp/pid) && echo alive")
            .await
            .1,
        "alive\n"
    );
    until("it counts on", async || {
        (processor_time(sandbox.id()) > before).then_some(())
    })
    .await;
    host.stop().await;
    assert_eq!(traces(sandbox.id()), [] as [String; 0]);
}

#[tokio::test]
async fn a_pause_ends_the_connections_that_clients_have_and_none_of_the_processes() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let mut output = stream(
        &host,
        sandbox.id(),
        "echo begun; sleep 2; echo ended > /tmp/ended",
    )
    .await
    .bytes_stream();
    assert!(output.next().await.unwrap().is_ok());
    let cut = async {
        let rest = tokio::time::timeout(PATIENCE, output.collect::<Vec<_>>()).await;
        assert!(
            rest.unwrap().last().unwrap().is_err(),
            "the stream is cut, not left open"
        );
        // Whoever looks why finds it asleep, though the pause goes on.
        assert_eq!(host.state(sandbox.id()).await, "paused");
    };
    let (paused, ()) = tokio::join!(host.pause(sandbox.id(), json!({})), cut);
    assert_eq!(paused, 204);
    until("the process ends by itself", async || {
        (run(&sandbox, "cat /tmp/ended 2>/dev/null").await.1 == "ended\n").then_some(())
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn without_memory_and_after_a_while_only_the_files_of_a_paused_sandbox_are_left() {
    let host = Host::start_with(|settings| settings.frozen = Duration::from_secs(5)).await;
    let (one, two) = (host.create().await, host.create().await);
    for sandbox in [&one, &two] {
        run(sandbox, "echo kept > kept; echo lost > /tmp/lost").await;
    }
    assert_eq!(host.pause(one.id(), json!({ "memory": false })).await, 204);
    assert_eq!(traces(one.id()), [] as [String; 0]);
    assert_eq!(host.pause(two.id(), json!({})).await, 204);
    assert!(!traces(two.id()).is_empty());
    until("the second's memory is given up", async || {
        traces(two.id()).is_empty().then_some(())
    })
    .await;
    assert_eq!(host.state(two.id()).await, "paused");
    for sandbox in [&one, &two] {
        assert_eq!(
            run(sandbox, "cat kept /tmp/lost 2>/dev/null").await.1,
            "kept\n"
        );
    }
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_that_starts_from_its_files_has_booted_anew_and_one_that_kept_its_memory_has_not()
{
    let host = Host::start().await;
    let sandbox = host.create().await;
    let boot_id = async || {
        let (code, id) = run(&sandbox, "cat /proc/sys/kernel/random/boot_id").await;
        assert_eq!(code, 0, "{id}");
        id.trim().to_owned()
    };
    let connect = async |body: Value| {
        let path = format!("/v2/sandboxes/{}/connect", sandbox.id());
        host.answer(&path, &body).await.0
    };
    let first = boot_id().await;
    let machine = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_ne!(first, machine.trim());
    let write = "echo x > /proc/sys/kernel/random/boot_id";
    assert_ne!(run(&sandbox, write).await.0, 0);

    assert_eq!(host.pause(sandbox.id(), json!({})).await, 204);
    assert_eq!(connect(json!({})).await, 201);
    assert_eq!(boot_id().await, first);
    assert_eq!(host.pause(sandbox.id(), json!({})).await, 204);
    assert_eq!(connect(json!({ "memory": false })).await, 201);
    let second = boot_id().await;
    assert_ne!(second, first);
    // It does nothing to one that runs.
    assert_eq!(connect(json!({ "memory": false })).await, 200);
    assert_eq!(boot_id().await, second);
    assert_eq!(
        host.pause(sandbox.id(), json!({ "memory": false })).await,
        204
    );
    assert_ne!(boot_id().await, second);
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_keeps_only_its_files_at_its_time_out_if_its_creator_asked_for_that() {
    let host = Host::start().await;
    let create = async |more: Value| {
        let mut request = json!({ "templateID": "nextjs", "timeout": 1, "autoPauseMemory": false });
        (request.as_object_mut().unwrap()).extend(more.as_object().unwrap().clone());
        host.answer("/v2/sandboxes", &request).await
    };
    let refused = [
        json!({}),
        json!({ "autoPause": true, "autoResume": { "enabled": true } }),
    ];
    for refused in refused {
        let (status, body) = create(refused).await;
        assert_eq!(status, 400);
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("autoPauseMemory"), "{message}");
    }
    let (_, made) = create(json!({ "autoPause": true })).await;
    let id = made["sandboxID"].as_str().unwrap();
    until("it is paused", async || {
        (host.state(id).await == "paused").then_some(())
    })
    .await;
    until("nothing of it runs", async || {
        traces(id).is_empty().then_some(())
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn a_request_to_any_port_wakes_a_sandbox_that_asked_for_it_for_five_minutes_and_no_other() {
    let host = Host::start().await;
    for auto_resume in [true, false] {
        let request = json!({ "templateID": "nextjs", "timeout": 2, "autoPause": true, "autoResume": { "enabled": auto_resume } });
        let made = host.post("/v2/sandboxes", &request).await;
        let id = made["sandboxID"].as_str().unwrap();
        until("it is paused", async || {
            (host.state(id).await == "paused").then_some(())
        })
        .await;
        // Asking whether it runs is no use of it.
        let health = host.http.get(format!("{}/health", host.host.url()));
        let health = health
            .header("e2b-sandbox-id", id)
            .header("e2b-sandbox-port", "49983");
        assert_eq!(health.send().await.unwrap().status(), 502);
        assert_eq!(host.state(id).await, "paused");
        // Nothing listens there.
        let answer = host.preview(id, 4000, "/").send().await.unwrap();
        assert_eq!(answer.status(), 502);
        let detail = host.detail(id).await;
        if !auto_resume {
            assert_eq!(detail["state"], "paused");
            continue;
        }
        assert_eq!(detail["state"], "running");
        let end = chrono::DateTime::parse_from_rfc3339(detail["endAt"].as_str().unwrap()).unwrap();
        let left = end.to_utc() - chrono::Utc::now();
        assert!((200..=300).contains(&left.num_seconds()), "{left}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_pooled_sandbox_becomes_the_caller_s_in_every_way_and_is_replaced() {
    let host = Host::start_with(|settings| settings.pool_size = 1).await;
    let waiting = || {
        std::fs::read_dir(host.folder().join("sandboxes"))
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
    };
    let first = until("one waits", async || {
        let id = waiting().next()?;
        host.host.counts().contains(&("pooled", 1)).then_some(id)
    })
    .await;
    // Frozen.
    let before = processor_time(&first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(processor_time(&first), before);
    assert!(before > 0);
    assert_eq!(
        host.api(Method::GET, "/v2/sandboxes")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "[]",
        "it is nobody's yet"
    );
    assert_eq!(
        host.status(Method::GET, &format!("/sandboxes/{first}"))
            .await,
        404
    );

    let request = json!({ "templateID": "nextjs", "timeout": 77, "metadata": { "a": "b" }, "autoPause": true,
        "network": { "denyOut": ["0.0.0.0/0"], "allowPublicTraffic": false } });
    let begun = Instant::now();
    let made: Value = host.post("/v2/sandboxes", &request).await;
    println!("handed out in {} ms", begun.elapsed().as_millis());
    assert_eq!(made["sandboxID"], *first, "the one that waited");
    assert!(made["trafficAccessToken"].is_string());
    let detail: Value = host.detail(&first).await;
    assert_eq!(detail["metadata"], json!({ "a": "b" }));
    assert_eq!(detail["allowInternetAccess"], false);
    assert_eq!(detail["lifecycle"]["onTimeout"], "pause");
    assert_eq!(
        host.preview(&first, 3000, "/")
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    let page = host.preview(&first, 3000, "/").header(
        "e2b-traffic-access-token",
        made["trafficAccessToken"].as_str().unwrap(),
    );
    assert_eq!(
        page.send().await.unwrap().text().await.unwrap(),
        "<h1>The template</h1>"
    );

    // Variables are given to a container as it starts, so this one is made anew.
    let with_envs = json!({ "templateID": "nextjs", "timeout": 300, "envVars": { "A": "b" } });
    let made: Value = host.post("/v2/sandboxes", &with_envs).await;
    let second = made["sandboxID"].as_str().unwrap().to_owned();
    let third = until("another one waits", async || {
        waiting().find(|id| *id != first && *id != second)
    })
    .await;
    let data = host.stop().await;
    for id in [&first, &second, &third] {
        assert_eq!(traces(id), [] as [String; 0]);
    }
    assert!(
        !data.path().join("sandboxes").join(third).exists(),
        "one that nobody had leaves no files"
    );
}

#[tokio::test]
async fn a_host_that_dies_leaves_nothing_of_its_pool_and_only_the_files_of_its_frozen_sandboxes() {
    let data = data_dir();
    let crashed = HostProcess::start(data.path(), &[("SANDBOX_POOL_SIZE", "1")]);
    let sandboxes = data.path().join("sandboxes");
    let ids = || {
        std::fs::read_dir(&sandboxes)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect::<Vec<_>>()
    };
    let sandbox = crashed.create().await;
    run(&sandbox, "echo kept > kept").await;
    assert_eq!(crashed.pause(sandbox.id(), json!({})).await, 204);
    until("another one waits", async || {
        (ids().len() == 2).then_some(())
    })
    .await;
    crashed.kill();

    let host = Host::start_on(data, |_| {}).await;
    assert_eq!(
        std::fs::read_dir(host.folder().join("sandboxes"))
            .unwrap()
            .count(),
        1
    );
    assert_eq!(host.state(sandbox.id()).await, "paused");
    assert_eq!(traces(sandbox.id()), [] as [String; 0]);
    let sandbox = host.client.connect(sandbox.id(), PATIENCE).await.unwrap();
    assert_eq!(run(&sandbox, "cat kept").await.1, "kept\n");
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_that_can_not_be_thawed_leaves_the_pool_and_is_replaced() {
    let data = data_dir();
    let mut command = in_own_mounts();
    command.arg(format!(
        "exec {} sandbox-host",
        env!("CARGO_BIN_EXE_codeflow")
    ));
    let host = HostProcess::of(
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env("SANDBOX_POOL_SIZE", "1"),
    );
    let waiting = |but: &str| {
        let folders = std::fs::read_dir(data.path().join("sandboxes"))
            .unwrap()
            .flatten();
        let ids = folders.map(|entry| entry.file_name().into_string().unwrap());
        ids.into_iter().find(|id| id != but)
    };
    let is_frozen = |id: &str| {
        let read = |group: &String, file: &str| {
            std::fs::read_to_string(Path::new(group).join(file)).unwrap_or_default()
        };
        traces(id).iter().any(|group| {
            read(group, "freezer.state") == "FROZEN\n"
                || read(group, "cgroup.events").contains("frozen 1")
        })
    };
    let first = until("one waits", async || {
        let id = waiting("")?;
        is_frozen(&id).then_some(id)
    })
    .await;
    // Its share of the processor can't be set any more, seen from the host.
    let groups = traces(&first);
    let shares = groups
        .iter()
        .flat_map(|group| ["cpu.shares", "cpu.weight"].map(|name| Path::new(group).join(name)));
    let shares = shares.into_iter().find(|file| file.exists()).unwrap();
    let mounted = std::process::Command::new("nsenter")
        .arg(format!("--mount=/proc/{}/ns/mnt", host.id()))
        .args(["mount", "--bind", "/dev/full"])
        .arg(shares)
        .status()
        .unwrap();
    assert!(mounted.success());

    let made: Value = host
        .post(
            "/v2/sandboxes",
            &json!({ "templateID": "nextjs", "timeout": 300 }),
        )
        .await;
    let made = made["sandboxID"].as_str().unwrap();
    assert_ne!(made, first);
    until("the broken one is gone", async || {
        (traces(&first).is_empty() && !data.path().join("sandboxes").join(&first).exists())
            .then_some(())
    })
    .await;
    until("another one waits", async || {
        let id = waiting(made)?;
        is_frozen(&id).then_some(())
    })
    .await;
}
