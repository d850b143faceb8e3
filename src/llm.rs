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
use tracing::Instrument;

use crate::{
    config::{Llm, Provider},
    protocol::{ModelNotice, Spent},
};

/// The longest chat, in tokens, unless `AI_CONTEXT_TOKENS` allows more: many models cost twice as
/// much beyond it.
const MAX_CONTEXT: usize = 200_000;

/// One message of a chat completion.
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
    /// The same message with its content changed; tool calls stay as they are.
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

/// A tool call that the model asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON, as the model wrote it; it may be invalid.
    pub arguments: String,
    /// Sent back to its provider with the call: Gemini signs its calls.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub extra_content: Value,
}

/// Reasoning that a provider sends beside an answer and wants back unchanged in later requests, so
/// that the model continues its thought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thoughts {
    /// The provider it came from; others refuse it, and the calls' extra content.
    pub provider: String,
    /// As DeepSeek and its kin send it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning_content: String,
    /// As OpenRouter sends it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasoning_details: Vec<Value>,
}

impl Thoughts {
    /// About how many bytes they add to a request.
    pub fn size(&self) -> usize {
        let details = self
            .reasoning_details
            .iter()
            .map(|detail| detail.to_string().len());
        self.reasoning_content.len() + details.sum::<usize>()
    }
}

/// A tool as it is described to the model.
#[derive(Debug, Clone, Serialize)]
pub struct ToolSpec {
    pub name: &'static str,
    pub description: &'static str,
    /// JSON Schema of the arguments.
    pub parameters: Value,
}

/// A request for one answer.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    pub messages: Vec<ChatMessage>,
    /// Empty when the model must answer in words.
    pub tools: Vec<ToolSpec>,
    /// Whether this answer may call them. They are sent in any case, because the providers' prompt
    /// caches begin with them.
    pub may_call: bool,
    /// The instruction for a model that can't call tools.
    pub in_words: &'static str,
    /// Whether to accept an answer that its provider ends without a reason, though it may be cut
    /// off.
    pub takes_unfinished: bool,
    pub role: ModelRole,
}

impl ChatRequest {
    /// The same request for a model that can't call tools.
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

/// What is left out of a chat that its provider refuses: something old in it may be the reason.
/// Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// The reasoning of earlier answers.
    Thoughts,
    /// The messages from before the run.
    PreviousMessages,
    /// The contents of recently changed files.
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
    /// The chat exceeded the model's context, and this answers a part of it.
    #[serde(default)]
    pub overflowed: bool,
    /// The provider refused the chat, and this answers it without the part named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// The answer reached the model's limit of output tokens: its text ends early, and only
    /// complete calls are in it.
    #[serde(default)]
    pub cut: bool,
    /// The tools whose calls were cut off in their arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub half_calls: Vec<String>,
    /// The request offered no tools, because the model can't call any.
    #[serde(default)]
    pub in_words: bool,
}

/// The next piece of a streamed answer.
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
    /// Input tokens that came from the provider's cache.
    pub cached_tokens: u64,
    pub output_tokens: u64,
    /// The cost that the provider reports, in millionths of a US dollar.
    pub cost_micros: Option<u64>,
    /// Some of it is an estimate, because the provider does not report it.
    pub estimated: bool,
}

/// The model, as a cheap handle: the first provider, and the alternatives for when it is limited or
/// down.
#[derive(Clone)]
pub struct Model {
    backends: Arc<[Backend]>,
}

enum Backend {
    OpenAi {
        client: openai::OpenAi,
        settings: Llm,
        quirks: KnownQuirks,
        /// The context that Ollama loaded its model with.
        loaded: ollama::LoadedContext,
    },
    Demo(demo::Recordings),
}

impl Model {
    /// The first of the settings answers, the others (`AI_FALLBACK`) stand in for it. Errors when
    /// no client can be made, or when a recording of the demo is broken.
    pub fn new(settings: Vec<Llm>) -> anyhow::Result<Self> {
        let backend = |settings: Llm| {
            Ok(match settings.provider {
                Provider::Demo => Backend::Demo(demo::Recordings::load()?),
                _ => Backend::OpenAi {
                    client: openai::OpenAi::new(&settings)?,
                    settings,
                    quirks: KnownQuirks::default(),
                    loaded: ollama::LoadedContext::default(),
                },
            })
        };
        let backends = settings
            .into_iter()
            .map(backend)
            .collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::ensure!(!backends.is_empty(), "no model is configured");
        Ok(Self {
            backends: backends.into(),
        })
    }

