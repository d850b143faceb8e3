//! Limits of commands: ones that end before their children, endless output and endless forks; and
//! how results are presented to the model.

use serde_json::json;

use crate::support::{Feed, Model, Reply, Server, data_dir};

/// The results of these commands, each with its time limit in seconds, in one sandbox and one run,
/// which must succeed.
async fn results(commands: &[(&str, u64)]) -> (Vec<String>, Feed) {
    let data = data_dir();
    let calls = commands.iter().map(|(command, seconds)| {
        let arguments = json!({ "command": command, "timeout_seconds": seconds });
        Reply::call("terminal", arguments)
    });
    let model = Model::start([("Build", calls.chain([Reply::done()]).collect())]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    (model.results(commands.len() + 1), feed)
}

/// Longer than a test waits for anything.
const LONG: u64 = 300;

#[tokio::test]
async fn a_command_ends_with_its_shell_and_its_remaining_processes_are_listed_and_can_be_killed() {
    let server = "require(\"http\").createServer((_, answer) => answer.end(\"served\")).listen(4002, \"127.0.0.1\")";
    let quiet = format!("node -e '{server}' >/tmp/o.log 2>&1 & echo ok");
    let chatty = "node -e 'setInterval(() => console.log(\"tick\".repeat(5000)), 5)' & echo ok";
    // The command, how its result begins, and what it says of processes.
    let rows = [
        (
            "sleep 300 & echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 300",
        ),
        (
            "setsid sleep 301 & echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 301",
        ),
        (
            "nohup sleep 302 & echo started; exit 3",
            "exit code 3\nstdout:\nstarted",
            "sleep 302",
        ),
        (
            "(sleep 303 &); echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 303",
        ),
        (
            "sleep 304 & disown; echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 304",
        ),
        (
            "(setsid sh -c 'sleep 305 & exit' &); echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 305",
        ),
        (
            "env -i setsid sleep 306 & echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 306",
        ),
        (
            "coproc sleep 307; echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 307",
        ),
        (
            "sleep 308 >/dev/null 2>&1 </dev/null & echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 308",
        ),
        (
            "( ( sleep 309 & ) & ); echo started",
            "exit code 0\nstdout:\nstarted",
            "sleep 309",
        ),
        (
            "bash <<'END'\nsleep 3010 &\necho started\nEND",
            "exit code 0\nstdout:\nstarted",
            "sleep 3010",
        ),
        (
            "exec >&- 2>&-; sleep 3011 & disown -a",
            "exit code 0",
            "sleep 3011",
        ),
        (
            &quiet,
            "exit code 0\nstdout:\nok",
            "node -e require(\"http\")",
        ),
        (chatty, "exit code 0\nstdout:\nok", "node -e setInterval"),
        (
            "while :; do echo noise; done & echo ok",
            "exit code 0\nstdout:\n",
            "/bin/bash -l -c while :; do echo noise",
        ),
    ];
    let ends = [
        ("trap '' TERM; echo done", "exit code 0\nstdout:\ndone"),
        ("exec echo replaced", "exit code 0\nstdout:\nreplaced"),
        ("cat; echo read", "exit code 0\nstdout:\nread"),
        (
            "echo first; exec >&- 2>&-; sleep 0.3",
            "exit code 0\nstdout:\nfirst",
        ),
    ];
    // The patterns don't match themselves, although they are among a shell's arguments.
    let alive = "for name in '[s]leep 30[0-9]' '[n]ode -e require' '[n]ode -e setInterval' '[e]cho noise'; do pgrep -fc \"$name\"; done";
    let ask = "node -e 'fetch(\"http://127.0.0.1:4002\").then((answer) => answer.text()).then(console.log)'";
    let kill = "pkill -f '[s]leep 30'; pkill -f '[n]ode -e'; pkill -f '[e]cho noise'; sleep 0.3; pgrep -fc '[s]leep 30|[n]ode -e|[e]cho noise'";
    let mut commands: Vec<(&str, u64)> =
        rows.iter().map(|(command, ..)| (*command, LONG)).collect();
    commands.extend(ends.iter().map(|(command, _)| (*command, LONG)));
    commands.extend([(alive, LONG), (ask, LONG), (kill, LONG)]);
    let (results, _) = results(&commands).await;
    for ((command, beginning, left), result) in rows.iter().zip(&results) {
        assert!(result.starts_with(beginning), "{command}: {result}");
        let (_, running) = result
            .split_once("\nStill running: ")
            .unwrap_or_else(|| panic!("{command}: {result}"));
        let (_, pid) = running
            .split_once("(pid ")
            .unwrap_or_else(|| panic!("{command}: {result}"));
        let pid: u32 = pid.split(')').next().unwrap_or_default().parse().unwrap();
        assert!(running.starts_with(left) && pid > 1, "{command}: {result}");
    }
    let results = &results[rows.len()..];
    for ((command, output), result) in ends.iter().zip(results) {
        assert_eq!(result, output, "{command}");
    }
    let results = &results[ends.len()..];
    assert_eq!(results[0], "exit code 0\nstdout:\n12\n1\n1\n1");
    assert_eq!(results[1], "exit code 0\nstdout:\nserved");
    assert_eq!(results[2], "exit code 1\nstdout:\n0");
}

#[tokio::test]
async fn at_its_time_limit_a_command_ends_with_everything_it_started() {
    let commands = [
        (
            "setsid sleep 310 & (env -i setsid sleep 311 &); echo begun; sleep 312",
            1,
        ),
        ("trap '' TERM; echo begun; sleep 313; sleep 314", 1),
        ("echo begun; exec sleep 315", 1),
        (
            "nohup setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 316; done' & echo begun; wait",
            1,
        ),
        ("sleep 0.3; pgrep -fa 'sleep 31[0-6]'; true", LONG),
    ];
    let (results, _) = results(&commands).await;
    let killed = "The command was killed after 1 seconds.\nstdout:\nbegun";
    assert!(results[0].starts_with(killed), "{}", results[0]);
    for escaped in ["sleep 310 (pid ", "sleep 311 (pid "] {
        assert!(
            results[0]
                .split_once("\nKilled with it: ")
                .is_some_and(|(_, list)| list.contains(escaped)),
            "{}",
            results[0]
        );
    }
    assert_eq!(results[1], killed);
    assert_eq!(results[2], killed);
    assert!(
        results[3].starts_with(killed) && results[3].contains("\nKilled with it: sh -c trap"),
        "{}",
        results[3]
    );
    assert_eq!(results[4], "exit code 0");
}

#[tokio::test]
async fn a_command_without_an_end_is_bounded_and_leaves_nothing_running() {
    let commands = [
        (
            "node -e 'setInterval(() => process.stdout.write(\"\\r\" + Date.now()), 5)'",
            2,
        ),
        ("yes", 1),
        ("cat /dev/urandom", 1),
        ("dd if=/dev/zero bs=1M 2>/dev/null | cat", 1),
        ("yes >&2 | yes", 1),
        (
            "echo first; head -c 400M /dev/zero | tr '\\0' x; echo; echo last",
            LONG,
        ),
        (":(){ :|:& };: 2>/dev/null", 3),
        (
            "bomb() { setsid bash -c \"$(declare -f bomb); bomb & bomb &\" & }; bomb 2>/dev/null; sleep 60",
            2,
        ),
        // The shell itself has none of the names in its arguments.
        (
            "sleep 0.5; ps -eo args | grep -E '^([y]es|[c]at|[d]d|[n]ode -e)|[b]omb|[:]..[:]'; echo alive",
            LONG,
        ),
    ];
    let (results, _) = results(&commands).await;
    let frame = results[0]
        .strip_prefix("The command was killed after 2 seconds.\nstdout:\n")
        .unwrap();
    assert!(
        frame.len() == 13 && frame.bytes().all(|byte| byte.is_ascii_digit()),
        "{frame}"
    );
    for result in &results[..5] {
        assert!(
            result.starts_with("The command was killed after "),
            "{result}"
        );
    }
    for (result, (command, _)) in results.iter().zip(&commands) {
        assert!(result.len() < 30_000, "{command}: {} bytes", result.len());
        assert!(
            !result.contains('\0') && !result.contains('\r') && !result.contains('\u{1b}'),
            "{command}"
        );
    }
    let long = &results[5];
    assert!(
        long.starts_with("exit code 0\nstdout:\nfirst\nxxx") && long.ends_with("\nlast"),
        "{long}"
    );
    let kept = long.matches('x').count();
    let left_out = long
        .split_once("\n[… ")
        .and_then(|(_, rest)| rest.split_once(" bytes left out …]\n"));
    let left_out: usize = left_out.unwrap().0.parse().unwrap();
    // All but the 12 bytes of `first`, `last` and two line breaks.
    assert!(
        left_out + kept >= 400 << 20 && left_out + kept <= (400 << 20) + 12,
        "{left_out} {kept}"
    );
    let end = results.last().unwrap();
    assert_eq!(end, "exit code 0\nstdout:\nalive");
}

#[tokio::test]
async fn output_reaches_the_model_and_the_page_as_plain_text() {
    let rows = [
        ("printf '\\033[31mred\\033[0m\\n'", "red"),
        ("printf '10%%\\r55%%\\r100%%\\n'", "100%"),
        (
            "printf 'loading…'; sleep 0.1; printf '\\r\\033[Kdone\\n'",
            "done",
        ),
        ("printf 'a\\0b\\ac\\n'", "abc"),
        (
            "printf '\\033]0;title\\007x\\033]8;;http://y\\033\\\\link\\033]8;;\\033\\\\\\n'",
            "xlink",
        ),
        ("printf 'a\\r\\nb\\r\\n'", "a\nb"),
        ("printf '|\\b/\\b-\\bok\\n'", "ok"),
        (
            "printf '\\033'; sleep 0.2; printf '[1'; sleep 0.2; printf ';32mgreen'; sleep 0.2; printf '\\303'; sleep 0.2; printf '\\244\\n'",
            "greenä",
        ),
        ("printf 'bad \\377 byte\\n'", "bad \u{fffd} byte"),
        ("printf '\\302\\2331mbold\\n'", "bold"),
        ("printf 'caf\\351\\n'", "caf\u{fffd}"),
        ("printf '\\376\\377\\000h\\000i\\n'", "\u{fffd}\u{fffd}hi"),
        (
            "for n in 1 50 100; do printf '\\r%s%%' $n; done; echo",
            "100%",
        ),
    ];
    let commands: Vec<(&str, u64)> = rows.iter().map(|(command, _)| (*command, LONG)).collect();
    let (results, feed) = results(&commands).await;
    for (number, ((command, text), result)) in rows.iter().zip(&results).enumerate() {
        let expected = format!("exit code 0\nstdout:\n{text}");
        assert_eq!(*result, expected, "{command}");
        let step = format!("turn-{}-terminal-1", number + 1);
        assert_eq!(
            feed.tool(&step).output.as_deref(),
            Some(&*expected),
            "{command}"
        );
    }
}

#[tokio::test]
async fn a_command_that_would_start_the_app_s_server_again_is_refused() {
    let refused = [
        "npm run dev",
        "npx next dev -p 3001",
        "touch begun && PORT=3001 npm start &",
        "cd . && nohup yarn dev >/tmp/dev.log 2>&1 &",
        "bash -c 'pnpm run dev | head'",
    ];
    let mut commands: Vec<(&str, u64)> = refused.iter().map(|command| (*command, LONG)).collect();
    let taken = "node -e 'require(\"http\").createServer().listen(3000, \"127.0.0.1\")'";
    commands.extend([(taken, LONG), ("ls begun; echo 'npm run dev'", LONG)]);
    let (results, feed) = results(&commands).await;
    for (number, (result, command)) in results.iter().zip(refused).enumerate() {
        assert!(
            result.starts_with("Error: nothing was run, because `")
                && result.contains("already runs on port 3000"),
            "{command}: {result}"
        );
        assert!(
            !result.contains("pid") && feed.tool(&format!("turn-{}-terminal-1", number + 1)).failed,
            "{result}"
        );
    }
    let results = &results[refused.len()..];
    assert!(
        results[0].contains("EADDRINUSE") && results[0].ends_with("don't stop or kill it."),
        "{}",
        results[0]
    );
    assert!(
        results[1].contains("stdout:\nnpm run dev\nstderr:\nls: cannot access"),
        "{}",
        results[1]
    );
}
