//! What the app's page and its dev server say, as the preview's console shows it.

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
    /// Whether the sandbox keeps such a log.
    pub is_kept: bool,
    /// Where the next part begins, in bytes.
    pub next: u64,
    /// The whole lines from where it was asked for, the newest where there are too many.
    pub lines: Vec<DevLine>,
}
