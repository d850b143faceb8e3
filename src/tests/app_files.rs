//! Nothing in a sandbox makes its project unusable: a working app succeeds, with a note about files
//! that its version does not keep.

use std::fs;

use codeflow::protocol::{MessageKind, ProjectId, RunState};
use serde_json::{Value, json};

use crate::support::{Host, Model, Reply, Server, data_dir, http, run, until};

/// A command in the app's folder, and what the result's note names; empty if everything is kept.
const ROWS: [(&str, &str, &[&str]); 9] = [
    (
        "A closed folder",
        "mkdir -m 000 closed; mkdir half; touch half/x; chmod 444 half; echo x > secret; chmod 000 secret",
        &["`closed`", "`half`", "`secret`"],
    ),
    (
        "Many files",
        "mkdir -p public/many; cd public/many; seq -f %06g.txt 40000 | xargs touch",
        &["`public/many`"],
    ),
    ("A closed home", "chmod 000 ~", &[]),
    ("A home that is read only", "chmod 555 ~", &[]),
    (
        "Odd names",
        r#"touch "$(printf 'a\nb')" "$(printf 'bad\xff')" "$(printf '%0255d' 0)" 'back\slash' '🙂' ' ' 'quote"`$(id)' Readme README -- '-rf' '*'"#,
        &["`bad\u{fffd}`"],
    ),
    (
        "Links, pipes, depths",
        "ln -s loop loop; ln -s nowhere broken; ln -s /etc/passwd far; ln -s ../../etc/passwd up; ln -s app again; \
         node -e \"require('net').createServer().listen('talk.sock', () => process.exit())\"; \
         d=.; for i in $(seq 90); do d=$d/deep; done; mkdir -p $d",
        &["`far`", "`up`", "`talk.sock`", "folders deep"],
    ),
    (
        "Large files",
        "mkdir public; truncate -s 10G sparse; head -c 40M /dev/zero > public/film; head -c 20M /dev/zero > public/kept; head -c 90M /dev/zero | split -b 30M - public/part-",
        &["`sparse`", "`public/film`", "100 MiB in all"],
    ),
    (
        "A broken profile",
        "echo 'exit 3' > .bash_profile; echo 'exit 3' > .profile",
        &[],
    ),
    (
        "Stores and caches",
        "mkdir -p .pnpm-store/v3 .yarn/cache .cache/x .turbo .bun; touch .pnpm-store/v3/{1..9} .yarn/cache/a.zip .bun/b",
        &[],
    ),
];

fn calls(command: &str) -> Vec<Reply> {
    vec![
        Reply::call("terminal", json!({ "command": command })),
        Reply::done(),
    ]
}

