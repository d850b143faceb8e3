//! The server's side of Connect's JSON codec: requests, answers and errors, as unary messages or as
//! frames of a stream (<https://connectrpc.com/docs/protocol>).

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use bytes::BytesMut;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    e2b::{self, END_OF_STREAM},
    sandbox_host::http,
};

/// The silence after which a stream sends a keepalive, unless the client asks for another time.
const KEEPALIVE: Duration = Duration::from_secs(90);
/// A JSON message as the bytes of a frame.
pub(super) fn frame(flags: u8, message: &Value) -> Vec<u8> {
    e2b::frame(flags, message.to_string().as_bytes())
}

/// A Connect error: its code decides the HTTP status.
#[derive(Debug)]
pub(super) struct Error {
    code: &'static str,
    message: String,
}

impl Error {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid_argument", message)
    }

    pub(super) fn deadline() -> Self {
        Self::new("deadline_exceeded", "context deadline exceeded")
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new("not_found", message)
    }

    /// A failure that concerns a path.
    pub(super) fn of_io(error: &std::io::Error, path: &std::path::Path) -> Self {
        let path = path.display();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::not_found(format!("path not found: {path}")),
            std::io::ErrorKind::AlreadyExists => {
                Self::new("already_exists", format!("path already exists: {path}"))
            }
            std::io::ErrorKind::NotADirectory => {
                Self::invalid(format!("path is not a directory: {path}"))
            }
            std::io::ErrorKind::PermissionDenied => {
                Self::new("permission_denied", format!("permission denied: {path}"))
            }
            // A retry would not help.
            _ => Self::new("failed_precondition", format!("{path}: {error}")),
        }
    }

    /// Whether it concerns a single file or folder.
    pub(super) fn is_of_file(&self) -> bool {
        matches!(
            self.code,
            "not_found" | "permission_denied" | "invalid_argument" | "failed_precondition"
        )
    }

    fn status(&self) -> StatusCode {
        match self.code {
            "invalid_argument" | "failed_precondition" | "out_of_range" => StatusCode::BAD_REQUEST,
            "unauthenticated" => StatusCode::UNAUTHORIZED,
            "permission_denied" => StatusCode::FORBIDDEN,
            "not_found" => StatusCode::NOT_FOUND,
            "already_exists" | "aborted" => StatusCode::CONFLICT,
            "resource_exhausted" => StatusCode::TOO_MANY_REQUESTS,
            "unimplemented" => StatusCode::NOT_IMPLEMENTED,
            "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "deadline_exceeded" => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn body(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }

    /// The error as the answer to a unary call.
    pub(super) fn response(&self) -> Response<Body> {
        http::json(self.status(), &self.body())
    }

    /// The error as a stream's last frame.
    pub(super) fn end_of_stream(&self) -> Vec<u8> {
        frame(END_OF_STREAM, &json!({ "error": self.body() }))
    }
}

/// The times that a stream's headers ask for.
pub(super) struct Times {
    pub deadline: Option<Instant>,
    /// The silence after which the stream sends a keepalive.
    pub keepalive: Duration,
}

impl Times {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let number = |name: HeaderName| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        };
        Self {
            deadline: number(e2b::CONNECT_TIMEOUT)
                .map(|millis| Instant::now() + Duration::from_millis(millis)),
            keepalive: number(e2b::KEEPALIVE_INTERVAL)
                .filter(|seconds| *seconds > 0)
                .map_or(KEEPALIVE, Duration::from_secs),
        }
    }

    /// Completes at the deadline, or never without one.
    pub(super) async fn over(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }
}

/// Parses a stream's request: one complete frame.
pub(super) fn request<T: DeserializeOwned>(body: &Bytes) -> Result<T, Error> {
    let frame = e2b::take_frame(&mut BytesMut::from(&body[..]))
        .ok()
        .flatten()
        .ok_or_else(|| Error::invalid("the request is not one whole frame"))?;
    serde_json::from_slice(&frame.message).map_err(|error| Error::invalid(error.to_string()))
}

/// The response to a stream's request; errors are part of the stream.
pub(super) fn stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(e2b::STREAM));
    response
}

/// A unary call's message.
pub(super) struct Message<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Message<T> {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|error| Error::invalid(error.body_text()).response())?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Error::invalid(error.to_string()).response())
    }
}

/// The answer to a unary call.
pub(super) fn answer(result: Result<impl Serialize, Error>) -> Response<Body> {
    match result {
        Ok(message) => http::json(StatusCode::OK, &message),
        Err(error) => error.response(),
    }
}
