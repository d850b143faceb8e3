//! What some providers and models refuse although others accept it. A refusal teaches the client,
//! which from then on asks in another way.

use std::{
    fmt,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// A refusal is forgotten after this time: a provider's models and servers change from day to day.
const MEMORY: Duration = Duration::from_secs(3600);

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
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTools => "The model can't call tools",
            Self::NoReasoning => "The model can't call tools while it reasons",
            Self::SystemFirst => "The model accepts system messages at the beginning only",
            Self::NoUsageOption => "The provider doesn't know stream_options",
        })
    }
}

/// How they say so, in lower case: Ollama, OpenRouter, vLLM; OpenAI; the chat templates that
/// llama.cpp and vLLM read; older versions of Azure and Mistral.
const SIGNS: [(Quirk, &[&str]); 4] = [
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
];

impl Quirk {
    /// The quirk that a refusal reveals, if any.
    pub fn in_refusal(message: &str) -> Option<Self> {
        let message = message.to_lowercase();
        let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
        SIGNS
            .iter()
            .find(|(_, signs)| says(signs))
            .map(|(quirk, _)| *quirk)
    }
}

/// The quirks a model has shown, and when.
#[derive(Debug, Default)]
pub struct KnownQuirks(Mutex<Vec<(Quirk, Instant)>>);

impl KnownQuirks {
    /// Those shown within [`MEMORY`].
    pub fn recent(&self) -> Vec<Quirk> {
        let mut known = self.0.lock();
        known.retain(|(_, at)| at.elapsed() < MEMORY);
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
                Some(Quirk::NoReasoning),
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
                "Unsupported value: 'reasoning_effort' does not support 'minimal'",
                None,
            ),
        ] {
            assert_eq!(Quirk::in_refusal(message), quirk, "{message}");
        }
    }
}
