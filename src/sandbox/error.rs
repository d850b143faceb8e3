//! What can go wrong between the app and a sandbox, sorted by what the caller can do about it.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;

/// Why a sandbox did not do what was asked. Its text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It was killed, or never was; a new one must be made.
    #[error("the sandbox is gone")]
    NotFound,
    /// The path (or process) asked for is not there; the text says which.
    #[error("{0}")]
    NoSuchPath(String),
    /// What was asked is not allowed or makes no sense; the text says why.
    #[error("{0}")]
    Refused(String),
    /// The key is wrong.
    #[error("the sandbox service refused our key; check E2B_API_KEY ({0})")]
    Unauthenticated(String),
    /// Too many sandboxes or requests.
    #[error("the sandbox service is at its limit: {message}")]
    RateLimited { message: String, retry_after: Option<Duration> },
    /// Not now; it may work later.
    #[error("the sandbox can't be reached: {0}")]
    Unavailable(String),
    /// The answer is not E2B's protocol.
    #[error("the sandbox service answered something unexpected: {0}")]
    Protocol(String),
}

impl From<reqwest::Error> for SandboxError {
    fn from(error: reqwest::Error) -> Self {
        // The URL may hold a token or a path of the user's: only the cause is told.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        if error.is_decode() {
            Self::Protocol(cause.to_string())
        } else {
            Self::Unavailable(cause.to_string())
        }
    }
}

/// The body of every error: the code is a number from REST and proxies, a string from Connect.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    code: serde_json::Value,
    message: String,
    error_code: Option<String>,
}

/// Reads an error answer; `subject` says what a plain 404 means.
pub(super) async fn of(response: Response, subject: Subject) -> SandboxError {
    let status = response.status();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let text = response.text().await.unwrap_or_default();
    let body: Body = serde_json::from_str(&text).unwrap_or_default();
    let message = if body.message.is_empty() {
        format!("HTTP {status}")
    } else {
        body.message
    };
    let message = match body.error_code {
        Some(code) => format!("{message} ({code})"),
        None => message,
    };
    if let Some(code) = body.code.as_str() {
        return of_connect(code, message);
    }
    match status {
        StatusCode::NOT_FOUND => match subject {
            Subject::Sandbox => SandboxError::NotFound,
            Subject::Inside => SandboxError::NoSuchPath(message),
        },
        // The data plane's word for a sandbox that does not run.
        StatusCode::BAD_GATEWAY if message.contains("was not found") => SandboxError::NotFound,
        // Inside, it is the files' own permissions that forbid.
        StatusCode::FORBIDDEN if subject == Subject::Inside => SandboxError::Refused(message),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SandboxError::Unauthenticated(message),
        StatusCode::TOO_MANY_REQUESTS => SandboxError::RateLimited { message, retry_after },
        status if status.is_server_error() || status == StatusCode::CONFLICT => SandboxError::Unavailable(message),
        _ => SandboxError::Refused(message),
    }
}

/// What was asked for: a sandbox, or something inside of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Sandbox,
    Inside,
}

/// A Connect error by its code.
pub(super) fn of_connect(code: &str, message: String) -> SandboxError {
    match code {
        "not_found" => SandboxError::NoSuchPath(message),
        "unauthenticated" => SandboxError::Unauthenticated(message),
        "resource_exhausted" => SandboxError::RateLimited {
            message,
            retry_after: None,
        },
        "invalid_argument" | "failed_precondition" | "out_of_range" | "already_exists" | "unimplemented" | "permission_denied" => {
            SandboxError::Refused(message)
        }
        _ => SandboxError::Unavailable(message),
    }
}
