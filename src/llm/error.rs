//! Why a model did not answer: sentences that say what to do, and kinds that say whether a retry
//! may help.

use std::time::Duration;

use super::quirk::Quirk;
use crate::protocol::ModelProvider;

/// What went wrong. Its text is for the user.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// The key is missing, wrong, or may not use the model.
    #[error(
        "The model's provider refused the key: {0}. Check the variable with its key (such as \
         OPENAI_API_KEY), then send the message again."
    )]
    Auth(String),
    /// A user's own key is refused, or its credit is used up.
    #[error("{0}")]
    OwnKey(String),
    /// The provider rejects the request itself, for example because the model is unknown.
    #[error(
        "The model's provider refused the request: {0}. Choose another model (AI_MODEL), or try a \
         shorter message."
    )]
    Invalid(String),
    /// Too many requests at the moment.
    #[error(
        "The model's provider is at its limit: {message}. Wait a little, then send the message \
         again."
    )]
    Limited {
        message: String,
        retry_after: Option<Duration>,
    },
    /// The account is out of credit; waiting does not help.
    #[error(
        "The model's provider has no credit left for this key: {0}. Top up the account, or name \
         another provider in AI_FALLBACK."
    )]
    Exhausted(String),
    /// The provider is down, or out of reach.
    #[error("The model can't be reached: {message}. Send the message again to retry.")]
    Unavailable {
        message: String,
        retry_after: Option<Duration>,
    },
    /// The provider accepted the request but sends nothing, or nothing more.
    #[error("The model doesn't respond: {0}. Send the message again to retry.")]
    Silent(String),
    /// The answer stopped before its end.
    #[error("The model's answer was cut off: {0}. Send the message again to retry.")]
    Cut(String),
    /// The chat is longer than the model's context.
    #[error(
        "The conversation is longer than the model's context: {0}. Start a new project, or choose \
         a model with a larger context (AI_MODEL)."
    )]
    Overflow(String),
    /// The provider's rules forbid the question or the answer.
    #[error(
        "The model's provider refused to answer this: {0}. Rephrase the message, or choose another \
         model (AI_MODEL)."
    )]
    Filtered(String),
    /// The address leads to something that is not a model: a web page, or nothing.
    #[error(
        "The server at the model's address is not a model: {0}. Check the provider's address (such as OPENAI_BASE_URL), then send the message \
         again."
    )]
    NotAModel(String),
    /// The model lacks an ability of others, and there is a workaround.
    #[error("{0}: {1}. Choose another model (AI_MODEL).")]
    Quirk(Quirk, String),
    /// Ollama's context is too small to build an app.
    #[error(
        "Ollama gives {model} a context of {tokens} tokens, and building an app takes {least}. Start Ollama with \
         OLLAMA_CONTEXT_LENGTH=64000 (or choose a smaller model in AI_MODEL, which leaves more room), then send the message again."
    )]
    SmallContext {
        model: String,
        tokens: usize,
        least: usize,
    },
    /// The demo has no recording for this.
    #[error("{0}")]
    NoRecording(String),
}

impl ModelError {
    /// A provider that does not answer, and does not say when it will.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable {
            message: message.into(),
            retry_after: None,
        }
    }

    /// The error for the owner of a key, who can't change the installation's settings. A rejected
    /// key's error omits the provider's message, which may contain part of the key.
    pub(super) fn of_own_key(self, provider: ModelProvider) -> Self {
        let label = provider.label();
        match self {
            Self::Auth(_) => Self::OwnKey(format!(
                "Your {label} key was refused. Change it in Settings."
            )),
            Self::Exhausted(_) => Self::OwnKey(format!(
                "Your {label} account has no credit left. Top it up, or choose another model."
            )),
            error => error,
        }
    }

    /// Classifies an error by its HTTP status, the provider's code for it, and its message.
    pub(super) fn of_status(
        status: u16,
        code: &str,
        message: String,
        retry_after: Option<Duration>,
    ) -> Self {
        let words = format!("{code} {message}").to_lowercase();
        let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
        let is_limit = status == 429 || says(&LIMITS);
        match status {
            402 => Self::Exhausted(message),
            _ if says(&NO_CREDIT) => Self::Exhausted(message),
            _ if status == 413 || says(&TOO_LARGE) => Self::Overflow(message),
            _ if !matches!(status, 401 | 403) && !is_limit && is_overflow(&words) => {
                Self::Overflow(message)
            }
            401 => Self::Auth(message),
            _ if says(&FILTERS) => Self::Filtered(message),
            403 => Self::Auth(message),
            _ if says(&BAD_KEYS) => Self::Auth(message),
            _ if is_limit => Self::Limited {
                message,
                retry_after,
            },
            _ => match Quirk::in_refusal(&message) {
                Some(quirk) => Self::Quirk(quirk, message),
                None if matches!(status, 408 | 409 | 424 | 425 | 498 | 499)
                    || status >= 500
                    || says(&OVERLOADS) =>
                {
                    Self::Unavailable {
                        message,
                        retry_after,
                    }
                }
                None => Self::Invalid(message),
            },
        }
    }
}

