//! A simulation of a cluster on one machine: real servers on a real PostgreSQL, with a scripted
//! model and pretended sandbox hosts. Projects are created everywhere, a server is killed, a host
//! is lost and another one drained. Prints how evenly sandboxes are placed, how old the queue gets,
//! how late events are on other servers, and what the database does; fails if work was lost, was
//! done twice, or was done for one project on two hosts. `BENCH_PROJECTS` (10,000), `BENCH_NODES`
//! (20), `BENCH_HOSTS` (20) and `BENCH_SEED` set its size and its chances.

mod checks;
mod cluster;
mod host;
mod load;
mod model;
mod protocol;

use std::{
    fmt,
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use self::{
    checks::Ledger,
    cluster::{Cluster, Followers},
    load::Load,
};
use super::{count, percentile};

/// How many requests are made at a time.
const PARALLEL: usize = 100;
/// Of how many projects the page is open, on another server.
const FOLLOWED: usize = 400;
/// How long the cluster is watched while nobody uses it.
const IDLE: Duration = Duration::from_secs(10);

/// What something costs each run; nothing without runs.
struct Cost(f64, usize, &'static str);

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            0 => Ok(()),
            runs => write!(formatter, ", {:.2} {}", self.0 / runs as f64, self.2),
        }
    }
}

pub async fn scale() {
    let (projects, nodes) = (count("BENCH_PROJECTS", 10_000), count("BENCH_NODES", 20));
    let (hosts, seed) = (count("BENCH_HOSTS", 20), count("BENCH_SEED", 19));
    assert!(
        projects >= 10 && nodes >= 3 && hosts >= 3,
        "too few of something"
    );
    println!("scale: {projects} projects, {nodes} nodes, {hosts} hosts, seed {seed}");
    let mut cluster = Cluster::start(nodes, hosts, seed as u64).await;
    let load = Load::of(&cluster.postgres.url).await;
    let mut chance = StdRng::seed_from_u64(seed as u64);
    let mut ledger = Ledger::default();

    // Everybody creates a project; half-way a server is killed.
    let (before, begun, processor) = (load.now().await, Instant::now(), cluster.processor_time());
    let half = projects / 2;
    let watch = cluster.watch_hosts();
    let followers = Followers::of(projects);
    cluster.create(&mut ledger, 0..half, &followers).await;
    cluster.kill_one(&mut ledger, &load).await;
    cluster
        .create(&mut ledger, half..projects, &followers)
        .await;
    cluster.settle(&load).await;
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{projects} runs in {took:.1} s: {:.1} a second{}",
        projects as f64 / took,
        Cost(
            (cluster.processor_time() - processor) * 1000.0,
            projects,
            "ms of the servers' processor time a run"
        ),
    );
    let database = load
        .print("while projects are built", &before, projects)
        .await;
    println!(
        "database: {:.2} ms of processor time a run",
        database * 1000.0 / projects as f64
    );
    watch.print();
    cluster.print_balance("after the projects were built");
    ages(&load, "all", "TRUE").await;
    ages(
        &load,
        "those that the killed server had taken",
        &ledger.of_killed(),
    )
    .await;
    followers.print().await;
    load.print_sizes(projects).await;

    // A host is lost, and its projects go on elsewhere.
    let mut all: Vec<u64> = ledger.firsts().collect();
    all.shuffle(&mut chance);
    let (first, second) = all.split_at(all.len() / 2);
    let some = (projects / 10).max(4);
    let begun = Instant::now();
    let (before, after) = first[..some.min(first.len())].split_at(some / 2);
    cluster.change(&mut ledger, before).await;
    cluster.lose_host(&mut ledger, &load).await;
    cluster.change(&mut ledger, after).await;
    cluster.settle(&load).await;
    println!(
        "changes of a tenth of the projects, during which a host is lost: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    cluster.print_balance("after a host was lost");

    // Another one is drained.
    cluster.drain_host().await;
    let on_drained = ledger.those(&cluster.on_drained());
    let begun = Instant::now();
    let moving: Vec<u64> = on_drained.iter().copied().take(some).collect();
    let others = second
        .iter()
        .copied()
        .filter(|build| !on_drained.contains(build));
    let changed: Vec<u64> = moving.iter().copied().chain(others.take(some)).collect();
    cluster.change(&mut ledger, &changed).await;
    cluster.settle(&load).await;
    let left = ledger.those(&cluster.on_drained());
    println!(
        "changes while a host is drained: {:.1} s, {} of {} projects have left it",
        begun.elapsed().as_secs_f64(),
        moving.iter().filter(|build| !left.contains(build)).count(),
        moving.len()
    );
    cluster.print_balance("after another was drained");

    // A few figures mean nothing, so they need not be watched for long.
    let idle = if projects < 1000 { IDLE / 5 } else { IDLE };
    let (before, processor) = (load.now().await, cluster.processor_time());
    tokio::time::sleep(idle).await;
    load.print("while nobody does anything", &before, 0).await;
    println!(
        "servers, while nobody does anything: {:.1} % of a processor each",
        (cluster.processor_time() - processor) / idle.as_secs_f64() / cluster.nodes() as f64
            * 100.0
    );
    cluster.print_memory();
    cluster.print_warnings();
    ledger.check(&cluster, &load).await;
    cluster.stop();
}

/// Prints how long these runs waited for their turn.
async fn ages(load: &Load, whose: &str, which: &str) {
    let waited = format!(
        "SELECT (started_at - created_at)::FLOAT8 FROM runs WHERE {which} \
         AND started_at IS NOT NULL ORDER BY 1"
    );
    let waited = load.rows(&waited).await.into_iter();
    let waited: Vec<f64> = waited
        .map(|row| row.try_get_by_index::<f64>(0).unwrap() / 1000.0)
        .collect();
    if waited.is_empty() {
        return println!("queue age, {whose}: none waited");
    }
    println!(
        "queue age, {whose}: p50 {:.2} s, p99 {:.2} s, max {:.2} s [{}]",
        percentile(&waited, 50),
        percentile(&waited, 99),
        waited.last().unwrap(),
        waited.len()
    );
}

/// Does the work for all, some at a time.
async fn for_all<T>(all: impl IntoIterator<Item = T>, work: impl AsyncFn(T)) {
    futures::stream::iter(all)
        .map(|one| work(one))
        .buffer_unordered(PARALLEL)
        .collect::<()>()
        .await;
}
