//! Why a model did not answer, in sentences that say what to do.

use std::time::Duration;

/// What went wrong. Its text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The key is missing, wrong, or may not use the model.
    #[error(
        "The model's provider refused the key: {0}. Check the provider's key variable (such as OPENAI_API_KEY), then send the message again."
    )]
    Auth(String),
    /// The request itself is refused: an unknown model, or more than fits.
    #[error("The model's provider refused the request: {0}. Check AI_MODEL, or try a shorter message.")]
    Invalid(String),
    /// Too many requests, or no credit left.
    #[error("The model's provider is at its limit: {message}. Wait a little, then send the message again.")]
    Limited { message: String, retry_after: Option<Duration> },
    /// The provider is down, out of reach, or silent.
    #[error("The model can't be reached: {0}. Send the message again to try once more.")]
    Unavailable(String),
    /// The answer stopped before its end.
    #[error("The model's answer was cut off: {0}. Send the message again to try once more.")]
    Cut(String),
    /// The demo has nothing recorded for this.
    #[error("{0}")]
    NoRecording(String),
}

impl ModelError {
    /// Sorts an HTTP status and the provider's words.
    pub(super) fn of_status(status: u16, message: String, retry_after: Option<Duration>) -> Self {
        match status {
            401 | 403 => Self::Auth(message),
            429 => Self::Limited { message, retry_after },
            408 | 500.. => Self::Unavailable(message),
            _ => Self::Invalid(message),
        }
    }
}
