//! Apps that answer endlessly: neither a preview nor the check lets one sandbox exhaust the
//! server's memory, and when the machine runs out, sandboxes are killed before the server.

use std::{fs, time::Duration};

use codeflow::{protocol::RunState, sandbox::Sandbox};
use futures::StreamExt;
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use serde_json::json;

use crate::support::{
    ControlPlane, HostProcess, Model, Reply, Server, data_dir, memory_of, run, traces, until,
};

/// The template's page, and a path for each kind of endless answer; `/silent` never answers.
const SERVER: &str = r#"
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { gzipSync } from "node:zlib";

const much = "x".repeat(1 << 20);
const bomb = gzipSync(much.repeat(16));
const ok = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n";
const frame = (length, data) => Buffer.concat([Buffer.from([0x82, 127]), length, Buffer.from(data)]);
const length = (bytes) => { const field = Buffer.alloc(8); field.writeBigUInt64BE(bytes); return field; };

// What each begins with, and what comes again and again behind it.
const answers = {
  "/status": ["HTTP/1.1 200 ", much],
  "/headers": [ok, "x-more: y\r\n".repeat(10_000)],
  "/header": [ok + "x-more: ", much],
  "/early": ["", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(1000)],
  "/body": [ok + "\r\n<title>Much</title>", much],
  "/comment": [ok + "\r\n<!doctype html><html><!--", much],
  "/sized": [ok + "content-length: 9007199254740991\r\n\r\n", much],
  "/chunks": [ok + "transfer-encoding: chunked\r\n\r\n", `100000\r\n${much}\r\n`],
  "/chunk": [ok + "transfer-encoding: chunked\r\n\r\nfffffffffffffff\r\n", much],
  "/extension": [ok + "transfer-encoding: chunked\r\n\r\n1;", much],
  "/trailers": [ok + "transfer-encoding: chunked\r\n\r\n0\r\n", "x-more: y\r\n".repeat(10_000)],
  "/gzip": [ok + "content-encoding: gzip\r\n\r\n", bomb],
  "/frames": ["", frame(length(1n << 16n), "x".repeat(1 << 16))],
  "/frame": [frame(length(1n << 62n), ""), much],
};

createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (asked) => {
    const request = asked.toString("latin1");
    const path = request.split(" ")[1];
    if (path === "/silent") return;
    if (!answers[path]) {
      socket.end("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<h1>The template</h1>");
      return;
    }
    const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1];
    if (key) {
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
    }
    const [first, again] = answers[path];
    const more = () => { while (socket.writable && socket.write(again)); };
    socket.write(first);
    socket.on("drain", more);
    more();
  });
}).listen(3000, "127.0.0.1");
"#;

const RESTART: &str = "pkill -f '^node server.mjs'; until [ \"$(curl -s localhost:3000/)\" = '<h1>The template</h1>' ]; do sleep 0.1; done";

const PATHS: [&str; 14] = [
    "/status",
    "/headers",
    "/header",
    "/early",
    "/body",
    "/comment",
    "/sized",
    "/chunks",
    "/chunk",
    "/extension",
    "/trailers",
    "/gzip",
    "/frames",
    "/frame",
];

/// How much of an answer is read: gigabytes, if nothing limited it.
const READ: usize = 48 << 20;
/// How much memory a host may need for all of it: some buffers per connection.
const GROWTH: u64 = 96 << 20;

/// Asks for a path, reads the answer or leaves it unread, and hangs up after a while.
async fn ask(host: &HostProcess, sandbox: &Sandbox, path: &str, reads: bool) {
    let mut request = host.preview(sandbox.id(), 3000, path);
    if path.starts_with("/frame") {
        request = request
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
    }
    let asked = async {
        let Ok(answer) = request.send().await else {
            return;
        };
        let mut read = 0;
        if path.starts_with("/frame") {
            let Ok(mut upgraded) = answer.upgrade().await else {
                return;
            };
            let mut piece = vec![0; 1 << 16];
            while reads && read < READ {
                let got = tokio::io::AsyncReadExt::read(&mut upgraded, &mut piece).await;
                match got {
                    Ok(0) | Err(_) => return,
                    Ok(bytes) => read += bytes,
                }
            }
            return std::future::pending().await;
        }
        let mut body = answer.bytes_stream();
        while reads && read < READ {
            match body.next().await {
                Some(Ok(piece)) => read += piece.len(),
                _ => return,
            }
        }
        std::future::pending::<()>().await;
    };
    let _ = tokio::time::timeout(Duration::from_secs(3), asked).await;
}

