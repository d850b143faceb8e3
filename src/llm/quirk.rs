//! What some providers and models refuse although others accept it. A refusal teaches the client,
//! which from then on asks in another way.

use std::{
    fmt,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// A refusal is forgotten after this time: a provider's models and servers change from day to day.
const LIFETIME: Duration = Duration::from_secs(3600);

/// Something that a model can't do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// It can't call tools.
    NoTools,
    /// It can't call tools while it reasons, so the request has to turn reasoning off.
    NoReasoning,
    /// It accepts a system message at the beginning of a chat only.
    SystemFirst,
    /// It refuses the option that asks for the tokens used.
    NoUsageOption,
    /// Over chat completions it refuses what it accepts over Responses.
    ResponsesOnly,
    /// Its server has no Responses.
    NoResponses,
    /// It has no encrypted reasoning.
    NoEncryptedThoughts,
    /// It gives no summaries of its reasoning.
    NoSummaries,
    /// It refuses an effort of reasoning.
    NoEffort,
    /// It doesn't know the key that finds a cache.
    NoCacheKey,
    /// It refuses the point of caching that moves with the chat by itself.
    NoChatCache,
    /// It doesn't decide by itself how much to think.
    NoAdaptive,
    /// It doesn't know that the text of its thinking can be asked for.
    NoDisplay,
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTools => "The model can't call tools",
            Self::NoReasoning => "The model can't call tools while it reasons",
            Self::SystemFirst => "The model accepts system messages at the beginning only",
            Self::NoUsageOption => "The provider doesn't know stream_options",
            Self::ResponsesOnly => "The model calls tools over /v1/responses only (AI_API)",
            Self::NoResponses => "The server has no /v1/responses (AI_API)",
            Self::NoEncryptedThoughts => "The model has no encrypted reasoning",
            Self::NoSummaries => "The provider gives no summaries of the model's reasoning",
            Self::NoEffort => "The model accepts no effort of reasoning (AI_REASONING)",
            Self::NoCacheKey => "The provider doesn't know prompt_cache_key",
            Self::NoChatCache => "The provider caches only up to marked blocks",
            Self::NoAdaptive => "The model doesn't think adaptively",
            Self::NoDisplay => "The provider doesn't know thinking.display",
        })
    }
}

/// How they say so, in lower case: Ollama, OpenRouter, vLLM; OpenAI; the chat templates that
/// llama.cpp and vLLM read; older versions of Azure and Mistral; Anthropic. What is said of
/// Responses comes first, because such a refusal may name another way as well.
const SIGNS: [(Quirk, &[&str]); 13] = [
    (
        Quirk::ResponsesOnly,
        &[
            "use /v1/responses",
            "use the responses api",
            "only supported in v1/responses",
            "only supported in /v1/responses",
            "only available in the responses api",
        ],
    ),
    (
        Quirk::NoResponses,
        &[
            "does not support the responses api",
            "responses api is not supported",
            "responses api is not enabled",
            "invalid url (post /v1/responses)",
        ],
    ),
    (
        Quirk::NoTools,
        &[
            "does not support tools",
            "support tool use",
            "tool choice requires",
            "function calling is not",
        ],
    ),
    (
        Quirk::NoReasoning,
        &["reasoning_effort to 'none'", "reasoning_effort to \"none\""],
    ),
    (
        Quirk::SystemFirst,
        &[
            "system message must be at the beginning",
            "system message must be the first",
            "conversation roles must alternate",
        ],
    ),
    (Quirk::NoUsageOption, &["stream_options"]),
    (
        Quirk::NoEncryptedThoughts,
        &[
            "encrypted content is not supported",
            "reasoning.encrypted_content",
        ],
    ),
    (
        Quirk::NoSummaries,
        &["generate reasoning summaries", "reasoning.summary"],
    ),
    (
        Quirk::NoEffort,
        &[
            "'reasoning.effort' is not supported",
            "'reasoning_effort' is not supported",
            "unsupported parameter: 'reasoning",
            "unknown parameter: 'reasoning",
            "argument supplied: reasoning",
            "does not support the effort parameter",
            "output_config: extra inputs",
        ],
    ),
    (Quirk::NoCacheKey, &["prompt_cache_key"]),
    (Quirk::NoChatCache, &["cache_control: extra inputs"]),
    (
        Quirk::NoDisplay,
        &[
            "thinking.display",
            "thinking.adaptive.display",
            "display: extra inputs",
        ],
    ),
    (
        Quirk::NoAdaptive,
        &[
            "adaptive thinking is not supported",
            "does not support adaptive thinking",
            "thinking: extra inputs",
            "thinking.type: input should be",
            "input tag 'adaptive'",
        ],
    ),
];

impl Quirk {
    /// The quirk that a refusal reveals first, if any.
    pub fn in_refusal(message: &str) -> Option<Self> {
        Self::all_in_refusal(message).first().copied()
    }

    /// All quirks that a refusal reveals.
    pub fn all_in_refusal(message: &str) -> Vec<Self> {
        let message = message.to_lowercase();
        let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
        let revealed = SIGNS.iter().filter(|(_, signs)| says(signs));
        revealed.map(|(quirk, _)| *quirk).collect()
    }
}

/// The quirks a model has shown, and when.
#[derive(Debug, Default)]
pub struct KnownQuirks(Mutex<Vec<(Quirk, Instant)>>);

impl KnownQuirks {
    /// Those shown within [`LIFETIME`].
    pub fn recent(&self) -> Vec<Quirk> {
        let mut known = self.0.lock();
        known.retain(|(_, at)| at.elapsed() < LIFETIME);
        known.iter().map(|(quirk, _)| *quirk).collect()
    }

    pub fn remember(&self, quirk: Quirk) {
        self.0.lock().push((quirk, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reveals_what_the_model_can_not_do() {
        for (message, quirk) in [
            (
                "registry.ollama.ai/library/gemma3 does not support tools",
                Some(Quirk::NoTools),
            ),
            (
                "No endpoints found that support tool use",
                Some(Quirk::NoTools),
            ),
            (
                "Function tools with reasoning_effort are not supported for gpt-6-sol in /v1/chat/completions. To use function tools, use \
                 /v1/responses or set reasoning_effort to 'none'.",
                Some(Quirk::ResponsesOnly),
            ),
            (
                "Jinja Exception: System message must be at the beginning.",
                Some(Quirk::SystemFirst),
            ),
            (
                "Unrecognized request argument supplied: stream_options",
                Some(Quirk::NoUsageOption),
            ),
            (
                "Encrypted content is not supported with this model.",
                Some(Quirk::NoEncryptedThoughts),
            ),
            (
                "Your organization must be verified to generate reasoning summaries.",
                Some(Quirk::NoSummaries),
            ),
            (
                "cache_control: Extra inputs are not permitted",
                Some(Quirk::NoChatCache),
            ),
            (
                "thinking.adaptive.display: Extra inputs are not permitted",
                Some(Quirk::NoDisplay),
            ),
            (
                "Unsupported value: 'reasoning_effort' does not support 'minimal'",
                None,
            ),
        ] {
            assert_eq!(Quirk::in_refusal(message), quirk, "{message}");
        }
        assert_eq!(
            Quirk::all_in_refusal("Use /v1/responses or set reasoning_effort to 'none'."),
            [Quirk::ResponsesOnly, Quirk::NoReasoning]
        );
    }
}
