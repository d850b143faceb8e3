//! A sandbox's log, for its owner: its life cycle, and refused connections.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::clock::{now, rfc3339};

/// The maximum number of lines; older ones are dropped.
const MAX_LINES: usize = 1000;

/// The latest lines.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Mutex<VecDeque<Line>>,
}

#[derive(Debug, Clone)]
struct Line {
    /// Unix time in milliseconds.
    at: u64,
    level: &'static str,
    message: String,
}

/// The lines to read.
#[derive(Debug, Clone, Default)]
pub(super) struct LogFilter {
    /// Only lines from this moment on, or before it: Unix time in milliseconds.
    pub cursor: Option<u64>,
    pub backward: bool,
    pub limit: usize,
    pub level: Option<String>,
    pub search: Option<String>,
}

impl Log {
    pub(super) fn info(&self, message: impl Into<String>) {
        self.push("info", message.into());
    }

    pub(super) fn warn(&self, message: impl Into<String>) {
        self.push("warn", message.into());
    }

    fn push(&self, level: &'static str, message: String) {
        let mut lines = self.lines.lock();
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(Line {
            at: now(),
            level,
            message,
        });
    }

    /// The lines that match, as E2B's API has them.
    pub(super) fn read(&self, filter: &LogFilter) -> Vec<Value> {
        let lines = self.lines.lock();
        let fits = |line: &&Line| {
            let in_time = match filter.cursor {
                None => true,
                Some(cursor) if filter.backward => line.at <= cursor,
                Some(cursor) => line.at >= cursor,
            };
            let rank = |level: &str| {
                ["debug", "info", "warn", "error"]
                    .iter()
                    .position(|other| *other == level)
            };
            in_time
                && filter
                    .level
                    .as_deref()
                    .is_none_or(|level| rank(line.level) >= rank(level))
                && filter
                    .search
                    .as_ref()
                    .is_none_or(|text| line.message.contains(text.as_str()))
        };
        let to_json = |line: &Line| json!({ "timestamp": rfc3339(line.at), "message": line.message, "level": line.level, "fields": {} });
        if filter.backward {
            lines
                .iter()
                .rev()
                .filter(fits)
                .take(filter.limit)
                .map(to_json)
                .collect()
        } else {
            lines
                .iter()
                .filter(fits)
                .take(filter.limit)
                .map(to_json)
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_from_either_end_by_level_and_words() {
        let log = Log::default();
        log.info("created");
        log.warn("a.com:443 was refused");
        let read = |filter: LogFilter| {
            let lines = log.read(&LogFilter {
                limit: 10,
                ..filter
            });
            lines
                .iter()
                .map(|line| line["message"].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read(LogFilter::default()),
            ["\"created\"", "\"a.com:443 was refused\""]
        );
        let backward = LogFilter {
            backward: true,
            ..LogFilter::default()
        };
        assert_eq!(read(backward), ["\"a.com:443 was refused\"", "\"created\""]);
        let level = Some("warn".to_owned());
        assert_eq!(
            read(LogFilter {
                level,
                ..LogFilter::default()
            }),
            ["\"a.com:443 was refused\""]
        );
        let search = Some("creat".to_owned());
        assert_eq!(
            read(LogFilter {
                search,
                ..LogFilter::default()
            }),
            ["\"created\""]
        );
        for count in 0..2 * MAX_LINES {
            log.info(count.to_string());
        }
        assert_eq!(log.lines.lock().len(), MAX_LINES);
    }
}
