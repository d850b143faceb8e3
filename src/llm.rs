//! The model: streamed chat completions with tool calls, from any OpenAI-compatible server or from
//! the demo's recordings.

mod demo;
mod error;
mod json;
mod ollama;
mod openai;
mod price;
mod quirk;
mod sse;

use std::sync::Arc;

pub use error::ModelError;
use quirk::{KnownQuirks, Quirk};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    config::{Llm, Provider},
    protocol::{ModelNotice, Spent},
};

/// How many tokens a chat has at most where `AI_CONTEXT_TOKENS` says no more: above some 200,000
/// many models' prices double.
const MAX_CONTEXT: usize = 200_000;

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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thoughts: Option<Thoughts>,
    },
    /// The result of a tool call.
    Tool {
        tool_call_id: String,
        content: String,
    },
}

impl ChatMessage {
    /// The same message with its words changed; what tool calls say stays.
    pub fn map_content(&self, change: impl FnOnce(&str) -> String) -> Self {
        let mut message = self.clone();
        match &mut message {
            Self::System { content }
            | Self::User { content }
            | Self::UserImage { content, .. }
            | Self::Assistant { content, .. }
            | Self::Tool { content, .. } => {
                *content = change(content);
            }
        }
        message
    }
}

/// A tool that the model wants called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON, as the model wrote it; it may be invalid.
    pub arguments: String,
    /// What its provider wants back with it: Gemini signs its calls.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub extra_content: Value,
}

/// What a provider sends beside an answer and wants back in the requests after it, as it was:
/// models that reason go on where they were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thoughts {
    /// Which provider it is; another one would refuse it, and the calls' extra content.
    pub provider: String,
    /// DeepSeek's and its kin's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning_content: String,
    /// OpenRouter's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasoning_details: Vec<Value>,
}

impl Thoughts {
    /// How much they add to a request, in bytes, about.
    pub fn size(&self) -> usize {
        let details = self
            .reasoning_details
            .iter()
            .map(|detail| detail.to_string().len());
        self.reasoning_content.len() + details.sum::<usize>()
    }
}

/// A tool as the model is told of it.
#[derive(Debug, Clone, Serialize)]
pub struct ToolSpec {
    pub name: &'static str,
    pub description: &'static str,
    /// JSON Schema of the arguments.
    pub parameters: Value,
}

/// What the model is asked.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    pub messages: Vec<ChatMessage>,
    /// None: it must answer in words.
    pub tools: Vec<ToolSpec>,
    /// Whether it may call them in this answer. They are told all the same: the providers' caches
    /// begin with them.
    pub may_call: bool,
    /// What a model that can't call tools is told instead.
    pub in_words: &'static str,
    /// Whether an answer counts whose provider ends it without saying why: it may be cut off.
    pub takes_unfinished: bool,
    pub role: ModelRole,
}

impl ChatRequest {
    /// The same for a model that can't call tools.
    fn in_words(&self) -> Self {
        let mut request = Self {
            tools: Vec::new(),
            ..self.clone()
        };
        if self.may_call {
            request.messages.push(ChatMessage::System {
                content: format!("There are no tools in this conversation. {}", self.in_words),
            });
        }
        request
    }
}

/// Which of the configured models answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelRole {
    Coder,
    Naming,
    /// Looks at images.
    Vision,
}

/// What a chat goes without when its provider refuses it: something old in it may be what the
/// provider dislikes. Each goes with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// What the model thought in earlier answers.
    Thoughts,
    /// The messages from before the run.
    PreviousMessages,
    /// The contents of the files that were changed last.
    FileContents,
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReply {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    #[serde(default)]
    pub spent: Spent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thoughts: Option<Thoughts>,
    /// The chat was more than the model takes, and the answer is one to a part of it.
    #[serde(default)]
    pub overflowed: bool,
    /// The provider refused the chat, and the answer is one to what was left without this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// The answer reached the model's limit of output tokens: its text ends early, and only calls
    /// that came whole are there.
    #[serde(default)]
    pub cut: bool,
    /// The tools whose calls were cut off within their arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub half_calls: Vec<String>,
    /// The model was told of no tools, because it can't call any.
    #[serde(default)]
    pub in_words: bool,
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

/// Tokens of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    /// Those of the input that its cache had.
    pub cached_tokens: u64,
    pub output_tokens: u64,
    /// What the provider says it cost, in millionths of a US dollar.
    pub cost_micros: Option<u64>,
    /// The provider does not report all of it.
    pub estimated: bool,
}

