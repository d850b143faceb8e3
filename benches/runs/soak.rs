//! The soak: many projects are created, used, put to sleep and swept on this machine, with real
//! sandboxes of a small template. The bench fails unless disk and memory return to their initial
//! values and every run works. `SOAK_PROJECTS` sets the number of projects.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use codeflow::{
    protocol::{ProjectId, RunState},
    store::Store,
};
use futures::StreamExt;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};

use super::{
    Server, count,
    model::{Model, Reply},
    template,
};

/// The number of projects, unless `SOAK_PROJECTS` is set.
const PROJECTS: usize = 300;
/// How many are created at the same time.
const MAX_CONCURRENT: usize = 4;
/// How much more than at the beginning may be in use at the end, in percent.
const MARGIN: f64 = 5.0;
/// The warm-up ends with a round that adds less than this to the server's memory, in percent.
const STEADY: f64 = 1.0;
const MAX_WARM_UPS: usize = 5;
/// With fewer projects, one-time growth exceeds the margin: the soak then only proves that
/// everything is swept, and needs no warm-up.
const MEASURABLE: usize = 100;
/// The timeout of each phase: a sweep that hangs is a failure.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Resources in use on this machine, in MB.
#[derive(Debug, Clone, Copy)]
struct Used {
    disk: f64,
    server: f64,
    sandboxes: f64,
}

impl Used {
    fn now(server: &Server) -> Self {
        Self {
            disk: disk(server.data_path()),
            server: server.memory(),
            sandboxes: containers(server.data_path())
                .iter()
                .map(|group| memory(group))
                .sum(),
        }
    }

    fn print(self, when: &str) {
        println!(
            "soak, {when}: disk {:.1} MB, server {:.1} MB, sandboxes {:.1} MB",
            self.disk, self.server, self.sandboxes
        );
    }
}

pub async fn soak() {
    let count = count("SOAK_PROJECTS", PROJECTS);
    let page = "<h1>A page of a usual size</h1>\n".repeat(120);
    let model = Model::start([(
        "Build",
        vec![Reply::write("index.html", &page), Reply::done()],
    )])
    .await;
    let begun = Instant::now();
    let server = Server::start_local(template::data_dir(), &model);
    let store = server.store().await;
    let rounds = if count < MEASURABLE { 0 } else { MAX_WARM_UPS };
    let before = warmed_up(&server, &store, rounds, (count / 5).max(MAX_CONCURRENT)).await;
    before.print("before");
    live(&server, &store, count).await;
    let after = Used::now(&server);
    after.print("after");
    store.close().await;
    let ratio = |of: fn(&Used) -> f64| of(&after) / of(&before);
    let (disk, memory) = (
        ratio(|used| used.disk),
        ratio(|used| used.server + used.sandboxes),
    );
    println!(
        "soak, {count} projects in {:.0} s: disk {disk:.3}, memory {memory:.3} of what it was \
         before (goal: ≤ {:.2})",
        begun.elapsed().as_secs_f64(),
        1.0 + MARGIN / 100.0
    );
    let most = 1.0 + MARGIN / 100.0;
    assert!(
        count < MEASURABLE || (disk <= most && memory <= most),
        "disk or memory did not come back"
    );
}

/// The resources in use after warm-up, once the server has everything that it keeps permanently:
/// connections, caches, and the allocator's reserve. It is warm when another round adds next to
/// nothing.
async fn warmed_up(server: &Server, store: &Store, rounds: usize, count: usize) -> Used {
    let mut before = Used::now(server);
    for number in 1..=rounds {
        live(server, store, count).await;
        let after = Used::now(server);
        let steady = after.server <= before.server * (1.0 + STEADY / 100.0);
        after.print(&format!("after warm-up {number}"));
        before = after;
        if steady {
            break;
        }
    }
    before
}

