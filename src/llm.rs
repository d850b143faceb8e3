//! The model: streamed chat completions with tool calls, from any OpenAI-compatible server or from the demo's recordings.

mod demo;
mod error;
mod openai;

use std::sync::Arc;

pub use error::ModelError;
use serde::{Deserialize, Serialize};

use crate::{
    config::{Llm, Provider},
    protocol::ModelNotice,
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
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReply {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    pub usage: Option<Usage>,
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

/// The model, as a cheap handle.
#[derive(Clone)]
pub struct Model {
    engine: Engine,
    settings: Arc<Llm>,
}

#[derive(Clone)]
enum Engine {
    OpenAi(openai::OpenAi),
    Demo(Arc<demo::Recordings>),
}

impl Model {
    /// Errors when no client can be made, or when a recording of the demo is broken.
    pub fn new(settings: Llm) -> anyhow::Result<Self> {
        let engine = match settings.provider {
            Provider::Demo => Engine::Demo(Arc::new(demo::Recordings::load()?)),
            _ => Engine::OpenAi(openai::OpenAi::new(&settings)?),
        };
        Ok(Self {
            engine,
            settings: Arc::new(settings),
        })
    }

    /// The model's answer; `on_text` hears its text as it comes. An answer that is cut is an error, never a part of an answer.
    pub async fn stream(&self, request: &ChatRequest, on_text: impl FnMut(&str) + Send) -> Result<ModelReply, ModelError> {
        match &self.engine {
            Engine::OpenAi(openai) => {
                let model = match request.role {
                    ModelRole::Coder => &self.settings.model,
                    ModelRole::Naming => &self.settings.naming_model,
                };
                openai.stream(model, request, on_text).await
            }
            Engine::Demo(recordings) => recordings.play(request, on_text).await,
        }
    }

    /// Which model builds, for the page to say so.
    pub fn notice(&self) -> ModelNotice {
        match &self.engine {
            Engine::OpenAi(_) => ModelNotice {
                demo: false,
                label: format!("{} · {}", self.settings.provider.as_str(), self.settings.model),
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
