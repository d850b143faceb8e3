//! Sandboxes share the disk's time by weight, as they share the processors; a machine whose kernel
//! has no weights says so.

use std::{fs, path::PathBuf};

use crate::support::{ControlPlane, HostProcess, data_dir, in_own_mounts, run, until};

/// Where a kernel may have a sandbox's weight, below the groups' root.
const WEIGHTS: [(&str, &str); 4] = [
    ("", "io.weight"),
    ("", "io.bfq.weight"),
    ("blkio", "blkio.weight"),
    ("blkio", "blkio.bfq.weight"),
];

/// The sandbox's weights: 100 each as long as it is an ordinary one.
fn weights(sandbox: &str) -> Vec<u32> {
    let read = |(hierarchy, file): (&str, &str)| {
        let hosts = fs::read_dir(PathBuf::from("/sys/fs/cgroup").join(hierarchy)).ok()?;
        let mut weights = hosts
            .flatten()
            .map(|host| host.path().join(sandbox).join(file));
        let text = weights.find_map(|file| fs::read_to_string(file).ok())?;
        text.split_whitespace().last()?.parse().ok()
    };
    WEIGHTS.into_iter().filter_map(read).collect()
}

#[tokio::test]
async fn a_sandbox_that_is_busy_gets_less_of_the_disk_than_one_that_is_not() {
    let data = data_dir();
    let settings = [("SANDBOX_POOL_SIZE", "0"), ("SANDBOX_CPUS", "1")];
    let host = HostProcess::start(data.path(), &settings);
    let (busy, idle) = (host.create().await, host.create().await);
    if weights(idle.id()).is_empty() {
        let ready = host.get("/readyz").await;
        assert!(ready["unenforced"].to_string().contains("the disk's time"));
        return;
    }
    let spin = "(timeout 300 sh -c 'while :; do :; done' >/dev/null 2>&1 &)";
    assert_eq!(run(&busy, spin).await.0, 0);
    until("the busy one weighs less", async || {
        let less = weights(busy.id()).iter().any(|weight| *weight < 100);
        less.then_some(())
    })
    .await;
    let usual = weights(idle.id());
    assert!(usual.contains(&100), "{usual:?}");
}

#[tokio::test]
async fn a_machine_without_weights_for_the_disk_says_so_and_a_strict_host_starts_all_the_same() {
    if !PathBuf::from("/sys/fs/cgroup/blkio/cgroup.procs").exists() {
        // With cgroup v2, a process can't have a group without its controllers.
        return;
    }
    let data = data_dir();
    let mut command = in_own_mounts();
    command.arg(format!(
        "umount /sys/fs/cgroup/blkio && exec {} sandbox-host",
        env!("CARGO_BIN_EXE_codeflow")
    ));
    let host = HostProcess::of(
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env("SANDBOX_STRICT", "1")
            .env("SANDBOX_POOL_SIZE", "0"),
    );
    let ready = host.get("/readyz").await;
    assert_eq!(ready["sandboxes"], "ok");
    let unenforced = ready["unenforced"].as_array().unwrap();
    assert!(
        unenforced.len() == 1 && unenforced[0].to_string().contains("the disk's time"),
        "{ready}"
    );
    let sandbox = host.create().await;
    assert_eq!(run(&sandbox, "echo ok").await.1, "ok\n");
}
