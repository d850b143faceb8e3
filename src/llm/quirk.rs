//! Things that some providers and models refuse although others accept them. A refusal teaches the
//! client, which then adapts its requests.

use std::{
    fmt,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// A refusal is forgotten after this time, because providers change their models and servers often.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A limitation of a model or its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// Can't call tools.
    NoTools,
    /// Can't call tools while reasoning, so the request must turn reasoning off.
    NoReasoning,
    /// Accepts a system message only at the beginning of a chat.
    SystemFirst,
    /// Rejects the option that requests token usage.
    NoUsageOption,
    /// Rejects over chat completions what it accepts over Responses.
    ResponsesOnly,
    /// The server doesn't offer Responses.
    NoResponses,
    /// Offers no encrypted reasoning.
    NoEncryptedThoughts,
    /// Offers no summaries of its reasoning.
    NoSummaries,
    /// Rejects a reasoning effort.
    NoEffort,
    /// Doesn't know the cache key.
    NoCacheKey,
    /// Rejects the cache breakpoint that moves with the chat.
    NoChatCache,
    /// Doesn't decide by itself how much to think.
    NoAdaptive,
    /// Doesn't know the option that requests the text of its thinking.
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

/// Their wording, in lower case: Ollama, OpenRouter, vLLM; OpenAI; the chat templates of llama.cpp
/// and vLLM; older versions of Azure and Mistral; Anthropic. Those about Responses come first,
/// because such a refusal may mention another way as well.
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
    /// The first quirk that a refusal reveals, if any.
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

/// A model's known quirks, and when each was learned.
#[derive(Debug, Default)]
pub struct KnownQuirks(Mutex<Vec<(Quirk, Instant)>>);

impl KnownQuirks {
    /// Those learned within `LIFETIME`.
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
