//! Faults around a sandbox: each ends in a clear error, without a hang, and leaves nothing behind.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use codeflow::sandbox::Sandbox;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ControlPlane, HostProcess, PATIENCE, begin, data_dir, http, in_own_mounts, options, stream,
    token, traces, until,
};

const NO_POOL: (&str, &str) = ("SANDBOX_POOL_SIZE", "0");

/// Sends half of a file and hangs up.
async fn half_an_upload(host: &HostProcess, sandbox: &Sandbox) {
    let token = token(host, sandbox.id()).await;
    let target = "POST /files?path=half.bin";
    drop(begin(
        host,
        sandbox.id(),
        &token,
        target,
        2_000_000,
        &vec![1; 1_000_000],
    ));
}

#[tokio::test]
async fn a_failing_runtime_is_reported_and_leaves_no_sandbox() {
    let data = data_dir();
    let (runtime, broken) = (data.path().join("runtime"), data.path().join("broken"));
    let script = format!(
        "#!/bin/sh\nif [ -e {} ]; then case \"$*\" in *run*) exit 1;; esac; fi\nexec runc \"$@\"\n",
        broken.display()
    );
    fs::write(&runtime, script).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
    let host = HostProcess::start(
        data.path(),
        &[NO_POOL, ("SANDBOX_RUNTIME", runtime.to_str().unwrap())],
    );
    fs::write(&broken, "").unwrap();
    let create = || {
        host.api(Method::POST, "/v2/sandboxes")
            .json(&json!({ "templateID": "nextjs", "timeout": 300 }))
            .send()
    };
    let answer = create().await.unwrap();
    assert_eq!(answer.status(), 500);
    let said: Value = answer.json().await.unwrap();
    assert!(
        said["message"]
            .as_str()
            .unwrap()
            .contains("the runtime ended with"),
        "{said}"
    );
    assert_eq!(
        fs::read_dir(data.path().join("sandboxes")).unwrap().count(),
        0
    );
    fs::remove_file(&broken).unwrap();
    assert_eq!(create().await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_full_disk_is_reported_and_no_sandbox_is_made() {
    let data = data_dir();
    fs::create_dir(data.path().join("sandboxes")).unwrap();
    let mut command = in_own_mounts();
    command.arg(format!(
        "mount -t tmpfs -o size=100m none {}/sandboxes && exec {} sandbox-host",
        data.path().display(),
        env!("CARGO_BIN_EXE_codeflow")
    ));
    let host = HostProcess::of(
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env(NO_POOL.0, NO_POOL.1),
    );
    let (status, said) = host
        .answer(
            "/v2/sandboxes",
            &json!({ "templateID": "nextjs", "timeout": 300 }),
        )
        .await;
    assert_eq!(status, 507);
    assert!(
        said["message"].as_str().unwrap().contains("make room"),
        "{said}"
    );
    assert_eq!(host.get("/v2/sandboxes").await, json!([]));
}

#[tokio::test]
async fn a_sandbox_that_is_killed_ends_the_streams_of_its_clients() {
    let data = data_dir();
    let host = HostProcess::start(data.path(), &[NO_POOL]);
    let sandbox = host.create().await;
    let mut output = stream(&host, sandbox.id(), "echo begun; sleep 100")
        .await
        .bytes_stream();
    assert!(output.next().await.unwrap().is_ok());
    host.client.kill(sandbox.id()).await.unwrap();
    let rest = tokio::time::timeout(PATIENCE, output.collect::<Vec<_>>())
        .await
        .unwrap();
    assert!(rest.last().unwrap().is_err());
    let answer = http().get(format!("{}/health", host.url));
    let answer = answer
        .header("e2b-sandbox-id", sandbox.id())
        .header("e2b-sandbox-port", "49983")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 502);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["message"],
        "The sandbox was not found"
    );
}

#[tokio::test]
async fn a_client_that_disconnects_during_an_upload_leaves_no_partial_file() {
    let data = data_dir();
    let host = HostProcess::start(data.path(), &[NO_POOL]);
    let sandbox = host.create().await;
    sandbox
        .write_file("/home/user/half.bin", "whole")
        .await
        .unwrap();
    let before = sandbox.run("ls -A", &options()).await.unwrap().stdout;
    half_an_upload(&host, &sandbox).await;
    until("the piece is gone", async || {
        (sandbox.run("ls -A", &options()).await.unwrap().stdout == before).then_some(())
    })
    .await;
    assert_eq!(
        sandbox.read_file("/home/user/half.bin").await.unwrap(),
        b"whole"
    );
}

