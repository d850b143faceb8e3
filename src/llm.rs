//! The model: streamed answers with tool calls, from any OpenAI-compatible server (chat completions
//! or Responses), from Anthropic (Messages), or from the demo's recordings.

mod anthropic;
mod calls;
mod chat;
mod demo;
mod error;
mod hosted;
mod json;
mod models;
mod ollama;
mod openai;
mod own;
mod price;
mod quirk;
mod responses;
mod sse;
mod test_call;
mod wire;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use calls::CallLog;
pub use chat::{
    ChatImage, ChatMessage, ChatRequest, ModelReply, ModelRole, Omission, Piece, Thoughts,
    ToolCall, ToolSpec, Usage,
};
pub use demo::recorded_apps;
pub use error::ModelError;
use hosted::Hosted;
use metrics::{counter, histogram};
pub use test_call::TestCall;
use tracing::Instrument;

use crate::{
    config::{Llm, Provider},
    protocol::{
        ModelId, ModelNotice, ModelOverview, ModelPrice, ModelProvider, ModelTask, ModelsOverview,
        OfferedModel, ProviderKey, Spent,
    },
    traces,
};

/// The model, as a cheap handle: the first provider, and alternatives for when it is at its limit
/// or down.
#[derive(Clone)]
pub struct Model {
    backends: Arc<[Arc<(Backend, CallLog)>]>,
    keys: Arc<[ProviderKey]>,
    /// The models that a message may ask for; empty if the demo answers.
    offered: Arc<[OfferedModel]>,
    /// The models available with users' own keys.
    own: Arc<[(OfferedModel, Hosted)]>,
    /// The provider, if it is asked with a user's own key.
    own_key: Option<ModelProvider>,
}

enum Backend {
    Hosted(Box<Hosted>),
    Demo(demo::Recordings),
}

impl Model {
    /// The first provider answers; the others (`AI_FALLBACK`) stand in for it. Fails if a client
    /// can't be created, or if a recording of the demo is broken. `own` are the models available
    /// with users' own keys; `keys` says which providers' keys are set.
    pub fn new(settings: Vec<Llm>, own: Vec<Llm>, keys: Vec<ProviderKey>) -> anyhow::Result<Self> {
        let backend = |settings: Llm| -> anyhow::Result<Backend> {
            Ok(match settings.provider {
                Provider::Demo => Backend::Demo(demo::Recordings::load()?),
                _ => Backend::Hosted(Box::new(Hosted::new(settings)?)),
            })
        };
        let backends = settings
            .into_iter()
            .map(|settings| Ok(Arc::new((backend(settings)?, CallLog::default()))))
            .collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::ensure!(!backends.is_empty(), "no model is configured");
        let model = Self {
            backends: backends.into(),
            keys: keys.into(),
            offered: Arc::default(),
            own: Arc::new([]),
            own_key: None,
        };
        let own: anyhow::Result<Vec<Hosted>> = own.into_iter().map(Hosted::new).collect();
        let model = model.with_own(own?);
        let offered = model.list_offered().into();
        Ok(Self { offered, ..model })
    }

    /// The same models with this one first, whichever provider it belongs to; `None` if it is not
    /// configured.
    pub fn preferring(&self, model: &ModelId) -> Option<Self> {
        let is_it = |backend: &Arc<(Backend, CallLog)>| backend.0.id() == *model;
        let position = self.backends.iter().position(is_it)?;
        let mut backends = self.backends.to_vec();
        backends[..=position].rotate_right(1);
        Some(Self {
            backends: backends.into(),
            ..self.clone()
        })
    }

    fn list_offered(&self) -> Vec<OfferedModel> {
        let first = self.backends.first();
        if first.is_none_or(|first| matches!(first.0, Backend::Demo(_))) {
            return Vec::new();
        }
        let all = self.overview().models.into_iter();
        all.filter(|model| model.tasks.contains(&ModelTask::Code))
            .map(|model| OfferedModel {
                id: ModelId::new(&model.provider, &model.model),
                label: format!("{} · {}", model.provider, model.model),
                about: model.about(),
                own_key: false,
            })
            .collect()
    }

    /// The number of alternatives to the first provider.
    pub fn alternatives(&self) -> usize {
        self.backends.len() - 1
    }

    /// The answer of the first provider (0) or of an alternative (counted from 1). `on_piece` gets
    /// its pieces as they arrive. An interrupted answer is an error, never a partial answer.
    pub async fn stream(
        &self,
        alternative: usize,
        request: &ChatRequest,
        on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let (provider, model) = self.backend(alternative).names(request.role);
        let span = tracing::info_span!("model", model.provider = provider, model.name = model);
        let begun = Instant::now();
        let answer = self
            .answer(alternative, request, on_piece)
            .instrument(span.clone())
            .await;
        if answer.is_err() {
            traces::fail(&span);
        }
        let answer = answer.map_err(|error| match self.own_key {
            Some(provider) => error.of_own_key(provider),
            None => error,
        });
        let took = begun.elapsed();
        measure(provider, model, took, &answer);
        self.log(alternative)
            .note(model, took, answer.as_ref().err());
        answer
    }

    async fn answer(
        &self,
        alternative: usize,
        request: &ChatRequest,
        on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let mut reply = match self.backend(alternative) {
            Backend::Hosted(hosted) => hosted.answer(request, on_piece).await?,
            Backend::Demo(recordings) => recordings.play(request, on_piece).await?,
        };
        if !request.may_call {
            // Some models call tools anyway.
            reply.tool_calls.clear();
        }
        Ok(reply)
    }