    /// How many alternatives there are to the first provider.
    pub fn alternatives(&self) -> usize {
        self.backends.len() - 1
    }

    /// The answer of the first provider (0) or of an alternative (counted from 1); `on_piece` gets
    /// its pieces as they come. An answer that breaks off is an error, never a part of an answer.
    pub async fn stream(
        &self,
        alternative: usize,
        request: &ChatRequest,
        on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let (provider, model) = self.backend(alternative).names(request.role);
        let span = tracing::info_span!("model", model.provider = provider, model.name = model);
        self.answer(alternative, request, on_piece)
            .instrument(span)
            .await
    }

    async fn answer(
        &self,
        alternative: usize,
        request: &ChatRequest,
        mut on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let mut reply = match self.backend(alternative) {
            Backend::OpenAi {
                client,
                settings,
                quirks,
                loaded,
            } => {
                let model = settings_model(settings, request.role);
                if settings.provider == Provider::Ollama && request.role == ModelRole::Coder {
                    loaded
                        .ask(&settings.base_url, model, settings.silence)
                        .await?;
                }
                loop {
                    let known = quirks.recent();
                    match client.stream(model, request, &known, &mut on_piece).await {
                        Err(ModelError::Quirk(quirk, why)) if !known.contains(&quirk) => {
                            tracing::warn!(why, "{quirk}; asking in another way");
                            quirks.remember(quirk);
                        }
                        answer => break answer?,
                    }
                }
            }
            Backend::Demo(recordings) => recordings.play(request, on_piece).await?,
        };
        if !request.may_call {
            // Some models call tools all the same.
            reply.tool_calls.clear();
        }
        Ok(reply)
    }

    /// About what an answer to the request costs so far, by the bytes that have come: for one that
    /// breaks off before its provider reports the cost.
    pub fn estimate(
        &self,
        alternative: usize,
        request: &ChatRequest,
        answer_bytes: usize,
    ) -> Spent {
        match self.backend(alternative) {
            Backend::OpenAi { settings, .. } => {
                let chat = serde_json::to_string(&request.messages).map_or(0, |chat| chat.len());
                price::estimate(&settings.model, chat, answer_bytes)
            }
            Backend::Demo(_) => Spent::default(),
        }
    }

    /// How many tokens a chat with the first provider may have. An alternative with a smaller
    /// context says so, and is asked again with less.
    pub fn context_tokens(&self) -> usize {
        match &self.backends[0] {
            Backend::OpenAi {
                settings, loaded, ..
            } => settings
                .context_tokens
                .unwrap_or_else(|| known_context(settings, loaded).min(MAX_CONTEXT)),
            Backend::Demo(_) => usize::MAX,
        }
    }

    /// Whether the provider that answers (see [`Model::stream`]) takes images: the demo doesn't.
    pub fn supports_vision(&self, alternative: usize) -> bool {
        matches!(self.backend(alternative), Backend::OpenAi { .. })
    }

    fn backend(&self, alternative: usize) -> &Backend {
        &self.backends[alternative.min(self.alternatives())]
    }

    /// Which model writes the apps, as the page shows it.
    pub fn notice(&self) -> ModelNotice {
        match &self.backends[0] {
            Backend::OpenAi { settings, .. } => ModelNotice {
                demo: false,
                label: format!("{} · {}", settings.provider.as_str(), settings.model),
                demo_prompts: Vec::new(),
            },
            Backend::Demo(recordings) => ModelNotice {
                demo: true,
                label: "demo · recorded builds".to_owned(),
                demo_prompts: recordings.prompts(),
            },
        }
    }
}

impl Backend {
    /// The provider's name, and that of the model that answers in this role.
    fn names(&self, role: ModelRole) -> (&'static str, &str) {
        match self {
            Self::OpenAi { settings, .. } => {
                (settings.provider.as_str(), settings_model(settings, role))
            }
            Self::Demo(_) => (Provider::Demo.as_str(), "recordings"),
        }
    }
}

fn settings_model(settings: &Llm, role: ModelRole) -> &str {
    match role {
        ModelRole::Coder => &settings.model,
        ModelRole::Naming => &settings.naming_model,
        ModelRole::Vision => &settings.vision_model,
    }
}

/// The model's context in tokens: as Ollama loaded it, as the price table has it, else as usual
/// with the provider.
fn known_context(settings: &Llm, loaded: &ollama::LoadedContext) -> usize {
    let known = loaded.tokens().or_else(|| price::context(&settings.model));
    known.unwrap_or_else(|| settings.provider.usual_context())
}
