//! The sandbox host: E2B's protocol, served on this machine by containers. The app reaches it over
//! HTTP like any other E2B service, and only `main.rs` imports it.
//!
//! A request goes to `control` (E2B's REST API over the registry in `sandboxes`) or, if it names a
//! sandbox's port, to `data_plane`, which talks through `running_container` to the sandbox's init
//! (`envd`). `bundle`, `seccomp` and `rootfs` define a container; `containers` and `runtime` run it
//! with the rights of `privilege`. `ids` says which user it has on the machine, `disk` what it may
//! write, `egress` what it may reach, and `template` what it starts from. Its usage is read from
//! its control group (`cgroup`).

mod assembly;
mod bundle;
mod capacity;
mod clock;
mod connection;
mod containers;
mod control;
mod data_plane;
mod disk;
mod egress;
pub mod envd;
mod error;
mod first_page;
pub mod hop;
mod http;
mod ids;
mod killed_hosts;
pub mod leftovers;
mod log;
mod metrics;
mod names;
mod network;
mod node;
mod oom;
mod pages;
mod preview;
mod privilege;
mod record;
mod rootfs;
mod running_container;
mod runtime;
mod sandboxes;
mod seccomp;
mod signature;
mod snapshots;
pub mod template;
mod two_way;
mod user_namespace;

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::Request, http::StatusCode, middleware};
pub use connection::EndsWith;
use sandboxes::Sandboxes;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{config, listener};

/// The first id of sandboxes' files on this machine's disk, and the number of ids.
pub const FILE_IDS: (u32, u32) = (ids::STORED, ids::COUNT);

/// A running host.
pub struct SandboxHost {
    address: SocketAddr,
    sandboxes: Arc<Sandboxes>,
    shutdown: CancellationToken,
}

impl SandboxHost {
    /// Ends what an earlier host left running, and serves both planes on the listener. A machine
    /// without a working runtime is no error here, but creating a sandbox then is.
    pub async fn start(
        settings: config::SandboxHost,
        listener: TcpListener,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let sandboxes = Sandboxes::open(settings, shutdown.child_token()).await?;
        match sandboxes.runtime() {
            Ok(runtime) => tracing::info!(runtime = runtime.name(), "sandboxes are ready"),
            Err(fault) => tracing::error!("{fault}"),
        }
        if sandboxes.is_draining() {
            tracing::warn!(
                "this host takes no new sandboxes; codeflow sandbox-host undrain ends that"
            );
        }
        let settings = sandboxes.settings();
        if let Some(site) = settings.shared_site() {
            tracing::warn!(
                "SANDBOX_DOMAIN={} and PUBLIC_URL={} are both of the site {site}: generated code gets the cookies that are set for all of it; \
                 give the previews a domain of their own",
                settings.domain,
                settings.public_url,
            );
        }
        let router = both_planes(sandboxes.clone());
        let serving = listener::serve(
            listener,
            router,
            settings.connections,
            CancellationToken::new(),
        );
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(serving));
        Ok(Self {
            address,
            sandboxes,
            shutdown,
        })
    }

    /// The address of both planes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The control plane's key.
    pub fn key(&self) -> &str {
        self.sandboxes.settings().host_key.expose_secret()
    }

    /// The domain of previews.
    pub fn domain(&self) -> &str {
        &self.sandboxes.settings().domain
    }

    /// The runtime in use; the error says what to install.
    pub fn runtime(&self) -> Result<String, String> {
        self.sandboxes
            .runtime()
            .map(|runtime| runtime.name())
            .map_err(str::to_owned)
    }

    /// The limits that this machine can't enforce, and why.
    pub fn unenforced(&self) -> &[String] {
        self.sandboxes.unenforced()
    }

    /// The number of sandboxes: running, asleep, and waiting in the pool.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        self.sandboxes.counts()
    }

    /// The port and the sandbox of a preview's host name; `None` if there is no such sandbox. Each
    /// preview has one name.
    pub fn preview_at(&self, host: &str) -> Option<(u16, String)> {
        let target = data_plane::by_host(host, self.domain())?;
        let is_whole = host.split('.').next() == Some(&format!("{}-{}", target.port, target.id));
        let is_there = is_whole && self.sandboxes.get(&target.id).is_ok();
        is_there.then_some((target.port, target.id))
    }

    /// The data plane, for requests that name one ([`preview_target`]). It does not include the
    /// control plane.
    pub fn previews(&self) -> Router {
        let sandboxes = self.sandboxes.clone();
        Router::new()
            .fallback(move |request: Request| data_plane::serve_preview(sandboxes.clone(), request))
            .layer(middleware::from_fn(http::read_to_its_end))
    }

    /// Pauses running sandboxes. Files stay; containers, mounts, control groups and sockets are
    /// removed.
    pub async fn shutdown(&self) {
        self.sandboxes.shutdown().await;
        self.shutdown.cancel();
    }
}

/// The port and the sandbox that a Host header below the domain names, if any.
pub fn preview_target(host: &str, domain: &str) -> Option<(u16, String)> {
    let target = data_plane::by_host(host, domain)?;
    Some((target.port, target.id))
}

/// A request that names a sandbox's port goes to the data plane, every other one to the control
/// plane.
fn both_planes(sandboxes: Arc<Sandboxes>) -> Router {
    let control = control::router(sandboxes.clone());
    let planes = Router::new().fallback(move |request: Request| {
        let (sandboxes, control) = (sandboxes.clone(), control.clone());
        async move {
            match data_plane::target(request.headers(), &sandboxes.settings().domain) {
                Ok(Some(target)) => data_plane::serve(sandboxes, target, request).await,
                Err(refusal) => http::api_error(StatusCode::BAD_REQUEST, refusal),
                Ok(None) => match data_plane::by_signature(&sandboxes, &request) {
                    Ok(Some(target)) => data_plane::serve(sandboxes, target, request).await,
                    Err(refusal) => *refusal,
                    Ok(None) => match control.oneshot(request).await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    },
                },
            }
        }
    });
    planes.layer(middleware::from_fn(http::read_to_its_end))
}