/// Messages of an empty account: OpenAI, Anthropic, DeepSeek, OpenRouter, DashScope.
const NO_CREDIT: [&str; 8] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "insufficient balance",
    "insufficient credits",
    "credit balance is too low",
    "requires more credits",
    "payment required",
    "arrearage",
];
/// Messages of a request that is too large, so that waiting does not help, even if the provider
/// calls it a rate limit (OpenAI, Groq).
const TOO_LARGE: [&str; 5] = [
    "context_length_exceeded",
    "maximum context length",
    "request too large",
    "request entity too large",
    "payload too large",
];
/// Messages of a rate limit without the status 429.
const LIMITS: [&str; 10] = [
    "rate limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "throttl",
    "per minute",
    "per day",
    "please wait",
    "resource_exhausted",
    "quota",
];
/// Messages of a wrong key without its status: Gemini, DashScope, MiniMax, and gateways within an
/// answer.
const BAD_KEYS: [&str; 13] = [
    "api key not valid",
    "api key expired",
    "invalid api key",
    "invalid_api_key",
    "incorrect api key",
    "api key is invalid",
    "api_key_invalid",
    "invalid x-api-key",
    "no auth credentials",
    "authentication_error",
    "unauthorized",
    "invalidapikey",
    "login fail",
];
/// Messages of a refused question or answer: OpenAI, Azure, DashScope, Gemini, Zhipu.
const FILTERS: [&str; 12] = [
    "content_filter",
    "content filter",
    "content_policy",
    "content policy",
    "content management policy",
    "responsibleaipolicy",
    "data_inspection_failed",
    "inappropriate content",
    "moderation",
    "prohibited_content",
    "safety system",
    "敏感",
];
/// Requests to come back later, with any status.
const OVERLOADS: [&str; 12] = [
    "overloaded",
    "over capacity",
    "at capacity",
    "is loading",
    "loading model",
    "currently loading",
    "temporarily",
    "try again later",
    "unavailable",
    "timed out",
    "no healthy upstream",
    "server is busy",
];

/// Messages of a chat that is too long: OpenAI and compatible servers, Anthropic, Gemini, Bedrock,
/// Ollama, llama.cpp, LM Studio, vLLM, TGI.
const OVERFLOWS: [&str; 22] = [
    "context length",
    "context_length",
    "context window",
    "context_window",
    "context size",
    "context_size",
    "prompt is too long",
    "too many tokens",
    "too many input tokens",
    "string too long",
    "string_above_max_length",
    "reduce the length",
    "reduce your prompt",
    "maximum prompt length",
    "max_model_len",
    "max_seq_len",
    "maximum sequence length",
    "range of input length",
    "content too large",
    "body too large",
    "コンテキスト長",
    "`max_new_tokens` must be <=",
];
/// One of these combined with one of [`EXCEEDS`] means the same.
const LONG_THINGS: [&str; 17] = [
    "input",
    "prompt",
    "context",
    "token",
    "sequence",
    "conversation",
    "messages",
    "length",
    "request body",
    "characters",
    "上下文",
    "输入",
    "輸入",
    "长度",
    "長度",
    "提示",
    "字数",
];
const EXCEEDS: [&str; 16] = [
    "exceed",
    "too long",
    "too large",
    "too big",
    "longer than",
    "larger than",
    "greater than",
    "over the limit",
    "out of range",
    "超",
    "过长",
    "過長",
    "太长",
    "太長",
    "过大",
    "最大",
];

