//! What sandboxes use, read off their control groups every few seconds.

use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nix::sys::statvfs::statvfs;
use serde::Serialize;

use super::{
    record::{now, rfc3339},
    sandboxes::Sandboxes,
};

/// Between two samples.
const EVERY: Duration = Duration::from_secs(5);
/// A sandbox's files are counted once in so many samples.
const FILES_EVERY: u32 = 6;
/// An hour of samples, one in 5 seconds.
const MAX_SAMPLES: usize = 720;

/// One moment, as E2B's API tells it; sizes in bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sample {
    timestamp: String,
    /// Unix time in seconds.
    timestamp_unix: u64,
    cpu_count: u32,
    /// Of all the processors it may use.
    cpu_used_pct: f64,
    mem_used: u64,
    mem_total: u64,
    mem_cache: u64,
    disk_used: u64,
    disk_total: u64,
}

/// A sandbox's limits, which its use is measured against.
#[derive(Debug, Clone, Copy)]
struct Limits {
    cpu_count: u32,
    /// Bytes.
    memory: u64,
    /// Bytes.
    disk: u64,
}

/// Takes samples of all running sandboxes until the host stops.
pub(super) async fn keep_sampling(host: Arc<Sandboxes>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0_u32.. {
        tokio::select! {
            _ = tick.tick() => {}
            () = host.stopping() => return,
        }
        let host = host.clone();
        let sampled = tokio::task::spawn_blocking(move || {
            let settings = host.settings();
            let limits = Limits {
                cpu_count: settings.cpu_count(),
                memory: settings.memory_mb << 20,
                disk: disk_size(&settings.data_dir),
            };
            for sandbox in host.all() {
                sandbox.metrics().sample(&host.cgroup_of(&sandbox), limits, || {
                    round.is_multiple_of(FILES_EVERY).then(|| size_of_files(&sandbox.layer()))
                });
            }
        });
        if let Err(error) = sampled.await {
            tracing::warn!(%error, "the sandboxes' use can't be read");
        }
    }
}

/// The size in bytes of the file system that the folder is on; 0 when it can't be told.
pub(super) fn disk_size(folder: &Path) -> u64 {
    statvfs(folder).map_or(0, |disk| disk.blocks() * disk.fragment_size())
}

/// What the folder's files take on the disk, in bytes.
fn size_of_files(folder: &Path) -> u64 {
    let (mut size, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.metadata() else {
                continue;
            };
            size += kind.blocks() * 512;
            if kind.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    size
}

/// The samples of one sandbox.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    samples: Mutex<VecDeque<Sample>>,
    /// The processor time used so far, in nanoseconds, and when that was read.
    before: Mutex<Option<(u64, Instant)>>,
    /// In bytes, when it was counted last.
    disk_used: AtomicU64,
}

impl Metrics {
    /// Reads the control group (its path below the hierarchies' roots) and keeps what it says. One that is gone says nothing.
    /// `count_files` tells the size of its files where they are to be counted.
    fn sample(&self, cgroup: &Path, limits: Limits, count_files: impl FnOnce() -> Option<u64>) {
        let Some((cpu, used, cache)) = read(cgroup) else {
            return;
        };
        if let Some(size) = count_files() {
            self.disk_used.store(size, Ordering::Relaxed);
        }
        let at = Instant::now();
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).replace((cpu, at));
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let cpu_used_pct = before.map_or(0.0, |(cpu_before, then)| {
            let available = (at - then).as_nanos() as f64 * f64::from(limits.cpu_count);
            (cpu.saturating_sub(cpu_before) as f64 / available.max(1.0) * 1000.0).round() / 10.0
        });
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == MAX_SAMPLES {
            samples.pop_front();
        }
        samples.push_back(Sample {
            timestamp: rfc3339(now()),
            timestamp_unix: now() / 1000,
            cpu_count: limits.cpu_count,
            cpu_used_pct,
            mem_used: used,
            mem_total: limits.memory,
            mem_cache: cache,
            disk_used: self.disk_used.load(Ordering::Relaxed),
            disk_total: limits.disk,
        });
    }

    /// The samples between two moments (Unix time in seconds), oldest first.
    pub(super) fn between(&self, start: Option<u64>, end: Option<u64>) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |sample: &&Sample| {
            start.is_none_or(|start| sample.timestamp_unix >= start) && end.is_none_or(|end| sample.timestamp_unix <= end)
        };
        samples.iter().filter(fits).cloned().collect()
    }

    pub(super) fn last(&self) -> Option<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }
}

/// Processor time in nanoseconds, memory in use and memory that only caches files, in bytes.
fn read(cgroup: &Path) -> Option<(u64, u64, u64)> {
    let root = Path::new("/sys/fs/cgroup");
    let below = |hierarchy: &str| root.join(hierarchy).join(cgroup.strip_prefix("/").unwrap_or(cgroup));
    let unified = below("");
    if unified.join("memory.current").exists() {
        let cpu = field(&unified.join("cpu.stat"), "usage_usec")? * 1000;
        let cache = field(&unified.join("memory.stat"), "file")?;
        return Some((cpu, number(unified.join("memory.current"))?.saturating_sub(cache), cache));
    }
    let memory = below("memory");
    let cpu = number(below("cpuacct").join("cpuacct.usage"))?;
    let cache = field(&memory.join("memory.stat"), "total_cache")?;
    Some((cpu, number(memory.join("memory.usage_in_bytes"))?.saturating_sub(cache), cache))
}

fn number(path: PathBuf) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The value of a line `<name> <number>`.
fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}
