//! The user ids of sandboxes on the machine: each sandbox has its own, so that the kernel's
//! per-user limits apply to each separately.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::Path};

use crate::support::{ControlPlane, Host, HostProcess, PATIENCE, data_dir, run, traces, until};

/// The first id of sandboxes' files on disk, and their user's.
const STORED: u32 = 100_000;
const USER: u32 = 1000;

/// Takes as many inotify instances as possible, prints the number, and keeps them if an argument
/// says so.
const TAKE: &str = r#"
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>
int main(int count, char **arguments) {
  int taken = 0;
  while (taken < 100000 && inotify_init1(0) >= 0) taken++;
  printf("%d\n", taken);
  fflush(stdout);
  if (count > 1) pause();
  return 0;
}
"#;

/// The users and groups that a sandbox's processes have on the machine.
fn ids(sandbox: &str) -> BTreeSet<u32> {
    let processes = traces(sandbox)
        .into_iter()
        .filter(|trace| trace.starts_with("/proc/"));
    let status =
        processes.filter_map(|process| fs::read_to_string(format!("{process}/status")).ok());
    let ids = |status: String| {
        let lines = status
            .lines()
            .filter(|line| line.starts_with("Uid:") || line.starts_with("Gid:"));
        let ids = lines.flat_map(|line| line.split_whitespace().skip(1));
        ids.map(|id| id.parse().unwrap()).collect::<Vec<u32>>()
    };
    status.flat_map(ids).collect()
}

#[tokio::test]
async fn each_sandbox_has_ids_of_its_own_and_finds_its_files_under_others() {
    let host = Host::start().await;
    let (one, other) = (host.create().await, host.create().await);
    let (ids_of_one, ids_of_other) = (ids(one.id()), ids(other.id()));
    assert_eq!(
        (ids_of_one.len(), ids_of_other.len()),
        (1, 1),
        "{ids_of_one:?} {ids_of_other:?}"
    );
    assert!(ids_of_one.is_disjoint(&ids_of_other), "{ids_of_one:?}");
    assert!(
        ids_of_one
            .iter()
            .chain(&ids_of_other)
            .all(|id| *id > 1 << 30)
    );

    // Both see the template's files as theirs, and can change them.
    let owners = "stat -c %u:%g server.mjs app . new | sort -u";
    for sandbox in [&one, &other] {
        let (code, said) = run(
            sandbox,
            &format!("echo changed >> index.html && mkdir new && {owners}"),
        )
        .await;
        assert_eq!((code, said.as_str()), (0, "1000:1000\n"));
    }
    // A sandbox that wakes after its ids were given away gets new ones.
    assert_eq!(
        host.pause(one.id(), serde_json::json!({ "memory": false }))
            .await,
        204
    );
    let third = host.create().await;
    let again = host.client.connect(one.id(), PATIENCE).await.unwrap();
    let all = [&again, &other, &third]
        .into_iter()
        .flat_map(|sandbox| ids(sandbox.id()))
        .collect::<BTreeSet<u32>>();
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(
        run(&again, &format!("tail -c 8 index.html; {owners}"))
            .await
            .1,
        "changed\n1000:1000\n"
    );
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_that_exhausts_a_kernel_quota_exhausts_only_its_own() {
    let host = Host::start().await;
    let (greedy, other) = (host.create().await, host.create().await);
    for sandbox in [&greedy, &other] {
        sandbox.write_file("/home/user/take.c", TAKE).await.unwrap();
        assert_eq!(run(sandbox, "cc -o /tmp/take take.c").await.0, 0);
    }
    run(&greedy, "nohup /tmp/take hold > /tmp/taken 2>&1 &").await;
    let taken: u32 = until("all are taken", async || {
        run(&greedy, "cat /tmp/taken").await.1.trim().parse().ok()
    })
    .await;
    assert!(taken > 16, "{taken}");
    // The other has as many, but for those that its own init uses, and the machine's root has some
    // as well.
    let left: u32 = run(&other, "/tmp/take").await.1.trim().parse().unwrap();
    assert!(left + 16 >= taken, "{left} of {taken}");
    rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC).unwrap();
    host.stop().await;
}

#[tokio::test]
async fn two_hosts_on_one_machine_never_share_ids() {
    let (data, host) = (data_dir(), Host::start().await);
    let neighbour = HostProcess::start(data.path(), &[("SANDBOX_POOL_SIZE", "0")]);
    let sandbox = host.create().await;
    let theirs = neighbour.create().await;
    assert!(ids(sandbox.id()).is_disjoint(&ids(theirs.id())));
    neighbour.client.kill(theirs.id()).await.unwrap();
    host.stop().await;
}

/// The layer of a sandbox, as a folder, when no image can be mounted.
fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().uid()
}

#[tokio::test]
async fn on_disk_all_sandboxes_share_one_range_of_ids_and_older_files_stay_readable() {
    let data = data_dir();
    let mut command = crate::support::in_own_mounts();
    command.arg(format!(
        "mount --bind /dev/null /dev/loop-control && exec {} sandbox-host",
        env!("CARGO_BIN_EXE_codeflow")
    ));
    let host = HostProcess::of(
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env("SANDBOX_POOL_SIZE", "0"),
    );
    let sandbox = host.create().await;
    run(&sandbox, "echo mine > mine").await;
    let upper = data
        .path()
        .join("sandboxes")
        .join(sandbox.id())
        .join("layer/upper");
    assert_eq!(owner(&upper.join("mine")), STORED + USER);
    // Written before sandboxes had ids of their own.
    assert_eq!(
        host.pause(sandbox.id(), serde_json::json!({ "memory": false }))
            .await,
        204
    );
    fs::write(upper.join("earlier"), "earlier").unwrap();
    std::os::unix::fs::chown(
        upper.join("earlier"),
        Some(STORED + USER),
        Some(STORED + USER),
    )
    .unwrap();
    let again = host.client.connect(sandbox.id(), PATIENCE).await.unwrap();
    assert_eq!(
        run(&again, "echo more >> earlier && cat mine earlier")
            .await
            .1,
        "mine\nearliermore\n"
    );
    host.client.kill(sandbox.id()).await.unwrap();
    assert!(!upper.exists());
}