#[tokio::test]
async fn output_that_nobody_reads_waits_in_the_sandbox_and_not_in_the_host() {
    let data = data_dir();
    let host = HostProcess::start(data.path(), &[NO_POOL]);
    let sandbox = host.create().await;
    let before = host.memory();
    let unread = stream(&host, sandbox.id(), "yes").await;
    // Gigabytes, if nothing limited it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = host.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    let output = sandbox.run("echo still there", &options()).await.unwrap();
    assert_eq!(output.stdout, b"still there\n");
    drop(unread);
}

/// The resources that a host and its sandboxes hold on this machine.
fn held(host: &HostProcess, data: &Path) -> Vec<(&'static str, usize)> {
    let count = |path: &Path| fs::read_dir(path).map_or(0, Iterator::count);
    let mounts = fs::read_to_string(host.proc("mounts"))
        .unwrap()
        .lines()
        .count();
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let loops = fs::read_dir("/sys/block").unwrap().flatten();
    let images =
        loops.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    vec![
        ("open files", count(&host.proc("fd"))),
        ("threads", count(&host.proc("task"))),
        ("mounts", mounts),
        (
            "children",
            fs::read_to_string(host.proc("task").join(host.id()).join("children"))
                .unwrap()
                .split_whitespace()
                .count(),
        ),
        (
            "sockets",
            sockets
                .lines()
                .filter(|line| line.contains(data.to_str().unwrap()))
                .count(),
        ),
        (
            "loop devices",
            images
                .filter(|image| image.starts_with(data.to_str().unwrap()))
                .count(),
        ),
        (
            "files",
            count(&data.join("sandboxes"))
                + count(&data.join("sandbox-host"))
                + count(&data.join("sandbox-host/host")),
        ),
    ]
}

#[tokio::test]
async fn after_many_lives_of_every_kind_the_host_holds_what_it_held_before() {
    let data = data_dir();
    let host = HostProcess::start(data.path(), &[NO_POOL, ("TOKIO_WORKER_THREADS", "2")]);
    let live = async |kind: usize| {
        let sandbox = host.create().await;
        sandbox.write_file("/home/user/x", "x").await.unwrap();
        match kind % 4 {
            0 => drop(stream(&host, sandbox.id(), "yes").await),
            1 => half_an_upload(&host, &sandbox).await,
            2 => {
                assert_eq!(host.pause(sandbox.id(), json!({})).await, 204);
            }
            _ => {
                let options = options();
                let hasty = sandbox.run("sleep 100", &options);
                assert!(
                    tokio::time::timeout(Duration::from_millis(20), hasty)
                        .await
                        .is_err()
                );
            }
        }
        host.client.kill(sandbox.id()).await.unwrap();
        sandbox.id().to_owned()
    };
    for kind in 0..4 {
        live(kind).await;
    }
    // Threads for what blocks and connections that are kept open come and go.
    let settled = |counts: &[(&str, usize)]| {
        let few = |(name, count): &(&str, usize)| match *name {
            "open files" => *count < 40,
            "threads" => *count < 20,
            "children" | "loop devices" | "sockets" => *count == 0,
            _ => true,
        };
        counts.iter().all(few)
    };
    let before = until("the host is at rest", async || {
        Some(held(&host, data.path())).filter(|counts| settled(counts))
    })
    .await;
    let mut ids = Vec::new();
    for kind in 0..16 {
        ids.push(live(kind).await);
    }
    // Threads and connections that are kept for a while end late on a busy machine.
    let begun = Instant::now();
    loop {
        let after = held(&host, data.path());
        let holds_more = before.iter().zip(&after).any(|(before, after)| {
            let slack = if ["open files", "threads"].contains(&before.0) {
                8
            } else {
                0
            };
            after.1 > before.1 + slack
        });
        if !holds_more {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{before:?} before, {after:?} after"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    for id in ids {
        assert_eq!(traces(&id), [] as [String; 0]);
    }
}
