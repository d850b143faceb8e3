//! The models: which of them a message may ask for; and what administrators see: whose keys are
//! set, which models are asked, and what came of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Spent, Timestamp, named};

/// A provider's model as messages name it: `anthropic/claude-sonnet-5-5`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(String);

impl ModelId {
    pub fn new(provider: &str, model: &str) -> Self {
        Self(format!("{provider}/{model}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose it is; `None` for a provider of which nobody has a key of their own.
    pub fn provider(&self) -> Option<ModelProvider> {
        self.0.split_once('/')?.0.parse().ok()
    }

    /// The model's name without its provider's.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(_, name)| name)
    }
}

impl From<String> for ModelId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

/// A provider of which people may have a key of their own, as `AI_PROVIDER` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelProvider {
    OpenAi,
    Anthropic,
    Gemini,
    OpenRouter,
}

named!(
    ModelProvider: OpenAi = "openai",
    Anthropic = "anthropic",
    Gemini = "gemini",
    OpenRouter = "openrouter"
);

impl ModelProvider {
    pub const ALL: [Self; 4] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::OpenRouter,
    ];

    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::OpenRouter => "OpenRouter",
        }
    }
}

/// A key of somebody's own, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelKey {
    pub provider: ModelProvider,
    /// Its last four characters.
    pub ending: String,
    /// When it was added, or replaced another.
    pub added_at: Timestamp,
}

/// Which model a message asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModelChoice {
    /// The one that the project's last message asked for; for the first, as below.
    #[default]
    Same,
    /// The first that is configured, whichever that is when the run begins.
    First,
    This(ModelId),
}

impl ModelChoice {
    /// What a form sends for [`ModelChoice::First`].
    pub const AUTO: &str = "auto";

    /// The model that a form or an order names: none for that of the message before, `auto` for the
    /// first.
    pub fn named(model: Option<String>) -> Self {
        match model {
            None => Self::Same,
            Some(model) if model == Self::AUTO => Self::First,
            Some(model) => Self::This(model.into()),
        }
    }

    /// The model to note with the message, where `same` is the one before.
    pub fn or(self, same: Option<ModelId>) -> Option<ModelId> {
        match self {
            Self::Same => same,
            Self::First => None,
            Self::This(model) => Some(model),
        }
    }
}

impl From<Option<ModelId>> for ModelChoice {
    fn from(model: Option<ModelId>) -> Self {
        model.map_or(Self::First, Self::This)
    }
}

/// A model that a message may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedModel {
    pub id: ModelId,
    /// Its provider and name, such as `openai · gpt-6-sol`.
    pub label: String,
    /// Its context, price and what it can do, as far as they are known.
    pub about: String,
    /// Whether it is asked with the visitor's own key, which costs no credits.
    #[serde(default)]
    pub own_key: bool,
}

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

impl ModelOverview {
    /// What people choose it by: its context, price and abilities, as far as they are known.
    pub fn about(&self) -> String {
        let context = self
            .context_tokens
            .map(|tokens| format!("{}k tokens", tokens / 1000));
        let price = self
            .price
            .map(|price| format!("${} in, ${} out", price.input, price.output));
        let abilities = (!self.abilities.is_empty()).then(|| self.abilities.join(", "));
        let known = [context, price, abilities].into_iter().flatten();
        known.collect::<Vec<_>>().join(" · ")
    }
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
