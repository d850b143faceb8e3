//! Facts about models: abilities, context sizes and prices. The table comes from the providers'
//! public pages and is keyed by the model's name without its version; settings override it.

use std::{borrow::Cow, sync::LazyLock};

use serde::Deserialize;

use crate::config::{self, Ability, Provider};

/// From openai.com/api/pricing, ai.google.dev/pricing, docs.claude.com/en/docs/about-claude/models
/// and openrouter.ai/models, at the date given in it. US dollars per million tokens, for requests
/// of normal length.
const TABLE: &str = include_str!("models.json");

#[derive(Debug, Default, Deserialize)]
struct Table {
    /// The abilities of most models whose names begin alike; the longest matching beginning counts.
    families: Vec<Family>,
    models: Vec<ModelEntry>,
}

#[derive(Debug, Deserialize)]
struct Family {
    begins: String,
    #[serde(flatten)]
    abilities: Abilities,
}

/// A model in the table.
#[derive(Debug, Deserialize)]
pub struct ModelEntry {
    model: String,
    pub input: f64,
    /// Set if it differs from `input`.
    pub cached_input: Option<f64>,
    /// The price of writing to the cache, if it differs from `input`.
    pub cache_write: Option<f64>,
    pub output: f64,
    pub context: usize,
    /// Set if they differ from those of its family.
    abilities: Option<Abilities>,
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Abilities {
    pub tools: bool,
    pub parallel_calls: bool,
    pub vision: bool,
    pub thinking: Thinking,
    pub caching: Caching,
    /// The maximum length of an answer, in tokens.
    pub max_output: Option<usize>,
}

/// The way to request reasoning from a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    None,
    /// By effort.
    Effort,
    /// The model decides, guided by an effort (Claude since 4.6).
    Adaptive,
    /// By a token budget (Claude until 4.5).
    Budget,
}

/// How a provider's cache works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caching {
    None,
    /// Caches any common beginning.
    Automatic,
    /// Caches what the request marks.
    Asked,
}

impl Default for Abilities {
    /// The defaults for an unknown model: it is asked, and a refusal teaches the client.
    fn default() -> Self {
        Self {
            tools: true,
            parallel_calls: true,
            vision: true,
            thinking: Thinking::Effort,
            caching: Caching::Automatic,
            max_output: None,
        }
    }
}

impl Abilities {
    /// The abilities in words.
    pub fn words(&self) -> Vec<&'static str> {
        let all = [
            (self.tools, "tools"),
            (self.tools && self.parallel_calls, "parallel calls"),
            (self.vision, "vision"),
            (self.thinking != Thinking::None, "thinking"),
            (self.caching != Caching::None, "caching"),
        ];
        let can = all.into_iter().filter(|(can, _)| *can);
        can.map(|(_, word)| word).collect()
    }
}

/// Longest names first, so that `gpt-5-mini` is not taken for `gpt-5`.
static KNOWN: LazyLock<Table> = LazyLock::new(|| {
    let mut table: Table = serde_json::from_str(TABLE).unwrap_or_default();
    table
        .models
        .sort_by_key(|model| std::cmp::Reverse(model.model.len()));
    table
        .families
        .sort_by_key(|family| std::cmp::Reverse(family.begins.len()));
    table
});

/// The model with this name in the table: by its full name, or without the vendor prefix that
/// OpenRouter adds.
pub fn find(model: &str) -> Option<&'static ModelEntry> {
    let model = usual_name(model);
    let named = |name: &str| {
        KNOWN
            .models
            .iter()
            .find(|known| name.strip_prefix(&known.model).is_some_and(is_version))
    };
    named(&model).or_else(|| named(model.rsplit_once('/')?.1))
}

/// Whether the table says what a model of this name can do.
pub fn is_known(model: &str) -> bool {
    listed(model).is_some()
}

fn listed(model: &str) -> Option<Abilities> {
    let own = find(model).and_then(|known| known.abilities);
    let name = usual_name(model);
    let of_family = || {
        let name = name.rsplit('/').next().unwrap_or(&name);
        let mut families = KNOWN.families.iter();
        families
            .find(|family| name.starts_with(&family.begins))
            .map(|family| family.abilities)
    };
    own.or_else(of_family)
}

