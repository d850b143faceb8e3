//! A client's connection to a sandbox. As long as there is one, the sandbox counts as in use; it
//! ends when the sandbox is paused or killed.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::sandboxes::InUse;

/// Held by whoever answers the client.
pub(super) struct Connection {
    pub(super) connected: CancellationToken,
    in_use: InUse,
}

impl Connection {
    pub(super) fn new(connected: CancellationToken, in_use: InUse) -> Self {
        Self { connected, in_use }
    }

    pub(super) fn in_use(&self) -> &InUse {
        &self.in_use
    }
}

/// The body of a sandbox's answer, on its way to the client.
pub(super) struct ProxiedBody {
    body: hyper::body::Incoming,
    hung_up: Pin<Box<WaitForCancellationFutureOwned>>,
    _connection: Connection,
}

impl ProxiedBody {
    pub(super) fn new(body: hyper::body::Incoming, connection: Connection) -> Self {
        Self {
            body,
            hung_up: Box::pin(connection.connected.clone().cancelled_owned()),
            _connection: connection,
        }
    }
}

impl hyper::body::Body for ProxiedBody {
    type Data = bytes::Bytes;
    type Error = anyhow::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<anyhow::Result<Frame<Self::Data>>>> {
        if self.hung_up.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(anyhow::anyhow!(
                "the sandbox was paused or killed"
            ))));
        }
        Pin::new(&mut self.body)
            .poll_frame(context)
            .map_err(anyhow::Error::from)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
