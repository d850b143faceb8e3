//! Measures runs and the feed, for `script/bench runs`: the cost of a step, the latency of an
//! event, the cost of a long answer, and many concurrent runs. The server is the release binary
//! (`CODEFLOW_BIN`); the model and the sandboxes are stand-ins, except in the soak, which comes
//! last. The arguments `answer`, `runs`, `cluster`, `scale` and `soak` select a single part. Prints
//! figures without asserting speed; asserts that all work succeeds and that the soak leaves nothing
//! behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod answer;
mod cluster;
#[allow(dead_code)]
#[path = "../../src/tests/support/model.rs"]
mod model;
mod over_restate;
#[path = "../../src/tests/support/ports.rs"]
mod ports;
#[allow(dead_code)]
#[path = "../../src/tests/support/postgres.rs"]
mod postgres;
mod pretend_e2b;
mod scale;
mod server;
mod soak;
#[path = "../../src/tests/support/template.rs"]
mod template;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use codeflow::{
    protocol::{NewPrompt, ProjectId, RunState, Spent, UserId},
    store::Store,
};
use futures::StreamExt;
use model::{Model, Reply};
use serde_json::json;
use server::Server;

/// The number of steps of a long run.
const STEPS: usize = 60;
const RUNS_MEASURED: usize = 30;
/// A count from the environment, such as `BENCH_RUNS`.
fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |count| {
        count
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}

/// Concurrent runs.
fn runs() -> usize {
    count("BENCH_RUNS", 500)
}

/// Runs whose pages are checked in a browser, which takes a thousand times longer than the rest of
/// a run.
fn checked_runs() -> usize {
    count("BENCH_CHECKED_RUNS", 4)
}

/// Concurrent feeds.
fn sockets() -> usize {
    count("BENCH_SOCKETS", 1000)
}

/// The value below which this percentage of the sorted values lies.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn print(what: &str, mut values: Vec<f64>, goal: &str) {
    values.sort_by(f64::total_cmp);
    let [p50, p95, p99] = [50, 95, 99].map(|percent| percentile(&values, percent));
    println!(
        "{what}: p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms [{}] ({goal})",
        values.len()
    );
}

