//! The output of the app's page and of its dev server, for the preview's console.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warning,
    Message,
    /// A request that failed.
    Network,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevLine {
    pub level: LogLevel,
    pub text: String,
}

/// A part of the dev server's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevLog {
    /// Whether the sandbox keeps a log.
    pub is_kept: bool,
    /// The offset of the next part, in bytes.
    pub next: u64,
    /// Whole lines from the requested offset; only the newest if there are too many.
    pub lines: Vec<DevLine>,
}