/// Creates, uses, puts to sleep and sweeps projects.
async fn live(server: &Server, store: &Store, count: usize) {
    let begun = Instant::now();
    let making = futures::stream::iter(0..count)
        .map(|_| build_and_use(server, store))
        .buffer_unordered(MAX_CONCURRENT);
    let projects: Vec<ProjectId> = making.collect().await;
    Used::now(server).print(&format!(
        "{count} made and used, {:.0} s",
        begun.elapsed().as_secs_f64()
    ));
    until("all sleep", || containers(server.data_path()).is_empty()).await;
    Used::now(server).print("all asleep");

    // As if nobody had visited for a month.
    let database = server.database().await;
    let month: i64 = 31 * 24 * 3600 * 1000;
    let age = format!(
        "UPDATE projects SET updated_at = updated_at - {month}, used_at = used_at - {month}"
    );
    database.execute_unprepared(&age).await.unwrap();
    until("the sandboxes of unused projects are gone", || {
        folders(&server.data_path().join("sandboxes")).is_empty()
    })
    .await;
    for project in &projects {
        assert_eq!(store.sandbox_of(*project).await.unwrap(), None);
        assert!(
            store.has_version(*project).await.unwrap(),
            "a version never goes"
        );
    }
    Used::now(server).print("unused sandboxes swept");

    for project in &projects {
        server.delete(*project).await;
    }
    let begun = Instant::now();
    while rows(&database, "projects").await
        + rows(&database, "blobs").await
        + rows(
            &database,
            "pragma_freelist_count() WHERE freelist_count >= 64",
        )
        .await
        > 0
    {
        assert!(
            begun.elapsed() < TIMEOUT,
            "deleted projects or their blobs stay"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    shrunk(&database).await;
    database.close().await.unwrap();
}

/// Waits until the pages that the database gave back have left its file, too: that happens when its
/// log is written into it, which nothing but the next writes would bring about.
async fn shrunk(database: &sea_orm::DatabaseConnection) {
    let begun = Instant::now();
    while number(database, "PRAGMA wal_checkpoint(TRUNCATE)").await != 0 {
        assert!(
            begun.elapsed() < TIMEOUT,
            "the database's log cannot be written into its file"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn build_and_use(server: &Server, store: &Store) -> ProjectId {
    let project = server.create("Build").await;
    let begun = Instant::now();
    let run = loop {
        let run = store.list_runs(project).await.unwrap().remove(0);
        if run.state.is_final() {
            break run;
        }
        assert!(begun.elapsed() < TIMEOUT, "a run does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    if run.state != RunState::Succeeded {
        let messages = store.list_messages(project).await.unwrap();
        panic!("a run failed: {}", messages.last().unwrap().content);
    }
    let sandbox = store.sandbox_of(project).await.unwrap().unwrap();
    // It may have fallen asleep; the first request then wakes it and answers at once.
    let begun = Instant::now();
    loop {
        let page = server.preview(&sandbox).await;
        if page.contains("A page of a usual size") {
            return project;
        }
        assert!(begun.elapsed() < TIMEOUT, "the app does not answer: {page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until(what: &str, mut check: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !check() {
        assert!(begun.elapsed() < TIMEOUT, "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn rows(database: &sea_orm::DatabaseConnection, table: &str) -> i64 {
    number(database, &format!("SELECT count(*) FROM {table}")).await
}

/// The first number that a statement answers.
async fn number(database: &sea_orm::DatabaseConnection, query: &str) -> i64 {
    let query = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, query);
    database
        .query_one_raw(query)
        .await
        .unwrap()
        .unwrap()
        .try_get_by_index(0)
        .unwrap()
}

/// Opens a second connection to the server's database.
pub async fn connect(file: &Path) -> sea_orm::DatabaseConnection {
    let mut options = ConnectOptions::new(format!("sqlite:{}", file.display()));
    options.max_connections(1);
    Database::connect(options).await.unwrap()
}

/// A folder's size on disk, in MB; without mounts below it, and without SQLite's log, which has its
/// own limit.
fn disk(folder: &Path) -> f64 {
    fn blocks(folder: &Path, device: u64) -> u64 {
        let entries = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let of_entry = |entry: fs::DirEntry| {
            let Ok(metadata) = entry.metadata() else {
                return 0;
            };
            let is_log = entry.file_name().to_string_lossy().ends_with("-wal");
            match metadata.dev() == device && !is_log {
                true if metadata.is_dir() => metadata.blocks() + blocks(&entry.path(), device),
                true => metadata.blocks(),
                false => 0,
            }
        };
        entries.map(of_entry).sum()
    }
    let device = fs::metadata(folder).unwrap().dev();
    blocks(folder, device) as f64 * 512.0 / 1e6
}

/// The control groups of the server's containers, as its host records them, including any that no
/// longer belong to a sandbox.
fn containers(data: &Path) -> Vec<PathBuf> {
    let mut notes = folders(Path::new("/run")).into_iter().filter_map(|folder| {
        let note = fs::read(folder.join("host.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&note).ok()
    });
    let is_of =
        |note: &serde_json::Value| Path::new(note["state"].as_str().unwrap()).starts_with(data);
    let note = notes.find(is_of).expect("the host has a note in /run");
    let group = note["cgroup"].as_str().unwrap().trim_start_matches('/');
    // Of cgroup v1, and of v2.
    let groups =
        ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].map(|root| Path::new(root).join(group));
    groups.iter().flat_map(|group| folders(group)).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}

/// A control group's memory, in MB; zero if it has ended meanwhile.
fn memory(group: &Path) -> f64 {
    // Of cgroup v1, and of v2.
    let files = ["memory.usage_in_bytes", "memory.current"];
    let mut used = files
        .iter()
        .filter_map(|file| fs::read_to_string(group.join(file)).ok());
    let used = used.next().unwrap_or_default();
    used.trim().parse::<f64>().unwrap_or_default() / 1e6
}
