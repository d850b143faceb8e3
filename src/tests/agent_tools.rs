//! The agent's tools in a real sandbox: edits, reads, searches, several calls in one answer, and
//! commands that keep running.

use codeflow::protocol::EventKind;
use serde_json::json;

use crate::support::{Feed, Model, Photos, Postgres, Reply, Server, Unsplash, data_dir};

/// A run with these answers, which must succeed.
async fn run(replies: Vec<Reply>) -> (Model, Feed) {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        replies.into_iter().chain([Reply::done()]).collect(),
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    (model, feed)
}

fn edit(old: &str, new: &str) -> Reply {
    Reply::call(
        "editFile",
        json!({ "path": "lib/cart.ts", "old": old, "new": new }),
    )
}

fn terminal(command: &str) -> Reply {
    Reply::call("terminal", json!({ "command": command }))
}

const CART: &str = "export const tax = 0.19;\nexport const fee = 4;\nexport function total(sum: number) {\n  return sum + fee;\n}\n";

#[tokio::test]
async fn a_unique_text_is_replaced_and_otherwise_the_model_sees_what_is_there() {
    let (model, feed) = run(vec![
        Reply::write("lib/cart.ts", CART),
        edit("const fee = 4;", "const fee = 5;"),
        edit("  return sum - fee;", "  return 0;"),
        edit("export function total(sum: string) {", "x"),
        edit("fee", "charge"),
        Reply::call("readFiles", json!({ "files": ["lib/cart.ts"] })),
    ])
    .await;
    let results = model.results(7);
    assert_eq!(results[1], "Edited lib/cart.ts at line 2");
    assert!(
        results[2].starts_with("Error: the old text is not in lib/cart.ts: the nearest is line 4,")
            && results[2].ends_with("There it says:\n  return sum + fee;"),
        "{}",
        results[2]
    );
    assert!(
        results[3].contains("the nearest is line 3,")
            && results[3].contains("miss number 2 in lib/cart.ts"),
        "{}",
        results[3]
    );
    // The advice comes after the second miss, not before.
    assert!(
        !results[2].contains("createOrUpdateFiles")
            && results[3].contains("write it whole with createOrUpdateFiles")
    );
    assert!(
        results[4].contains("more than once (lines 2, 4)"),
        "{}",
        results[4]
    );
    for step in [
        "turn-3-editFile-1",
        "turn-4-editFile-1",
        "turn-5-editFile-1",
    ] {
        assert!(feed.tool(step).failed, "{step}");
    }
    assert_eq!(
        results[5],
        format!("=== lib/cart.ts\n{}\n", CART.replace("fee = 4", "fee = 5"))
    );
}

#[tokio::test]
async fn files_are_read_in_ranges_and_searched_without_packages_and_secrets() {
    let search = |pattern: &str| Reply::call("searchFiles", json!({ "pattern": pattern }));
    let near = json!({ "path": ".env", "old": "PIN=noodle", "new": "" });
    let (model, feed) = run(vec![
        terminal(
            "mkdir -p node_modules/pins && echo 'a needle' > node_modules/pins/index.js && echo 'PIN=needle' | tee .env .env.local \
             && printf 'hay\\na needle\\nhay\\nmore hay\\n' > app/stack.txt",
        ),
        search("ne{2}dle|pitchfork"),
        search("(needle"),
        Reply::call("readFiles", json!({ "files": [".env", "app/stack.txt:2-3", "app/.env.local"] })),
        Reply::call("readFiles", json!({ "files": [".env.local"] })),
        Reply::call("readFiles", json!({ "files": ["app/stack.txt:9"] })),
        search("pitchfork"),
        Reply::call("editFile", near),
    ])
    .await;
    let results = model.results(9);
    assert_eq!(results[1], "app/stack.txt:2:a needle");
    assert!(
        feed.tool("turn-3-searchFiles-1").failed && results[2].contains("Unmatched ("),
        "{}",
        results[2]
    );
    assert!(
        results[3].starts_with("=== .env\nError: .env may hold secrets and is not shown")
            && results[3].contains("\n=== app/stack.txt (lines 2-3 of 4)\na needle\nhay\n"),
        "{}",
        results[3]
    );
    assert!(
        !feed.tool("turn-4-readFiles-1").failed,
        "one of them was read"
    );
    assert!(
        feed.tool("turn-5-readFiles-1").failed && !results[4].contains("needle"),
        "{}",
        results[4]
    );
    assert!(results[5].contains("it has only 4 lines"), "{}", results[5]);
    assert_eq!(results[6], "Nothing matches.");
    assert!(
        results[7].starts_with("Error: .env may hold secrets") && !results[7].contains("needle"),
        "{}",
        results[7]
    );
}

