//! An orderly end at any moment leaves nothing of a host on the machine: neither control groups nor
//! folders in which they were assembled.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{ControlPlane, Host, data_dir, until};

/// What hosts of a data folder, and builds of templates in it, have on the machine.
fn remains(data: &Path) -> Vec<PathBuf> {
    let names = ["host", "build"].map(|purpose| {
        let state = data.join("sandbox-host").join(purpose);
        let path = state.as_os_str().as_encoded_bytes();
        let digest = Sha256::new()
            .chain_update(path.len().to_be_bytes())
            .chain_update(path)
            .finalize();
        format!("codeflow-{}", hex::encode(&digest[..8]))
    });
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    let places = hierarchies.map(|entry| entry.path());
    places
        .chain(["/run".into(), "/sys/fs/cgroup".into()])
        .flat_map(|place| names.each_ref().map(|name| place.join(name)))
        .filter(|path| path.exists())
        .collect()
}

/// Asks a command of the program to end as soon as it has made something on the machine; how it
/// ended.
async fn end_in_the_middle(data: &Path, arguments: &[&str]) -> ExitStatus {
    let mut child: Child = Command::new(env!("CARGO_BIN_EXE_codeflow"))
        .args(arguments)
        .env("CODEFLOW_DATA_DIR", data)
        .env("AI_PROVIDER", "demo")
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        .env("SANDBOX_HOST_ADDR", "127.0.0.1:0")
        .env("SANDBOX_POOL_SIZE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it is at work", async || {
        (!remains(data).is_empty()).then_some(())
    })
    .await;
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(process, Signal::SIGTERM).unwrap();
    until("it has ended", async || child.try_wait().unwrap()).await
}

#[tokio::test]
async fn a_host_that_ends_takes_its_folder_and_its_control_groups_along() {
    let host = Host::start_with(|settings| settings.pool_size = 1).await;
    let asleep = host.create().await;
    assert_eq!(host.pause(asleep.id(), json!({})).await, 204);
    let at_work = host.create().await;
    assert!(at_work.read_file("/home/user/server.mjs").await.is_ok());
    assert!(remains(host.folder()).len() > 1);
    let data = host.stop().await;
    assert_eq!(remains(data.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_host_or_a_server_that_is_ended_while_it_starts_leaves_nothing() {
    for command in ["sandbox-host", "serve"] {
        let data = data_dir();
        let ended = end_in_the_middle(data.path(), &[command]).await;
        assert!(ended.success(), "{command}: {ended}");
        assert_eq!(remains(data.path()), [] as [PathBuf; 0], "{command}");
    }
}

#[tokio::test]
async fn a_build_of_a_template_that_is_ended_leaves_nothing() {
    let data = data_dir();
    let ended = end_in_the_middle(data.path(), &["template", "build", "nextjs"]).await;
    assert_eq!(ended.code(), Some(1));
    assert_eq!(remains(data.path()), [] as [PathBuf; 0]);
    let template = data.path().join("templates/nextjs");
    assert!(!template.join(".building").exists());
    assert_eq!(fs::read_to_string(template.join("current")).unwrap(), "v1");
}

#[tokio::test]
async fn a_host_that_can_not_start_leaves_nothing() {
    let data = data_dir();
    // In the place of the sandboxes' folder.
    fs::write(data.path().join("sandboxes"), "").unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = crate::support::settings(data.path());
    let started = codeflow::sandbox_host::SandboxHost::start(settings, listener).await;
    assert!(started.is_err());
    assert_eq!(remains(data.path()), [] as [PathBuf; 0]);
}
