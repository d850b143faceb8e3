//! Errors between the app and a sandbox, grouped by what the caller can do about them.

use std::time::{Duration, SystemTime};

use reqwest::{Response, StatusCode, header::HeaderMap};
use serde::Deserialize;

use super::body;
use crate::http_client;

/// How much of an error's body is read, in bytes.
const MAX_BODY: usize = 64 << 10;

/// Why a request to a sandbox failed. The text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It does not run. From `connect`: it was killed or never existed, so create another. From the
    /// sandbox itself: it may only be asleep, so try `connect`.
    #[error("the sandbox is gone")]
    NotFound,
    /// There is no such path or process; the text names it.
    #[error("{0}")]
    NoSuchPath(String),
    /// The request is not allowed or invalid; the text says why.
    #[error("{0}")]
    Refused(String),
    /// The key is invalid.
    #[error("the sandbox service refused the key: {0}. Check `E2B_API_KEY`.")]
    Unauthenticated(String),
    /// Too many sandboxes or requests.
    #[error("the sandbox service is at its limit: {message}")]
    RateLimited {
        message: String,
        retry_after: Option<Duration>,
    },
    /// A retry may succeed later.
    #[error("the sandbox can't be reached: {0}")]
    Unavailable(String),
    /// The answer violates E2B's protocol.
    #[error("the sandbox service answered something unexpected: {0}")]
    Protocol(String),
}

impl From<reqwest::Error> for SandboxError {
    fn from(error: reqwest::Error) -> Self {
        let cause = http_client::root_cause(&error);
        // reqwest also reports truncated bodies as decoding errors.
        if cause.is::<serde_json::Error>() {
            Self::Protocol(cause.to_string())
        } else {
            Self::Unavailable(cause.to_string())
        }
    }
}

/// The wait that a response asks for; `None` if it asks for none, or if that time has passed.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    crate::retry_after::in_header(headers, SystemTime::now()).filter(|wait| !wait.is_zero())
}

/// The body of every error: the code is a number from REST and proxies, a string from Connect.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    code: serde_json::Value,
    pub message: String,
    error_code: Option<String>,
    /// Only the data plane's proxy sends it.
    #[serde(rename = "sandboxId")]
    sandbox: Option<String>,
}

impl Body {
    /// Empty for any other body: nobody wants to read a proxy's HTML.
    pub(super) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// Whether the data plane's proxy answered instead of an app.
    pub(super) fn is_from_proxy(&self, status: StatusCode) -> bool {
        self.sandbox.is_some() && self.code == status.as_u16()
    }
}

/// Reads an error response; `subject` says what a plain 404 means.
pub(super) async fn of(response: Response, subject: Subject) -> SandboxError {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let bytes = body::beginning(response, MAX_BODY)
        .await
        .unwrap_or_default();
    of_body(status, retry_after, Body::read(&bytes), subject)
}

/// The error for a response whose body was read.
pub(super) fn of_body(
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Body,
    subject: Subject,
) -> SandboxError {
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
            Subject::Template => SandboxError::Refused(message),
            Subject::Sandbox => SandboxError::NotFound,
            Subject::Inside => SandboxError::NoSuchPath(message),
        },
        // The data plane's answer for a sandbox that does not run.
        StatusCode::BAD_GATEWAY if message.contains("was not found") => SandboxError::NotFound,
        // Inside a sandbox, this means a file's permissions.
        StatusCode::FORBIDDEN if subject == Subject::Inside => SandboxError::Refused(message),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SandboxError::Unauthenticated(message),
        // Retrying does not help against a full disk.
        StatusCode::INSUFFICIENT_STORAGE => SandboxError::Refused(message),
        StatusCode::TOO_MANY_REQUESTS => SandboxError::RateLimited {
            message,
            retry_after,
        },
        status if status.is_server_error() || status == StatusCode::CONFLICT => {
            SandboxError::Unavailable(message)
        }
        _ => SandboxError::Refused(message),
    }
}

/// The subject of a request: a template, a sandbox, or something inside one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Template,
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
        "invalid_argument"
        | "failed_precondition"
        | "out_of_range"
        | "already_exists"
        | "unimplemented"
        | "permission_denied" => SandboxError::Refused(message),
        _ => SandboxError::Unavailable(message),
    }
}
