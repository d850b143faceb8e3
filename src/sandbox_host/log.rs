//! What happened to a sandbox, for its owner to read: its life, and the connections it was refused.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::clock::{now, rfc3339};

/// Older lines are dropped.
const MAX_LINES: usize = 1000;

/// The last lines.
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

/// Which lines somebody wants.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// From this moment on, or back: Unix time in milliseconds.
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
        let mut lines = self.lock();
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(Line {
            at: now(),
            level,
            message,
        });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wanted lines as E2B's API tells them.
    pub(super) fn read(&self, wanted: &Wanted) -> Vec<Value> {
        let lines = self.lock();
        let fits = |line: &&Line| {
            let in_time = match wanted.cursor {
                None => true,
                Some(cursor) if wanted.backward => line.at <= cursor,
                Some(cursor) => line.at >= cursor,
            };
            let rank = |level: &str| {
                ["debug", "info", "warn", "error"]
                    .iter()
                    .position(|other| *other == level)
            };
            in_time
                && wanted
                    .level
                    .as_deref()
                    .is_none_or(|level| rank(line.level) >= rank(level))
                && wanted
                    .search
                    .as_ref()
                    .is_none_or(|text| line.message.contains(text.as_str()))
        };
        let told = |line: &Line| json!({ "timestamp": rfc3339(line.at), "message": line.message, "level": line.level, "fields": {} });
        if wanted.backward {
            lines
                .iter()
                .rev()
                .filter(fits)
                .take(wanted.limit)
                .map(told)
                .collect()
        } else {
            lines
                .iter()
                .filter(fits)
                .take(wanted.limit)
                .map(told)
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
        let read = |wanted: Wanted| {
            let lines = log.read(&Wanted {
                limit: 10,
                ..wanted
            });
            lines
                .iter()
                .map(|line| line["message"].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read(Wanted::default()),
            ["\"created\"", "\"a.com:443 was refused\""]
        );
        let backward = Wanted {
            backward: true,
            ..Wanted::default()
        };
        assert_eq!(read(backward), ["\"a.com:443 was refused\"", "\"created\""]);
        let level = Some("warn".to_owned());
        assert_eq!(
            read(Wanted {
                level,
                ..Wanted::default()
            }),
            ["\"a.com:443 was refused\""]
        );
        let search = Some("creat".to_owned());
        assert_eq!(
            read(Wanted {
                search,
                ..Wanted::default()
            }),
            ["\"created\""]
        );
        for count in 0..2 * MAX_LINES {
            log.info(count.to_string());
        }
        assert_eq!(log.lock().len(), MAX_LINES);
    }
}
