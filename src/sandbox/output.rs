//! How a command ended: what it wrote, and which processes outlived it.

use serde::Deserialize;

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// -1 when a signal ended it.
    pub exit_code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Where the middle of an output of more than 1 MiB is left out.
    pub stdout_gap: Option<Gap>,
    pub stderr_gap: Option<Gap>,
    /// It was killed at its time limit.
    pub timed_out: bool,
    /// What it started that outlived it.
    pub left: Left,
}

/// A piece of an output that was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its place in what was kept, in bytes.
    pub at: usize,
    /// How long it is.
    pub bytes: u64,
}

/// The processes that a command started and that did not end with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Left {
    pub running: Vec<RunningProcess>,
    /// Those that were killed, at the time limit or because they were too many.
    pub ended: Vec<RunningProcess>,
}

/// A process of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunningProcess {
    pub pid: u32,
    /// Its command line.
    pub command: String,
}
