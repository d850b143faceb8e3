//! The outcome of a command: its output, and the processes that outlived it.

use serde::Deserialize;

/// The outcome of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// -1 when a signal ended it.
    pub exit_code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Where the middle of an output over 1 MiB was left out.
    pub stdout_gap: Option<Gap>,
    pub stderr_gap: Option<Gap>,
    /// Whether it was killed at its time limit.
    pub timed_out: bool,
    /// The processes that outlived it.
    pub left: Left,
}

/// A part of an output that was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its offset in the kept output, in bytes.
    pub at: usize,
    /// Its length.
    pub bytes: u64,
}

/// Processes that a command started and that did not end with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Left {
    pub running: Vec<RunningProcess>,
    /// Processes that were killed, at the time limit or because there were too many.
    pub ended: Vec<RunningProcess>,
}

/// A process of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunningProcess {
    pub pid: u32,
    /// Its command line.
    pub command: String,
}
