//! Connect's JSON codec, the server's side: frames of a stream, and errors
//! (<https://connectrpc.com/docs/protocol>).

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use bytes::{Buf, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::sandbox_host::http;

/// The content type of a stream.
pub(in crate::sandbox_host) const STREAM: &str = "application/connect+json";
/// The flag of a stream's last frame.
pub(super) const END_OF_STREAM: u8 = 2;
/// Silence after which a stream says that it is alive, unless the client asks for another time.
const KEEPALIVE: Duration = Duration::from_secs(90);
/// No frame is longer, in bytes.
const MAX_FRAME: usize = 16 << 20;

/// A message as a frame: `flags:u8 | length:u32 big-endian | JSON`.
pub(in crate::sandbox_host) fn frame(flags: u8, message: &Value) -> Vec<u8> {
    let text = message.to_string();
    let mut frame = Vec::with_capacity(5 + text.len());
    frame.push(flags);
    frame.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Takes the first frame out of the buffer; `None` while it is not whole.
pub(in crate::sandbox_host) fn take_frame(
    buffer: &mut BytesMut,
) -> anyhow::Result<Option<(u8, Value)>> {
    let Some(&[flags, a, b, c, d]) = buffer.first_chunk::<5>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    anyhow::ensure!(length <= MAX_FRAME, "a frame of {length} bytes");
    if buffer.len() < 5 + length {
        return Ok(None);
    }
    buffer.advance(5);
    let message = buffer.split_to(length);
    Ok(Some((flags, serde_json::from_slice(&message)?)))
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

    /// What a failure to work with a path is.
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
            // What is wrong with a file is wrong the next time too.
            _ => Self::new("failed_precondition", format!("{path}: {error}")),
        }
    }

    /// Whether it is about one file or folder.
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

    /// As the answer to a unary call.
    pub(super) fn response(&self) -> Response<Body> {
        http::json(self.status(), &self.body())
    }

    /// As a stream's last frame.
    pub(super) fn end_of_stream(&self) -> Vec<u8> {
        frame(END_OF_STREAM, &json!({ "error": self.body() }))
    }
}

/// What a stream's headers ask for.
pub(super) struct Times {
    pub deadline: Option<Instant>,
    /// Silence after which the stream says that it is alive.
    pub keepalive: Duration,
}

impl Times {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let number = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        };
        Self {
            deadline: number("connect-timeout-ms")
                .map(|millis| Instant::now() + Duration::from_millis(millis)),
            keepalive: number("keepalive-ping-interval")
                .filter(|seconds| *seconds > 0)
                .map_or(KEEPALIVE, Duration::from_secs),
        }
    }

    /// Ends at the deadline; never without one.
    pub(super) async fn over(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }
}

/// A stream's request: one whole frame.
pub(super) fn request<T: DeserializeOwned>(body: &Bytes) -> Result<T, Error> {
    let (_, message) = take_frame(&mut BytesMut::from(&body[..]))
        .ok()
        .flatten()
        .ok_or_else(|| Error::invalid("the request is not one whole frame"))?;
    serde_json::from_value(message).map_err(|error| Error::invalid(error.to_string()))
}

/// The answer to a stream's request; errors are in the stream.
pub(super) fn stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(STREAM));
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
    };

    use super::*;

    fn message() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map(any::<String>(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    fn take_all(buffer: &mut BytesMut) -> anyhow::Result<Vec<(u8, Value)>> {
        std::iter::from_fn(|| take_frame(buffer).transpose()).collect()
    }

    proptest! {
        #[test]
        fn frames_are_the_same_whatever_pieces_they_come_in(
            frames in vec((any::<u8>(), message()), 0..6),
            sizes in vec(1_usize..200, 1..20),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(flags, message)| frame(*flags, message)).collect();
            let (mut buffer, mut taken, mut rest) = (BytesMut::new(), Vec::new(), &bytes[..]);
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*size));
                buffer.extend_from_slice(piece);
                taken.extend(take_all(&mut buffer).unwrap());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(taken, frames);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn any_bytes_are_frames_or_an_error_and_take_no_more_memory(
            flags in any::<u8>(),
            length in prop_oneof![any::<u32>(), 0_u32..100, (MAX_FRAME as u32 - 2)..(MAX_FRAME as u32 + 3)],
            rest in vec(any::<u8>(), 0..100),
        ) {
            let mut buffer = BytesMut::from(&[&[flags], &length.to_be_bytes()[..], &rest].concat()[..]);
            let before = buffer.capacity();
            let taken = take_all(&mut buffer);
            prop_assert!(length as usize <= MAX_FRAME || taken.is_err());
            prop_assert!(buffer.capacity() <= before);
        }
    }
}
