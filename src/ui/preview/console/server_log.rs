//! The dev server's log, fetched in parts while it is shown.

use std::{collections::VecDeque, time::Duration};

use leptos::prelude::*;

use super::entries::Entry;
use crate::{
    api::preview::read_dev_log,
    protocol::{DevLog, ProjectId},
};

/// The interval between two fetches.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How many lines are kept.
const MAX_LINES: usize = 1000;

#[derive(Clone, Copy)]
pub struct ServerLog {
    pub entries: RwSignal<VecDeque<Entry>>,
    /// The state after the last fetch: whether there is a log, or why there is no answer.
    state: RwSignal<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fetching,
    Kept,
    NotKept,
    Unreachable,
}

impl ServerLog {
    /// Fetches while `is_shown`.
    pub fn new(project: ProjectId, is_shown: RwSignal<bool>) -> Self {
        let log = Self {
            entries: RwSignal::new(VecDeque::new()),
            state: RwSignal::new(State::Fetching),
        };
        let next = StoredValue::new(0_u64);
        let turn = RwSignal::new(0_u32);
        Effect::new(move || {
            turn.track();
            if !is_shown.get() {
                return;
            }
            leptos::task::spawn_local_scoped_with_cancellation(async move {
                match read_dev_log(project, next.get_value()).await {
                    Ok(part) => {
                        next.set_value(part.next);
                        log.take(part);
                    }
                    Err(_) => log.state.set(State::Unreachable),
                }
                set_timeout(
                    move || {
                        turn.try_update(|turn| *turn = turn.wrapping_add(1));
                    },
                    POLL_INTERVAL,
                );
            });
        });
        log
    }

    fn take(self, part: DevLog) {
        self.state.set(match part.is_kept {
            true => State::Kept,
            false => State::NotKept,
        });
        if part.lines.is_empty() {
            return;
        }
        self.entries.update(|rows| {
            let first = rows.back().map_or(0, |entry| entry.number + 1);
            let numbered = part.lines.into_iter().zip(first..);
            rows.extend(numbered.map(|(line, number)| Entry {
                number,
                level: line.level,
                text: line.text,
                count: 1,
            }));
            let extra = rows.len().saturating_sub(MAX_LINES);
            rows.drain(..extra);
        });
    }

    /// The note while there are no lines.
    pub fn note(self) -> &'static str {
        match self.state.get() {
            State::Fetching => "Reading the dev server's log…",
            State::Kept => "Nothing here. What the dev server prints shows up as it happens.",
            State::NotKept => "This sandbox keeps no log of its dev server.",
            State::Unreachable => {
                "The dev server's log can't be read right now; CodeFlow keeps trying."
            }
        }
    }
}
