//! What sandboxes use, read off their control groups every few seconds.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    record::{now, rfc3339},
    sandboxes::{Sandbox, Sandboxes},
};
use crate::cgroup::Usage;

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
            for sandbox in host.all() {
                host.sample(&sandbox, round.is_multiple_of(FILES_EVERY));
            }
        });
        if let Err(error) = sampled.await {
            tracing::warn!(%error, "the sandboxes' use can't be read");
        }
    }
}

impl Sandboxes {
    fn sample(&self, sandbox: &Sandbox, count_files: bool) {
        let Some(usage) = self.cgroup_of(sandbox).and_then(|cgroup| cgroup.usage()) else {
            return;
        };
        let (settings, layer) = (self.settings(), sandbox.layer());
        let limits = Limits {
            cpu_count: settings.cpu_count(),
            memory: settings.memory_mb << 20,
            disk: layer.size(),
        };
        sandbox
            .metrics()
            .sample(usage, limits, count_files.then(|| layer.used()));
    }

    /// What the sandbox used when it was looked at last, as envd's own `/metrics` tells it: Unix
    /// time in seconds, and bytes.
    pub(super) async fn moment(self: &Arc<Self>, sandbox: &Arc<Sandbox>) -> Value {
        if sandbox.metrics().last().is_none() {
            let (host, sandbox) = (self.clone(), sandbox.clone());
            let _ = tokio::task::spawn_blocking(move || host.sample(&sandbox, true)).await;
        }
        let Some(last) = sandbox.metrics().last() else {
            return json!({});
        };
        json!({
            "ts": last.timestamp_unix,
            "cpu_count": last.cpu_count,
            "cpu_used_pct": last.cpu_used_pct,
            "mem_total": last.mem_total,
            "mem_used": last.mem_used,
            "mem_cache": last.mem_cache,
            "disk_used": last.disk_used,
            "disk_total": last.disk_total,
        })
    }
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
    /// Keeps what is used at this moment; `disk_used` when its files were counted.
    fn sample(&self, usage: Usage, limits: Limits, disk_used: Option<u64>) {
        if let Some(size) = disk_used {
            self.disk_used.store(size, Ordering::Relaxed);
        }
        let at = Instant::now();
        let before = self
            .before
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace((usage.cpu, at));
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let cpu_used_pct = before.map_or(0.0, |(cpu_before, then)| {
            let available = (at - then).as_nanos() as f64 * f64::from(limits.cpu_count);
            (usage.cpu.saturating_sub(cpu_before) as f64 / available.max(1.0) * 1000.0).round()
                / 10.0
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
            mem_used: usage.memory,
            mem_total: limits.memory,
            mem_cache: usage.cache,
            disk_used: self.disk_used.load(Ordering::Relaxed),
            disk_total: limits.disk,
        });
    }

    /// The samples between two moments (Unix time in seconds), oldest first.
    pub(super) fn between(&self, start: Option<u64>, end: Option<u64>) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |sample: &&Sample| {
            start.is_none_or(|start| sample.timestamp_unix >= start)
                && end.is_none_or(|end| sample.timestamp_unix <= end)
        };
        samples.iter().filter(fits).cloned().collect()
    }

    pub(super) fn last(&self) -> Option<Sample> {
        self.samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .back()
            .cloned()
    }
}