/// Whether an error message, in lower case, says that the chat is too long, rather than an image or
/// an answer.
fn is_overflow(words: &str) -> bool {
    let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    let is_of_others = [
        "image",
        "max_tokens",
        "max_completion_tokens",
        "timeout",
        "time limit",
    ]
    .iter()
    .any(|other| words.contains(other));
    says(&OVERFLOWS) || (says(&LONG_THINGS) && says(&EXCEEDS) && !is_of_others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_of_one_s_own_is_told_without_the_provider_s_words() {
        let error = ModelError::Auth("Incorrect API key provided: sk-secret".to_owned());
        assert_eq!(
            error.of_own_key(ModelProvider::OpenAi).to_string(),
            "Your OpenAI key was refused. Change it in Settings."
        );
    }

    #[test]
    fn refusals_are_classified_by_what_helps_against_them() {
        let of = |status, code: &str, message: &str| {
            ModelError::of_status(status, code, message.to_owned(), None)
        };
        assert!(matches!(
            of(400, "context_length_exceeded", "too long"),
            ModelError::Overflow(_)
        ));
        assert!(matches!(
            of(
                400,
                "",
                "prompt is too long: 210000 tokens > 200000 maximum"
            ),
            ModelError::Overflow(_)
        ));
        let odd = of(
            400,
            "",
            "registry.ollama.ai/library/gemma3 does not support tools",
        );
        assert!(matches!(&odd, ModelError::Quirk(Quirk::NoTools, _)));
        assert!(
            odd.to_string()
                .starts_with("The model can't call tools: registry"),
            "{odd}"
        );
        assert!(matches!(
            of(500, "", "System message must be at the beginning."),
            ModelError::Quirk(Quirk::SystemFirst, _)
        ));
        assert!(matches!(
            of(
                400,
                "",
                "request (9000 tokens) exceeds the available context size (4096 tokens)"
            ),
            ModelError::Overflow(_)
        ));
        assert!(matches!(
            of(400, "", "API key not valid. Please pass a valid API key."),
            ModelError::Auth(_)
        ));
        assert!(matches!(
            of(404, "model_not_found", "no such model"),
            ModelError::Invalid(_)
        ));
        assert!(matches!(
            of(429, "insufficient_quota", "x"),
            ModelError::Exhausted(_)
        ));
        assert!(matches!(of(503, "", "x"), ModelError::Unavailable { .. }));
    }

    #[test]
    fn an_overflow_is_recognized_in_any_wording_and_status_and_a_rate_limit_is_none() {
        for (status, message) in [
            (400, "input is too long for requested model"),
            (400, "Input length 210000 exceeds 200000"),
            (500, "too many tokens"),
            (400, "string too long"),
            (413, "whatever"),
            (400, "输入长度超过模型最大限制"),
            (400, "Prompt 超长"),
            (400, "上下文过长，请减少输入"),
            (
                422,
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. \
                 Given: 9000 `inputs` tokens and 100 `max_new_tokens`",
            ),
            (
                400,
                "prompt token count of 130000 exceeds the limit of 128000",
            ),
            (
                400,
                "Trying to keep the first 9000 tokens when context the overflows; larger than the \
                 model's window",
            ),
            (
                429,
                "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested \
                 40000",
            ),
            (
                400,
                "The input token count (2000000) exceeds the maximum number of tokens allowed \
                 (1048576).",
            ),
            (400, "Range of input length should be [1, 129024]"),
        ] {
            let error = ModelError::of_status(status, "", message.to_owned(), None);
            assert!(
                matches!(error, ModelError::Overflow(_)),
                "{message}: {error:?}"
            );
        }
        for message in [
            "Too many tokens, please wait before trying again.",
            "Rate limit reached: 30000 tokens per minute exceeded",
            "您的请求过于频繁 too many requests",
        ] {
            let error = ModelError::of_status(500, "", message.to_owned(), None);
            assert!(
                matches!(error, ModelError::Limited { .. }),
                "{message}: {error:?}"
            );
        }
        for (status, message) in [
            (400, "messages.1.content.0: image exceeds 5 MB maximum"),
            (400, "max_tokens is too large: 32768"),
            (404, "The model does not exist"),
        ] {
            let error = ModelError::of_status(status, "", message.to_owned(), None);
            assert!(
                matches!(error, ModelError::Invalid(_)),
                "{message}: {error:?}"
            );
        }
    }
}
