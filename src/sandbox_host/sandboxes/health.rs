//! A sandbox's health, as the watchdog sees it: requests waiting for the app's server, crashes of
//! that server, and the notice about the latest problem, which the preview shows.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::Serialize;

use crate::sandbox_host::{
    clock::{now, rfc3339},
    envd::dev_server::Report,
};

/// How long a notice is shown.
const NOTICE_AGE: Duration = Duration::from_secs(10 * 60);
/// The same notice within this time is not repeated.
const REPETITION: Duration = Duration::from_secs(30);
/// Problems of a kind within this time are counted together.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// From this many of them on, the app counts as failing.
const MANY: usize = 3;

/// A problem, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::sandbox_host) struct Notice {
    /// One or two sentences for the app's user; a few lines of the dev server's output may follow.
    pub message: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// Whether the problem persists: the app can't be shown, or not for long.
    pub failing: bool,
}

/// The watchdog's knowledge of a sandbox.
#[derive(Debug, Default)]
pub(in crate::sandbox_host) struct Health {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The port of the template's server.
    port: Option<u16>,
    /// The latest report.
    report: Report,
    /// The number of processes that the kernel had killed for lack of memory at that time.
    kills: u64,
    /// The recent times when memory ran out, and when the server hung.
    out_of_memory: Vec<Instant>,
    hung: Vec<Instant>,
    notice: Option<(Instant, Notice)>,
    /// Unanswered requests to the server's port, by number, with their start times.
    waiting: BTreeMap<u64, Instant>,
    next_request: u64,
    /// When the server last answered a request.
    answered: Option<Instant>,
}

/// A request to the app's server, until it is answered or abandoned.
pub(in crate::sandbox_host) struct Waiting<'a> {
    health: &'a Health,
    number: u64,
}

impl Waiting<'_> {
    /// Records that the server has answered.
    pub(in crate::sandbox_host) fn answered(self) {
        self.health.server_answers();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.health.state.lock().waiting.remove(&self.number);
    }
}

/// News in a report, compared with the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    OutOfMemory,
    PortTaken(String),
    KeepsEnding {
        ends: u32,
        how: String,
        last_words: String,
    },
    Stopped,
    Pipes(Vec<String>),
}

impl Health {
    /// Records that its container is starting, with a server on this port. `kills`: the number of
    /// its processes that the kernel had killed before.
    pub(super) fn booted(&self, port: Option<u16>, kills: Option<u64>) {
        let mut state = self.state.lock();
        state.port = port;
        state.report = Report::default();
        state.kills = kills.unwrap_or(0);
        state.waiting.clear();
        state.answered = None;
    }