async fn page_answers(host: &HostProcess, sandbox: &Sandbox) {
    until("the page answers", async || {
        let page = host.preview(sandbox.id(), 3000, "/").send().await.ok()?;
        (page.text().await.ok()? == "<h1>The template</h1>").then_some(())
    })
    .await;
}

#[tokio::test]
async fn neither_endless_answers_nor_a_flood_of_requests_take_the_host_s_memory() {
    let data = data_dir();
    let host = HostProcess::start(data.path(), &[("SANDBOX_POOL_SIZE", "0")]);
    let sandbox = host.create().await;
    sandbox
        .write_file("/home/user/server.mjs", SERVER)
        .await
        .unwrap();
    run(&sandbox, RESTART).await;
    page_answers(&host, &sandbox).await;
    let before = memory_of(host.id(), "VmRSS");
    let peak = || memory_of(host.id(), "VmHWM").saturating_sub(before) >> 20;
    let asked = PATHS
        .iter()
        .flat_map(|path| [true, false].map(|reads| ask(&host, &sandbox, path, reads)));
    futures::future::join_all(asked).await;
    assert!(peak() << 20 < GROWTH, "{} MiB", peak());

    // Many clients that wait for an answer that never comes.
    let flood = (0..600).map(|_| ask(&host, &sandbox, "/silent", true));
    futures::future::join_all(flood).await;
    assert!(peak() << 20 < GROWTH, "{} MiB", peak());
    page_answers(&host, &sandbox).await;

    // When the machine runs out of memory, processes in the sandbox are killed first, commands
    // before the envd.
    let score = |process: &str| {
        let score = fs::read_to_string(format!("{process}/oom_score_adj")).ok()?;
        score.trim().parse::<i32>().ok()
    };
    let own = score(&format!("/proc/{}", host.id())).unwrap();
    let processes = traces(sandbox.id());
    let scores: Vec<i32> = processes
        .iter()
        .filter(|trace| trace.starts_with("/proc/"))
        .filter_map(|process| score(process))
        .collect();
    assert!(scores.len() > 1, "{processes:?}");
    assert!(scores.iter().all(|score| *score > own), "{own}: {scores:?}");
    assert!(
        scores.iter().max() > scores.iter().min(),
        "the app before its envd: {scores:?}"
    );
}

#[tokio::test]
async fn a_check_of_an_app_that_answers_without_an_end_costs_the_server_little_memory() {
    let pages = ["body", "gzip", "chunks"];
    let routes = pages.map(|page| format!("mkdir -p app/{page}; touch app/{page}/page.tsx"));
    let replies = vec![
        Reply::write("server.mjs", SERVER),
        Reply::call("terminal", json!({ "command": RESTART })),
        Reply::call("terminal", json!({ "command": routes.join("; ") })),
        Reply::call("checkApp", json!({})),
        Reply::done(),
    ];
    let data = data_dir();
    let model = Model::start([("Build", replies)]).await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let before = memory_of(server.pid(), "VmRSS");
    assert_eq!(feed.ended(1).await.0, RunState::Succeeded);
    let report = feed.tool("turn-4-checkApp-1").output.unwrap();
    assert!(report.contains("/gzip"), "{report}");
    let grown = memory_of(server.pid(), "VmHWM").saturating_sub(before);
    assert!(grown < GROWTH, "{} MiB", grown >> 20);
    drop(feed);
    server.stop();
}