/// The journal's cost per step: recording its start and saving its output.
async fn steps() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_file(&folder.path().join("db.sqlite"))
        .await
        .unwrap();
    let output = json!({ "content": "x".repeat(2000) }).to_string();
    let mut taken = Vec::new();
    for _ in 0..RUNS_MEASURED {
        let (_, run, _) = store
            .create_project(
                &UserId::local(),
                &NewPrompt::new("Measure").unwrap(),
                None,
                "Measure",
            )
            .await
            .unwrap();
        for step in 0..STEPS {
            let (name, begun) = (format!("turn-{step}"), Instant::now());
            store.begin_step(run.id, &name, "digest").await.unwrap();
            store
                .finish_step(run.id, &name, &output, Spent::default(), None)
                .await
                .unwrap();
            taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    print(
        "one step on SQLite, 2 kB of output",
        taken,
        "goal: p50 ≤ 1 ms",
    );
    store.close().await;
}

/// Waits until `check` returns something, and returns it.
async fn until<T>(_what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = check().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

async fn until_all_ended(store: &Store) {
    while !store.unfinished_projects().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn now_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
        * 1000.0
}

/// Measures the latency from saving an event until each socket has it. The sockets are spread over
/// the servers and the projects; the first server works on the projects' runs.
async fn feeds(servers: &[&Server], projects: usize, goal: &str) {
    let mut ids = Vec::new();
    for _ in 0..projects {
        ids.push(servers[0].create("Talk").await);
    }
    let delays = Arc::new(Mutex::new(Vec::new()));
    let mut clients = Vec::new();
    for client in 0..sockets() {
        let url = format!(
            "ws://127.0.0.1:{}/ws/projects/{}?after=0",
            servers[client % servers.len()].port,
            ids[client / servers.len() % projects]
        );
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let delays = delays.clone();
        clients.push(tokio::spawn(async move {
            let mut live = false;
            while let Some(Ok(message)) = socket.next().await {
                let at = now_ms();
                let frame = message.to_text().unwrap_or_default();
                // Not parsed: these clients run on the measured machine.
                if live && frame.contains(r#""kind":{"type":"text_piece""#) {
                    let saved = frame
                        .split_once(r#""at":"#)
                        .unwrap()
                        .1
                        .split(',')
                        .next()
                        .unwrap();
                    delays
                        .lock()
                        .unwrap()
                        .push((at - saved.parse::<f64>().unwrap()).max(0.0));
                }
                live |= frame.contains("caught_up");
            }
        }));
    }
    all_succeed(servers[0], &ids).await;
    for client in clients {
        client.abort();
    }
    let what = format!(
        "event saved → received, {} sockets on {projects} project(s), {} server(s)",
        sockets(),
        servers.len()
    );
    let delays = std::mem::take(&mut *delays.lock().unwrap());
    assert!(!delays.is_empty(), "no socket received a live event");
    print(&what, delays, goal);
}

/// Waits until these projects' runs have ended. Panics if one failed.
async fn all_succeed(server: &Server, projects: &[ProjectId]) {
    let store = server.store().await;
    until_all_ended(&store).await;
    let mut failures = Vec::new();
    for project in projects {
        let runs = store.list_runs(*project).await.unwrap();
        if runs[0].state != RunState::Succeeded {
            failures.extend(store.list_messages(*project).await.unwrap().pop());
        }
    }
    store.close().await;
    if let Some(failure) = failures.first() {
        let count = failures.len();
        panic!(
            "{count} of {} runs failed: {}",
            projects.len(),
            failure.content
        );
    }
}

async fn many_runs(server: &Server, count: usize, what: &str) {
    let begun = Instant::now();
    let creating = futures::stream::iter(0..count)
        .map(|_| server.create("Build"))
        .buffer_unordered(50);
    let projects: Vec<ProjectId> = creating.collect().await;
    all_succeed(server, &projects).await;
    println!(
        "{count} runs at a time, {what}: {:.1} s, 0 failed, peak memory {:.0} MB (goal: ≤ 300 MB)",
        begun.elapsed().as_secs_f64(),
        server.peak_memory()
    );
}

#[tokio::main]
async fn main() {
    let parts = ["answer", "runs", "cluster", "scale", "soak"];
    let only = std::env::args().find(|argument| parts.contains(&argument.as_str()));
    if only.as_deref() == Some("soak") {
        return soak::soak().await;
    }
    if only.as_deref() == Some("scale") {
        return scale::scale().await;
    }
    if only.is_none() {
        steps().await;
    }
    let talk: &'static str = Box::leak("Some words that grow. ".repeat(100).into_boxed_str());
    let said: &'static str =
        Box::leak(format!("{talk}<task_summary>Talked.</task_summary>").into_boxed_str());
    let file = "export default function Page() { return <main>A page of a usual size.</main> }\n"
        .repeat(60);
    let replies = [
        ("Talk", vec![Reply::Slow(30, Box::new(Reply::Text(said)))]),
        (
            "Build",
            vec![
                Reply::call("listFiles", json!({ "path": "." })),
                Reply::write("app/page.tsx", &file),
                Reply::call("terminal", json!({ "command": "npm install" })),
                Reply::call("readFiles", json!({ "files": ["app/page.tsx"] })),
                Reply::done(),
            ],
        ),
    ];
    let model = Model::start(replies.into_iter().chain(answer::replies())).await;
    if only.as_deref() == Some("cluster") {
        return cluster::cluster(&model).await;
    }
    let e2b = pretend_e2b::start().await;
    if only.as_deref() != Some("runs") {
        answer::measure(&model, &e2b).await;
    }
    if only.as_deref() == Some("answer") {
        return;
    }
    let server = Server::start(&model, &e2b, false);
    many_runs(&server, runs(), "9 steps of work each").await;
    drop(server);
    let server = Server::start(&model, &e2b, true);
    many_runs(&server, checked_runs(), "their pages loaded in a browser").await;
    drop(server);
    if only.is_some() {
        return;
    }
    let server = Server::start(&model, &e2b, false);
    let goal = "goal: p99 ≤ 20 ms";
    feeds(&[&server], 1, goal).await;
    feeds(&[&server], 100.min(sockets()), goal).await;
    println!(
        "peak memory with {} sockets: {:.0} MB",
        sockets(),
        server.peak_memory()
    );
    drop(server);
    soak::soak().await;
}
