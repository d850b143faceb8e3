//! Credits: what a run costs, what somebody has left, and the ledger of how it came to that.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{RunId, Timestamp};

const DAY: i64 = 24 * 3600 * 1000;

/// What credits are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRules {
    /// What each plan has at the beginning of a period.
    pub free: i64,
    pub pro: i64,
    /// How many days a period has.
    pub days: u32,
    /// What a run costs.
    pub cost: i64,
}

impl CreditRules {
    /// When the period ends that began then.
    pub fn end(self, began: Timestamp) -> Timestamp {
        Timestamp(began.0.saturating_add(i64::from(self.days) * DAY))
    }
}

/// What somebody may still have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    pub left: i64,
    /// What a run costs.
    pub cost: i64,
    /// When there are as many again as the plan has.
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
    /// A run came to nothing.
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
    /// What was added; negative for what was used.
    pub amount: i64,
    /// The run that was paid or refunded.
    pub run: Option<RunId>,
}
