//! What the dev server prints: the levels of its lines, and how it says that another one runs.

use crate::protocol::LogLevel;

/// What it says instead of starting beside another one.
pub const ALREADY_RUNS: &str = "Another next dev server is already running";
/// The lines of advice to end the other one begin like this, in lower case.
const ADVICE: [&str; 5] = [
    "or run kill",
    "run kill",
    "kill ",
    "- pid:",
    "stop the other server",
];

/// Whether the line is part of the advice to end another dev server.
pub fn is_advice(line: &str) -> bool {
    let line = line.trim_start().to_ascii_lowercase();
    ADVICE.iter().any(|advice| line.starts_with(advice))
}

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