    /// Registers a request to a port; `None` if that is not the server's.
    pub(in crate::sandbox_host) fn wait_for(&self, port: u16) -> Option<Waiting<'_>> {
        let mut state = self.state.lock();
        if state.port != Some(port) {
            return None;
        }
        let number = state.next_request;
        state.next_request += 1;
        state.waiting.insert(number, Instant::now());
        Some(Waiting {
            health: self,
            number,
        })
    }

    /// Records that the server has answered a request of the watchdog.
    pub(super) fn server_answers(&self) {
        self.state.lock().answered = Some(Instant::now());
    }

    /// The server's port.
    pub(super) fn port(&self) -> Option<u16> {
        self.state.lock().port
    }

    /// How long the oldest request has been waiting while the server answered none.
    pub(super) fn silent_for(&self) -> Duration {
        let state = self.state.lock();
        let oldest = state.waiting.values().next().copied();
        oldest.map_or(Duration::ZERO, |since| {
            state
                .answered
                .map_or(since, |answered| answered.max(since))
                .elapsed()
        })
    }

    /// The news in a report, and in the kernel's count of processes killed for lack of memory.
    pub(super) fn compare(&self, report: Report, kills: Option<u64>) -> Option<Trouble> {
        let mut state = self.state.lock();
        let before = std::mem::replace(&mut state.report, report.clone());
        let out_of_memory =
            kills.is_some_and(|kills| kills > std::mem::replace(&mut state.kills, kills));
        if report.ends > before.ends {
            if out_of_memory || report.out_of_memory {
                return Some(Trouble::OutOfMemory);
            }
            if !report.port_takers.is_empty() {
                return Some(Trouble::PortTaken(report.port_takers.join(", ")));
            }
            if report.ends_in_a_row as usize >= MANY {
                return Some(Trouble::KeepsEnding {
                    ends: report.ends_in_a_row,
                    how: report.last_end,
                    last_words: report.last_words,
                });
            }
        }
        if report.continued > before.continued {
            return Some(Trouble::Stopped);
        }
        (!report.pipes.is_empty()).then_some(Trouble::Pipes(report.pipes))
    }

    /// Counts another time that memory ran out; returns the recent count.
    pub(super) fn count_out_of_memory(&self) -> usize {
        lately(&mut self.state.lock().out_of_memory)
    }

    /// Counts another time that the server hung; returns the recent count.
    pub(super) fn count_hung(&self) -> usize {
        lately(&mut self.state.lock().hung)
    }

    /// Replaces the notice; `false` if it said the same a moment ago.
    pub(super) fn say(&self, message: String, failing: bool) -> bool {
        let mut state = self.state.lock();
        if let Some((at, said)) = &state.notice
            && at.elapsed() < REPETITION
            && said.message == message
            && said.failing == failing
        {
            return false;
        }
        let at = rfc3339(now());
        state.notice = Some((
            Instant::now(),
            Notice {
                message,
                at,
                failing,
            },
        ));
        true
    }

    /// The current notice. If the server has answered since, it is no longer failing.
    pub(in crate::sandbox_host) fn notice(&self) -> Option<Notice> {
        let state = self.state.lock();
        let (at, notice) = state
            .notice
            .as_ref()
            .filter(|(at, _)| at.elapsed() < NOTICE_AGE)?;
        let answers = state.answered.is_some_and(|answered| answered > *at);
        Some(Notice {
            failing: notice.failing && !answers,
            ..notice.clone()
        })
    }
}

/// Adds one, and forgets old ones.
fn lately(times: &mut Vec<Instant>) -> usize {
    times.retain(|time| time.elapsed() < WINDOW);
    times.push(Instant::now());
    times.len()
}

/// Whether this many recent problems of a kind mean that they persist.
pub(super) fn is_many(count: usize) -> bool {
    count >= MANY
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_compared_with_the_one_before() {
        let health = Health::default();
        health.booted(Some(3000), Some(1));
        let report = |ends, ends_in_a_row| Report {
            ends,
            ends_in_a_row,
            last_end: "exit code 1".to_owned(),
            ..Report::default()
        };
        assert_eq!(health.compare(report(0, 0), Some(1)), None);
        assert_eq!(health.compare(report(1, 1), Some(1)), None);
        assert_eq!(
            health.compare(report(2, 2), Some(2)),
            Some(Trouble::OutOfMemory)
        );
        let keeps_ending = Trouble::KeepsEnding {
            ends: 3,
            how: "exit code 1".to_owned(),
            last_words: String::new(),
        };
        assert_eq!(health.compare(report(3, 3), Some(2)), Some(keeps_ending));
        assert_eq!(
            health.compare(report(3, 3), Some(3)),
            None,
            "another process ran out of memory"
        );
        let heap = Report {
            out_of_memory: true,
            ..report(4, 1)
        };
        assert_eq!(health.compare(heap, None), Some(Trouble::OutOfMemory));
    }

    #[test]
    fn a_server_is_silent_while_requests_wait_and_none_is_answered() {
        let health = Health::default();
        health.booted(Some(3000), None);
        assert!(health.wait_for(3001).is_none());
        assert_eq!(health.silent_for(), Duration::ZERO);
        let (first, second) = (
            health.wait_for(3000).unwrap(),
            health.wait_for(3000).unwrap(),
        );
        std::thread::sleep(Duration::from_millis(20));
        let silent = health.silent_for();
        assert!(silent >= Duration::from_millis(20));
        second.answered();
        assert!(health.silent_for() < silent, "it answers others");
        drop(first);
        assert_eq!(health.silent_for(), Duration::ZERO);
    }

    #[test]
    fn a_failure_is_one_until_the_server_answers() {
        let health = Health::default();
        health.booted(Some(3000), None);
        assert_eq!(health.notice(), None);
        health.say("It failed.".to_owned(), true);
        assert!(health.notice().unwrap().failing);
        health.wait_for(3000).unwrap().answered();
        let notice = health.notice().unwrap();
        assert!(!notice.failing && notice.message == "It failed.");
    }
}
