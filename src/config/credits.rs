//! Settings of credits: each plan's allowance, and the price of a run.

use super::{ConfigError, Env};
use crate::protocol::CreditRules;

/// The maximum number of credits in a setting.
const MAX_CREDITS: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credits {
    /// `None` when runs cost nothing (`FREE_POINTS=unlimited`).
    rules: Option<CreditRules>,
    /// Whether `FREE_POINTS` is set.
    asked_for: bool,
}

impl Credits {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let is_free = env.var("FREE_POINTS").as_deref() == Some("unlimited");
        let credits = |name, default, expected| {
            env.parsed(name, default, expected, |credits| {
                (0..=MAX_CREDITS).contains(credits)
            })
        };
        let expected = "credits, 0 to 1000000";
        let free = match is_free {
            true => 0,
            false => credits("FREE_POINTS", 5, "credits, 0 to 1000000, or unlimited")?,
        };
        let rules = CreditRules {
            free,
            pro: credits("PRO_POINTS", 100, expected)?,
            days: env.parsed("CREDIT_DAYS", 30, "days, 1 to 3650", |days| {
                (1..=3650).contains(days)
            })?,
            cost: credits("GENERATION_COST", 1, expected)?,
        };
        Ok(Self {
            rules: (!is_free).then_some(rules),
            asked_for: env.var("FREE_POINTS").is_some(),
        })
    }

    /// The rules for credits; `None` where runs cost nothing. A server without accounts has no
    /// credits unless `FREE_POINTS` is set. `accounts`: whether users sign in.
    pub fn rules(self, accounts: bool) -> Option<CreditRules> {
        self.rules.filter(|_| accounts || self.asked_for)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn credits(name: &str, value: &str) -> Result<Credits, ConfigError> {
        Credits::from_env(&Env::of([(name, value)], "/usr/bin/codeflow"))
    }

    #[test]
    fn credits_are_as_documented_and_can_be_turned_off() {
        let usual = credits("X", "").unwrap();
        let rules = CreditRules {
            free: 5,
            pro: 100,
            days: 30,
            cost: 1,
        };
        assert_eq!(usual.rules(true), Some(rules));
        // Without accounts nothing is counted, unless it is asked for.
        assert_eq!(usual.rules(false), None);
        let few = credits("FREE_POINTS", "2").unwrap();
        assert_eq!(few.rules(false), Some(CreditRules { free: 2, ..rules }));
        let unlimited = credits("FREE_POINTS", "unlimited").unwrap();
        assert_eq!(unlimited.rules(true), None);
        for (name, value) in [
            ("FREE_POINTS", "-1"),
            ("PRO_POINTS", "unlimited"),
            ("CREDIT_DAYS", "0"),
            ("GENERATION_COST", "one"),
        ] {
            let error = credits(name, value).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}={value}: ")), "{error}");
        }
    }
}
