//! A running container, as seen from the host: connections to its envd over a socket that only the
//! two share.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::envd::dev_server;

/// A container's init answers within about 20 ms of its start.
const BOOT_TIMEOUT: Duration = Duration::from_secs(20);
/// A running envd answers within a millisecond, or within seconds on a very busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);
/// The maximum size of a report on a dev server, in bytes.
const MAX_REPORT: usize = 64 << 10;
/// How long a dev server may take to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// The folder of a sandbox's two sockets. A container never sees it: it gets one socket opened, and
/// the other mounted as a file.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Sockets are addressed through the open folder, because its path may exceed the length of a
    /// socket's (108 bytes).
    folder: File,
}

impl Sockets {
    /// Creates a new folder.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        Ok(Self {
            folder: File::open(folder)?,
        })
    }

    fn path(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.folder.as_raw_fd())
    }

    /// The socket for envd to serve on.
    pub(super) fn listen_for_envd(&self) -> io::Result<std::os::unix::net::UnixListener> {
        std::os::unix::net::UnixListener::bind(self.path("envd.sock"))
    }

    /// The socket for an envd that dials, which the sandbox's user may connect to.
    pub(super) fn listen_for_dialling_envd(&self) -> io::Result<UnixListener> {
        self.listen_for_user("envd.sock")
    }

    /// The socket of the egress proxy, which the sandbox's user may connect to.
    pub(super) fn listen_for_egress(&self) -> io::Result<UnixListener> {
        self.listen_for_user("egress.sock")
    }

    fn listen_for_user(&self, name: &str) -> io::Result<UnixListener> {
        let listener = UnixListener::bind(self.path(name))?;
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o666))?;
        Ok(listener)
    }
}

/// A running container.
#[derive(Debug)]
pub(super) struct RunningContainer {
    sockets: Sockets,
    /// Where envd keeps a connection ready, if it dials.
    dialled: Option<UnixListener>,
    egress: tokio::task::JoinHandle<()>,
    pub(super) started: Instant,
    /// Cancelled when the container has ended, for whatever reason.
    pub(super) ended: CancellationToken,
    /// Cancelled, and replaced, when clients' connections must end.
    connected: Mutex<CancellationToken>,
}

impl Drop for RunningContainer {
    fn drop(&mut self) {
        self.egress.abort();
    }
}

impl RunningContainer {
    /// Takes over a container that was just started, and waits until its envd answers.
    pub(super) async fn attach(
        sockets: Sockets,
        dialled: Option<UnixListener>,
        egress: tokio::task::JoinHandle<()>,
    ) -> anyhow::Result<Self> {
        let container = Self {
            sockets,
            dialled,
            egress,
            started: Instant::now(),
            ended: CancellationToken::new(),
            connected: Mutex::default(),
        };
        let health = tokio::time::timeout(BOOT_TIMEOUT, container.send(Method::GET, "/health"))
            .await
            .context("the sandbox did not answer in time")?
            .context("the sandbox ended as it started")?;
        anyhow::ensure!(
            health.status().is_success(),
            "the sandbox answered {}",
            health.status()
        );
        // A response that lasts until the container ends.
        let alive = container
            .send(Method::GET, "/codeflow/alive")
            .await
            .context("the sandbox ended as it started")?;
        let ended = container.ended.clone();
        tokio::spawn(async move {
            let mut body = alive.into_body();
            // The content is ignored.
            while let Some(Ok(_)) = body.frame().await {}
            ended.cancel();
        });
        Ok(container)
    }

    /// Cancelled when connections that clients open from now on must end.
    pub(super) fn connected(&self) -> CancellationToken {
        self.connected.lock().clone()
    }

    /// Ends clients' connections; their processes continue.
    pub(super) fn hang_up(&self) {
        let connected = std::mem::take(&mut *self.connected.lock());
        connected.cancel();
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        match &self.dialled {
            Some(listener) => Ok(listener.accept().await?.0),
            None => UnixStream::connect(self.sockets.path("envd.sock")).await,
        }
    }

    async fn sender(&self) -> anyhow::Result<http1::SendRequest<Body>> {
        let stream = self.connect().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    /// Sends a request to envd.
    pub(super) async fn request(
        &self,
        request: Request<Body>,
    ) -> anyhow::Result<Response<Incoming>> {
        Ok(self.sender().await?.send_request(request).await?)
    }

    async fn send(&self, method: Method, path: &str) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "envd")
            .body(Body::empty())?;
        self.request(request).await
    }

    /// A raw connection to a port inside; `None` if nothing listens there.
    pub(super) async fn tunnel(&self, port: u16) -> anyhow::Result<Option<Upgraded>> {
        let request = Request::builder()
            .uri(format!("/codeflow/tunnel/{port}"))
            .header(header::HOST, "envd")
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "tunnel")
            .body(Body::empty())?;
        let response = self.request(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(None);
        }
        Ok(Some(hyper::upgrade::on(response).await?))
    }

    /// The dev server's state. An error concerns envd: it did not answer in time, or not properly.
    /// `waiting`: a request has been without an answer for some time.
    pub(super) async fn dev_server(&self, waiting: bool) -> anyhow::Result<dev_server::Report> {
        let asking = async {
            let response = self
                .send(
                    Method::GET,
                    &format!("/codeflow/dev-server?waiting={waiting}"),
                )
                .await?;
            let body = http_body_util::Limited::new(response.into_body(), MAX_REPORT)
                .collect()
                .await;
            let body = body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
            anyhow::Ok(serde_json::from_slice(&body)?)
        };
        tokio::time::timeout(ANSWER_TIMEOUT, asking)
            .await
            .context("it did not answer in time")?
    }

    /// Ends the dev server, which envd then restarts.
    pub(super) async fn restart_dev_server(&self) -> anyhow::Result<()> {
        let asking = self.send(Method::POST, "/codeflow/dev-server/restart");
        tokio::time::timeout(ANSWER_TIMEOUT, asking)
            .await
            .context("it did not answer in time")??;
        Ok(())
    }

    /// Asks the dev server and envd to end, so that the caches on disk are intact, and waits a few
    /// seconds until they have.
    pub(super) async fn stop(&self) {
        let stopping = async {
            let _ = self.send(Method::POST, "/codeflow/stop").await;
            self.ended.cancelled().await;
        };
        let _ = tokio::time::timeout(STOP_TIMEOUT, stopping).await;
    }
}
