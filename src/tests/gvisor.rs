//! The escape suite in gVisor (`SANDBOX_RUNTIME=runsc`), from the same bundle. `script/setup
//! --tests` installs it.

use std::time::Duration;

use codeflow::config;
use serde_json::json;

use crate::{
    escape::{
        a_filled_disk_ends, no_address_is_reached, no_file_is_reached, no_system_call_gets_through,
        still_answers,
    },
    support::{ControlPlane, Host, run, stream, traces, until},
};

fn gvisor(settings: &mut config::SandboxHost) {
    settings.runtime = Some("runsc".to_owned());
}

#[tokio::test]
async fn no_system_call_reaches_beyond_gvisor() {
    no_system_call_gets_through(Host::start_with(gvisor).await, &["fuse", "net"]).await;
}

#[tokio::test]
async fn no_file_of_the_host_or_another_sandbox_is_reached_from_gvisor() {
    no_file_is_reached(Host::start_with(gvisor).await).await;
}

#[tokio::test]
async fn no_private_address_is_reached_from_gvisor() {
    no_address_is_reached(gvisor).await;
}

#[tokio::test]
async fn a_filled_disk_ends_at_the_limit_in_gvisor() {
    let host = Host::start_with(|settings| {
        gvisor(settings);
        settings.disk_mb = 64;
    });
    a_filled_disk_ends(host.await).await;
}

#[tokio::test]
async fn a_fork_bomb_ends_at_the_limit_in_gvisor() {
    let pids = 200;
    let host = Host::start_with(|settings| {
        gvisor(settings);
        settings.pids = pids;
    })
    .await;
    let sandbox = host.create().await;
    let count = || {
        let processes = traces(sandbox.id()).into_iter();
        processes
            .filter(|trace| trace.starts_with("/proc/"))
            .count()
    };
    // At the limit, gVisor's kernel ends, and all in it; the next request starts the sandbox again.
    let bomb = "bash -c ':(){ :|:& };:' & exec sleep 600";
    let burning = stream(&host, sandbox.id(), bomb).await;
    for _ in 0..40 {
        assert!(count() <= pids as usize);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    drop(burning);
    still_answers(&host, &sandbox).await;
    host.client.kill(sandbox.id()).await.unwrap();
    until("nothing of it is left", async || {
        (count() == 0).then_some(())
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_in_gvisor_works_sleeps_and_wakes() {
    let host = Host::start_with(gvisor).await;
    let sandbox = host.create().await;
    let (code, kernel) = run(&sandbox, "dmesg 2>/dev/null | head -5; cat /proc/version").await;
    assert_eq!(code, 0, "{kernel}");
    // Another kernel than the machine's.
    let own = std::fs::read_to_string("/proc/version").unwrap();
    assert!(!kernel.contains(own.trim()), "{kernel}");
    sandbox.write_file("/home/user/kept", "kept").await.unwrap();
    let served = async || {
        let page = host.preview(sandbox.id(), 3000, "/").send().await.unwrap();
        page.status().as_u16()
    };
    until("the app is served", async || {
        (served().await == 200).then_some(())
    })
    .await;
    assert_eq!(host.pause(sandbox.id(), json!({})).await, 204);
    let woken = host.client.connect(sandbox.id(), crate::support::PATIENCE);
    let woken = woken.await.unwrap();
    assert_eq!(run(&woken, "cat kept").await, (0, "kept".to_owned()));

    // Its files are copied once gVisor has written them all.
    let path = format!("/sandboxes/{}/fork", sandbox.id());
    let (status, refusal) = host.answer(&path, &json!({})).await;
    assert_eq!(status, 409, "{refusal}");
    assert_eq!(
        host.pause(sandbox.id(), json!({ "memory": false })).await,
        204
    );
    let forks = host.post(&path, &json!({})).await;
    let fork = forks[0]["sandbox"]["sandboxID"].as_str().unwrap();
    let fork = host.client.connect(fork, crate::support::PATIENCE).await;
    assert_eq!(run(&fork.unwrap(), "cat kept").await.1, "kept");
    host.stop().await;
}