/// A model's abilities: from the settings, the table, or else the defaults.
pub fn abilities(model: &str, settings: &config::Llm) -> Abilities {
    let mut known = listed(model).unwrap_or_default();
    if settings.provider == Provider::Anthropic && known.thinking == Thinking::Effort {
        known.thinking = Thinking::Adaptive;
    }
    if let Some(listed) = &settings.abilities {
        let has = |ability| listed.contains(&ability);
        known.tools = has(Ability::Tools);
        known.parallel_calls = has(Ability::Parallel);
        known.vision = has(Ability::Vision);
        known.thinking = match (has(Ability::Thinking), known.thinking) {
            (false, _) => Thinking::None,
            (true, Thinking::None) => Thinking::Effort,
            (true, thinking) => thinking,
        };
        known.caching = match (has(Ability::Caching), known.caching) {
            (false, _) => Caching::None,
            (true, Caching::None) => Caching::Automatic,
            (true, caching) => caching,
        };
    }
    known.max_output = settings.output_tokens.or(known.max_output);
    known
}

/// The name in OpenRouter's spelling: Anthropic writes version numbers with hyphens
/// (`claude-sonnet-5-5`), and without a vendor prefix.
fn usual_name(model: &str) -> Cow<'_, str> {
    let Some(rest) = model.strip_prefix("claude-") else {
        return Cow::Borrowed(model);
    };
    let parts: Vec<&str> = rest.split('-').collect();
    let is_short = |part: &str| part.len() < 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut name = "anthropic/claude".to_owned();
    let mut before_is_number = false;
    for part in parts {
        let is_number = is_short(part);
        name.push(if is_number && before_is_number {
            '.'
        } else {
            '-'
        });
        name.push_str(part);
        before_is_number = is_number;
    }
    Cow::Owned(name)
}

/// Whether the rest of a model's name is only a version: a date, or a preview.
fn is_version(rest: &str) -> bool {
    rest.is_empty()
        || ["-2", "-preview", "-latest", ":"]
            .iter()
            .any(|version| rest.starts_with(version))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn settings(provider: &str, more: &[(&str, &str)]) -> config::Llm {
        let variables = [("AI_PROVIDER", provider), ("OPENAI_API_KEY", "x")];
        let keys = [("ANTHROPIC_API_KEY", "x"), ("OPENROUTER_API_KEY", "x")];
        let variables = variables
            .into_iter()
            .chain(keys)
            .chain(more.iter().copied());
        let env = config::Env::of(variables, "/usr/bin/codeflow");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime
            .block_on(config::Llm::from_env(&env))
            .unwrap()
            .remove(0)
    }

    #[test]
    fn the_table_can_be_read_and_has_a_date_and_no_model_twice() {
        let table: serde_json::Value = serde_json::from_str(TABLE).unwrap();
        let date = table["as_of"].as_str().unwrap();
        assert!(
            chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok(),
            "{date}"
        );
        serde_json::from_str::<Table>(TABLE).unwrap();
        let mut names: Vec<&str> = KNOWN.models.iter().map(|model| &*model.model).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert!(all > 20 && names.len() == all);
    }

    #[test]
    fn a_model_is_the_same_under_every_name_it_has() {
        for name in [
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5",
            "anthropic/claude-sonnet-4.5",
            "claude-sonnet-4-5-latest",
        ] {
            assert_eq!(
                find(name).unwrap().model,
                "anthropic/claude-sonnet-4.5",
                "{name}"
            );
        }
        assert_eq!(
            find("claude-opus-5").unwrap().model,
            "anthropic/claude-opus-5"
        );
        assert_eq!(find("openai/gpt-5-mini").unwrap().model, "gpt-5-mini");
        for unknown in ["my-own", "gpt-5-pro", "gpt-5.9", "claude-opus-5-9"] {
            assert!(find(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn abilities_come_from_the_table_and_the_settings_override_them() {
        let openai = settings("openai", &[]);
        let known = abilities("gpt-4o", &openai);
        assert_eq!(
            (known.thinking, known.caching),
            (Thinking::None, Caching::Automatic)
        );
        assert_eq!(abilities("gpt-6-sol", &openai).thinking, Thinking::Effort);
        assert!(!abilities("qwen/qwen3-coder", &openai).vision);
        assert_eq!(abilities("my-own", &openai), Abilities::default());
        let anthropic = settings("anthropic", &[]);
        let claude = abilities("claude-haiku-4-5", &anthropic);
        assert_eq!(
            (claude.thinking, claude.caching),
            (Thinking::Budget, Caching::Asked)
        );
        assert_eq!(
            abilities("claude-next", &anthropic).thinking,
            Thinking::Adaptive
        );
        assert_eq!(abilities("my-own", &anthropic).thinking, Thinking::Adaptive);
        let own = [
            ("AI_ABILITIES", "tools, vision"),
            ("AI_OUTPUT_TOKENS", "9000"),
        ];
        let own = abilities("gpt-6-sol", &settings("openai", &own));
        assert!(own.tools && own.vision && !own.parallel_calls);
        assert_eq!(
            (own.thinking, own.caching, own.max_output),
            (Thinking::None, Caching::None, Some(9000))
        );
    }
}
