//! Settings of the model: which provider, which model, which key.

mod ollama;
mod wishes;

use std::time::Duration;

use secrecy::SecretString;

pub use wishes::{Ability, Api, Reasoning};

use super::{ConfigError, Env};
use crate::protocol::{ModelProvider, ProviderKey};

/// A provider of models (`AI_PROVIDER`). All except Anthropic and the demo speak OpenAI's
/// protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    OpenAi,
    Gemini,
    OpenRouter,
    /// Claude, over Anthropic's own protocol.
    Anthropic,
    Ollama,
    /// Any OpenAI-compatible server: `OPENAI_BASE_URL`, and `OPENAI_API_KEY` if it needs one.
    Custom,
    /// Recorded builds.
    Demo,
}

impl From<ModelProvider> for Provider {
    fn from(provider: ModelProvider) -> Self {
        match provider {
            ModelProvider::OpenAi => Self::OpenAi,
            ModelProvider::Anthropic => Self::Anthropic,
            ModelProvider::Gemini => Self::Gemini,
            ModelProvider::OpenRouter => Self::OpenRouter,
        }
    }
}

impl Provider {
    const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::Gemini,
        Self::OpenRouter,
        Self::Anthropic,
        Self::Ollama,
        Self::Custom,
        Self::Demo,
    ];
    /// The providers that answer any prompt.
    const ANSWERING: [Self; 6] = [
        Self::OpenAi,
        Self::Gemini,
        Self::OpenRouter,
        Self::Anthropic,
        Self::Ollama,
        Self::Custom,
    ];

    /// Its name in `AI_PROVIDER`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::OpenRouter => "openrouter",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
            Self::Custom => "custom",
            Self::Demo => "demo",
        }
    }

    /// The variable that holds its key.
    fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::Custom => Some("OPENAI_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::OpenRouter => Some("OPENROUTER_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Ollama | Self::Demo => None,
        }
    }

    /// The variable that overrides its default address.
    fn url_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::Custom => Some("OPENAI_BASE_URL"),
            Self::Gemini => Some("GEMINI_BASE_URL"),
            Self::OpenRouter => Some("OPENROUTER_BASE_URL"),
            Self::Anthropic => Some("ANTHROPIC_BASE_URL"),
            Self::Ollama => Some("OLLAMA_BASE_URL"),
            Self::Demo => None,
        }
    }

    /// Its default address; empty if it has none.
    fn usual_url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta/openai",
            Self::OpenRouter => "https://openrouter.ai/api/v1",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Ollama | Self::Custom | Self::Demo => "",
        }
    }

    /// The default context size, in tokens, for an unknown model of this provider.
    pub fn usual_context(self) -> usize {
        match self {
            Self::Ollama => 32_768,
            Self::Anthropic => 200_000,
            _ => 128_000,
        }
    }

    /// A small model for titles, where the provider has one and `AI_MODEL` names none.
    fn default_naming_model(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("gpt-6-luna"),
            Self::Gemini => Some("gemini-3.5-flash-lite"),
            Self::OpenRouter => Some("anthropic/claude-haiku-5.5"),
            Self::Anthropic => Some("claude-haiku-5-5"),
            Self::Ollama | Self::Custom | Self::Demo => None,
        }
    }

    /// The model that writes apps if `AI_MODEL` names none. It supports tool calls over chat
    /// completions and is available to every key.
    fn default_model(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Custom => "gpt-6-sol",
            Self::Gemini => "gemini-3.8-flash",
            Self::OpenRouter => "anthropic/claude-sonnet-5.5",
            Self::Anthropic => "claude-sonnet-5-5",
            // Unless a better one is installed; see `ollama::coder`.
            Self::Ollama => "qwen3-coder",
            Self::Demo => "recorded builds",
        }
    }
}

