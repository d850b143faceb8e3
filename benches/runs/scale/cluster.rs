//! What is simulated: the servers, their database, the model and the hosts, and what happens to
//! them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use codeflow::protocol::ProjectId;
use futures::StreamExt as _;

use super::{
    FOLLOWED,
    checks::Ledger,
    for_all,
    host::{Figures, Host},
    load::Load,
    model::{BUILD, Scripted},
};
use crate::{now_ms, percentile, postgres::Postgres, print, server::Server};

/// The memory of a host, in bytes: room for about 40 apps at work.
const HOST_MEMORY: u64 = 32 << 30;
/// The connections of a server's pool.
const CONNECTIONS: usize = 8;
/// How long nothing may happen while there are runs.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a feed may take to find an event whose notice was lost.
const FEED_PATIENCE: Duration = Duration::from_secs(40);
/// The time between two looks of a server at a host.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// What the servers' logs warn of, and how many times.
type Warnings = Arc<Mutex<BTreeMap<String, usize>>>;

pub struct Cluster {
    /// Dropped before what they use.
    servers: Vec<Server>,
    pub postgres: Postgres,
    pub hosts: Vec<Host>,
    model: Scripted,
    warnings: Warnings,
    /// How many servers live to the end: the last one is killed.
    survivors: usize,
    /// The processor time of the killed one, in seconds.
    killed: f64,
}

impl Cluster {
    pub async fn start(nodes: usize, hosts: usize, seed: u64) -> Self {
        let settings = [
            format!("max_connections={}", nodes * CONNECTIONS + 20),
            "shared_buffers=256MB".to_owned(),
            "shared_preload_libraries=pg_stat_statements".to_owned(),
        ];
        let postgres = Postgres::start_with(&settings).await;
        let model = Scripted::start(seed).await;
        let mut all = Vec::new();
        for number in 0..hosts {
            all.push(Host::start(number as u64, HOST_MEMORY, seed).await);
        }
        let listed = all.iter().map(|host| format!("{}=e2b_pretend", host.url));
        let listed = listed.collect::<Vec<_>>().join(",");
        let warnings = Warnings::default();
        let start = |_| {
            let env = [
                ("DATABASE_URL", postgres.url.clone()),
                ("SANDBOX_HOSTS", listed.clone()),
                ("SANDBOX_HOST_LOST_SECONDS", "3".to_owned()),
                ("CHROMIUM_PATH", "off".to_owned()),
                ("AI_PROVIDER", "custom".to_owned()),
                ("OPENAI_BASE_URL", model.url.clone()),
                ("OPENAI_API_KEY", "test".to_owned()),
                ("AI_MODEL", "scripted".to_owned()),
            ];
            let warnings = warnings.clone();
            tokio::task::spawn_blocking(move || {
                let env = env.each_ref().map(|(name, value)| (*name, &**value));
                let note = move |line: &str| {
                    let all = &mut *warnings.lock().unwrap();
                    *all.entry(without_fields(line)).or_default() += 1;
                };
                Server::run(tempfile::tempdir().unwrap(), &env, note)
            })
        };
        let begun = Instant::now();
        let started = futures::future::join_all((0..nodes).map(start)).await;
        let servers: Vec<Server> = started.into_iter().map(Result::unwrap).collect();
        println!(
            "{nodes} servers started in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        Self {
            postgres,
            hosts: all,
            model,
            servers,
            warnings,
            survivors: nodes - 1,
            killed: 0.0,
        }
    }

    pub fn nodes(&self) -> usize {
        self.servers.len()
    }

    /// Creates a project for each of these builds, on the servers in turn.
    pub async fn create(
        &self,
        ledger: &mut Ledger,
        builds: std::ops::Range<usize>,
        followers: &Followers,
    ) {
        let created = Mutex::new(Vec::new());
        let nodes = self.nodes();
        for_all(builds, async |build| {
            let node = build % nodes;
            let prompt = format!("Build a page: {BUILD}{build}");
            let project = self.servers[node].create(&prompt).await;
            created.lock().unwrap().push((build as u64, project, node));
            let other = (node + 1) % self.survivors;
            followers.perhaps_follow(build, project, other, self.servers[other].port);
        })
        .await;
        for (build, project, node) in created.into_inner().unwrap() {
            ledger.created(build, project, node);
        }
    }

