//! Attempts to escape from a sandbox: every one must fail, and the host must keep working.

use std::{fs, os::unix::fs::MetadataExt, time::Duration};

use codeflow::{
    config::{self, sandbox_host::EgressRule},
    sandbox::{Sandbox, SandboxError},
};
use reqwest::Method;

use crate::support::{ControlPlane, Host, options, run, stream, traces, until};

/// Prints which of the system calls that exceed a process's rights were allowed.
const SYSTEM_CALLS: &str = include_str!("escape.c");

/// Whether the host can still create sandboxes and this one still works.
pub async fn still_answers(host: &Host, sandbox: &Sandbox) {
    assert_eq!(host.status(Method::GET, "/health").await, 204);
    until("the sandbox answers", async || {
        sandbox
            .run("true", &options())
            .await
            .ok()
            .filter(|output| output.exit_code == 0)
    })
    .await;
    let other = host.create().await;
    assert_eq!(run(&other, "echo $((6 * 7))").await.1, "42\n");
    host.client.kill(other.id()).await.unwrap();
}

#[tokio::test]
async fn no_system_call_reaches_beyond_the_sandbox() {
    no_system_call_gets_through(Host::start().await, &[]).await;
}

/// In sandboxes whose runtime emulates these devices.
pub async fn no_system_call_gets_through(host: Host, emulated: &[&str]) {
    let sandbox = host.create().await;
    sandbox
        .write_file("/home/user/escape.c", SYSTEM_CALLS)
        .await
        .unwrap();
    let (code, said) = run(&sandbox, "cc -w -o /tmp/escape escape.c && /tmp/escape").await;
    assert_eq!((code, said.as_str()), (0, "all were tried\n"));

    for command in [
        "mount -t tmpfs none /mnt",
        "mount -t proc none /proc",
        "umount /home/user",
        "mount -o remount,rw /usr",
        "unshare --user --map-root-user true",
        "unshare --mount true",
        "nsenter --target 1 --all true",
        "chroot / true",
        "touch /usr/mark || touch /etc/mark || touch /codeflow || touch /mark",
        "echo 1 > /proc/sys/kernel/panic",
        "echo b > /proc/sysrq-trigger",
        "head -c 1 /proc/kcore | grep -q .",
        "ls /proc/1/root/ && cat /proc/1/environ",
        "cat /proc/1/mem",
        "ls /sys/fs/cgroup | grep .",
        "mknod /tmp/disk b 8 0",
        "mknod /tmp/memory c 1 1",
        "cat /dev/mem || cat /dev/kmsg || cat /dev/sda || cat /dev/vda || cat /dev/loop0 || cat /dev/loop-control",
        "chown root:root server.mjs",
        "su -c true",
        "sudo -n true",
        "ping -c 1 -W 1 127.0.0.1",
        "date -s 2001-01-01",
        "hostname owned",
        "ulimit -c unlimited",
        "ulimit -u 100000",
    ] {
        let (code, said) = run(&sandbox, command).await;
        assert_ne!(code, 0, "{command}: {said}");
    }
    let devices = run(&sandbox, "cd /dev && printf '%s\\n' * | grep -vx core")
        .await
        .1;
    let devices = devices
        .split_whitespace()
        .filter(|device| !emulated.contains(device));
    let usual = [
        "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    ];
    assert_eq!(devices.collect::<Vec<_>>(), usual);
    // Its init does not hear what is sent from inside; in gVisor it does, and is started again.
    let sent = sandbox.run("kill -9 1; kill -STOP 1", &options()).await;
    assert!(sent.is_ok() || !emulated.is_empty(), "{sent:?}");
    still_answers(&host, &sandbox).await;
    host.stop().await;
}

#[tokio::test]
async fn files_of_the_host_and_of_other_sandboxes_are_out_of_reach() {
    no_file_is_reached(Host::start().await).await;
}

pub async fn no_file_is_reached(host: Host) {
    let (sandbox, other) = (host.create().await, host.create().await);
    let secret = host.folder().join("secret");
    fs::write(&secret, "the host's").unwrap();
    let beyond = host.folder().display().to_string();
    run(
        &other,
        "echo the others > /home/user/theirs; echo the others > /tmp/theirs; echo the others > /dev/shm/theirs",
    )
    .await;

    let (_, found) = run(
        &sandbox,
        &format!("ls -d /root/* /home/* /var /opt /srv /run/* {beyond} /etc/shadow 2>/dev/null"),
    )
    .await;
    let found: Vec<&str> = found
        .split_whitespace()
        .filter(|path| !["/home/user", "/run/egress.sock", "/opt"].contains(path))
        .collect();
    assert_eq!(found, [] as [&str; 0]);
    assert_eq!(
        run(
            &sandbox,
            "grep -rl 'the others' /home /tmp /dev/shm /run 2>/dev/null"
        )
        .await
        .1,
        ""
    );

    // Through links that the host is asked to follow.
    for target in [
        "/etc/passwd",
        "/proc/1/root/etc/passwd",
        "../../../../../../etc/passwd",
    ] {
        run(&sandbox, &format!("ln -sfn {target} link")).await;
        let read = sandbox
            .read_file("/home/user/link")
            .await
            .unwrap_or_default();
        assert_ne!(read, fs::read("/etc/passwd").unwrap(), "{target}");
    }
    for target in [
        secret.display().to_string(),
        format!("/proc/self/root{}", secret.display()),
        "/etc/shadow".to_owned(),
    ] {
        run(&sandbox, &format!("ln -sfn {target} link")).await;
        assert!(
            matches!(
                sandbox.read_file("/home/user/link").await,
                Err(SandboxError::NoSuchPath(_))
            ),
            "{target}"
        );
        assert!(
            sandbox
                .write_file("/home/user/link/below", "owned")
                .await
                .is_err(),
            "{target}"
        );
        let _ = sandbox.write_file("/home/user/link", "owned").await;
    }
    run(&sandbox, "rm link; ln -s / link").await;
    assert!(
        sandbox
            .read_file(&format!("/home/user/link{}", secret.display()))
            .await
            .is_err()
    );
    for path in [
        "/../../../etc/shadow",
        "../../../../etc/shadow",
        "/home/user/../../../../etc/shadow",
    ] {
        assert!(sandbox.read_file(path).await.is_err(), "{path}");
    }
    assert_eq!(fs::read(&secret).unwrap(), b"the host's");

    // Another's id with one's own token.
    let detail = host.detail(sandbox.id()).await;
    let request = host
        .http
        .get(format!("{}/files?path=/home/user/theirs", host.host.url()));
    let request = request
        .header("e2b-sandbox-id", other.id())
        .header("e2b-sandbox-port", "49983");
    let answer = request
        .header(
            "x-access-token",
            detail["envdAccessToken"].as_str().unwrap(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    host.stop().await;
}

/// Addresses of this machine, its network and its cloud, in every notation that some parser
/// accepts.
pub const SPELLINGS: [&str; 36] = [
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "[::ffff:169.254.169.254]",
    "metadata.google.internal",
    "100.100.100.200",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "224.0.0.1",
    "255.255.255.255",
];

/// Asks the sandbox's proxy for every notation, and tries to reach this machine and beyond without
/// the proxy.
pub async fn no_spelling_is_reached(
    sandbox: &Sandbox,
    listener: &tokio::net::TcpListener,
    host: &impl ControlPlane,
) {
    let port = listener.local_addr().unwrap().port();
    let script = SPELLINGS.map(|name| {
        format!(
            "for ask in 'CONNECT {name}:{port}' 'GET http://{name}:{port}/'; do exec 3<>/dev/tcp/127.0.0.1/3128; \
             printf \"$ask HTTP/1.1\\r\\nhost: {name}\\r\\nconnection: close\\r\\n\\r\\n\" >&3; echo \"$ask: $(head -n 1 <&3)\"; done"
        )
    });
    let (_, answers) = run(sandbox, &script.join("\n")).await;
    assert_eq!(answers.lines().count(), 2 * SPELLINGS.len(), "{answers}");
    for answer in answers.lines() {
        let status = answer.trim_end().rsplit("HTTP/1.1 ").next().unwrap();
        // Meaningless names and notations can't be reached; all others are refused.
        assert!(
            ["403 Forbidden", "502 Bad Gateway", "400 Bad Request"].contains(&status),
            "{answer}"
        );
    }
    assert!(
        answers.contains("CONNECT 127.0.0.1:") && answers.matches("403 Forbidden").count() > 40,
        "{answers}"
    );
    // Without the proxy there is no network: the sandbox's loopback has neither the host's ports
    // nor another sandbox's.
    let app: u16 = host.url().rsplit(':').next().unwrap().parse().unwrap();
    for address in [
        format!("127.0.0.1/{port}"),
        format!("127.0.0.1/{app}"),
        "1.1.1.1/443".to_owned(),
        "169.254.169.254/80".to_owned(),
    ] {
        assert_ne!(
            run(sandbox, &format!("exec 3<>/dev/tcp/{address}")).await.0,
            0,
            "{address}"
        );
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(50), listener.accept())
            .await
            .is_err(),
        "somebody connected"
    );
}

#[tokio::test]
async fn private_and_metadata_addresses_are_out_of_reach_by_every_spelling() {
    no_address_is_reached(|_| {}).await;
}

/// On a host with changed settings.
pub async fn no_address_is_reached(change: impl FnOnce(&mut config::SandboxHost)) {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // The list allows all of them, so that the test covers the check of addresses.
    let host = Host::start_with(|settings| {
        let names = SPELLINGS.map(|name| {
            name.trim_matches(['[', ']'])
                .trim_end_matches('.')
                .to_ascii_lowercase()
        });
        settings.egress_allow = names.map(|host| EgressRule { host, port }).to_vec();
        change(settings);
    })
    .await;
    let sandbox = host.create().await;
    no_spelling_is_reached(&sandbox, &listener, &host).await;

    // Sockets without a path are of the network too.
    let other = host.create().await;
    run(
        &other,
        "nohup node -e 'require(\"net\").createServer().listen(\"\\0theirs\"); setInterval(() => {}, 1000)' >/dev/null 2>&1 &",
    )
    .await;
    until("the other listens", async || {
        (run(&other, "grep -c theirs /proc/net/unix").await.1 == "1\n").then_some(())
    })
    .await;
    let connect = "node -e 'require(\"net\").connect(\"\\0theirs\").on(\"connect\", () => process.exit(0)).on(\"error\", () => process.exit(7))'";
    assert_eq!(run(&other, connect).await.0, 0);
    assert_eq!(run(&sandbox, connect).await.0, 7);
    host.stop().await;
}

/// Starts a fork bomb, counts its processes while it burns, and kills its sandbox.
pub async fn fork_bomb_is_bounded(host: &impl ControlPlane, sandbox: &Sandbox, limit: usize) {
    let mark = format!("bomb-of-{}", sandbox.id());
    let bomb = format!("bash -c ':(){{ :|:& }};:' {mark} & exec sleep 600");
    let _burning = stream(host, sandbox.id(), &bomb).await;
    let processes = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let command = |process: fs::DirEntry| fs::read(process.path().join("cmdline"));
        let is_one = |command: &Vec<u8>| String::from_utf8_lossy(command).contains(&mark);
        processes.flat_map(command).filter(is_one).count()
    };
    until("the bomb burns", async || {
        (processes() > limit / 4).then_some(())
    })
    .await;
    for _ in 0..20 {
        assert!(processes() <= limit);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(host.status(Method::GET, "/health").await, 204);
    let killed = format!("/sandboxes/{}", sandbox.id());
    assert_eq!(host.status(Method::DELETE, &killed).await, 204);
    assert_eq!(processes(), 0);
}

#[tokio::test]
async fn a_fork_bomb_and_filled_memory_end_at_the_sandboxs_limits() {
    let host = Host::start_with(|settings| {
        settings.pids = 64;
        settings.memory_mb = 192;
    })
    .await;
    let sandbox = host.create().await;
    fork_bomb_is_bounded(&host, &sandbox, 64).await;
    let left = traces(sandbox.id());
    assert!(
        left.iter().all(|trace| !trace.starts_with("/proc/")),
        "{left:?}"
    );

    let sandbox = host.create().await;
    for greedy in [
        "node -e 'const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1))'",
        "head -c 600M /dev/zero > /tmp/fill",
        "head -c 600M /dev/zero > /dev/shm/fill",
        "head -c 600M /dev/zero | tail",
    ] {
        // The process over the limit is killed; if that is the sandbox's init, the sandbox
        // restarts.
        let ended = sandbox.run(greedy, &options()).await;
        assert!(ended.is_err() || ended.unwrap().exit_code != 0, "{greedy}");
        still_answers(&host, &sandbox).await;
        let _ = sandbox
            .run("rm -f /tmp/fill /dev/shm/fill", &options())
            .await;
    }
    host.stop().await;
}

#[tokio::test]
async fn a_filled_disk_ends_at_the_sandboxs_limit_and_says_so() {
    a_filled_disk_ends(Host::start_with(|settings| settings.disk_mb = 64).await).await;
}

/// At 64 MB.
pub async fn a_filled_disk_ends(host: Host) {
    let sandbox = host.create().await;
    let (code, said) = run(&sandbox, "head -c 200M /dev/zero > fill").await;
    assert_ne!(code, 0);
    assert!(said.contains("No space left on device"), "{said}");
    let image = host
        .folder()
        .join("sandboxes")
        .join(sandbox.id())
        .join("disk.img");
    assert!(fs::metadata(&image).unwrap().blocks() * 512 <= 65 << 20);
    let refused = sandbox
        .write_file("/home/user/more", vec![1; 4 << 20])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("ran out of disk"), "{refused}");
    // Many small files end there as well.
    run(
        &sandbox,
        "rm fill; mkdir many; cd many; for i in $(seq 20000); do : > $i || break; done 2>/dev/null",
    )
    .await;
    assert!(fs::metadata(&image).unwrap().blocks() * 512 <= 65 << 20);
    still_answers(&host, &sandbox).await;

    // Removed data frees its space, inside and on the machine.
    run(
        &sandbox,
        "rm -r many; head -c 30M /dev/urandom > fill; sync",
    )
    .await;
    let full = fs::metadata(&image).unwrap().blocks();
    run(&sandbox, "rm fill; sync").await;
    until("the machine has its blocks back", async || {
        (fs::metadata(&image).unwrap().blocks() + 40_000 < full).then_some(())
    })
    .await;
    sandbox
        .write_file("/home/user/more", vec![1; 4 << 20])
        .await
        .unwrap();

    // It holds after a pause as well.
    assert_eq!(
        host.pause(sandbox.id(), serde_json::json!({ "memory": false }))
            .await,
        204
    );
    assert_eq!(
        sandbox.read_file("/home/user/more").await.unwrap().len(),
        4 << 20
    );
    assert_ne!(run(&sandbox, "head -c 200M /dev/zero > fill").await.0, 0);
    host.stop().await;
}