/// A provider with its models and address.
#[derive(Clone)]
pub struct Llm {
    pub provider: Provider,
    /// Everything before `/chat/completions`, `/responses` or `/v1/messages`; empty for the demo.
    pub base_url: String,
    /// `None` for providers that need no key.
    pub api_key: Option<SecretString>,
    /// Writes the apps (`AI_MODEL`).
    pub model: String,
    /// Names projects and versions (`AI_MODEL_NAMING`; default `AI_MODEL`, else a small model of
    /// the provider).
    pub naming_model: String,
    /// Describes the images that users attach (`AI_MODEL_VISION`; default `AI_MODEL`, or an
    /// installed model of Ollama's that supports vision).
    pub vision_model: String,
    /// The maximum length of a chat, in tokens (`AI_CONTEXT_TOKENS`); `None` for the model's known
    /// limit.
    pub context_tokens: Option<usize>,
    /// The maximum length of an answer, in tokens (`AI_OUTPUT_TOKENS`); `None` for the model's
    /// limit.
    pub output_tokens: Option<usize>,
    /// The models' abilities (`AI_ABILITIES`); `None` for what is known of them.
    pub abilities: Option<Vec<Ability>>,
    /// The OpenAI protocol to use (`AI_API`).
    pub api: Api,
    /// The reasoning effort (`AI_REASONING`); `None` for the model's default.
    pub reasoning: Option<Reasoning>,
    /// How long it may stay silent, before its answer begins and within it (`AI_SILENCE_SECONDS`).
    /// Reasoning models think for minutes before their first word.
    pub silence: Duration,
}

