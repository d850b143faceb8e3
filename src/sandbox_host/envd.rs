//! `codeflow envd`: the init of a sandbox. It serves E2B's envd protocol to the host over one
//! socket, keeps the template's dev server running, reaps orphans, and carries connections in (to
//! the app's ports) and out (to the egress proxy). It runs as the sandbox's user, and opens all
//! files with that user's rights.

mod connect;
pub(super) mod dev_server;
mod dialler;
mod entry;
mod files;
mod filesystem;
mod metadata;
mod path;
mod process;
mod procfs;
mod tunnel;
mod watch;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    os::{fd::AsFd, unix::net::UnixListener},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Barrier},
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, Response, StatusCode, header},
    middleware::{self, Next},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::StreamExt;
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::{self, WaitPidFlag, WaitStatus},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    bundle::{ENVD, HOME},
    http::{api_error, read_to_its_end, response},
};

/// The port of the proxy through which programs inside reach the network.
pub(super) const PROXY_PORT: u16 = 3128;
/// The variable that tells newer versions of pnpm where to keep their store.
pub(super) const PNPM_STORE: &str = "pnpm_config_store_dir";
/// The number of threads for blocking work that are started in advance.
const BLOCKING_THREADS: usize = 2;
/// The variable with the host's orders.
const ORDERS: &str = "CODEFLOW_ENVD";

/// The host's orders for the start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Orders {
    /// The command to keep running, and the port it serves on.
    pub start: Option<(String, u16)>,
}

impl Orders {
    /// As an entry of the container's environment.
    pub(super) fn to_env(&self) -> serde_json::Result<String> {
        Ok(format!("{ORDERS}={}", serde_json::to_string(self)?))
    }
}

/// Runs as the sandbox's first process, and again as its serving child; returns when the sandbox
/// must end.
pub fn run() -> anyhow::Result<()> {
    // The sandbox's processes must not read our memory or our open files.
    prctl::set_dumpable(false)?;
    if std::process::id() == 1 {
        init()
    } else {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_keep_alive(Duration::MAX)
            .build()?;
        runtime.block_on(start_blocking_threads());
        runtime.block_on(serve())
    }
}

/// Starts the threads for blocking work, which then stay: once the sandbox has reached its process
/// limit, no thread can be started any more, and tokio panics without one.
async fn start_blocking_threads() {
    let all_run = Arc::new(Barrier::new(BLOCKING_THREADS));
    let waits = (0..BLOCKING_THREADS).map(|_| {
        let all_run = all_run.clone();
        tokio::task::spawn_blocking(move || {
            all_run.wait();
        })
    });
    futures::future::join_all(waits).await;
}

