//! What administrators see of the models: whose keys are set, which models are asked, and what came
//! of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Spent, Timestamp, account::named};

/// The providers' keys, and the models in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelsOverview {
    pub keys: Vec<ProviderKey>,
    pub models: Vec<ModelOverview>,
}

/// Whether the variable with a provider's key is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderKey {
    /// As `AI_PROVIDER` names it.
    pub provider: String,
    /// Such as `OPENAI_API_KEY`.
    pub variable: String,
    pub is_set: bool,
}

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelTask {
    /// Writing apps (`AI_MODEL`).
    Code,
    /// Naming projects and versions (`AI_MODEL_NAMING`).
    Naming,
    /// Describing images (`AI_MODEL_VISION`).
    Vision,
}

named!(ModelTask: Code = "code", Naming = "naming", Vision = "vision");

/// A model of a provider, and what came of the requests to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelOverview {
    /// 0 for the first provider; those of `AI_FALLBACK` from 1.
    pub alternative: u32,
    pub provider: String,
    pub model: String,
    pub tasks: Vec<ModelTask>,
    /// Recorded builds, which no provider answers.
    pub demo: bool,
    /// How many tokens a chat may have.
    pub context_tokens: Option<u64>,
    /// US dollars per million tokens read and written; `None` where they are not known.
    pub price: Option<ModelPrice>,
    /// What it can do, in words.
    pub abilities: Vec<String>,
    /// Since the server started.
    pub calls: ModelCalls,
    /// What its answers cost all users in the last 30 days.
    pub spent: Spent,
    /// How many runs it answered in meanwhile.
    pub runs: u64,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ModelPrice {
    pub input: f64,
    pub output: f64,
}

/// The requests to a model since the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCalls {
    pub answered: u64,
    pub failed: u64,
    /// The median time of the latest answers, in milliseconds, from the request to their end.
    pub median_ms: Option<u64>,
    pub last_error: Option<LastError>,
}

/// Why a model did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    pub at: Timestamp,
    pub message: String,
}
