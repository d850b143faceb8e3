//! The model: streamed chat completions with tool calls, from any OpenAI-compatible server or from the demo's recordings.

mod demo;
mod error;
mod openai;
mod price;

use std::sync::Arc;

pub use error::ModelError;
use serde::{Deserialize, Serialize};

use crate::{
    config::{Llm, Provider},
    protocol::{ModelNotice, Spent},
};

/// One message of a chat, as chat completions have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum ChatMessage {
    System {
        content: String,
    },
    User {
        content: String,
    },
    /// The user's words about an image.
    UserImage {
        content: String,
        /// Such as `image/png`.
        media_type: String,
        /// The image's bytes in base64.
        data: String,
    },
    Assistant {
        content: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    /// The result of a tool call.
    Tool {
        tool_call_id: String,
        content: String,
    },
}

/// A tool that the model wants called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON, as the model wrote it; it may be invalid.
    pub arguments: String,
}

/// A tool as the model is told of it.
#[derive(Debug, Clone, Serialize)]
pub struct ToolSpec {
    pub name: &'static str,
    pub description: &'static str,
    /// JSON Schema of the arguments.
    pub parameters: serde_json::Value,
}

/// What the model is asked.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    pub messages: Vec<ChatMessage>,
    /// None: it must answer in words.
    pub tools: Vec<ToolSpec>,
    pub role: ModelRole,
}

/// Which of the configured models answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelRole {
    Coder,
    Naming,
    /// Looks at images.
    Vision,
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReply {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    #[serde(default)]
    pub spent: Spent,
}

/// What an answer grows by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// More of the arguments of the answer's tool call with this index.
    Call {
        index: usize,
        name: &'a str,
        arguments: &'a str,
    },
}

/// Tokens of one request, where the provider tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    #[serde(alias = "prompt_tokens")]
    pub input_tokens: u64,
    #[serde(alias = "completion_tokens")]
    pub output_tokens: u64,
}

/// The model, as a cheap handle: the first provider, and those to go on with when it is limited or down.
#[derive(Clone)]
pub struct Model {
    engines: Arc<[Engine]>,
}

enum Engine {
    OpenAi { client: openai::OpenAi, settings: Llm },
    Demo(demo::Recordings),
}

impl Model {
    /// The first of the settings answers, the others (`AI_FALLBACK`) stand in for it. Errors when no client can be made, or when a
    /// recording of the demo is broken.
    pub fn new(settings: Vec<Llm>) -> anyhow::Result<Self> {
        let engine = |settings: Llm| {
            Ok(match settings.provider {
                Provider::Demo => Engine::Demo(demo::Recordings::load()?),
                _ => Engine::OpenAi {
                    client: openai::OpenAi::new(&settings)?,
                    settings,
                },
            })
        };
        let engines = settings.into_iter().map(engine).collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::ensure!(!engines.is_empty(), "no model is configured");
        Ok(Self { engines: engines.into() })
    }

    /// How many providers there are to go on with after the first.
    pub fn alternatives(&self) -> usize {
        self.engines.len() - 1
    }

    /// The answer of the first provider (0) or of an alternative (counted from 1); `on_piece` hears it as it comes. An answer that is
    /// cut is an error, never a part of an answer.
    pub async fn stream(
        &self,
        alternative: usize,
        request: &ChatRequest,
        on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        match &self.engines[alternative.min(self.alternatives())] {
            Engine::OpenAi { client, settings } => {
                let model = match request.role {
                    ModelRole::Coder => &settings.model,
                    ModelRole::Naming => &settings.naming_model,
                    ModelRole::Vision => &settings.vision_model,
                };
                let (reply, usage) = client.stream(model, request, on_piece).await?;
                Ok(ModelReply {
                    spent: usage.map(|usage| price::spent(model, usage)).unwrap_or_default(),
                    ..reply
                })
            }
            Engine::Demo(recordings) => recordings.play(request, on_piece).await,
        }
    }

    /// Whether the provider that answers (see [`Model::stream`]) can look at images at all: the demo can't.
    pub fn has_eyes(&self, alternative: usize) -> bool {
        matches!(self.engines[alternative.min(self.alternatives())], Engine::OpenAi { .. })
    }

    /// Which model builds, for the page to say so.
    pub fn notice(&self) -> ModelNotice {
        match &self.engines[0] {
            Engine::OpenAi { settings, .. } => ModelNotice {
                demo: false,
                label: format!("{} · {}", settings.provider.as_str(), settings.model),
                demo_prompts: Vec::new(),
            },
            Engine::Demo(recordings) => ModelNotice {
                demo: true,
                label: "demo · recorded builds".to_owned(),
                demo_prompts: recordings.prompts(),
            },
        }
    }
}
