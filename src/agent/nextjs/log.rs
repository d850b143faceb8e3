//! The levels of the dev server's log lines.

use crate::protocol::LogLevel;

/// The level of a line, by Next.js' marks; other servers write it as a word.
pub fn level_of(line: &str) -> LogLevel {
    let line = line.trim_start();
    let is_error = line.starts_with('⨯')
        || line.split([':', ' ']).next().is_some_and(|first| {
            first.ends_with("Error") || matches!(first, "ERROR" | "error" | "Uncaught")
        });
    if is_error {
        LogLevel::Error
    } else if line.starts_with('⚠') || line.to_ascii_lowercase().starts_with("warn") {
        LogLevel::Warning
    } else {
        LogLevel::Message
    }
}
