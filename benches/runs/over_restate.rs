//! Runs over a Restate server: what it adds between two steps, beside the embedded engine on the
//! same database.

use std::time::Duration;

use crate::{Model, Server, all_succeed, postgres::Postgres, pretend_e2b, print, until};

#[allow(dead_code)]
#[path = "../../src/tests/support/restate.rs"]
mod restate;

use restate::Restate;

const RUNS: usize = 20;

/// For the tests' Restate.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

pub async fn steps(model: &Model) {
    let e2b = pretend_e2b::start().await;
    let restate = Restate::start().await;
    let of_restate = restate.env();
    let of_restate: Vec<(&str, &str)> = of_restate
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    let engines = [
        ("embedded", &[][..], "the rest is added by Restate"),
        ("over Restate", &of_restate, "goal: p50 ≤ 5 ms more"),
    ];
    for (engine, more, goal) in engines {
        let postgres = Postgres::start().await;
        let server = Server::start_shared_and(model, &e2b, &postgres.url, more);
        let mut between = Vec::new();
        for _ in 0..RUNS {
            let project = server.create("Build").await;
            all_succeed(&server, &[project]).await;
            let store = server.store().await;
            let run = store.list_runs(project).await.unwrap()[0].id;
            let steps = store.list_steps(run).await.unwrap();
            store.close().await;
            between.extend(steps.windows(2).map(|pair| {
                let ended = pair[0].finished_at.expect("it has ended").0;
                (pair[1].started_at.0 - ended) as f64
            }));
        }
        let what = format!("from one step's end to the next one's beginning, {engine}");
        print(&what, between, goal);
    }
}