    /// Sends a message to the project of each of these builds, which begins another one.
    pub async fn change(&self, ledger: &mut Ledger, builds: &[u64]) {
        let next = AtomicUsize::new(ledger.len());
        let sent = Mutex::new(Vec::new());
        for_all(builds, async |build| {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let server = &self.servers[number % self.nodes()];
            let project = ledger.project(*build);
            let url = format!("http://127.0.0.1:{}/api/messages/send", server.port);
            let text = format!("Change the page: {BUILD}{number}");
            let request = server.http.post(url).header("accept", "application/json");
            let request = request.form(&[("project", project.to_string()), ("text", text)]);
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.status());
            sent.lock().unwrap().push((*build, number as u64));
        })
        .await;
        for (build, number) in sent.into_inner().unwrap() {
            ledger.changed(build, number);
        }
    }

    /// Ends a server as a crash does, with what it works on and what waits for it.
    pub async fn kill_one(&mut self, ledger: &mut Ledger, load: &Load) {
        let server = self.servers.pop().unwrap();
        let name = std::fs::read_to_string(server.data_path().join("node")).unwrap();
        self.killed = server.processor_time();
        server.kill();
        let working = format!(
            "SELECT project_id::TEXT FROM leases WHERE node = '{}'",
            name.trim()
        );
        let working = ledger.interrupt(&load.rows(&working).await);
        let unfinished = "SELECT DISTINCT project_id::TEXT FROM runs WHERE finished_at IS NULL";
        let waiting = ledger.note_killed(self.nodes(), &load.rows(unfinished).await);
        println!("a server was killed: it had {waiting} runs, and the leases of {working}");
    }

    /// Loses the host with the most sandboxes.
    pub async fn lose_host(&self, ledger: &mut Ledger, load: &Load) {
        let host = self.fullest();
        let working = format!(
            "SELECT id::TEXT FROM projects WHERE sandbox_host = '{}' AND id IN \
             (SELECT project_id FROM runs WHERE finished_at IS NULL)",
            host.url
        );
        let sandboxes = host.figures().all;
        host.lose();
        let working = ledger.interrupt(&load.rows(&working).await);
        println!("a host was lost: it had {sandboxes} sandboxes, and runs worked in {working}");
    }

    /// Begins to drain the host with the most sandboxes, and waits until the servers know.
    pub async fn drain_host(&self) {
        let host = self.fullest();
        println!("a host is drained: it has {} sandboxes", host.figures().all);
        host.state().draining = true;
        tokio::time::sleep(PROBE_INTERVAL * 2).await;
    }

    fn fullest(&self) -> &Host {
        self.fit().max_by_key(|host| host.figures().all).unwrap()
    }

    /// The hosts that take new sandboxes.
    fn fit(&self) -> impl Iterator<Item = &Host> {
        let mut hosts: Vec<&Host> = self.hosts.iter().collect();
        hosts.retain(|host| !host.is_lost() && !host.state().draining);
        hosts.into_iter()
    }

    /// The projects with sandboxes on hosts that are being drained.
    pub fn on_drained(&self) -> BTreeSet<String> {
        let drained = self.hosts.iter().filter(|host| host.state().draining);
        let projects = drained.flat_map(|host| {
            let state = host.state();
            let projects = state.sandboxes.values().map(|one| one.project.clone());
            projects.collect::<Vec<_>>()
        });
        projects.collect()
    }

    /// Waits until no run is left.
    pub async fn settle(&self, load: &Load) {
        let (mut last, mut moved) = (i64::MAX, Instant::now());
        loop {
            let left: i64 = load
                .one("SELECT count(*) FROM runs WHERE state IN ('queued', 'running')")
                .await;
            if left == 0 {
                return;
            }
            if left != last {
                (last, moved) = (left, Instant::now());
            }
            assert!(moved.elapsed() < PATIENCE, "{left} runs stand still");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// The servers' processor time so far, in seconds.
    pub fn processor_time(&self) -> f64 {
        let servers = self.servers.iter().map(Server::processor_time);
        servers.sum::<f64>() + self.killed
    }

    pub fn print_balance(&self, when: &str) {
        let figures: Vec<Figures> = self.fit().map(Host::figures).collect();
        let made = self.fit().map(|host| host.state().made as f64);
        let (mut failed, mut refused) = (0, 0);
        for host in &self.hosts {
            failed += host.state().failed;
            refused += host.state().refused;
        }
        println!(
            "placement {when}, {} hosts, max/mean: sandboxes {}, awake {}, memory {}, made so far \
             {}; {failed} starts failed, {refused} refused",
            figures.len(),
            ratio(figures.iter().map(|host| host.all as f64)),
            ratio(figures.iter().map(|host| host.awake as f64)),
            ratio(figures.iter().map(|host| host.memory as f64)),
            ratio(made),
        );
    }

    pub fn print_memory(&self) {
        let mut memory: Vec<f64> = self.servers.iter().map(Server::peak_memory).collect();
        memory.sort_by(f64::total_cmp);
        println!(
            "servers, peak memory: median {:.0} MB, max {:.0} MB",
            percentile(&memory, 50),
            memory.last().unwrap()
        );
        let (all, again) = self.model.answers();
        println!("model: {all} answers, {again} of them asked for again");
    }

    pub fn print_warnings(&self) {
        for (line, times) in &*self.warnings.lock().unwrap() {
            println!("servers' logs: {times} × {line}");
        }
    }

    /// Watches how evenly the hosts are used, until it is printed.
    pub fn watch_hosts(&self) -> Watch {
        let (hosts, seen) = (self.hosts.clone(), Arc::<Mutex<Vec<(f64, f64)>>>::default());
        let noted = seen.clone();
        let watching = tokio::spawn(async move {
            loop {
                tokio::time::sleep(WATCH_INTERVAL).await;
                let figures: Vec<Figures> = hosts.iter().map(Host::figures).collect();
                let memory = of(figures.iter().map(|host| host.memory as f64));
                let awake = of(figures.iter().map(|host| host.awake as f64));
                noted.lock().unwrap().push((memory, awake));
            }
        });
        Watch { seen, watching }
    }

    /// Stops everything: the servers at once, not one after the other.
    pub fn stop(self) {
        self.servers.iter().for_each(Server::ask_to_stop);
    }
}

/// How evenly the hosts were used at each moment: memory and sandboxes that are awake, max/mean.
pub struct Watch {
    seen: Arc<Mutex<Vec<(f64, f64)>>>,
    watching: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub fn print(self) {
        self.watching.abort();
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let sorted = |of: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = seen.iter().map(of).filter(|value| *value > 0.0).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        for (what, values) in [
            ("memory", sorted(|one| one.0)),
            ("awake", sorted(|one| one.1)),
        ] {
            if let Some(max) = values.last() {
                println!(
                    "placement while projects are built, {what}, max/mean: p50 {:.2}, p95 {:.2}, \
                     max {max:.2} [{}]",
                    percentile(&values, 50),
                    percentile(&values, 95),
                    values.len()
                );
            }
        }
    }
}

/// Pages that follow a project on another server than the one that created it.
#[derive(Default)]
pub struct Followers {
    delays: Arc<Mutex<Vec<f64>>>,
    /// How many there are on each server.
    by_node: Mutex<BTreeMap<usize, usize>>,
    /// How many have seen the end of their project's first run.
    ended: Arc<AtomicUsize>,
    every: AtomicUsize,
}

impl Followers {
    fn perhaps_follow(&self, build: usize, project: ProjectId, node: usize, port: u16) {
        let every = self.every.load(Ordering::Relaxed).max(1);
        if !build.is_multiple_of(every) {
            return;
        }
        *self.by_node.lock().unwrap().entry(node).or_default() += 1;
        let (delays, ended) = (self.delays.clone(), self.ended.clone());
        tokio::spawn(async move {
            let url = format!("ws://127.0.0.1:{port}/ws/projects/{project}?after=0");
            let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
            let (mut live, mut has_ended) = (false, false);
            while let Some(Ok(message)) = socket.next().await {
                let at = now_ms();
                let frame = message.to_text().unwrap_or_default();
                let saved = frame.split_once(r#""at":"#).and_then(|(_, rest)| {
                    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
                    digits?.parse::<f64>().ok()
                });
                if let Some(saved) = saved.filter(|_| live) {
                    delays.lock().unwrap().push((at - saved).max(0.0));
                }
                live |= frame.contains("caught_up");
                if !has_ended && frame.contains(r#""state":"succeeded""#) {
                    has_ended = true;
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }

    /// Of so many projects, some are followed.
    pub fn of(projects: usize) -> Self {
        Self {
            every: AtomicUsize::new(projects.div_ceil(FOLLOWED)),
            ..Self::default()
        }
    }

    /// Prints how late events were. Panics if a follower missed its run's end.
    pub async fn print(&self) {
        let all: usize = self.by_node.lock().unwrap().values().sum();
        let begun = Instant::now();
        while self.ended.load(Ordering::Relaxed) < all && begun.elapsed() < FEED_PATIENCE {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let ended = self.ended.load(Ordering::Relaxed);
        assert_eq!(ended, all, "some feeds missed the end of their run");
        let by_node: Vec<usize> = self.by_node.lock().unwrap().values().copied().collect();
        println!(
            "feeds: {all} followers, {} to {} on a server",
            by_node.iter().min().unwrap(),
            by_node.iter().max().unwrap()
        );
        let delays = std::mem::take(&mut *self.delays.lock().unwrap());
        print(
            "event saved → received through another server",
            delays,
            "goal: p99 ≤ 50 ms",
        );
    }
}

/// The highest value divided by the mean; 0 if all are.
fn of(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    match mean > 0.0 {
        true => values.iter().copied().fold(0.0, f64::max) / mean,
        false => 0.0,
    }
}

fn ratio(values: impl Iterator<Item = f64>) -> String {
    let values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let mean = match mean > 1e6 {
        true => format!("{:.1} GB", mean / 1e9),
        false => format!("{mean:.1}"),
    };
    format!("{:.2} (mean {mean})", of(values.into_iter()))
}

/// A line of the log without its time and its fields.
fn without_fields(line: &str) -> String {
    let at = line
        .find("WARN")
        .or_else(|| line.find("ERROR"))
        .unwrap_or(0);
    let line = &line[at..];
    let words = line.split_whitespace();
    let words = words.filter(|word| !word.contains('=') && !word.contains('{'));
    let shown: Vec<&str> = words.take(14).collect();
    shown.join(" ")
}