async fn listed(server: &Server, project: ProjectId) -> Value {
    let answer = server
        .get(&format!("/api/files/list?project={project}"))
        .await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_app_is_a_result_whatever_else_is_in_its_folder() {
    let data = data_dir();
    let mut script: Vec<_> = ROWS
        .iter()
        .map(|(prompt, command, _)| (*prompt, calls(command)))
        .collect();
    script.push(("And now?", vec![Reply::done()]));
    let model = Model::start(script).await;
    let server = &Server::start(data.path(), &model);
    let rows = ROWS.map(async |(prompt, _, named)| {
        let project = server.create(prompt).await;
        let mut feed = server.feed(project).await;
        let (state, message) = feed.ended(1).await;
        assert_eq!(
            (state, message.kind),
            (RunState::Succeeded, MessageKind::Result),
            "{prompt}: {}",
            message.content
        );
        for name in named {
            assert!(
                message.content.contains(name),
                "{prompt}: {name} is not in {}",
                message.content
            );
        }
        assert_eq!(
            message.content.contains("Not kept"),
            !named.is_empty(),
            "{prompt}: {}",
            message.content
        );
        assert!(!message.fragment.unwrap().draft);

        server.send(project, "And now?").await;
        let (state, message) = feed.ended(2).await;
        assert_eq!(state, RunState::Succeeded, "{prompt}: {}", message.content);
        assert!(
            !listed(server, project).await.as_array().unwrap().is_empty(),
            "{prompt}"
        );
        let page = server.get(&format!("/projects/{project}")).await;
        assert_eq!(page.status(), 200, "{prompt}");
    });
    futures::future::join_all(rows).await;
    // The model learns about problems that it can fix.
    let is_mentioned = |name: &str| {
        let turns = model.turns();
        turns.iter().any(|turn| {
            let messages = turn["messages"].to_string();
            messages.contains("And now?")
                && messages.contains("not kept in the app's versions")
                && messages.contains(name)
        })
    };
    assert!(is_mentioned("closed") && is_mentioned("35,0") && is_mentioned("talk.sock"));
}

/// Lists the app's folder: kinds, permissions, targets and contents.
const LOOK: &str = "find . -mindepth 1 -printf '%y %m %P %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum";

#[tokio::test]
async fn a_rebuilt_sandbox_equals_the_one_that_was_lost() {
    let data = data_dir();
    let make = "mkdir -p empty/folder src bin && mv app src/ && rm src/app/icon.png && echo 'KEY=1' > .env.local && \
                printf '#!/bin/sh\\n' > bin/run && chmod 755 bin/run && ln -s ../index.html src/link && ln -s nowhere broken && \
                head -c 12M /dev/urandom > large.bin && echo x > \"$(printf 'a\\nb 🙂')\" && touch none";
    let model = Model::start([
        (
            "Build",
            vec![
                Reply::call("terminal", json!({ "command": make })),
                Reply::call("terminal", json!({ "command": LOOK })),
                Reply::done(),
            ],
        ),
        ("Look again", calls(LOOK)),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_eq!(message.content, "Built **what you asked for**.");
    let before = feed.tool("turn-2-terminal-1").output.unwrap();
    assert!(
        before.contains("f 755 bin/run") && before.contains("d 755 empty/folder"),
        "{before}"
    );
    drop(feed);
    server.stop();
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();

    let server = Server::start(data.path(), &model);
    server.send(project, "Look again").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(2).await;
    assert_eq!(feed.tool("turn-1-terminal-1").output.unwrap(), before);
}

#[tokio::test]
async fn what_a_new_sandbox_has_no_room_for_is_skipped_and_named_and_the_project_lives() {
    let data = data_dir();
    let fill = "for i in 1 2 3 4 5; do head -c 12M /dev/urandom > large-$i.bin; done";
    let model = Model::start([("Build", calls(fill)), ("Go on", calls("cat index.html"))]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;
    server.stop();
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();

    let server = Server::start_and(data.path(), &model, &[("SANDBOX_DISK_MB", "64")]);
    // Listing its files opens the app.
    let there = listed(&server, project).await.to_string();
    assert!(there.contains("index.html"), "{there}");
    let notice = server.workspace(project).await.notice.unwrap();
    assert!(
        notice.contains("was lost") && notice.contains("`large-") && notice.contains("out of disk"),
        "{notice}"
    );
    server.send(project, "Go on").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(2).await;
    let output = feed.tool("turn-1-terminal-1").output.unwrap();
    assert!(output.contains("The template"), "{output}");
}

#[tokio::test]
async fn a_named_pipe_in_the_app_is_reported_at_once_and_the_model_deletes_it() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![
            // A program already blocks on it, as a dev server would.
            Reply::call(
                "terminal",
                json!({ "command": "mkfifo pipe1; (cat pipe1; echo freed > freed) >/dev/null 2>&1 & disown" }),
            ),
            Reply::done(),
            // Another one begins later, and still waits when the pipe is deleted.
            Reply::call(
                "terminal",
                json!({ "command": "(cat pipe1; echo freed > freed2) >/dev/null 2>&1 & sleep 0.1; rm pipe1; until [ -f freed ] && [ -f freed2 ]; do sleep 0.1; done" }),
            ),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;
    let said = model.said(3);
    assert!(
        said.last().unwrap().1.contains("pipe1 is a named pipe"),
        "{said:?}"
    );
}

#[tokio::test]
async fn an_app_s_own_data_survives_sleep_and_its_loss_is_reported() {
    let data = data_dir();
    let writes = r#"
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
createServer((request, response) => {
  if (request.url === "/save") appendFileSync("data.json", "[1]");
  response.setHeader("content-type", "text/html");
  response.end("<h1>Saved</h1>");
}).listen(3000, "127.0.0.1");
"#;
    let restart =
        "pkill -f server.mjs; until curl -s localhost:3000 | grep -q Saved; do sleep 0.1; done";
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("server.mjs", writes),
            Reply::call("terminal", json!({ "command": restart })),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    let url = feed.preview().await;
    let host = url
        .strip_prefix("http://")
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let saved = http()
        .get(format!("{}/save", server.url()))
        .header("host", host)
        .send()
        .await
        .unwrap();
    assert_eq!(saved.status(), 200);
    drop(feed);
    let read = async |server: &Server| {
        server
            .get(&format!("/api/files/read?project={project}&path=data.json"))
            .await
            .status()
    };
    assert_eq!(read(&server).await, 200);
    server.stop();

    let server = Server::start(data.path(), &model);
    assert_eq!(read(&server).await, 200, "it is there after a cold wake");
    assert_eq!(server.workspace(project).await.notice, None);
    server.stop();
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();

    let server = Server::start(data.path(), &model);
    let _feed = server.feed(project).await;
    let notice = until("the loss is reported", async || {
        server.workspace(project).await.notice
    })
    .await;
    assert!(
        notice.contains("was lost") && notice.contains("version 1"),
        "{notice}"
    );
    assert_eq!(read(&server).await, 404);
    let page = server
        .get(&format!("/projects/{project}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("The sandbox was lost"), "the page says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn package_managers_keep_what_they_download_outside_of_the_app_on_the_sandboxs_disk() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let (_, environment) = run(&sandbox, "env").await;
    for name in [
        "npm_config_cache",
        "pnpm_config_store_dir",
        "YARN_CACHE_FOLDER",
        "BUN_INSTALL_CACHE_DIR",
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
    ] {
        let line = environment
            .lines()
            .find(|line| line.starts_with(&format!("{name}=")))
            .unwrap();
        assert!(line.contains("=/opt/cache/"), "{line}");
    }
    let (code, said) = run(
        &sandbox,
        "mkdir -p $XDG_DATA_HOME && echo x > $XDG_DATA_HOME/kept && stat -f -c %T $XDG_DATA_HOME && ls -A ~ && cat $XDG_CONFIG_HOME/pnpm/rc",
    )
    .await;
    assert_eq!(code, 0, "{said}");
    assert!(
        !said.contains("tmpfs") && !said.contains(".local"),
        "{said}"
    );
    assert!(said.contains("store-dir=/opt/cache/pnpm-store"), "{said}");

    // The real npm with a registry: downloads and caches land outside the app.
    sandbox
        .write_file("/tmp/registry.mjs", REGISTRY)
        .await
        .unwrap();
    let (code, said) = run(&sandbox, INSTALL).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("it ran 1.0.0 twice"), "{said}");
    let kept = said.split("in the app:\n").nth(1).unwrap();
    assert_eq!(
        kept, "node_modules\npackage-lock.json\npackage.json\n",
        "{said}"
    );
    host.stop().await;
}

/// A registry with one package that has a program.
const REGISTRY: &str = r##"
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

mkdirSync("/tmp/made/package", { recursive: true });
const manifest = { name: "small-program", version: "1.0.0", bin: "run.js" };
writeFileSync("/tmp/made/package/package.json", JSON.stringify(manifest));
writeFileSync("/tmp/made/package/run.js", "#!/usr/bin/env node\nconsole.log('it ran 1.0.0');\n", { mode: 0o755 });
execFileSync("tar", ["-C", "/tmp/made", "-czf", "/tmp/made/package.tgz", "package"]);
const archive = readFileSync("/tmp/made/package.tgz");
const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
const dist = { tarball: "http://127.0.0.1:4873/package.tgz", integrity };
const found = { name: manifest.name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": { ...manifest, dist } } };
createServer((request, response) => {
  if (request.url.endsWith(".tgz")) return response.end(archive);
  response.writeHead(request.url.startsWith("/small-program") ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(found));
}).listen(4873, "127.0.0.1", () => console.log("ready"));
"##;

/// Installs the package, runs its program from the app and from the cache, and lists the new files
/// in the app.
const INSTALL: &str = r#"
set -e
(cd /tmp; node registry.mjs >/tmp/registry.log 2>&1 &)
until grep -qs ready /tmp/registry.log; do sleep 0.05; done
ls -A ~ | sort >/tmp/before
export npm_config_registry=http://127.0.0.1:4873
npm install --no-audit --no-fund small-program
one=$(npx small-program)
mkdir /tmp/elsewhere
two=$(cd /tmp/elsewhere; npx -y small-program)
[ "$one" = "$two" ] && echo "$one twice"
[ -n "$(ls /opt/cache/*/_cacache /opt/cache/*/_npx)" ]
echo "in the app:"
ls -A ~ | sort | comm -13 /tmp/before -
"#;
