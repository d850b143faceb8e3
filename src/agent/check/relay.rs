//! The only way out of the checking browser's network namespace: each connection to its listener is
//! forwarded to one server, the app's data plane.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// The maximum number of concurrent connections per page: a browser opens 6 for requests, and 255
/// for sockets.
const MAX_CONNECTIONS: usize = 256;
/// How long a connection to the server may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two attempts when this process has too many files open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A running relay; dropped, it ends with its connections.
pub struct Relay {
    failure: Arc<Mutex<Option<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Relay {
    /// Forwards the listener's connections to the server, `host:port`.
    pub fn start(listener: std::net::TcpListener, server: String) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let failure = Arc::default();
        let serving = serve(listener, server.into(), Arc::clone(&failure));
        Ok(Self {
            failure,
            _serving: AbortOnDropHandle::new(tokio::spawn(serving)),
        })
    }

    /// Why the last connection to the server failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }
}

async fn serve(listener: TcpListener, server: Arc<str>, failure: Arc<Mutex<Option<String>>>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped with this task, which ends them.
    let mut connections = JoinSet::new();
    while let Ok(permit) = room.clone().acquire_owned().await {
        let Ok((mut browser, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (server, failure) = (server.clone(), failure.clone());
        connections.spawn(async move {
            let _permit = permit;
            let connected = tokio::time::timeout(CONNECT, TcpStream::connect(&*server)).await;
            let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
            let fault = connected
                .as_ref()
                .err()
                .map(|error| format!("{server}: {error}"));
            *failure.lock() = fault;
            if let Ok(mut server) = connected {
                // A page's small requests must not wait for each other.
                let _ = (browser.set_nodelay(true), server.set_nodelay(true));
                // A broken connection is the page's concern.
                let _ = copy_bidirectional(&mut browser, &mut server).await;
            }
        });
    }
}
