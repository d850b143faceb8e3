//! Commands on E2B's cloud, whose envd waits until a command's output is closed and kills only one
//! process: they end with their shell, and at their time limit all their children end too.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use codeflow::sandbox::{CommandOutput, RunOptions, Sandbox};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{e2b::E2b, until};

/// Longer than any of these commands takes on a busy machine, and shorter than what they leave
/// running does.
const LONG: Duration = Duration::from_secs(60);

async fn run(sandbox: &Sandbox, command: &str, timeout: Duration) -> CommandOutput {
    let options = RunOptions {
        cwd: "/tmp".to_owned(),
        envs: HashMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        timeout,
    };
    sandbox.run(command, &options).await.unwrap()
}

/// The command lines of the running processes that hold this text.
fn running(text: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.starts_with(text))
        .collect()
}

#[tokio::test]
async fn a_command_ends_with_its_shell_and_lists_what_it_left_running() {
    let e2b = E2b::running().await;
    let sandbox = e2b.sandbox().await;
    // The command, its exit code and output, and what it leaves running.
    let rows = [
        ("echo $GREETING", 0, "hello\n", ""),
        ("echo out; exit 3", 3, "out\n", ""),
        ("cat; echo read", 0, "read\n", ""),
        ("exec echo replaced", 0, "replaced\n", ""),
        ("trap '' TERM; echo done", 0, "done\n", ""),
        ("cat <<'END'\n$x \"quoted\"\nEND", 0, "$x \"quoted\"\n", ""),
        ("echo begun; exec >&- 2>&-; sleep 0.2", 0, "begun\n", ""),
        ("kill -9 $$", 137, "", ""),
        ("sleep 9300 & echo begun", 0, "begun\n", "sleep 9300"),
        ("setsid sleep 9301 & echo begun", 0, "begun\n", "sleep 9301"),
        (
            "nohup sleep 9302 & echo begun; exit 4",
            4,
            "begun\n",
            "sleep 9302",
        ),
        ("(sleep 9303 &); echo begun", 0, "begun\n", "sleep 9303"),
        (
            "sleep 9304 & disown; echo begun",
            0,
            "begun\n",
            "sleep 9304",
        ),
        (
            "(setsid sh -c 'sleep 9305 & exit' &); echo begun",
            0,
            "begun\n",
            "sleep 9305",
        ),
        ("coproc sleep 9306; echo begun", 0, "begun\n", "sleep 9306"),
        (
            "sleep 9307 >/dev/null 2>&1 </dev/null & echo begun",
            0,
            "begun\n",
            "sleep 9307",
        ),
        (
            "sh -c 'while :; do echo 9308; sleep 0.01; done' & echo begun",
            0,
            "begun\n",
            "sh -c while :; do echo 9308",
        ),
    ];
    for (command, code, output, left) in rows {
        let begun = Instant::now();
        let ended = run(&sandbox, command, LONG).await;
        assert!(begun.elapsed() < LONG, "{command}");
        let stdout = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(
            (ended.exit_code, ended.timed_out),
            (code, false),
            "{command}"
        );
        if left.is_empty() {
            assert_eq!(stdout, output, "{command}");
            assert!(ended.left.running.is_empty(), "{command}: {:?}", ended.left);
            continue;
        }
        assert!(stdout.contains(output), "{command}: {stdout}");
        let process = &ended.left.running[0];
        assert!(process.command.starts_with(left), "{command}: {process:?}");
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(!stderr.contains("9300"), "{command}: {stderr}");
        // It runs on, whatever becomes of its output.
        tokio::time::sleep(Duration::from_millis(50)).await;
        until(&format!("{command}: it runs once"), async || {
            // A process that it has just forked has its command line, too, for a moment.
            (running(left).len() == 1).then_some(())
        })
        .await;
        for process in &ended.left.running {
            let pid = Pid::from_raw(i32::try_from(process.pid).unwrap());
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

#[tokio::test]
async fn at_its_time_limit_a_command_ends_with_all_it_started() {
    let e2b = E2b::running().await;
    let sandbox = e2b.sandbox().await;
    let commands = [
        "setsid sleep 9310 & (sleep 9311 &); echo begun; sleep 9312",
        "trap '' TERM; echo begun; sleep 9313; sleep 9314",
        "echo begun; exec sleep 9315",
        "nohup setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 9316; done' & echo begun; wait",
    ];
    let all = commands.map(|command| run(&sandbox, command, Duration::from_secs(5)));
    for (command, ended) in commands.iter().zip(futures::future::join_all(all).await) {
        assert_eq!((ended.exit_code, ended.timed_out), (-1, true), "{command}");
        assert_eq!(ended.stdout, b"begun\n", "{command}");
    }
    until("nothing of them runs", async || {
        running("sleep 931").is_empty().then_some(())
    })
    .await;
}
