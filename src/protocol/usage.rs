//! The cost of the models' answers.

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// Tokens and money of one or more answers of models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// How many of the input tokens came from a provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Millionths of a US dollar; `None` if the price of a model is unknown.
    pub cost_micros: Option<u64>,
    /// Whether part of it is an estimate, a lower bound, because a provider does not report usage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Spent {
    /// Whether no tokens were counted.
    pub fn is_nothing(self) -> bool {
        self.input_tokens == 0 && self.output_tokens == 0
    }

    /// The rest without `part`.
    pub fn without(self, part: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_sub(part.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(part.output_tokens),
            cached_tokens: self.cached_tokens.saturating_sub(part.cached_tokens),
            cost_micros: self
                .cost_micros
                .map(|cost| cost.saturating_sub(part.cost_micros.unwrap_or_default())),
            estimated: self.estimated,
        }
    }

    /// Adds the other; an unknown cost counts as zero.
    pub fn add(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cached_tokens += other.cached_tokens;
        self.estimated |= other.estimated;
        if let Some(cost) = other.cost_micros {
            self.cost_micros = Some(self.cost_micros.unwrap_or_default() + cost);
        }
    }
}

/// The cost of a user's runs so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserUsage {
    pub user: UserId,
    pub runs: u64,
    pub spent: Spent,
    /// Whether some answers have no known price; the cost leaves them out.
    pub unpriced: bool,
}

/// What a user's runs have used lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// The earliest day first, including days without a run.
    pub days: Vec<DayUsage>,
    /// The model with the most runs first.
    pub models: Vec<ModelUsage>,
}

/// What the runs sent on one day used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUsage {
    /// Its first moment, in UTC.
    pub day: Timestamp,
    pub runs: u64,
    pub spent: Spent,
}

/// The cost of one model's answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// `None` for answers whose model was not recorded.
    pub model: Option<String>,
    /// The number of runs that it answered in.
    pub runs: u64,
    pub spent: Spent,
}
