//! When a step is retried: exponential back-off with jitter, a limit for each kind of error, then
//! the step's alternatives, then it fails.

use std::{collections::HashMap, time::Duration};

use crate::agent::{Fault, FaultKind};

/// The wait before the first retry, before jitter. It doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The maximum wait. A provider that asks for a longer one is given up on.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What to do after an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Retry after this wait.
    Again(Duration),
    /// Try the next alternative at once.
    Alternative,
    /// Retrying won't help; the step fails.
    GiveUp,
}

/// The failures of one step.
#[derive(Debug, Default)]
pub struct Retries {
    /// Counted anew for each alternative.
    failures: HashMap<FaultKind, u32>,
    pub alternative: usize,
}

/// How many times a step is attempted if it fails with this kind of error.
fn max_attempts(kind: FaultKind) -> u32 {
    match kind {
        FaultKind::ModelLimited => 5,
        FaultKind::ModelUnavailable | FaultKind::Sandbox | FaultKind::SandboxGone => 4,
        FaultKind::AnswerCut | FaultKind::ModelSilent | FaultKind::Storage => 3,
        FaultKind::Slow => 2,
        // Waiting does not refill an account.
        FaultKind::ModelExhausted => 1,
    }
}

impl From<usize> for Retries {
    /// Begins with this alternative.
    fn from(alternative: usize) -> Self {
        Self {
            alternative,
            ..Self::default()
        }
    }
}

impl Retries {
    /// Counts a failure and says what to do next. `random` is between 0 and 1.
    pub fn after(&mut self, fault: &Fault, alternatives: usize, random: f64) -> Next {
        let failures = self.failures.entry(fault.kind).or_default();
        *failures += 1;
        let backed_off = FIRST_WAIT
            .saturating_mul(2_u32.saturating_pow(*failures - 1))
            .mul_f64(0.75 + random / 2.0);
        let wait = fault
            .retry_after
            .unwrap_or_else(|| backed_off.min(MAX_WAIT));
        // A failure that took minutes is not repeated if another provider may answer at once.
        let hurries = self.alternative < alternatives
            && matches!(fault.kind, FaultKind::Slow | FaultKind::ModelSilent);
        if *failures < max_attempts(fault.kind) && wait <= MAX_WAIT && !hurries {
            return Next::Again(wait);
        }
        // Another model helps if the model failed, not if the sandbox or the storage did.
        let is_the_models = !matches!(
            fault.kind,
            FaultKind::Sandbox | FaultKind::SandboxGone | FaultKind::Storage
        );
        if is_the_models && self.alternative < alternatives {
            self.alternative += 1;
            self.failures.clear();
            return Next::Alternative;
        }
        Next::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, retry_after: Option<u64>) -> Fault {
        Fault {
            kind,
            message: String::new(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn waits_grow_with_jitter_until_the_limit_of_the_kind() {
        let mut retries = Retries::default();
        let cut = fault(FaultKind::AnswerCut, None);
        assert_eq!(
            retries.after(&cut, 0, 0.5),
            Next::Again(Duration::from_millis(500))
        );
        assert_eq!(
            retries.after(&cut, 0, 0.0),
            Next::Again(Duration::from_millis(750))
        );
        // Each kind is counted on its own.
        let down = fault(FaultKind::ModelUnavailable, None);
        assert_eq!(
            retries.after(&down, 0, 1.0),
            Next::Again(Duration::from_millis(625))
        );
        assert_eq!(retries.after(&cut, 0, 0.5), Next::GiveUp);
    }

    #[test]
    fn a_requested_wait_is_kept_unless_it_is_too_long() {
        let mut retries = Retries::default();
        let limited = fault(FaultKind::ModelLimited, Some(7));
        assert_eq!(
            retries.after(&limited, 0, 0.5),
            Next::Again(Duration::from_secs(7))
        );
        assert_eq!(
            retries.after(&fault(FaultKind::ModelLimited, Some(3600)), 0, 0.5),
            Next::GiveUp
        );
    }

    #[test]
    fn alternatives_are_tried_in_turn_with_counts_of_their_own_and_only_where_they_help() {
        let mut retries = Retries::default();
        let empty = fault(FaultKind::ModelExhausted, None);
        assert_eq!(retries.after(&empty, 2, 0.5), Next::Alternative);
        // A failure that took minutes is not repeated while there is an alternative.
        let silent = fault(FaultKind::ModelSilent, None);
        assert_eq!(retries.after(&silent, 2, 0.5), Next::Alternative);
        assert_eq!(retries.alternative, 2);
        assert!(matches!(retries.after(&silent, 2, 0.5), Next::Again(_)));
        assert_eq!(retries.after(&empty, 2, 0.5), Next::GiveUp);

        let mut retries = Retries::default();
        let gone = fault(FaultKind::SandboxGone, None);
        let outcomes: Vec<Next> = (0..4).map(|_| retries.after(&gone, 2, 0.5)).collect();
        assert_eq!(outcomes[3], Next::GiveUp);
        assert_eq!(retries.alternative, 0);
    }
}