    /// The approximate cost of an answer so far, estimated from the received bytes, in case it
    /// breaks off before its provider reports the cost.
    pub fn estimate(
        &self,
        alternative: usize,
        request: &ChatRequest,
        answer_bytes: usize,
    ) -> Spent {
        match self.backend(alternative) {
            Backend::Hosted(hosted) => {
                let chat = serde_json::to_string(&request.messages).map_or(0, |chat| chat.len());
                price::estimate(hosted.model(ModelRole::Coder), chat, answer_bytes)
            }
            Backend::Demo(_) => Spent::default(),
        }
    }

    /// The maximum length of a chat with the first provider, in tokens. An alternative with a
    /// smaller context says so, and is asked again with less.
    pub fn context_tokens(&self) -> usize {
        match self.backend(0) {
            Backend::Hosted(hosted) => hosted.context_tokens(),
            Backend::Demo(_) => usize::MAX,
        }
    }

    /// Whether the provider that answers (see [`Model::stream`]) accepts images; the demo doesn't.
    pub fn supports_vision(&self, alternative: usize) -> bool {
        match self.backend(alternative) {
            Backend::Hosted(hosted) => hosted.supports_vision(),
            Backend::Demo(_) => false,
        }
    }

    /// Whether the provider's vision model is known to support images, by its name or by the
    /// settings.
    pub fn sees(&self, alternative: usize) -> bool {
        match self.backend(alternative) {
            Backend::Hosted(hosted) => hosted.sees(),
            Backend::Demo(_) => false,
        }
    }

    fn backend(&self, alternative: usize) -> &Backend {
        &self.backends[alternative.min(self.alternatives())].0
    }

    fn log(&self, alternative: usize) -> &CallLog {
        &self.backends[alternative.min(self.alternatives())].1
    }

    /// The providers' keys, and all models in the order in which they are asked, with the outcome
    /// of their requests since the start. The cost of their answers is not known here.
    pub fn overview(&self) -> ModelsOverview {
        let all = self.backends.iter().map(|backend| &**backend).enumerate();
        let models = all.flat_map(|(alternative, (backend, log))| {
            let mut models: Vec<ModelOverview> = Vec::new();
            for task in [ModelTask::Code, ModelTask::Naming, ModelTask::Vision] {
                let role = task.into();
                let (provider, name) = backend.names(role);
                if let Some(known) = models.iter_mut().find(|known| known.model == name) {
                    known.tasks.push(task);
                    continue;
                }
                let hosted = match backend {
                    Backend::Hosted(hosted) => Some(hosted),
                    Backend::Demo(_) => None,
                };
                models.push(ModelOverview {
                    alternative: u32::try_from(alternative).unwrap_or(u32::MAX),
                    provider: provider.to_owned(),
                    model: name.to_owned(),
                    tasks: vec![task],
                    demo: hosted.is_none(),
                    context_tokens: hosted.and_then(|hosted| hosted.context_of(role)),
                    price: models::find(name).map(|known| ModelPrice {
                        input: known.input,
                        output: known.output,
                    }),
                    abilities: hosted.map_or_else(Vec::new, |hosted| {
                        let abilities = hosted.abilities(name).words().into_iter();
                        abilities.map(str::to_owned).collect()
                    }),
                    calls: log.of(name),
                    spent: Spent::default(),
                    runs: 0,
                });
            }
            models
        });
        ModelsOverview {
            keys: self.keys.to_vec(),
            models: models.collect(),
        }
    }

    /// The model that writes the apps, as the page shows it.
    pub fn notice(&self) -> ModelNotice {
        match self.backend(0) {
            Backend::Hosted(_) => {
                let (provider, model) = self.backend(0).names(ModelRole::Coder);
                ModelNotice {
                    demo: false,
                    label: format!("{provider} · {model}"),
                    demo_prompts: Vec::new(),
                    offered: match self.offered.len() {
                        0 | 1 => Vec::new(),
                        _ => self.offered.to_vec(),
                    },
                    own_key: false,
                }
            }
            Backend::Demo(recordings) => ModelNotice {
                demo: true,
                label: "demo · recorded builds".to_owned(),
                demo_prompts: recordings.prompts(),
                offered: Vec::new(),
                own_key: false,
            },
        }
    }
}

impl Backend {
    /// The model that writes apps.
    fn id(&self) -> ModelId {
        let (provider, model) = self.names(ModelRole::Coder);
        ModelId::new(provider, model)
    }

    /// The names of the provider and of the model for this role.
    fn names(&self, role: ModelRole) -> (&'static str, &str) {
        match self {
            Self::Hosted(hosted) => (hosted.provider().as_str(), hosted.model(role)),
            Self::Demo(_) => (Provider::Demo.as_str(), "recordings"),
        }
    }
}

/// Counts a request to a model, under the names from the settings.
fn measure(
    provider: &'static str,
    model: &str,
    took: Duration,
    answer: &Result<ModelReply, ModelError>,
) {
    let names = [
        ("provider", provider.to_owned()),
        ("model", model.to_owned()),
    ];
    let labelled = |name, value: &str| {
        let labels = names.clone().into_iter();
        labels.chain([(name, value.to_owned())]).collect::<Vec<_>>()
    };
    let outcome = if answer.is_ok() { "answered" } else { "failed" };
    counter!("codeflow_model_calls_total", &labelled("outcome", outcome)).increment(1);
    histogram!("codeflow_model_call_seconds", &names).record(took.as_secs_f64());
    let Ok(reply) = answer else {
        return;
    };
    for (direction, tokens) in [
        ("input", reply.spent.input_tokens),
        ("output", reply.spent.output_tokens),
    ] {
        let labels = labelled("direction", direction);
        counter!("codeflow_model_tokens_total", &labels).increment(tokens);
    }
}
