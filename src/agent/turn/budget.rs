//! The tokens and the money that a run may use.

use crate::{agent::RunError, config, protocol::Spent};

/// The usage of a run so far, derived from its steps' outputs alone, so that a restarted run counts
/// the same.
#[derive(Debug, Default, Clone)]
pub struct Budget {
    spent: Spent,
}

impl Budget {
    /// Counts what an answer cost.
    pub fn spend(&mut self, spent: Spent) {
        self.spent.add(spent);
    }

    /// Fails with an error for the user if the budget is used up after `lost`, which is not counted
    /// yet.
    pub fn check(&self, limits: &config::RunLimits, lost: Spent) -> Result<(), RunError> {
        let mut spent = self.spent;
        spent.add(lost);
        let tokens = spent.input_tokens + spent.output_tokens;
        if tokens >= limits.max_tokens {
            return Err(RunError::User(format!(
                "This run was stopped: it has used {tokens} tokens, and {} is the limit for one \
                 run (RUN_MAX_TOKENS). The files are kept: send a message such as “Go on” to \
                 continue.",
                limits.max_tokens
            )));
        }
        match (spent.cost_micros, limits.max_cost_micros) {
            (Some(cost), Some(limit)) if cost >= limit => Err(RunError::User(format!(
                "This run was stopped: it has cost ${:.2}, and ${:.2} is the limit for one run \
                 (RUN_MAX_COST). The files are kept: send a message such as “Go on” to continue.",
                dollars(cost),
                dollars(limit)
            ))),
            _ => Ok(()),
        }
    }
}

fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_money_are_limited_and_an_unknown_price_stops_nothing() {
        let limits = config::RunLimits {
            max_turns: 1,
            max_tokens: 1000,
            max_cost_micros: Some(500_000),
            max_looks: 0,
            max_reviews: 0,
        };
        let spent = |tokens, cost_micros| Spent {
            input_tokens: tokens,
            cost_micros,
            ..Spent::default()
        };
        let mut budget = Budget::default();
        budget.spend(spent(10, Some(400_000)));
        budget.check(&limits, Spent::default()).unwrap();
        budget.spend(spent(10, None));
        budget.check(&limits, Spent::default()).unwrap();
        budget.spend(spent(10, Some(100_000)));
        let error = budget
            .check(&limits, Spent::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("$0.50") && error.contains("RUN_MAX_COST"),
            "{error}"
        );
        let mut budget = Budget::default();
        budget.spend(spent(1000, None));
        assert!(
            budget
                .check(&limits, Spent::default())
                .unwrap_err()
                .to_string()
                .contains("RUN_MAX_TOKENS")
        );
    }
}
