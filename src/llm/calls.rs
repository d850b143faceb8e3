//! The outcome of the requests to a provider's models since the server started, for administrators.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;

use super::ModelError;
use crate::protocol::{LastError, ModelCalls, Timestamp};

/// The number of answers whose durations are kept.
const KEPT_TIMES: usize = 100;

/// The requests to each model of a provider.
#[derive(Default)]
pub struct CallLog {
    models: Mutex<HashMap<String, Calls>>,
}

#[derive(Default)]
struct Calls {
    answered: u64,
    failed: u64,
    /// Durations in milliseconds, latest last.
    times: VecDeque<u64>,
    last_error: Option<LastError>,
}

impl CallLog {
    /// Records a request and its duration.
    pub fn note(&self, model: &str, took: Duration, error: Option<&ModelError>) {
        let mut models = self.models.lock();
        let calls = models.entry(model.to_owned()).or_default();
        if let Some(error) = error {
            calls.failed += 1;
            calls.last_error = Some(LastError {
                at: Timestamp::now(),
                message: error.to_string(),
            });
            return;
        }
        calls.answered += 1;
        if calls.times.len() == KEPT_TIMES {
            calls.times.pop_front();
        }
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        calls.times.push_back(milliseconds);
    }

    /// The outcome of the requests to this model.
    pub fn of(&self, model: &str) -> ModelCalls {
        let models = self.models.lock();
        let Some(calls) = models.get(model) else {
            return ModelCalls::default();
        };
        let mut times: Vec<u64> = calls.times.iter().copied().collect();
        times.sort_unstable();
        ModelCalls {
            answered: calls.answered,
            failed: calls.failed,
            median_ms: times.get(times.len() / 2).copied(),
            last_error: calls.last_error.clone(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_latest_answers_and_the_last_error_stays() {
        let log = CallLog::default();
        assert_eq!(log.of("a"), ModelCalls::default());
        let took = Duration::from_millis;
        for _ in 0..KEPT_TIMES {
            log.note("a", took(9_000), None);
        }
        log.note(
            "a",
            took(1),
            Some(&ModelError::Auth("no such key".to_owned())),
        );
        for _ in 0..=KEPT_TIMES / 2 {
            log.note("a", took(20), None);
        }
        let calls = log.of("a");
        assert_eq!((calls.answered, calls.failed), (151, 1));
        assert_eq!(calls.median_ms, Some(20));
        assert!(calls.last_error.unwrap().message.contains("no such key"));
        assert_eq!(log.of("b"), ModelCalls::default());
    }
}
