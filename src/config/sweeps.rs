//! Settings of the sweep: how long unneeded data is kept, and how much disk space stays free.

use std::{path::PathBuf, time::Duration};

use super::{ConfigError, Env};

const DAY: u64 = 24 * 3600;

/// The retention times and the disk to watch.
#[derive(Debug, Clone)]
pub struct Sweeps {
    /// The time between two sweeps (`SWEEP_SECONDS`).
    pub interval: Duration,
    /// How long a project may be unused before its sandbox is removed (`SANDBOX_KEEP_DAYS`); its
    /// versions stay.
    pub sandboxes: Duration,
    /// How long the step outputs and events of a finished run are kept (`RUN_KEEP_DAYS`).
    pub runs: Duration,
    /// The disk of this machine's sandboxes; `None` if another machine hosts them.
    pub disk: Option<Disk>,
}

/// A disk that must not fill up.
#[derive(Debug, Clone)]
pub struct Disk {
    /// A folder on it.
    pub folder: PathBuf,
    /// The bytes to keep free (`DISK_FREE_MB`); `None` for 2 GiB or 5 % of the disk, whichever is
    /// more.
    pub free: Option<u64>,
}

impl Sweeps {
    /// `folder`: where this machine stores sandboxes, if it does.
    pub fn from_env(env: &Env, folder: Option<PathBuf>) -> Result<Self, ConfigError> {
        let days = |name| {
            env.parsed(name, 30, "a number of days from 1 to 36500", |days| {
                (1..=36_500).contains(days)
            })
        };
        let free: u64 = env.parsed(
            "DISK_FREE_MB",
            0,
            "MiB that stay free on the disk of the sandboxes",
            |_| true,
        )?;
        let free = env
            .var("DISK_FREE_MB")
            .map(|_| free.saturating_mul(1 << 20));
        Ok(Self {
            interval: Duration::from_secs(env.parsed(
                "SWEEP_SECONDS",
                3600,
                "seconds between two sweeps, from 1 to 86400",
                |seconds| (1..=DAY).contains(seconds),
            )?),
            sandboxes: Duration::from_secs(days("SANDBOX_KEEP_DAYS")? * DAY),
            runs: Duration::from_secs(days("RUN_KEEP_DAYS")? * DAY),
            disk: folder.map(|folder| Disk { folder, free }),
        })
    }
}
