//! Hosts that can't enforce every limit, such as an ordinary user's: how they behave, and how they
//! report what is missing.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    process::{Command, Stdio},
};

use tokio::net::TcpListener;

use crate::{
    egress::{PublicAddress, give_client, hello_is_refused},
    escape::{SPELLINGS, fork_bomb_is_bounded, no_spelling_is_reached},
    sandbox_trouble::stops_are_mended,
    support::{
        ControlPlane, HostProcess, NOBODY, PATIENCE, as_nobody, data_dir, in_own_mounts, run, until,
    },
};

/// Prints which of the system calls that exceed a process's rights were allowed.
const SYSTEM_CALLS: &str = include_str!("escape.c");

/// Forks a sandbox, and checks that the fork has what was written and not what was removed.
async fn is_forked_with_its_changes(host: &HostProcess, sandbox: &str) {
    let path = format!("/sandboxes/{sandbox}/fork");
    let forks = host.post(&path, &serde_json::json!({})).await;
    let fork = forks[0]["sandbox"]["sandboxID"].as_str();
    let fork = fork.unwrap_or_else(|| panic!("{forks}"));
    let fork = host.client.connect(fork, PATIENCE).await.unwrap();
    assert_eq!(run(&fork, "cat file; ls app").await.1, "written\nnew\n");
    assert_eq!(run(&fork, "ls index.html").await.0, 2);
}

/// Changes of each kind that a layer has: a file, a removed one, and a folder in place of another.
const CHANGES: &str = "echo written > file; rm index.html; rm -r app; mkdir app; touch app/new";

#[tokio::test]
async fn an_ordinary_user_has_sandboxes_too_and_is_told_which_limits_do_not_hold() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data_dir());
    let host = HostProcess::of(
        as_nobody(folder.path(), data.path(), "sandbox-host").env("SANDBOX_POOL_SIZE", "0"),
    );
    host.logged("sandboxes run without limits on").await;
    let ready = host.get("/readyz").await;
    assert_eq!(ready["sandboxes"], "ok");
    let unenforced = ready["unenforced"].to_string();
    assert!(unenforced.contains("disk"), "{unenforced}");
    assert!(unenforced.contains("one range of user ids"), "{unenforced}");

    let sandbox = host.create().await;
    assert_eq!(run(&sandbox, "id -u; id -un").await.1, "1000\nuser\n");
    assert_eq!(
        run(
            &sandbox,
            "grep -h Cap /proc/self/status | sort -u | cut -f2 | sort -u"
        )
        .await
        .1,
        "0000000000000000\n"
    );
    // Processes are bounded although no control group is.
    assert_eq!(run(&sandbox, "ulimit -u").await.1, "512\n");

    sandbox
        .write_file("/home/user/index.html", "<h1>Rootless</h1>")
        .await
        .unwrap();
    sandbox.remove("/home/user/app/page.tsx").await.unwrap();
    until("the page is served", async || {
        let page = sandbox.fetch(3000, "/", 1000).await.ok()??;
        (page.body == b"<h1>Rootless</h1>").then_some(())
    })
    .await;
    assert_eq!(host.pause(sandbox.id(), serde_json::json!({})).await, 204);
    let again = host.client.connect(sandbox.id(), PATIENCE).await.unwrap();
    assert_eq!(
        again.read_file("/home/user/index.html").await.unwrap(),
        b"<h1>Rootless</h1>"
    );
    assert!(
        again.read_file("/home/user/app/page.tsx").await.is_err(),
        "what was removed stays removed"
    );

    run(&again, CHANGES).await;
    let path = format!("/sandboxes/{}/snapshots", sandbox.id());
    let (status, refusal) = host.answer(&path, &serde_json::json!({})).await;
    assert_eq!(status, 409);
    assert!(refusal.to_string().contains("pause it first"), "{refusal}");
    assert_eq!(host.pause(sandbox.id(), serde_json::json!({})).await, 204);
    is_forked_with_its_changes(&host, sandbox.id()).await;

    let files = data.path().join("sandboxes").join(sandbox.id());
    assert!(files.exists());
    host.client.kill(sandbox.id()).await.unwrap();
    assert!(
        !files.exists(),
        "an ordinary user can remove what its sandboxes wrote"
    );
}