impl std::fmt::Debug for Llm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Llm")
            .field("provider", &self.provider)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Llm {
    /// The providers with keys, and whether each key is set.
    pub fn keys(env: &Env) -> Vec<ProviderKey> {
        let all = Provider::ALL.into_iter();
        // A custom server uses OpenAI's.
        let with_keys = all.filter(|provider| *provider != Provider::Custom);
        let keys = with_keys.filter_map(|provider| {
            let variable = provider.key_variable()?;
            Some(ProviderKey {
                provider: provider.as_str().to_owned(),
                variable: variable.to_owned(),
                is_set: env.secret(variable).is_some(),
            })
        });
        keys.collect()
    }

    /// The provider of `AI_PROVIDER`, else the first whose key is set, else Ollama if its address
    /// is set or it is running, else the demo; followed by those of `AI_FALLBACK`.
    pub async fn from_env(env: &Env) -> Result<Vec<Self>, ConfigError> {
        let provider = match env.var("AI_PROVIDER") {
            Some(name) => named("AI_PROVIDER", &name, &Provider::ALL)?,
            None => match first_with_key(|name| env.var(name)) {
                Some(provider) => provider,
                None if ollama::is_named(env) || ollama::answers(&ollama::url(env)).await => {
                    Provider::Ollama
                }
                None => Provider::Demo,
            },
        };
        let first = Self::of(env, provider, "AI_PROVIDER", env.var("AI_MODEL")).await?;
        let first = Self {
            naming_model: env.var("AI_MODEL_NAMING").unwrap_or(first.naming_model),
            vision_model: env.var("AI_MODEL_VISION").unwrap_or(first.vision_model),
            ..first
        };
        let mut all = vec![first];
        for (provider, model) in fallbacks(&env.var("AI_FALLBACK").unwrap_or_default())? {
            if provider != all[0].provider || model.is_some() {
                all.push(Self::of(env, provider, "AI_FALLBACK", model).await?);
            }
        }
        Ok(all)
    }

    /// The models available with users' own keys, without any key: for each provider the
    /// `configured` ones, else its defaults.
    pub async fn for_own_keys(env: &Env, configured: &[Self]) -> Result<Vec<Self>, ConfigError> {
        let mut all = Vec::new();
        for provider in ModelProvider::ALL.map(Provider::from) {
            let of_provider = configured.iter().filter(|llm| llm.provider == provider);
            let mut models: Vec<Self> = of_provider.cloned().collect();
            if models.is_empty() {
                let mut usual = Self::with_key(env, provider, None, None).await?;
                let is_custom = |llm: &Self| llm.provider == Provider::Custom;
                if provider == Provider::OpenAi && configured.iter().any(is_custom) {
                    // The variable may point to another server, which must not get the user's key.
                    provider.usual_url().clone_into(&mut usual.base_url);
                }
                models.push(usual);
            }
            all.extend(models.into_iter().map(|llm| Self {
                api_key: None,
                ..llm
            }));
        }
        Ok(all)
    }

    /// The settings of a provider named by the variable `named_by`, with its default models, or
    /// with `model` for everything.
    async fn of(
        env: &Env,
        provider: Provider,
        named_by: &str,
        model: Option<String>,
    ) -> Result<Self, ConfigError> {
        let needed_by = format!("{named_by}={} needs", provider.as_str());
        let api_key = provider.key_variable().and_then(|name| env.secret(name));
        if api_key.is_none()
            && provider != Provider::Custom
            && let Some(variable) = provider.key_variable()
        {
            return Err(ConfigError::new(variable, "", format!("{needed_by} a key")));
        }
        if provider == Provider::Custom && env.var("OPENAI_BASE_URL").is_none() {
            return Err(ConfigError::new(
                "OPENAI_BASE_URL",
                "",
                format!("{needed_by} the address of an OpenAI-compatible server"),
            ));
        }
        Self::with_key(env, provider, api_key, model).await
    }

    async fn with_key(
        env: &Env,
        provider: Provider,
        api_key: Option<SecretString>,
        model: Option<String>,
    ) -> Result<Self, ConfigError> {
        let usual = match provider {
            Provider::Ollama => format!("{}/v1", ollama::url(env)),
            _ => provider.usual_url().to_owned(),
        };
        let variable = provider.url_variable();
        let base_url = match variable
            .filter(|_| provider != Provider::Ollama)
            .and_then(|name| env.var(name))
        {
            Some(url) => url,
            None => usual,
        };
        if let Some(variable) = variable
            && !(base_url.starts_with("http://") || base_url.starts_with("https://"))
        {
            return Err(ConfigError::new(
                variable,
                base_url,
                "an http or https address, such as http://localhost:8000/v1",
            ));
        }
        let silence = env.parsed(
            "AI_SILENCE_SECONDS",
            180,
            "a number of seconds from 1 to 400",
            |seconds| (1..=400).contains(seconds),
        )?;
        let tokens = |name: &'static str, least: usize| match env.var(name) {
            Some(_) => {
                let expected = format!("a number of tokens from {least}");
                let parsed = env.parsed(name, 0, &expected, |tokens| *tokens >= least);
                parsed.map(Some)
            }
            None => Ok(None),
        };
        let context_tokens = tokens("AI_CONTEXT_TOKENS", 4000)?;
        let output_tokens = tokens("AI_OUTPUT_TOKENS", 1000)?;
        let small = provider
            .default_naming_model()
            .filter(|_| model.is_none())
            .map(str::to_owned);
        let (mut vision, mut model) = (None, model);
        if provider == Provider::Ollama {
            let installed = ollama::installed(&ollama::url(env)).await;
            model = model.or_else(|| ollama::coder(&installed));
            vision = ollama::vision(&installed, model.as_deref());
        }
        let model = model.unwrap_or_else(|| provider.default_model().to_owned());
        let mut base_url = base_url.trim_end_matches('/');
        if provider == Provider::Anthropic {
            base_url = base_url.trim_end_matches("/v1");
        }
        Ok(Self {
            provider,
            base_url: base_url.to_owned(),
            api_key,
            naming_model: small.unwrap_or_else(|| model.clone()),
            vision_model: vision.unwrap_or_else(|| model.clone()),
            context_tokens,
            output_tokens,
            abilities: wishes::abilities(env)?,
            // Other addresses offer only chat completions.
            api: match (provider, Api::from_env(env)?) {
                (Provider::OpenAi | Provider::Custom, api) => api,
                _ => Api::Auto,
            },
            reasoning: Reasoning::from_env(env)?,
            model,
            silence: Duration::from_secs(silence),
        })
    }
}

