//! The stream of a process in a sandbox, as `process.Process/Start` and `Connect` return it: its
//! start, output and end, in Connect frames.

use futures::{StreamExt, stream::BoxStream};
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, Serialize};
use tokio_util::{codec::FramedRead, io::StreamReader};

use super::{
    Sandbox, SandboxError,
    connect::{Frame, Frames},
    error::{self, Subject},
    output::Left,
    retry::{self, Repeat},
};
use crate::e2b;

/// Seconds of silence after which the server sends a keepalive.
const KEEPALIVE_SECONDS: u32 = 50;

/// The events of a process until its stream ends.
pub(super) struct ProcessStream(BoxStream<'static, Result<Frame, SandboxError>>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    event: ProcessEvent,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ProcessEvent {
    pub start: Option<Started>,
    pub data: Option<Output>,
    pub end: Option<End>,
    /// Sent only by our own host.
    pub left: Option<Left>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Started {
    pub pid: u32,
}

/// Base64.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Output {
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    /// For a process with a terminal, which has no other output.
    pub pty: Option<String>,
    /// How many bytes our own host left out before these.
    pub skipped: u64,
}

/// Zero values are omitted on the wire.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct End {
    exit_code: i32,
    exited: bool,
}

impl End {
    /// -1 when a signal ended it.
    pub(super) fn code(&self) -> i32 {
        if self.exited || self.exit_code != 0 {
            self.exit_code
        } else {
            -1
        }
    }
}

impl Sandbox {
    /// A request to envd that is answered with a process's stream.
    pub(super) fn stream_request(
        &self,
        path: &str,
        message: &impl Serialize,
    ) -> Result<RequestBuilder, SandboxError> {
        let message = serde_json::to_vec(message)
            .map_err(|error| SandboxError::Protocol(error.to_string()))?;
        let request = self.request(&self.service.streaming, Method::POST, e2b::ENVD_PORT, path)?;
        Ok(request
            .header("content-type", e2b::STREAM)
            .header("accept-encoding", "identity")
            .header(e2b::CONNECT_VERSION, "1")
            .header(e2b::KEEPALIVE_INTERVAL, KEEPALIVE_SECONDS)
            .body(e2b::frame(0, &message)))
    }
}

impl ProcessStream {
    /// Sends the request, once.
    pub(super) async fn open(request: RequestBuilder) -> Result<Self, SandboxError> {
        let response = retry::send(request, Repeat::Unsent).await?;
        if !response.status().is_success() {
            return Err(error::of(response, Subject::Inside).await);
        }
        let bytes = response
            .bytes_stream()
            .map(|piece| piece.map_err(std::io::Error::other));
        Ok(Self(
            FramedRead::new(StreamReader::new(bytes), Frames).boxed(),
        ))
    }

    /// The next event; `None` if the stream has ended successfully. Dropping the future loses
    /// nothing.
    pub(super) async fn next(&mut self) -> Option<Result<ProcessEvent, SandboxError>> {
        let event = match self.0.next().await?.map(|frame| match frame {
            Frame::Message(message) => Some(serde_json::from_slice::<Response>(&message)),
            Frame::End => None,
        }) {
            Ok(Some(response)) => response
                .map(|response| response.event)
                .map_err(|error| SandboxError::Protocol(error.to_string())),
            Ok(None) => return None,
            Err(error) => Err(error),
        };
        Some(event)
    }
}