#[tokio::test]
async fn sandboxes_of_an_ordinary_user_are_as_closed_as_those_of_root() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data_dir());
    // Made first by somebody else, it is refused in words, and used as soon as it is the user's
    // own.
    let runtime = folder.path().join("runtime");
    fs::create_dir(&runtime).unwrap();
    for (owner, mode) in [(NOBODY + 1, 0o700), (NOBODY, 0o755), (NOBODY, 0o700)] {
        chown(&runtime, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = as_nobody(folder.path(), data.path(), "sandbox-host");
        command
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("SANDBOX_POOL_SIZE", "0");
        let host = HostProcess::of(&mut command);
        let sandbox = host.create().await;
        let used = fs::read_dir(&runtime).unwrap().count();
        assert_eq!(
            used,
            usize::from((owner, mode) == (NOBODY, 0o700)),
            "{owner} {mode:o}"
        );
        if used == 1 {
            sandbox
                .write_file("/home/user/escape.c", SYSTEM_CALLS)
                .await
                .unwrap();
            let tried = run(&sandbox, "cc -w -o /tmp/escape escape.c && /tmp/escape").await;
            assert_eq!(tried, (0, "all were tried\n".to_owned()));
            let beyond = data.path().join("sandboxes");
            assert_ne!(
                run(&sandbox, &format!("ls {}", beyond.display())).await.0,
                0
            );
            assert_ne!(
                run(
                    &sandbox,
                    "touch /usr/mark || touch /etc/mark || touch /mark || cat /proc/1/mem"
                )
                .await
                .0,
                0
            );
        }
        host.client.kill(sandbox.id()).await.unwrap();
    }
}

#[tokio::test]
async fn attempts_to_get_out_fail_on_a_host_of_an_ordinary_user_too() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data_dir());
    let address = PublicAddress::new("192.0.2.79");
    let (private, server) = (
        TcpListener::bind("0.0.0.0:0").await.unwrap(),
        address.listen(0).await,
    );
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    // As many spellings as the variable takes: what is tried is the check of the address.
    let names = SPELLINGS.map(|name| name.trim_matches(['[', ']']).trim_end_matches('.'));
    let names = names.iter().filter(|name| !name.contains(':'));
    let mut allow: Vec<String> = names
        .map(|name| format!("{name}:{}", port(&private)))
        .collect();
    allow.push(format!("{}:{}", address.0, port(&server)));
    let host = HostProcess::of(
        as_nobody(folder.path(), data.path(), "sandbox-host")
            .env("SANDBOX_EGRESS_ALLOW", allow.join(","))
            .env("SANDBOX_PIDS", "96")
            .env("SANDBOX_POOL_SIZE", "0"),
    );
    let (asking, stopped) = (host.create().await, host.create().await);
    let ways_out = async {
        no_spelling_is_reached(&asking, &private, &host).await;
        give_client(&asking).await;
        for (says, why) in [
            ("tls evil.example", "it asks for the server evil.example"),
            ("plain 'GET / HTTP/1.1'", "not TLS"),
        ] {
            hello_is_refused(&asking, &server, address.0, says, why).await;
        }
    };
    tokio::join!(ways_out, stops_are_mended(&host, &stopped));
    fork_bomb_is_bounded(&host, &stopped, 96).await;
    assert_eq!(run(&asking, "echo $((6 * 7))").await.1, "42\n");
    // Whoever may not lower a score may raise it.
    let score = run(&asking, "cat /proc/self/oom_score_adj").await.1;
    let own = fs::read_to_string(host.proc("oom_score_adj")).unwrap();
    let number = |score: &str| score.trim().parse::<i32>().unwrap();
    assert!(number(&score) > number(&own), "{score} {own}");
}