#[tokio::test]
async fn a_command_ends_at_its_time_limit_and_long_output_loses_its_middle() {
    let slow = json!({ "command": "echo begun; sleep 2; touch ended.txt; sleep 60", "timeout_seconds": "1" });
    let (model, feed) = run(vec![
        Reply::Calls(vec![("functions.terminal", slow.to_string())]),
        terminal("echo first; head -c 40000 /dev/zero | tr '\\0' x; echo last"),
        terminal("sleep 2; test -e ended.txt || echo 'it did not go on'"),
    ])
    .await;
    let results = model.results(4);
    assert_eq!(
        results[0],
        "The command was killed after 1 seconds.\nstdout:\nbegun"
    );
    assert!(feed.tool("turn-1-functionsterminal-1").failed);
    let cut = &results[1];
    assert!(
        cut.starts_with("exit code 0\nstdout:\nfirst\nxxx") && cut.ends_with("xxxlast"),
        "{cut}"
    );
    let kept = cut.matches('x').count();
    assert!((12_000..13_000).contains(&kept), "{kept}");
    let note = cut
        .split_once("\n[… ")
        .and_then(|(_, rest)| rest.split_once(" bytes left out …]\n"));
    let left_out: usize = note.map(|(bytes, _)| bytes.parse().unwrap()).unwrap();
    // "exit code" itself contains an x.
    assert_eq!(left_out + kept - 1, 40_000);
    assert_eq!(results[2], "exit code 0\nstdout:\nit did not go on");
}

#[tokio::test]
async fn a_file_grows_to_ten_mebibytes_and_no_further() {
    let edit = |old: &str, new: &str| {
        Reply::call(
            "editFile",
            json!({ "path": "big.txt", "old": old, "new": new }),
        )
    };
    let (model, feed) = run(vec![
        terminal("(head -c 10485756 /dev/zero | tr '\\0' x; printf end) > big.txt"),
        edit("end", "end!"),
        edit("end!", "end!!"),
        terminal("wc -c < big.txt; rm big.txt"),
    ])
    .await;
    let results = model.results(5);
    assert_eq!(results[1], "Edited big.txt at line 1");
    assert!(feed.tool("turn-3-editFile-1").failed);
    assert_eq!(results[2], "Error: big.txt would be larger than 10 MiB");
    assert!(results[3].contains("10485760"), "{}", results[3]);
}

