//! Credits: the price of a run, a user's balance, and the ledger behind it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{RunId, Timestamp};

const DAY: i64 = 24 * 3600 * 1000;

/// The rules for credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRules {
    /// The credits of each plan at the beginning of a period.
    pub free: i64,
    pub pro: i64,
    /// The length of a period, in days.
    pub days: u32,
    /// The price of a run.
    pub cost: i64,
}

impl CreditRules {
    /// The end of the period that began at `began`.
    pub fn end(self, began: Timestamp) -> Timestamp {
        Timestamp(began.0.saturating_add(i64::from(self.days) * DAY))
    }
}

/// A user's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    pub left: i64,
    /// The price of a run.
    pub cost: i64,
    /// When the plan's full allowance is available again.
    pub next_refill: Timestamp,
}

/// Why credits came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditReason {
    /// A period began.
    Refill,
    /// The plan changed.
    Plan,
    /// A run was begun.
    Run,
    /// A run produced nothing.
    Refund,
}

impl CreditReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refill => "refill",
            Self::Plan => "plan",
            Self::Run => "run",
            Self::Refund => "refund",
        }
    }
}

impl FromStr for CreditReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Refill, Self::Plan, Self::Run, Self::Refund]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| format!("“{text}” is no reason of a credit"))
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditEntry {
    pub at: Timestamp,
    pub reason: CreditReason,
    /// Positive for credits added, negative for credits used.
    pub amount: i64,
    /// The run that was paid or refunded.
    pub run: Option<RunId>,
}
