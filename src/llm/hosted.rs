//! A provider over HTTP: the protocol to use, and what its refusals teach.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;

use super::{
    ChatRequest, ModelError, ModelReply, ModelRole, Piece, anthropic,
    models::{self, Abilities},
    ollama, openai, price,
    quirk::{KnownQuirks, Quirk},
    responses,
    wire::{
        client::{Client, Question, Refused},
        usage,
    },
};
use crate::config::{Api, Llm, Provider};

/// OpenAI's own address, up to its host.
const OPENAI: &str = "https://api.openai.com/";
/// The maximum length of a chat, in tokens, unless `AI_CONTEXT_TOKENS` allows more: many models
/// cost twice as much beyond it.
const MAX_CONTEXT: usize = 200_000;
/// Status codes for a path that the server doesn't have.
const UNKNOWN_ADDRESS: [u16; 3] = [404, 405, 501];

/// The protocol of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    ChatCompletions,
    Responses,
    Messages,
}

/// A provider and what is known about it, shared by copies.
#[derive(Clone)]
pub struct Hosted {
    client: Client,
    settings: Llm,
    quirks: Arc<KnownQuirks>,
    /// The context size that Ollama loaded its model with.
    loaded: Arc<ollama::LoadedContext>,
}

impl Hosted {
    /// Fails if a client can't be created.
    pub fn new(settings: Llm) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(&settings)?,
            settings,
            quirks: Arc::default(),
            loaded: Arc::default(),
        })
    }

    /// The same provider, asked with this key.
    pub fn with_key(&self, key: SecretString) -> Self {
        Self {
            client: self.client.with_key(key),
            ..self.clone()
        }
    }

    pub fn provider(&self) -> Provider {
        self.settings.provider
    }

    /// The model for this role.
    pub fn model(&self, role: ModelRole) -> &str {
        match role {
            ModelRole::Coder => &self.settings.model,
            ModelRole::Naming => &self.settings.naming_model,
            ModelRole::Vision => &self.settings.vision_model,
        }
    }

    /// The model's abilities.
    pub fn abilities(&self, model: &str) -> Abilities {
        models::abilities(model, &self.settings)
    }

    /// The context size of this role's model, in tokens; `None` if unknown.
    pub fn context_of(&self, role: ModelRole) -> Option<u64> {
        let tokens = match role {
            ModelRole::Coder => Some(self.context_tokens()),
            ModelRole::Naming | ModelRole::Vision => price::context(self.model(role)),
        };
        tokens.and_then(|tokens| u64::try_from(tokens).ok())
    }

    /// Whether the vision model accepts images. A model that the table considers text-only is asked
    /// nevertheless: its refusal says what to set.
    pub fn supports_vision(&self) -> bool {
        self.settings.abilities.is_none()
            || models::abilities(&self.settings.vision_model, &self.settings).vision
    }

    /// Whether the vision model is known to support images: according to the table, or because the
    /// settings name it.
    pub fn sees(&self) -> bool {
        let (settings, model) = (&self.settings, &self.settings.vision_model);
        let is_known =
            settings.abilities.is_some() || *model != settings.model || models::is_known(model);
        is_known && models::abilities(model, settings).vision
    }

    /// The maximum length of a chat, in tokens: from the settings, Ollama's loaded model, the
    /// table, or else the provider's default.
    pub fn context_tokens(&self) -> usize {
        let known = || {
            let known = self.loaded.tokens();
            known
                .or_else(|| price::context(&self.settings.model))
                .unwrap_or_else(|| self.settings.provider.usual_context())
                .min(MAX_CONTEXT)
        };
        self.settings.context_tokens.unwrap_or_else(known)
    }

    /// The answer with its cost, as reported by the provider or estimated. A refused request is
    /// sent in another form, if there is one; a failed one is not sent again.
    pub async fn answer(
        &self,
        request: &ChatRequest,
        mut on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let settings = &self.settings;
        let model = self.model(request.role);
        if settings.provider == Provider::Ollama && request.role == ModelRole::Coder {
            self.loaded
                .ask(&settings.base_url, model, settings.silence)
                .await?;
        }
        loop {
            let known = self.quirks.recent();
            let wire = self.wire(&known);
            let refused = match self.ask(wire, request, &known, &mut on_piece).await {
                Ok(reply) => return Ok(reply),
                Err(refused) => refused,
            };
            let lessons = self.lessons(wire, &refused, &known);
            if lessons.is_empty() {
                return Err(refused.error);
            }
            for quirk in lessons {
                tracing::warn!(why = %refused.error, "{quirk}; asking in another way");
                self.quirks.remember(quirk);
            }
        }
    }

    fn wire(&self, known: &[Quirk]) -> Wire {
        let settings = &self.settings;
        let has = |quirk| known.contains(&quirk);
        match (settings.provider, settings.api) {
            (Provider::Anthropic, _) => Wire::Messages,
            (_, Api::Responses) => Wire::Responses,
            (_, Api::Chat) => Wire::ChatCompletions,
            (_, Api::Auto) if has(Quirk::NoResponses) => Wire::ChatCompletions,
            (Provider::OpenAi, Api::Auto) if settings.base_url.starts_with(OPENAI) => {
                Wire::Responses
            }
            (_, Api::Auto) if has(Quirk::ResponsesOnly) => Wire::Responses,
            (_, Api::Auto) => Wire::ChatCompletions,
        }
    }

    /// What a refusal reveals that was not known before.
    fn lessons(&self, wire: Wire, refused: &Refused, known: &[Quirk]) -> Vec<Quirk> {
        let may_choose = self.settings.api == Api::Auto && wire != Wire::Messages;
        let is_unknown_address = || match &refused.error {
            ModelError::NotAModel(_) => true,
            ModelError::Invalid(why) => {
                refused
                    .status
                    .is_some_and(|status| UNKNOWN_ADDRESS.contains(&status))
                    // A model that the server doesn't have is a different case.
                    && !why.to_lowercase().contains("model")
            }
            _ => false,
        };
        let mut lessons = match &refused.error {
            ModelError::Quirk(_, why) => Quirk::all_in_refusal(why),
            _ if wire == Wire::Responses && is_unknown_address() => vec![Quirk::NoResponses],
            _ => Vec::new(),
        };
        lessons.retain(|quirk| {
            let is_useful = match quirk {
                Quirk::ResponsesOnly => may_choose && wire == Wire::ChatCompletions,
                Quirk::NoResponses => may_choose && wire == Wire::Responses,
                _ => true,
            };
            is_useful && !known.contains(quirk)
        });
        lessons
    }

    async fn ask(
        &self,
        wire: Wire,
        request: &ChatRequest,
        quirks: &[Quirk],
        on_piece: &mut (impl FnMut(Piece<'_>) + Send),
    ) -> Result<ModelReply, Refused> {
        let settings = &self.settings;
        let model = self.model(request.role);
        let abilities = models::abilities(model, settings);
        let in_words =
            !request.tools.is_empty() && (!abilities.tools || quirks.contains(&Quirk::NoTools));
        let body = if in_words {
            self.body(wire, &request.in_words(), &abilities, quirks)
        } else {
            self.body(wire, request, &abilities, quirks)
        };
        let question = Question {
            path: match wire {
                Wire::ChatCompletions => openai::PATH,
                Wire::Responses => responses::PATH,
                Wire::Messages => anthropic::PATH,
            },
            body: &body,
            model,
            takes_unfinished: request.takes_unfinished,
        };
        let client = &self.client;
        let answer = match wire {
            Wire::ChatCompletions => {
                client
                    .ask::<openai::answer::Answer>(&question, on_piece)
                    .await?
            }
            Wire::Responses => {
                client
                    .ask::<responses::output::Output>(&question, on_piece)
                    .await?
            }
            Wire::Messages => {
                client
                    .ask::<anthropic::blocks::Blocks>(&question, on_piece)
                    .await?
            }
        };
        let mut reply = answer.reply;
        if let Some(thoughts) = &mut reply.thoughts {
            settings
                .provider
                .as_str()
                .clone_into(&mut thoughts.provider);
            if !thoughts.items.is_empty() {
                model.clone_into(&mut thoughts.model);
            }
        }
        let usage = usage::or_estimate(answer.usage, &body, answer.bytes);
        tracing::debug!(
            usage.input = usage.input_tokens,
            usage.cached = usage.cached_tokens,
            usage.cache_write = usage.cache_write_tokens,
            usage.output = usage.output_tokens,
            usage.reasoning = usage.reasoning_tokens,
            "the model answered"
        );
        Ok(ModelReply {
            spent: price::spent(model, usage),
            model: Some(model.to_owned()),
            in_words,
            ..reply
        })
    }

    fn body(
        &self,
        wire: Wire,
        request: &ChatRequest,
        abilities: &Abilities,
        quirks: &[Quirk],
    ) -> Value {
        let settings = &self.settings;
        let (provider, model) = (settings.provider, self.model(request.role));
        let (reasoning, output_tokens) = (settings.reasoning, settings.output_tokens);
        match wire {
            Wire::ChatCompletions => {
                let settings = openai::request::Settings {
                    provider,
                    model,
                    abilities,
                    reasoning,
                    output_tokens,
                    quirks,
                };
                openai::request::body(request, &settings)
            }
            Wire::Responses => {
                let settings = responses::request::Settings {
                    provider,
                    model,
                    abilities,
                    reasoning,
                    output_tokens,
                    quirks,
                };
                responses::request::body(request, &settings)
            }
            Wire::Messages => {
                let context = price::context(model).unwrap_or_else(|| provider.usual_context());
                let settings = anthropic::request::Settings {
                    model,
                    abilities,
                    reasoning,
                    context: settings.context_tokens.unwrap_or(context),
                    quirks,
                };
                anthropic::request::body(request, &settings)
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::config::Env;

    async fn hosted(variables: &[(&str, &str)]) -> Hosted {
        // As the program does at its start.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let keys = [("OPENAI_API_KEY", "x"), ("ANTHROPIC_API_KEY", "x")];
        let variables = keys.iter().chain(variables).copied();
        let env = Env::of(variables, "/usr/bin/codeflow");
        Hosted::new(Llm::from_env(&env).await.unwrap().remove(0)).unwrap()
    }

    fn refused(status: u16, message: &str) -> Refused {
        Refused {
            error: ModelError::of_status(status, "", format!("{message} ({status})"), None),
            status: Some(status),
        }
    }

    #[tokio::test]
    async fn the_protocol_is_the_provider_s_or_the_setting_s_or_what_refusals_taught() {
        use Wire::{ChatCompletions, Messages, Responses};
        let custom = ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1");
        let (wants, has_none) = (&[Quirk::ResponsesOnly][..], &[Quirk::NoResponses][..]);
        let neither = &[Quirk::ResponsesOnly, Quirk::NoResponses][..];
        for (variables, known, wire) in [
            (&[][..], &[][..], Responses),
            (&[], has_none, ChatCompletions),
            (&[("AI_API", "chat")], wants, ChatCompletions),
            (&[custom], &[], ChatCompletions),
            (&[custom], wants, Responses),
            (&[custom], neither, ChatCompletions),
            (&[custom, ("AI_API", "responses")], has_none, Responses),
            (
                &[("AI_PROVIDER", "anthropic"), ("AI_API", "chat")],
                &[],
                Messages,
            ),
        ] {
            let hosted = hosted(variables).await;
            assert_eq!(hosted.wire(known), wire, "{variables:?} {known:?}");
        }
    }

    #[tokio::test]
    async fn a_server_without_responses_is_told_from_one_without_the_model() {
        let hosted = hosted(&[]).await;
        let learned = |refused: Refused| hosted.lessons(Wire::Responses, &refused, &[]);
        for unknown in [
            refused(404, "Invalid URL (POST /v1/responses)"),
            refused(404, "Not Found"),
            refused(405, "Method Not Allowed"),
            ModelError::NotAModel("it answers “nothing” (404)".to_owned()).into(),
        ] {
            let why = format!("{unknown:?}");
            assert_eq!(learned(unknown), [Quirk::NoResponses], "{why}");
        }
        for other in [
            refused(404, "The model `m` does not exist"),
            refused(400, "Invalid schema"),
            refused(500, "Not Found"),
        ] {
            let why = format!("{other:?}");
            assert!(learned(other).is_empty(), "{why}");
        }
        let why = "To use function tools, use /v1/responses or set reasoning_effort to 'none'.";
        let both = |known| hosted.lessons(Wire::ChatCompletions, &refused(400, why), known);
        assert_eq!(both(&[]), [Quirk::ResponsesOnly, Quirk::NoReasoning]);
        assert!(both(&[Quirk::ResponsesOnly, Quirk::NoReasoning]).is_empty());
    }
}