#[tokio::test]
async fn a_strict_host_does_not_start_where_a_limit_does_not_hold() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data_dir());
    let strict = as_nobody(folder.path(), data.path(), "sandbox-host");
    // One that does not refuse its start ends all the same.
    let output = Command::new("timeout")
        .arg("300")
        .arg(strict.get_program())
        .args(strict.get_args())
        .env("CODEFLOW_DATA_DIR", data.path())
        .env("SANDBOX_STRICT", "1")
        .env("SANDBOX_HOST_ADDR", "127.0.0.1:0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.lines()
            .last()
            .unwrap()
            .contains("SANDBOX_STRICT=1, and this machine can't enforce"),
        "{said}"
    );

    // Root can enforce all of them here.
    let data = data_dir();
    let host = HostProcess::start(
        data.path(),
        &[("SANDBOX_STRICT", "1"), ("SANDBOX_POOL_SIZE", "0")],
    );
    assert_eq!(
        host.get("/readyz").await["unenforced"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn a_host_of_an_ordinary_user_starts_again_after_a_crash() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data_dir());
    let start = || {
        HostProcess::of(
            as_nobody(folder.path(), data.path(), "sandbox-host").env("SANDBOX_POOL_SIZE", "1"),
        )
    };
    let sandboxes = || fs::read_dir(data.path().join("sandboxes")).unwrap().count();
    let host = start();
    let sandbox = host.create().await;
    sandbox.write_file("/home/user/kept", "kept").await.unwrap();
    until("another one is made for the pool", async || {
        let layers = data.path().join("sandboxes");
        let worked = |entry: fs::DirEntry| entry.path().join("layer/work/work").exists();
        (fs::read_dir(layers)
            .unwrap()
            .flatten()
            .filter_map(|entry| worked(entry).then_some(()))
            .count()
            == 2)
            .then_some(())
    })
    .await;
    host.kill();

    let host = HostProcess::of(
        as_nobody(folder.path(), data.path(), "sandbox-host").env("SANDBOX_POOL_SIZE", "0"),
    );
    assert_eq!(sandboxes(), 1, "what nobody had is removed");
    let sandbox = host.client.connect(sandbox.id(), PATIENCE).await.unwrap();
    assert_eq!(sandbox.read_file("/home/user/kept").await.unwrap(), b"kept");
}

#[tokio::test]
async fn a_machine_without_loop_devices_has_sandboxes_whose_disk_is_not_bounded_and_says_so() {
    let data = data_dir();
    let mut command = in_own_mounts();
    command.arg(format!(
        "mount --bind /dev/null /dev/loop-control && exec {} sandbox-host",
        env!("CARGO_BIN_EXE_codeflow")
    ));
    let host = HostProcess::of(
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env("SANDBOX_POOL_SIZE", "0"),
    );
    let ready = host.get("/readyz").await;
    assert_eq!(ready["sandboxes"], "ok");
    let unenforced = ready["unenforced"].as_array().unwrap();
    assert!(
        unenforced.len() == 1
            && unenforced[0]
                .as_str()
                .unwrap()
                .contains("no image can be mounted"),
        "{ready}"
    );
    let sandbox = host.create().await;
    assert_eq!(
        run(&sandbox, &format!("{CHANGES}; cat file")).await.1,
        "written\n"
    );
    is_forked_with_its_changes(&host, sandbox.id()).await;
}

#[tokio::test]
async fn a_machine_without_idmapped_mounts_has_sandboxes_that_share_ids_and_says_so() {
    let (data, layer) = (data_dir(), tempfile::tempdir().unwrap());
    let mut command = in_own_mounts();
    // On an overlay none can be made.
    command.arg(format!(
        "cd {layer} && mkdir upper work && mount -t overlay none -o lowerdir={data},upperdir=upper,workdir=work {data} && \
         exec {program} sandbox-host",
        layer = layer.path().display(),
        data = data.path().display(),
        program = env!("CARGO_BIN_EXE_codeflow"),
    ));
    let host = HostProcess::of(
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env("SANDBOX_POOL_SIZE", "0"),
    );
    let ready = host.get("/readyz").await;
    assert_eq!(ready["sandboxes"], "ok");
    let unenforced = ready["unenforced"].to_string();
    assert!(unenforced.contains("one range of user ids"), "{ready}");
    let (one, other) = (host.create().await, host.create().await);
    let ids = run(&one, "cat /proc/self/uid_map").await;
    assert_eq!(ids, run(&other, "cat /proc/self/uid_map").await);
    assert_eq!(run(&one, "id -u").await.1, "1000\n");
}
