//! How much of the machine all sandboxes together may use, so that the server beside them always
//! has enough.

use std::fs;

use crate::{
    cgroup::{self, Cgroup},
    config,
};

/// The memory reserved for the server and the machine: this fraction, and at least this many bytes.
const RESERVED_PART: f64 = 0.15;
const MIN_RESERVED: u64 = 1 << 30;
/// Even on a small machine, the sandboxes get at least this fraction (one in `MIN_PART`) of it.
const MIN_PART: u64 = 3;

/// Limits for all sandboxes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Bytes.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
}

impl Capacity {
    /// From the settings, or else from the machine's size.
    pub(super) fn of(settings: &config::SandboxHost) -> Self {
        let processes = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"]
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok())
            .min();
        Self {
            memory: settings.total_memory_mb.map_or_else(
                || share_of(memory_of_machine()),
                |megabytes| megabytes << 20,
            ),
            processes: settings
                .total_pids
                .or(processes.map(|most| most / 2))
                .unwrap_or(16_384),
        }
    }
}

/// The sandboxes' memory on a machine with this much memory, in bytes.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a size, rounded"
)]
fn share_of(machine: u64) -> u64 {
    let reserved = ((machine as f64 * RESERVED_PART) as u64).max(MIN_RESERVED);
    machine.saturating_sub(reserved).max(machine / MIN_PART)
}

/// The memory of this machine, or of the control group that confines it, in bytes.
pub(super) fn memory_of_machine() -> u64 {
    let limit = Cgroup::new(cgroup::base())
        .memory_limit()
        .unwrap_or(u64::MAX);
    meminfo("MemTotal:").unwrap_or(0).min(limit)
}

/// The memory available to programs at the moment, in bytes; `None` if the kernel doesn't report
/// it.
pub(super) fn available_memory() -> Option<u64> {
    meminfo("MemAvailable:")
}

fn meminfo(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_keeps_its_share_of_a_large_machine_and_of_a_small_one() {
        const GB: u64 = 1 << 30;
        assert_eq!(share_of(100 * GB), 85 * GB);
        assert_eq!(share_of(4 * GB), 3 * GB);
        assert_eq!(share_of(GB), GB / 3);
        assert!(memory_of_machine() > 0 && available_memory() < Some(memory_of_machine() + GB));
    }
}
