//! What some providers and models refuse to take as others do: it is learned from their refusals,
//! and then sent in another way.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// For so long a refusal is remembered: which of its servers answers may change from day to day.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What a model can't do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Call tools.
    NoTools,
    /// Call tools while it reasons: the request has to say that it must not.
    NoReasoning,
    /// Hear the system in mid-chat.
    SystemFirst,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTools => "The model can't call tools",
            Self::NoReasoning => "The model calls no tools while it reasons",
            Self::SystemFirst => "The model takes no notes in mid-chat",
        })
    }
}

/// How they say so, in lower case: Ollama, OpenRouter, vLLM; OpenAI; the chat templates that
/// llama.cpp and vLLM read.
const SIGNS: [(Oddity, &[&str]); 3] = [
    (
        Oddity::NoTools,
        &[
            "does not support tools",
            "support tool use",
            "tool choice requires",
            "function calling is not",
        ],
    ),
    (
        Oddity::NoReasoning,
        &["reasoning_effort to 'none'", "reasoning_effort to \"none\""],
    ),
    (
        Oddity::SystemFirst,
        &[
            "system message must be at the beginning",
            "system message must be the first",
            "conversation roles must alternate",
        ],
    ),
];

impl Oddity {
    /// What a refusal says of the model, if it says any of it.
    pub fn in_words(message: &str) -> Option<Self> {
        let message = message.to_lowercase();
        let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
        SIGNS
            .iter()
            .find(|(_, signs)| says(signs))
            .map(|(oddity, _)| *oddity)
    }
}

/// What was learned of a model, and when.
#[derive(Debug, Default)]
pub struct Learned(Mutex<Vec<(Oddity, Instant)>>);

impl Learned {
    /// What is to be respected now.
    pub fn now(&self) -> Vec<Oddity> {
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.retain(|(_, at)| at.elapsed() < REMEMBERED);
        learned.iter().map(|(oddity, _)| *oddity).collect()
    }

    pub fn learn(&self, oddity: Oddity) {
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.push((oddity, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_a_model_can_not_do() {
        for (message, oddity) in [
            (
                "registry.ollama.ai/library/gemma3 does not support tools",
                Some(Oddity::NoTools),
            ),
            (
                "No endpoints found that support tool use",
                Some(Oddity::NoTools),
            ),
            (
                "Function tools with reasoning_effort are not supported for gpt-6-sol in /v1/chat/completions. To use function tools, use \
                 /v1/responses or set reasoning_effort to 'none'.",
                Some(Oddity::NoReasoning),
            ),
            (
                "Jinja Exception: System message must be at the beginning.",
                Some(Oddity::SystemFirst),
            ),
            (
                "Unsupported value: 'reasoning_effort' does not support 'minimal'",
                None,
            ),
        ] {
            assert_eq!(Oddity::in_words(message), oddity, "{message}");
        }
    }
}