/// Starts the serving process and reaps all others until it ends; when this process ends, the
/// kernel ends the sandbox. The sandbox's processes may send any signal to the serving process, but
/// can neither stop nor kill this one (pid_namespaces(7)).
fn init() -> anyhow::Result<()> {
    let server = Command::new(ENVD)
        .arg("envd")
        .stdin(Stdio::inherit())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("envd's server can't be started")?;
    let server = Pid::from_raw(i32::try_from(server.id())?);
    loop {
        match wait::waitpid(None, Some(WaitPidFlag::WUNTRACED)) {
            // An error means that it has ended meanwhile, which the next iteration finds out.
            Ok(WaitStatus::Stopped(stopped, _)) if stopped == server => {
                let _ = kill(server, Signal::SIGCONT);
            }
            Ok(WaitStatus::Stopped(..)) => {}
            Ok(status) if status.pid() == Some(server) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let mut env: HashMap<String, String> = std::env::vars().collect();
    let orders: Orders = match env.remove(ORDERS) {
        Some(orders) => serde_json::from_str(&orders)?,
        None => Orders::default(),
    };
    configure_pnpm(&env);
    let env = Arc::new(env);
    let stop = CancellationToken::new();
    tokio::spawn(tunnel::forward_outbound());
    let watched = dev_server::DevServer::default();
    let dev_server = orders.start.map(|(start, port)| {
        tokio::spawn(
            watched
                .clone()
                .keep_running(start, port, env.clone(), stop.clone()),
        )
    });
    let router = router(env, watched, stop.clone());
    let serving = if let Some(dialler) = dialler::Dialler::find() {
        axum::serve(dialler, router).into_future()
    } else {
        let listener = UnixListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        listener.set_nonblocking(true)?;
        axum::serve(tokio::net::UnixListener::from_std(listener)?, router).into_future()
    };
    tokio::select! {
        served = serving => served?,
        () = stop.cancelled() => {}
    }
    if let Some(dev_server) = dev_server {
        dev_server.await?;
    }
    Ok(())
}

/// Configures the store for versions of pnpm that don't read [`PNPM_STORE`]; the variable that they
/// do read would make npm warn at each run. An existing file stays, and a failure only moves the
/// store.
fn configure_pnpm(env: &HashMap<String, String>) {
    let (Some(config), Some(store)) = (env.get("XDG_CONFIG_HOME"), env.get(PNPM_STORE)) else {
        return;
    };
    let folder = Path::new(config).join("pnpm");
    if fs::create_dir_all(&folder).is_ok()
        && let Ok(mut file) = File::create_new(folder.join("rc"))
    {
        let _ = writeln!(file, "store-dir={store}");
    }
}

fn router(
    env: Arc<HashMap<String, String>>,
    dev_server: dev_server::DevServer,
    stop: CancellationToken,
) -> Router {
    let processes = process::Processes::new(env.clone());
    Router::new()
        .route("/health", get(async || StatusCode::NO_CONTENT))
        .route("/envs", get(async move || axum::Json((*env).clone())))
        .merge(files::router())
        .merge(filesystem::router())
        .merge(watch::router(watch::Watchers::default()))
        .merge(process::router(processes))
        .layer(middleware::from_fn(check_user))
        .merge(dev_server::router(dev_server))
        .route("/codeflow/alive", get(alive))
        .route("/codeflow/tunnel/{port}", get(tunnel::forward_inbound))
        .route(
            "/codeflow/stop",
            post(async move || {
                stop.cancel();
                StatusCode::NO_CONTENT
            }),
        )
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(read_to_its_end))
        .fallback(async || api_error(StatusCode::NOT_FOUND, "no such route"))
}

/// A response that lasts as long as the sandbox.
async fn alive() -> Response<Body> {
    let forever = futures::stream::once(async {
        Ok::<_, std::convert::Infallible>(Bytes::from_static(b"alive\n"))
    });
    Response::new(Body::from_stream(forever.chain(futures::stream::pending())))
}

/// There is only one user inside; a request for another is refused with the message of E2B's envd.
async fn check_user(request: Request, next: Next) -> Response<Body> {
    let named = match request.uri().path() {
        "/files" => path::query(request.uri(), "username"),
        _ => basic_user(request.headers()),
    };
    match named {
        Some(user) if user != "user" => {
            let message = format!("error looking up user '{user}': user: unknown user {user}");
            if request.uri().path() == "/files" {
                api_error(StatusCode::UNAUTHORIZED, message)
            } else {
                connect::Error::new("unauthenticated", message).response()
            }
        }
        _ => next.run(request).await,
    }
}

fn basic_user(headers: &HeaderMap) -> Option<String> {
    let value = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    Some(decoded.split(':').next()?.to_owned())
}

/// An error of envd's plain HTTP routes.
fn failure(error: &std::io::Error, path: &std::path::Path) -> Response<Body> {
    let is_of_the_app = path.starts_with(HOME);
    let path = path.display();
    match error.kind() {
        std::io::ErrorKind::NotFound => api_error(
            StatusCode::NOT_FOUND,
            format!("path '{path}' does not exist"),
        ),
        std::io::ErrorKind::IsADirectory => api_error(
            StatusCode::BAD_REQUEST,
            format!("path '{path}' is a directory"),
        ),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => api_error(
            StatusCode::INSUFFICIENT_STORAGE,
            format!(
                "The sandbox ran out of disk{}. Delete files that are no longer needed.",
                disk_size().map_or_else(String::new, |size| format!(" ({size})"))
            ),
        ),
        // The file system gives up writing when the disk behind it has no room.
        std::io::ErrorKind::ReadOnlyFilesystem if is_of_the_app => api_error(
            StatusCode::INSUFFICIENT_STORAGE,
            "The sandbox can no longer write: the server's disk was full. Free some space there, \
             then start the server again.",
        ),
        std::io::ErrorKind::PermissionDenied => api_error(
            StatusCode::FORBIDDEN,
            format!("permission denied: '{path}'"),
        ),
        _ => api_error(StatusCode::BAD_REQUEST, format!("path '{path}': {error}")),
    }
}

/// The size of the sandbox's disk, for people.
fn disk_size() -> Option<String> {
    let disk = rustix::fs::statvfs(HOME).ok()?;
    let megabytes = disk.f_blocks.saturating_mul(disk.f_frsize) >> 20;
    Some(match megabytes {
        0..1024 => format!("{megabytes} MB"),
        _ => format!("{} GB", (megabytes + 512) >> 10),
    })
}

/// The response to a tunnel request for a closed port.
fn not_open(port: u16) -> Response<Body> {
    response(
        StatusCode::BAD_GATEWAY,
        format!("port {port} is not open\n"),
    )
}
