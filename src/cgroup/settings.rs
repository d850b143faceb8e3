//! The files that hold a control group's limits, on cgroup v2 and on the older hierarchies.

use std::path::Path;

/// The root folder of control groups.
pub(super) const CGROUPS: &str = "/sys/fs/cgroup";
/// The period of processor quotas, in microseconds.
const PERIOD: u64 = 100_000;

/// This machine's control group hierarchies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hierarchies {
    /// cgroup v2: one hierarchy for all controllers.
    Unified,
    /// cgroup v1: one hierarchy per controller.
    Separate,
}

/// A file of a group, and the value to write to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The hierarchy's folder; empty where there is one for all controllers.
    pub controller: &'static str,
    pub file: &'static str,
    pub value: String,
}

impl Hierarchies {
    pub(super) fn of_machine() -> Self {
        if Path::new(CGROUPS).join("cgroup.controllers").exists() {
            Self::Unified
        } else {
            Self::Separate
        }
    }

    /// The folders of the hierarchies that limits are set in.
    pub(super) fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Unified => &[""],
            Self::Separate => &["memory", "pids", "cpu"],
        }
    }

    fn setting(self, controller: &'static str, file: &'static str, value: String) -> Setting {
        Setting {
            controller: match self {
                Self::Unified => "",
                Self::Separate => controller,
            },
            file,
            value,
        }
    }

    pub(super) fn memory_and_processes(self, memory: u64, processes: u64) -> [Setting; 2] {
        let limit = match self {
            Self::Unified => "memory.max",
            Self::Separate => "memory.limit_in_bytes",
        };
        [
            self.setting("memory", limit, memory.to_string()),
            self.setting("pids", "pids.max", processes.to_string()),
        ]
    }

    pub(super) fn no_swap(self, memory: u64) -> Setting {
        match self {
            Self::Unified => self.setting("memory", "memory.swap.max", "0".to_owned()),
            // Of memory and swap together.
            Self::Separate => {
                self.setting("memory", "memory.memsw.limit_in_bytes", memory.to_string())
            }
        }
    }

    pub(super) fn processors(self, count: u32) -> Vec<Setting> {
        let quota = u64::from(count) * PERIOD;
        match self {
            Self::Unified => vec![self.setting("cpu", "cpu.max", format!("{quota} {PERIOD}"))],
            Self::Separate => vec![
                self.setting("cpu", "cpu.cfs_period_us", PERIOD.to_string()),
                self.setting("cpu", "cpu.cfs_quota_us", quota.to_string()),
            ],
        }
    }

    /// A share of a processor that is short, where 1024 is a usual one.
    pub(super) fn shares(self, shares: u64) -> Setting {
        match self {
            // The scale of v2 is 1 to 10,000 with 100 as a usual one.
            Self::Unified => {
                let weight = (shares * 100 / 1024).clamp(1, 10_000);
                self.setting("cpu", "cpu.weight", weight.to_string())
            }
            Self::Separate => self.setting("cpu", "cpu.shares", shares.to_string()),
        }
    }

    /// The same share of a disk that is short: the file of all of the kernel's schedulers that have
    /// weights, and BFQ's own. Machines have one of them, both or none.
    pub(super) fn disk_shares(self, shares: u64) -> [Setting; 2] {
        // 100 is a usual one in both versions; the oldest scale begins at 10.
        let weight = (shares * 100 / 1024).clamp(10, 1000).to_string();
        let (controller, files) = match self {
            Self::Unified => ("io", ["io.weight", "io.bfq.weight"]),
            Self::Separate => ("blkio", ["blkio.weight", "blkio.bfq.weight"]),
        };
        files.map(|file| self.setting(controller, file, weight.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(settings: &[Setting]) -> Vec<String> {
        let line = |setting: &Setting| {
            let file = Path::new(setting.controller).join(setting.file);
            format!("{} = {}", file.display(), setting.value)
        };
        settings.iter().map(line).collect()
    }

    #[test]
    fn limits_are_written_to_the_files_of_cgroup_v2_and_of_v1() {
        let limits = |hierarchies: Hierarchies| {
            let mut settings = hierarchies.processors(2);
            settings.extend(hierarchies.memory_and_processes(1 << 30, 256));
            settings.extend([hierarchies.no_swap(1 << 30), hierarchies.shares(1024)]);
            settings.extend(hierarchies.disk_shares(1024));
            written(&settings)
        };
        assert_eq!(
            limits(Hierarchies::Unified),
            [
                "cpu.max = 200000 100000",
                "memory.max = 1073741824",
                "pids.max = 256",
                "memory.swap.max = 0",
                "cpu.weight = 100",
                "io.weight = 100",
                "io.bfq.weight = 100",
            ]
        );
        assert_eq!(
            limits(Hierarchies::Separate),
            [
                "cpu/cpu.cfs_period_us = 100000",
                "cpu/cpu.cfs_quota_us = 200000",
                "memory/memory.limit_in_bytes = 1073741824",
                "pids/pids.max = 256",
                "memory/memory.memsw.limit_in_bytes = 1073741824",
                "cpu/cpu.shares = 1024",
                "blkio/blkio.weight = 100",
                "blkio/blkio.bfq.weight = 100",
            ]
        );
        assert_eq!(Hierarchies::Unified.folders(), [""]);
    }

    #[test]
    fn the_smallest_share_is_the_least_weight_and_a_huge_one_the_most() {
        let weight = |shares| Hierarchies::Unified.shares(shares).value;
        assert_eq!(
            (weight(2), weight(1 << 20)),
            ("1".to_owned(), "10000".to_owned())
        );
    }
}