/// Parses `AI_FALLBACK`: names of providers, each with an optional model after a colon.
fn fallbacks(list: &str) -> Result<Vec<(Provider, Option<String>)>, ConfigError> {
    let entries = list
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let (name, model) = match entry.split_once(':') {
                Some((name, model)) => (
                    name,
                    Some(model.trim().to_owned()).filter(|model| !model.is_empty()),
                ),
                None => (entry, None),
            };
            Ok((
                named("AI_FALLBACK", name.trim(), &Provider::ANSWERING)?,
                model,
            ))
        })
        .collect()
}

/// The provider with this name, among those that the variable may name.
fn named(
    variable: &'static str,
    name: &str,
    allowed: &[Provider],
) -> Result<Provider, ConfigError> {
    let found = allowed.iter().find(|provider| provider.as_str() == name);
    found.copied().ok_or_else(|| {
        let (last, others) = allowed.split_last().unwrap_or((&Provider::Demo, &[]));
        let others: Vec<&str> = others.iter().map(|provider| provider.as_str()).collect();
        ConfigError::new(
            variable,
            name,
            format!("{} or {}", others.join(", "), last.as_str()),
        )
    })
}

/// The first provider whose key is set; `OPENAI_BASE_URL` alone makes it `custom`.
fn first_with_key(var: impl Fn(&'static str) -> Option<String>) -> Option<Provider> {
    // Anthropic last: other programs take its key from the same variable.
    let with_keys = [
        Provider::OpenAi,
        Provider::Gemini,
        Provider::OpenRouter,
        Provider::Anthropic,
    ];
    with_keys
        .into_iter()
        .find(|provider| provider.key_variable().and_then(&var).is_some())
        .or_else(|| var("OPENAI_BASE_URL").map(|_| Provider::Custom))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_that_is_set_chooses_and_a_wrong_name_lists_the_right_ones() {
        let with = |names: &'static [&'static str]| {
            first_with_key(move |name| names.contains(&name).then(|| "x".to_owned()))
        };
        assert_eq!(with(&[]), None);
        assert_eq!(
            with(&["OPENROUTER_API_KEY", "GEMINI_API_KEY"]),
            Some(Provider::Gemini)
        );
        assert_eq!(with(&["OPENAI_BASE_URL"]), Some(Provider::Custom));
        assert_eq!(
            with(&["ANTHROPIC_API_KEY", "OPENAI_BASE_URL"]),
            Some(Provider::Anthropic)
        );
        let provider = |name| named("AI_PROVIDER", name, &Provider::ALL);
        assert_eq!(provider("demo").unwrap(), Provider::Demo);
        assert_eq!(
            provider("gpt").unwrap_err().to_string(),
            "AI_PROVIDER=gpt: openai, gemini, openrouter, anthropic, ollama, custom or demo"
        );
    }

    #[test]
    fn each_provider_with_a_key_is_listed_once_and_no_key_is_in_the_list() {
        let env = Env::of([("GEMINI_API_KEY", "hidden")], "/usr/bin/codeflow");
        let keys = Llm::keys(&env);
        let set = |key: &ProviderKey| (key.provider.clone(), key.is_set);
        let set: Vec<(String, bool)> = keys.iter().map(set).collect();
        let expected = ["openai", "gemini", "openrouter", "anthropic"];
        assert_eq!(
            set,
            expected.map(|name| (name.to_owned(), name == "gemini"))
        );
        assert!(!format!("{keys:?}").contains("hidden"));
    }

    #[test]
    fn fallbacks_are_providers_with_optional_models_and_the_demo_is_none() {
        assert_eq!(fallbacks(" ").unwrap(), []);
        assert_eq!(
            fallbacks("gemini, openrouter:openai/gpt-5.1 ,ollama:qwen3:8b").unwrap(),
            [
                (Provider::Gemini, None),
                (Provider::OpenRouter, Some("openai/gpt-5.1".to_owned())),
                (Provider::Ollama, Some("qwen3:8b".to_owned())),
            ]
        );
        assert_eq!(
            fallbacks("gemini,demo").unwrap_err().to_string(),
            "AI_FALLBACK=demo: openai, gemini, openrouter, anthropic, ollama or custom"
        );
    }
}
