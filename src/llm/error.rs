//! Why a model did not answer, in sentences that say what to do, and whether asking again may help.

use std::time::Duration;

use super::Oddity;

/// What went wrong. Its text is for the user.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// The key is missing, wrong, or may not use the model.
    #[error(
        "The model's provider refused the key: {0}. Check the provider's key variable (such as OPENAI_API_KEY), then send the message again."
    )]
    Auth(String),
    /// The request itself is refused: an unknown model, or more than fits.
    #[error("The model's provider refused the request: {0}. Check AI_MODEL, or try a shorter message.")]
    Invalid(String),
    /// Too many requests for now.
    #[error("The model's provider is at its limit: {message}. Wait a little, then send the message again.")]
    Limited { message: String, retry_after: Option<Duration> },
    /// No credit is left, which waiting does not change.
    #[error("The model's provider has no credit left for this key: {0}. Top it up, or name another provider in AI_FALLBACK.")]
    Exhausted(String),
    /// The provider is down, out of reach, or silent.
    #[error("The model can't be reached: {message}. Send the message again to try once more.")]
    Unavailable { message: String, retry_after: Option<Duration> },
    /// The provider took a request and says nothing, or no more.
    #[error("The model says nothing: {0}. Send the message again to try once more.")]
    Silent(String),
    /// The answer stopped before its end.
    #[error("The model's answer was cut off: {0}. Send the message again to try once more.")]
    Cut(String),
    /// The chat is more than the model takes.
    #[error(
        "The conversation is longer than the model takes: {0}. Begin a new project, or choose a model with a larger context in AI_MODEL."
    )]
    Overflow(String),
    /// The model can't do something that others can, and can do without.
    #[error("{0}: {1}. Choose another one in AI_MODEL.")]
    Odd(Oddity, String),
    /// Ollama reads less of a chat than it takes to build an app.
    #[error(
        "Ollama reads {tokens} tokens of a chat with {model}, and it takes {least} to build an app. Start it with OLLAMA_CONTEXT_LENGTH=64000 \
         (or choose a smaller model in AI_MODEL, which leaves more room), then send the message again."
    )]
    SmallContext { model: String, tokens: usize, least: usize },
    /// The demo has nothing recorded for this.
    #[error("{0}")]
    NoRecording(String),
}

impl ModelError {
    /// The provider did not answer, and did not say when it will.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable {
            message: message.into(),
            retry_after: None,
        }
    }

    /// Sorts an HTTP status, the provider's code for the error, and its words.
    pub(super) fn of_status(status: u16, code: &str, message: String, retry_after: Option<Duration>) -> Self {
        match status {
            401 | 403 => Self::Auth(message),
            400 if says(&message, &BAD_KEYS) => Self::Auth(message),
            402 => Self::Exhausted(message),
            429 if matches!(code, "insufficient_quota" | "billing_hard_limit_reached") => Self::Exhausted(message),
            429 => Self::Limited { message, retry_after },
            _ if code == "context_length_exceeded" || says(&message, &OVERFLOWS) => Self::Overflow(message),
            _ => match Oddity::in_words(&message) {
                Some(oddity) => Self::Odd(oddity, message),
                None if status == 408 || status >= 500 => Self::Unavailable { message, retry_after },
                None => Self::Invalid(message),
            },
        }
    }
}

/// How providers say that a chat is too long: OpenAI and its kin, Anthropic behind OpenRouter, Gemini, Ollama, llama.cpp.
const OVERFLOWS: [&str; 6] = [
    "maximum context length",
    "context length",
    "prompt is too long",
    "exceeds the maximum number of tokens",
    "context window",
    "available context size",
];
/// How those say that a key is wrong that don't by the status: Gemini.
const BAD_KEYS: [&str; 2] = ["api key not valid", "api key expired"];

fn says(message: &str, signs: &[&str]) -> bool {
    let message = message.to_lowercase();
    signs.iter().any(|sign| message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_sorted_by_what_helps_against_them() {
        let of = |status, code: &str, message: &str| ModelError::of_status(status, code, message.to_owned(), None);
        assert!(matches!(of(400, "context_length_exceeded", "too long"), ModelError::Overflow(_)));
        assert!(matches!(
            of(400, "", "prompt is too long: 210000 tokens > 200000 maximum"),
            ModelError::Overflow(_)
        ));
        let odd = of(400, "", "registry.ollama.ai/library/gemma3 does not support tools");
        assert!(matches!(&odd, ModelError::Odd(Oddity::NoTools, _)));
        assert!(odd.to_string().starts_with("The model can't call tools: registry"), "{odd}");
        assert!(matches!(
            of(500, "", "System message must be at the beginning."),
            ModelError::Odd(Oddity::SystemFirst, _)
        ));
        assert!(matches!(
            of(400, "", "request (9000 tokens) exceeds the available context size (4096 tokens)"),
            ModelError::Overflow(_)
        ));
        assert!(matches!(
            of(400, "", "API key not valid. Please pass a valid API key."),
            ModelError::Auth(_)
        ));
        assert!(matches!(of(404, "model_not_found", "no such model"), ModelError::Invalid(_)));
        assert!(matches!(of(429, "insufficient_quota", "x"), ModelError::Exhausted(_)));
        assert!(matches!(of(503, "", "x"), ModelError::Unavailable { .. }));
    }
}
