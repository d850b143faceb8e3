//! What passes from a sandbox to a client. While it does, the sandbox counts as in use; it ends when
//! the sandbox is paused or killed.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::sandboxes::InUse;

/// A client's way into a sandbox: it counts as a request under way, and ends when the sandbox is
/// paused or killed.
pub(super) struct Passage {
    pub(super) connected: CancellationToken,
    in_use: InUse,
}

impl Passage {
    pub(super) fn new(connected: CancellationToken, in_use: InUse) -> Self {
        Self { connected, in_use }
    }

    pub(super) fn in_use(&self) -> &InUse {
        &self.in_use
    }
}

/// The body of an answer, passed on.
pub(super) struct Passing {
    body: hyper::body::Incoming,
    hung_up: Pin<Box<WaitForCancellationFutureOwned>>,
    _passage: Passage,
}

impl Passing {
    pub(super) fn new(body: hyper::body::Incoming, passage: Passage) -> Self {
        Self {
            body,
            hung_up: Box::pin(passage.connected.clone().cancelled_owned()),
            _passage: passage,
        }
    }
}

impl hyper::body::Body for Passing {
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
