//! Serves a router on a listener within limits: clients that do not finish their request headers
//! are disconnected, and the number of open connections is limited. The app and the sandbox host
//! are both served this way.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::util::MapRequest;

use crate::config::Connections;

/// The number of files that the process may open: a preview's connection takes three, and many
/// systems allow only 1024.
const OPEN_FILES: u64 = 65_536;

/// Raises the limit of open files as far as needed and the system allows.
pub fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let wanted = OPEN_FILES.min(hard).max(soft);
        if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
            tracing::debug!(%error, "the limit of {soft} open files can't be raised");
        }
    }
}

/// Serves until `shutdown`, then finishes the requests under way. Connections over the limit wait
/// to be accepted; upgraded ones count until they are closed.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    limits: Connections,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.max));
    let connections = TaskTracker::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout);
    loop {
        let accepting = async {
            let slot = free_slot(&slots, limits.max).await;
            let (stream, peer) = Listener::accept(&mut listener).await;
            (stream, peer, slot)
        };
        let Some((stream, peer, slot)) = shutdown.run_until_cancelled(accepting).await else {
            break;
        };
        // Pieces of a stream, such as a command's output, must not wait for each other.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY can't be set on a connection");
        }
        let io = TokioIo::new(Counted {
            stream,
            _slot: slot,
        });
        // Routes find the client's address in the request's extensions.
        let with_peer = MapRequest::new(router.clone(), move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let connection = http
            .serve_connection(io, TowerToHyperService::new(with_peer))
            .with_upgrades();
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection failed");
            }
        });
    }
    connections.close();
    connections.wait().await;
}

/// Waits for a free slot; never `None`, because the semaphore is not closed.
async fn free_slot(slots: &Arc<Semaphore>, max: usize) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = slots.clone().try_acquire_owned() {
        return Some(slot);
    }
    tracing::warn!(
        "{max} connections are open and further ones wait; HTTP_MAX_CONNECTIONS raises the limit"
    );
    slots.clone().acquire_owned().await.ok()
}

/// A connection that holds a slot until it is closed.
struct Counted {
    stream: TcpStream,
    _slot: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
