//! The model: streamed chat completions with tool calls, from any OpenAI-compatible server or from
//! the demo's recordings.

mod chat;
mod demo;
mod error;
mod json;
mod ollama;
mod openai;
mod price;
mod quirk;
mod sse;

use std::sync::Arc;

pub use chat::{
    ChatMessage, ChatRequest, ModelReply, ModelRole, Omission, Piece, Thoughts, ToolCall, ToolSpec,
    Usage,
};
pub use demo::recorded_apps;
pub use error::ModelError;
use quirk::KnownQuirks;
use tracing::Instrument;

use crate::{
    config::{Llm, Provider},
    protocol::{ModelNotice, Spent},
};

/// The longest chat, in tokens, unless `AI_CONTEXT_TOKENS` allows more: many models cost twice as
/// much beyond it.
const MAX_CONTEXT: usize = 200_000;

/// The model, as a cheap handle: the first provider, and alternatives for when that is limited or
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
    /// The first provider answers; the others (`AI_FALLBACK`) stand in for it. Errors when a client
    /// can't be created, or when a recording of the demo is broken.
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
    /// its pieces as they come. An answer that breaks off is an error, never a partial answer.
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
            // Some models call tools anyway.
            reply.tool_calls.clear();
        }
        Ok(reply)
    }

    /// About what an answer to the request has cost so far, estimated from the bytes received: for
    /// one that breaks off before its provider reports the cost.
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

    /// Whether the provider that answers (see [`Model::stream`]) accepts images: the demo doesn't.
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

/// The model's context in tokens: as Ollama loaded it, else from the price table, else the
/// provider's usual one.
fn known_context(settings: &Llm, loaded: &ollama::LoadedContext) -> usize {
    let known = loaded.tokens().or_else(|| price::context(&settings.model));
    known.unwrap_or_else(|| settings.provider.usual_context())
}
