//! The error that reaches a client: a code to branch on and a message to show. It never carries
//! internals.

use serde::{Deserialize, Serialize};

/// The kind of a refusal. Each maps to one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the input is wrong; the message says how to fix it.
    Invalid,
    /// 401: nobody is signed in, or the sign-in failed.
    Unauthorized,
    /// 403: the request comes from another site, or wants to change what the user may only read.
    Forbidden,
    /// 404: there is no such thing, or it is another user's.
    NotFound,
    /// 413: what was sent is too large.
    TooLarge,
    /// 409: the current state does not allow it.
    Conflict,
    /// 429: there were too many attempts; the message says when to try again.
    TooMany,
    /// 429: there are too few credits left; the message says when there are more.
    OutOfCredits,
    /// 421: the request names a host that is not the app's.
    Misdirected,
    /// 503: a part that this needs (the sandbox, say) can't be reached right now.
    Unavailable,
    /// 500: a fault of the server, logged there.
    Internal,
}

impl ErrorCode {
    /// The HTTP status that carries the code.
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::Conflict => 409,
            Self::Misdirected => 421,
            Self::TooMany | Self::OutOfCredits => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

/// An error of the API, as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: ErrorCode,
    /// One sentence for the user.
    pub message: String,
    /// The input field it concerns, for `Invalid`.
    pub field: Option<String>,
    /// In how many seconds to try again, for `TooMany` and `OutOfCredits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            retry_after: None,
        }
    }

    /// The input in `field` is not valid.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::new(ErrorCode::Invalid, message)
        }
    }
}