/// A follow-up sees all files that the previous run wrote, the latest first, on the database at
/// this address.
async fn is_shown_what_changed(env: &[(&str, &str)]) {
    let data = data_dir();
    let model = Model::start([
        (
            "Build",
            vec![
                Reply::write("lib/a.ts", "// one"),
                Reply::write("lib/b.ts", "// two"),
                Reply::write("/lib/c.ts", "// three"),
                Reply::done(),
            ],
        ),
        ("Change", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    server.send(project, "Change").await;
    feed.succeeded(2).await;
    let said = model.said(5);
    let shown: Vec<&str> = said
        .iter()
        .filter_map(|(_, content)| {
            content
                .split_once("Those that were changed last")
                .map(|(_, shown)| shown)
        })
        .collect();
    let [shown] = shown[..] else {
        panic!("{said:?}")
    };
    let places: Vec<usize> = [
        "=== lib/c.ts\n// three",
        "=== lib/b.ts\n// two",
        "=== lib/a.ts\n// one",
    ]
    .iter()
    .map(|file| {
        shown
            .find(file)
            .unwrap_or_else(|| panic!("{file} is not in {shown}"))
    })
    .collect();
    assert!(places.is_sorted(), "{shown}");
}

#[tokio::test]
async fn a_follow_up_sees_all_files_that_the_previous_run_wrote() {
    is_shown_what_changed(&[]).await;
    let postgres = Postgres::start().await;
    is_shown_what_changed(&[("DATABASE_URL", &postgres.url)]).await;
}

#[tokio::test]
async fn calls_that_conflict_run_in_order() {
    let command = |command: &str| ("terminal", json!({ "command": command }).to_string());
    let write = json!({ "files": [{ "path": "note.txt", "content": "written" }] });
    let (model, _) = run(vec![
        Reply::Calls(vec![
            // Late enough to be overtaken by a call that does not wait.
            command("sleep 0.3; echo first >> order"),
            command("echo second >> order; cat order"),
        ]),
        Reply::Calls(vec![
            ("createOrUpdateFiles", write.to_string()),
            ("readFiles", json!({ "files": ["note.txt"] }).to_string()),
            command("cat note.txt; rm note.txt"),
            ("searchFiles", json!({ "pattern": "written" }).to_string()),
        ]),
    ])
    .await;
    assert_eq!(
        model.results(3),
        [
            "exit code 0",
            "exit code 0\nstdout:\nfirst\nsecond",
            "Wrote note.txt",
            "=== note.txt\nwritten\n",
            "exit code 0\nstdout:\nwritten",
            "Nothing matches.",
        ]
    );
}

/// Waits until the tool call of this step has ended.
async fn ended(feed: &mut Feed, step: &str) {
    feed.find(|kind| {
        matches!(kind, EventKind::Tool { tool } if tool.step == step && tool.output.is_some())
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn calls_that_do_not_conflict_run_together_and_their_results_keep_the_order() {
    let data = data_dir();
    let unsplash = Unsplash::start(Photos {
        image: b"\xff\xd8\xff\xe0 a lake",
        held: true,
        ..Photos::default()
    })
    .await;
    let read = |path: &str| ("readFiles", json!({ "files": [path] }).to_string());
    let write = json!({ "files": [{ "path": "lib/new.ts", "content": "export {};\n" }] });
    let calls = vec![
        (
            "unsplashImage",
            json!({ "query": "lake", "path": "public/lake.jpg" }).to_string(),
        ),
        read("index.html"),
        ("createOrUpdateFiles", write.to_string()),
        read("app/none.tsx"),
    ];
    let model = Model::start([("Build", vec![Reply::Calls(calls), Reply::done()])]).await;
    let server = Server::start_and(data.path(), &model, &unsplash.env());
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    // The first of them ends once all others have.
    for step in [
        "turn-1-readFiles-2",
        "turn-1-createOrUpdateFiles-3",
        "turn-1-readFiles-4",
    ] {
        ended(&mut feed, step).await;
    }
    assert_eq!(model.turns().len(), 1);
    unsplash.release();
    feed.succeeded(1).await;

    let results = model.results(2);
    assert!(
        results[0].starts_with("Saved public/lake.jpg"),
        "{}",
        results[0]
    );
    assert_eq!(
        results[1..3],
        [
            "=== index.html\n<h1>The template</h1>\n",
            "Wrote lib/new.ts"
        ]
    );
    assert!(
        results[3].starts_with("=== app/none.tsx\nError: "),
        "{}",
        results[3]
    );
    let turns = model.turns();
    let messages = turns[1]["messages"].as_array().unwrap();
    let ids: Vec<_> = messages
        .iter()
        .filter_map(|message| message["tool_call_id"].as_str())
        .collect();
    assert_eq!(ids, ["call_0", "call_1", "call_2", "call_3"]);
}

#[tokio::test]
async fn a_background_command_outlives_its_call_and_serves() {
    let serve = "node -e 'require(\"http\").createServer((_, answer) => answer.end(\"still here\")).listen(4001, \"127.0.0.1\")'";
    let ask = "until node -e 'fetch(\"http://127.0.0.1:4001\").then((answer) => answer.text()).then(console.log, () => process.exit(1))'; \
               do sleep 0.1; done";
    let (model, feed) = run(vec![
        Reply::call("terminal", json!({ "command": serve, "background": true })),
        Reply::call("terminal", json!({ "command": ask, "timeout_seconds": 30 })),
    ])
    .await;
    let started = feed.tool("turn-1-terminal-1");
    let output = started.output.unwrap();
    assert!(
        !started.failed && output.starts_with("Started: pid "),
        "{output}"
    );
    assert!(output.contains("output in /tmp/background-"), "{output}");
    assert_eq!(model.results(3)[1], "exit code 0\nstdout:\nstill here");
}

#[tokio::test]
async fn a_text_is_edited_whatever_its_line_breaks_and_other_lines_keep_theirs() {
    let file = |old: &str, new: &str| {
        Reply::call(
            "editFile",
            json!({ "path": "notes.txt", "old": old, "new": new }),
        )
    };
    let (model, _) = run(vec![
        terminal("printf 'alpha\\nbeta\\r\\ngamma\\ndelta\\n' > notes.txt"),
        Reply::call("readFiles", json!({ "files": ["notes.txt"] })),
        file("gamma\ndelta", "GAMMA\ndelta"),
        file("alpha\nbeta", "ALPHA\nbeta"),
        file("beta\r\nGAMMA", "beta\nnew\nGAMMA"),
        terminal("cat -A notes.txt"),
    ])
    .await;
    let results = model.results(7);
    assert_eq!(results[1], "=== notes.txt\nalpha\nbeta\ngamma\ndelta\n\n");
    assert_eq!(results[2], "Edited notes.txt at line 3");
    assert_eq!(results[3], "Edited notes.txt at line 1");
    assert_eq!(results[4], "Edited notes.txt at line 2");
    assert_eq!(
        results[5],
        "exit code 0\nstdout:\nALPHA$\nbeta^M$\nnew^M$\nGAMMA$\ndelta$"
    );
}

#[tokio::test]
async fn unreadable_files_are_named_and_block_nothing() {
    let search = |pattern: &str, path: &str| {
        Reply::call("searchFiles", json!({ "pattern": pattern, "path": path }))
    };
    let list = |path: &str| Reply::call("listFiles", json!({ "path": path }));
    let (model, _) = run(vec![
        terminal(
            "mkfifo pipe1; mkdir shut; echo needle > shut/x; echo needle > closed.txt; chmod 000 shut closed.txt; echo needle > open.txt; \
             head -c 11M /dev/zero | tr '\\0' x > big.txt; mkdir many; cd many; seq 50001 | xargs touch",
        ),
        Reply::call(
            "readFiles",
            json!({ "files": ["pipe1", "shut/x", "closed.txt", "big.txt", "app/icon.png", "open.txt"] }),
        ),
        search("needle", ""),
        search("needle", "pipe1"),
        search("needle", "closed.txt"),
        search("needle", "nowhere"),
        list("shut"),
        list("many"),
        list("pipe1"),
        Reply::call("editFile", json!({ "path": "pipe1", "old": "a", "new": "b" })),
        terminal("rm -rf many pipe1 big.txt; chmod 700 shut closed.txt; rm -r shut closed.txt; ls"),
    ])
    .await;
    let results = model.results(12);
    for part in [
        "=== pipe1\nError: path '/home/user/pipe1' is not a regular file",
        "=== shut/x\nError: permission denied",
        "=== closed.txt\nError: permission denied",
        "is larger than 10 MiB; read a part of it with terminal",
        "=== app/icon.png\nError: app/icon.png is a binary file",
        "=== open.txt\nneedle\n",
    ] {
        assert!(results[1].contains(part), "{part}: {}", results[1]);
    }
    assert!(
        results[2].starts_with("open.txt:1:needle\n[2 can't be read and was not searched: ")
            && results[2].contains("closed.txt"),
        "{}",
        results[2]
    );
    assert_eq!(results[3], "Nothing matches.");
    assert!(
        results[4].starts_with("Nothing matches.\n[1 can't be read"),
        "{}",
        results[4]
    );
    assert!(
        results[5].starts_with("Error: nowhere: No such file"),
        "{}",
        results[5]
    );
    assert!(
        results[6].starts_with("Error: permission denied"),
        "{}",
        results[6]
    );
    assert!(
        results[7].starts_with("Error: the folder has too many entries"),
        "{}",
        results[7]
    );
    assert!(
        results[8].starts_with("Error: path is not a directory"),
        "{}",
        results[8]
    );
    assert!(
        results[9].starts_with("Error: path '/home/user/pipe1' is not a regular file"),
        "{}",
        results[9]
    );
}
