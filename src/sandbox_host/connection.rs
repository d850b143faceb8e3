//! A client's connection to a sandbox, which counts as in use while there is one. It ends when the
//! sandbox is paused or killed, or when the client may no longer see it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use super::sandboxes::InUse;

/// A request extension for previews: cancelling the token cuts the connection.
#[derive(Debug, Clone)]
pub struct EndsWith(pub CancellationToken);

/// Held by whoever answers the client.
pub(super) struct Connection {
    connected: CancellationToken,
    /// Cancelled when the client may no longer see the sandbox.
    ends: Option<CancellationToken>,
    in_use: InUse,
}

impl Connection {
    pub(super) fn new(
        connected: CancellationToken,
        ends: Option<CancellationToken>,
        in_use: InUse,
    ) -> Self {
        Self {
            connected,
            ends,
            in_use,
        }
    }

    /// Returns when the client must be disconnected.
    pub(super) fn cut(&self) -> BoxFuture<'static, ()> {
        let (connected, ends) = (self.connected.clone(), self.ends.clone());
        Box::pin(async move {
            match ends {
                None => connected.cancelled().await,
                Some(ends) => tokio::select! {
                    () = connected.cancelled() => {}
                    () = ends.cancelled() => {}
                },
            }
        })
    }

    pub(super) fn in_use(&self) -> &InUse {
        &self.in_use
    }
}

/// The body of a sandbox's answer, on its way to the client.
pub(super) struct ProxiedBody {
    body: hyper::body::Incoming,
    hung_up: BoxFuture<'static, ()>,
    _connection: Connection,
}

impl ProxiedBody {
    pub(super) fn new(body: hyper::body::Incoming, connection: Connection) -> Self {
        Self {
            body,
            hung_up: connection.cut(),
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
                "the connection to the sandbox was cut"
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
