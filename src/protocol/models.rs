//! The models that a message may ask for; and for administrators: which keys are set, which models
//! are asked, and how their requests went.

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

    /// Its provider; `None` for one that takes no keys of users.
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

/// A provider for which users may bring their own key, as `AI_PROVIDER` names it.
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

    /// Its name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::OpenRouter => "OpenRouter",
        }
    }
}

/// A user's own key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelKey {
    pub provider: ModelProvider,
    /// Its last four characters.
    pub ending: String,
    /// When it was added or last replaced.
    pub added_at: Timestamp,
}

/// Which model a message asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModelChoice {
    /// The model of the project's last message; for the first message, as below.
    #[default]
    Same,
    /// The first configured model, whichever that is when the run begins.
    First,
    This(ModelId),
}

impl ModelChoice {
    /// What a form sends for [`ModelChoice::First`].
    pub const AUTO: &str = "auto";

    /// Reads the choice of a form or an API order: none means that of the previous message, `auto`
    /// the first model.
    pub fn named(model: Option<String>) -> Self {
        match model {
            None => Self::Same,
            Some(model) if model == Self::AUTO => Self::First,
            Some(model) => Self::This(model.into()),
        }
    }

    /// The model to save with the message, where `same` is that of the previous one.
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
    /// Its context size, price and abilities, as far as they are known.
    pub about: String,
    /// Whether it is asked with the visitor's own key and costs no credits.
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

/// A task that a model is asked for.
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

/// A provider's model, and the outcome of its requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelOverview {
    /// 0 for the first provider; those of `AI_FALLBACK` from 1.
    pub alternative: u32,
    pub provider: String,
    pub model: String,
    pub tasks: Vec<ModelTask>,
    /// Recorded builds instead of a provider.
    pub demo: bool,
    /// The maximum length of a chat, in tokens.
    pub context_tokens: Option<u64>,
    /// US dollars per million tokens read and written; `None` where unknown.
    pub price: Option<ModelPrice>,
    /// Its abilities, in words.
    pub abilities: Vec<String>,
    /// Since the server started.
    pub calls: ModelCalls,
    /// The cost of its answers to all users in the last 30 days.
    pub spent: Spent,
    /// The number of runs that it answered in during that time.
    pub runs: u64,
}

impl ModelOverview {
    /// The facts people choose it by: context size, price and abilities, as far as they are known.
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
    /// The median time of its latest complete answers, in milliseconds.
    pub median_ms: Option<u64>,
    pub last_error: Option<LastError>,
}

/// Why a model did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    pub at: Timestamp,
    pub message: String,
}
