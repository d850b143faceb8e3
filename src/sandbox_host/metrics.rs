//! A sandbox's usage over time; `sandboxes` takes the samples.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use super::clock::{now, rfc3339};
use crate::cgroup::Usage;

/// An hour of samples, one every 5 seconds.
const MAX_SAMPLES: usize = 720;

/// One moment, as E2B's API has it; sizes in bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sample {
    timestamp: String,
    /// Unix time in seconds.
    timestamp_unix: u64,
    cpu_count: u32,
    /// In percent of all the processors it may use.
    cpu_used_pct: f64,
    mem_used: u64,
    mem_total: u64,
    mem_cache: u64,
    disk_used: u64,
    disk_total: u64,
}

/// A sandbox's limits, to relate its usage to.
#[derive(Debug, Clone, Copy)]
pub(super) struct SandboxLimits {
    pub cpu_count: u32,
    /// Bytes.
    pub memory: u64,
    /// Bytes.
    pub disk: u64,
}

impl Sample {
    /// In the format of envd's own `/metrics`: Unix time in seconds, and bytes.
    pub(super) fn to_envd(&self) -> Value {
        json!({
            "ts": self.timestamp_unix,
            "cpu_count": self.cpu_count,
            "cpu_used_pct": self.cpu_used_pct,
            "mem_total": self.mem_total,
            "mem_used": self.mem_used,
            "mem_cache": self.mem_cache,
            "disk_used": self.disk_used,
            "disk_total": self.disk_total,
        })
    }
}

/// The samples of one sandbox.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    samples: Mutex<VecDeque<Sample>>,
    /// The last reading: processor time in nanoseconds, and when it was read.
    before: Mutex<Option<(u64, Instant)>>,
    /// In bytes, as last counted.
    disk_used: AtomicU64,
}

impl Metrics {
    /// Adds a sample; `disk_used` is given if the files were counted.
    pub(super) fn sample(&self, usage: Usage, limits: SandboxLimits, disk_used: Option<u64>) {
        if let Some(size) = disk_used {
            self.disk_used.store(size, Ordering::Relaxed);
        }
        let at = Instant::now();
        let before = self.before.lock().replace((usage.cpu, at));
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let cpu_used_pct = before.map_or(0.0, |(cpu_before, then)| {
            let available = (at - then).as_nanos() as f64 * f64::from(limits.cpu_count);
            (usage.cpu.saturating_sub(cpu_before) as f64 / available.max(1.0) * 1000.0).round()
                / 10.0
        });
        let mut samples = self.samples.lock();
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
        let samples = self.samples.lock();
        let fits = |sample: &&Sample| {
            start.is_none_or(|start| sample.timestamp_unix >= start)
                && end.is_none_or(|end| sample.timestamp_unix <= end)
        };
        samples.iter().filter(fits).cloned().collect()
    }

    pub(super) fn last(&self) -> Option<Sample> {
        self.samples.lock().back().cloned()
    }
}