/// The model, as a cheap handle: the first provider, and those to go on with when it is limited or
/// down.
#[derive(Clone)]
pub struct Model {
    engines: Arc<[Engine]>,
}

enum Engine {
    OpenAi {
        client: openai::OpenAi,
        settings: Llm,
        quirks: KnownQuirks,
        /// What Ollama reads of a chat.
        loaded: ollama::Loaded,
    },
    Demo(demo::Recordings),
}

impl Model {
    /// The first of the settings answers, the others (`AI_FALLBACK`) stand in for it. Errors when
    /// no client can be made, or when a recording of the demo is broken.
    pub fn new(settings: Vec<Llm>) -> anyhow::Result<Self> {
        let engine = |settings: Llm| {
            Ok(match settings.provider {
                Provider::Demo => Engine::Demo(demo::Recordings::load()?),
                _ => Engine::OpenAi {
                    client: openai::OpenAi::new(&settings)?,
                    settings,
                    quirks: KnownQuirks::default(),
                    loaded: ollama::Loaded::default(),
                },
            })
        };
        let engines = settings
            .into_iter()
            .map(engine)
            .collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::ensure!(!engines.is_empty(), "no model is configured");
        Ok(Self {
            engines: engines.into(),
        })
    }

    /// How many providers there are to go on with after the first.
    pub fn alternatives(&self) -> usize {
        self.engines.len() - 1
    }

    /// The answer of the first provider (0) or of an alternative (counted from 1); `on_piece` hears
    /// it as it comes. An answer that is cut is an error, never a part of an answer.
    pub async fn stream(
        &self,
        alternative: usize,
        request: &ChatRequest,
        mut on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let mut reply = match &self.engines[alternative.min(self.alternatives())] {
            Engine::OpenAi {
                client,
                settings,
                quirks,
                loaded,
            } => {
                let model = match request.role {
                    ModelRole::Coder => &settings.model,
                    ModelRole::Naming => &settings.naming_model,
                    ModelRole::Vision => &settings.vision_model,
                };
                if settings.provider == Provider::Ollama && request.role == ModelRole::Coder {
                    loaded
                        .ask(&settings.base_url, model, settings.silence)
                        .await?;
                }
                loop {
                    let known = quirks.recent();
                    match client.stream(model, request, &known, &mut on_piece).await {
                        Err(ModelError::Quirk(quirk, why)) if !known.contains(&quirk) => {
                            tracing::warn!(model, why, "{quirk}; asking in another way");
                            quirks.remember(quirk);
                        }
                        answer => break answer?,
                    }
                }
            }
            Engine::Demo(recordings) => recordings.play(request, on_piece).await?,
        };
        if !request.may_call {
            // Some call what they may not.
            reply.tool_calls.clear();
        }
        Ok(reply)
    }

    /// About what an answer to the request costs of which so many bytes have come: for one whose
    /// provider never comes to tell.
    pub fn estimate(
        &self,
        alternative: usize,
        request: &ChatRequest,
        answer_bytes: usize,
    ) -> Spent {
        match &self.engines[alternative.min(self.alternatives())] {
            Engine::OpenAi { settings, .. } => {
                let chat = serde_json::to_string(&request.messages).map_or(0, |chat| chat.len());
                price::estimate(&settings.model, chat, answer_bytes)
            }
            Engine::Demo(_) => Spent::default(),
        }
    }

    /// How many tokens a chat may have with the first provider. An alternative that takes less says
    /// so, and is asked again with less.
    pub fn context_tokens(&self) -> usize {
        match &self.engines[0] {
            Engine::OpenAi {
                settings, loaded, ..
            } => settings
                .context_tokens
                .unwrap_or_else(|| known_context(settings, loaded).min(MAX_CONTEXT)),
            Engine::Demo(_) => usize::MAX,
        }
    }

    /// Whether the provider that answers (see [`Model::stream`]) takes images: the demo doesn't.
    pub fn supports_vision(&self, alternative: usize) -> bool {
        matches!(
            self.engines[alternative.min(self.alternatives())],
            Engine::OpenAi { .. }
        )
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

/// How many tokens the model takes, as far as that is known.
fn known_context(settings: &Llm, loaded: &ollama::Loaded) -> usize {
    let known = loaded.tokens().or_else(|| price::context(&settings.model));
    known.unwrap_or_else(|| settings.provider.usual_context())
}
