//! The `codeflow` command: thin, every command calls down into the library.

use std::{
    fs::File,
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use axum::{
    Router,
    extract::Request,
    http::header,
    middleware::{self, Next},
};
use clap::{Parser, Subcommand};
use codeflow::{
    agent::{Agent, Jail},
    config, listener, llm,
    projects::Projects,
    sandbox,
    sandbox_host::{self, SandboxHost, template},
    server::{self, AppState},
    store::Store,
};
use leptos::config::get_configuration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long open connections may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// Why an address that other machines reach is refused.
const NO_ACCOUNTS: &str = "CodeFlow has no accounts yet, so whoever reaches it could read and change everything; other machines come \
                           through a proxy that asks people to sign in";
const NO_KEY: &str =
    "a sandbox host that other machines reach needs a key of yours in SANDBOX_HOST_KEY";

#[derive(Parser)]
#[command(
    name = "codeflow",
    version,
    about = "An AI app builder that people can own: what it calls done, runs"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the app (the default)
    Serve,
    /// Apply the database's migrations and end
    Migrate,
    /// Serve sandboxes alone, for apps on other machines
    SandboxHost,
    /// The init process of a sandbox
    #[command(hide = true)]
    Envd,
    /// The process that becomes the browser which checks pages
    #[command(hide = true)]
    BrowserJail(Jail),
    /// Prepare the templates that sandboxes start from
    Template {
        #[command(subcommand)]
        command: TemplateCommand,
    },
}

#[derive(Subcommand)]
enum TemplateCommand {
    /// Install a template's packages and warm its dev server's cache
    Build {
        /// The template's name, such as nextjs
        name: String,
    },
    /// Show the templates, and which are built
    List,
    /// Remove a template's builds, when no sandbox needs them
    Remove {
        /// The template's name
        name: String,
    },
}

fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    let done = match command {
        // A sandbox starts in milliseconds: nothing else is set up for its init.
        Command::Envd => sandbox_host::envd::run(),
        // A namespace of its own is for a process with one thread.
        Command::BrowserJail(jail) => jail.run(),
        command => run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, also when standard error is gone.
            let _ = writeln!(std::io::stderr(), "codeflow: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        // A log that nobody reads any more ends nothing: the complaint about it would go to the
        // same place, and panic.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    // One provider for every TLS client of the process; it fails only when one is installed
    // already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    listener::raise_open_files();
    match command {
        Command::Serve => serve().await,
        Command::Migrate => {
            let settings = config::Server::from_env()?;
            // Other servers may be at work on a database of its own; one in this folder is the
            // file's only user.
            let _lock = match settings.database {
                config::Database::File(_) => Some(lock_data_dir(&settings.data_dir)?),
                config::Database::Url(_) => None,
            };
            open_store(&settings).await?.close().await;
            Ok(())
        }
        Command::SandboxHost => sandbox_host().await,
        Command::Template { command } => {
            let settings = config::SandboxHost::from_env()?;
            match command {
                TemplateCommand::Build { name } => {
                    template::build(&settings, &name, stop_signal()).await
                }
                TemplateCommand::List => {
                    Ok(std::io::stdout().write_all(template::list(&settings).await?.as_bytes())?)
                }
                TemplateCommand::Remove { name } => template::remove(&settings, &name),
            }
        }
        Command::Envd | Command::BrowserJail(_) => bail!("it runs before the runtime is set up"),
    }
}

async fn serve() -> anyhow::Result<()> {
    let leptos_file = std::path::Path::new("Leptos.toml")
        .exists()
        .then_some("Leptos.toml");
    let leptos = get_configuration(leptos_file)
        .map_err(|error| anyhow::anyhow!("LEPTOS_SITE_ADDR or Leptos.toml can't be read: {error}"))?
        .leptos_options;
    config::loopback_only("LEPTOS_SITE_ADDR", leptos.site_addr, NO_ACCOUNTS)?;
    let settings = config::Server::from_env()?;
    let connections = config::Connections::from_env()?;
    let mut sandboxes = config::Sandbox::from_env()?;
    let model = llm::Model::new(config::Llm::from_env().await?)?;
    let agent_settings = config::Agent::from_env()?;
    let stores_sandboxes = sandboxes.provider == config::SandboxProvider::Local;
    let sweeps = config::Sweeps::from_env(stores_sandboxes.then(|| settings.data_dir.clone()))?;

    let listener = bind(leptos.site_addr, "LEPTOS_SITE_ADDR").await?;
    let address = listener.local_addr()?;
    // Held until the end. Before the database: a second server must change nothing in it.
    let _lock = lock_data_dir(&settings.data_dir)?;
    let store = open_store(&settings).await?;

    let host = match &mut sandboxes.provider {
        config::SandboxProvider::E2b => None,
        config::SandboxProvider::Local => {
            let mut host_settings = config::SandboxHost::from_env()?;
            host_settings.follow_port(address.port());
            let host =
                SandboxHost::start(host_settings, TcpListener::bind(("127.0.0.1", 0)).await?)
                    .await?;
            sandboxes.use_host(&host.url(), host.key(), host.domain());
            Some(host)
        }
    };
    let sandbox_fault = host.as_ref().and_then(|host| host.runtime().err());

    let shutdown = CancellationToken::new();
    let agent = Agent::new(
        model,
        sandbox::Client::new(sandboxes)?,
        agent_settings.clone(),
    );
    let projects = Projects::new(store.clone(), agent, &agent_settings, shutdown.clone());
    let public_url: Arc<str> = settings.public_url.into();
    let app = server::router(AppState {
        projects: projects.clone(),
        shutdown: shutdown.clone(),
        sandbox_fault: sandbox_fault.map(Arc::from),
        unenforced: host
            .as_ref()
            .map_or(&[][..], SandboxHost::unenforced)
            .into(),
        leptos,
        public_url: public_url.clone(),
    });
    let host = host.map(Arc::new);
    let app = match &host {
        Some(host) => with_previews(app, host.clone()),
        None => app,
    };
    let resumed = projects.resume().await?;
    projects.keep_swept(sweeps, shutdown.clone());
    if resumed > 0 {
        tracing::info!(projects = resumed, "unfinished runs resume");
    }
    tracing::info!("listening on http://{address}");
    if !config::is_loopback_url(&public_url) {
        tracing::warn!(
            "PUBLIC_URL={public_url} and there are no accounts yet: the proxy in front of CodeFlow has to ask people to sign in"
        );
    }
    let notice = projects.model();
    if notice.demo {
        tracing::info!(
            "no model is configured, so the demo answers; set OPENAI_API_KEY (or another provider's key) for a real one"
        );
    } else {
        tracing::info!(model = notice.label, "apps are built by a real model");
    }

    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            stop_signal().await;
            tracing::info!("stopping");
            shutdown.cancel();
        }
    });
    tokio::select! {
        () = listener::serve(listener, app, connections, shutdown.clone()) => {}
        // Hot-reload sockets of open previews never end by themselves.
        () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {}
    }
    projects.stopped().await;
    if let Some(host) = host {
        host.shutdown().await;
    }
    store.close().await;
    Ok(())
}

/// Hands requests for a preview's host name to the sandbox host; everything else is the app's.
fn with_previews(app: Router, host: Arc<SandboxHost>) -> Router {
    let previews = host.previews();
    app.layer(middleware::from_fn(move |request: Request, next: Next| {
        let is_preview = request
            .headers()
            .get(header::HOST)
            .and_then(|name| name.to_str().ok())
            .is_some_and(|name| host.is_preview(name));
        let previews = previews.clone();
        async move {
            if !is_preview {
                return next.run(request).await;
            }
            match previews.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    }))
}

async fn sandbox_host() -> anyhow::Result<()> {
    let mut settings = config::SandboxHost::from_env()?;
    let address: SocketAddr = config::parsed(
        "SANDBOX_HOST_ADDR",
        SocketAddr::from(([127, 0, 0, 1], 3002)),
        "an address and port, such as 127.0.0.1:3002",
        |_| true,
    )?;
    if config::var("SANDBOX_HOST_KEY").is_none() {
        config::loopback_only("SANDBOX_HOST_ADDR", address, NO_KEY)?;
    }
    let listener = bind(address, "SANDBOX_HOST_ADDR").await?;
    settings.follow_port(listener.local_addr()?.port());
    let host = SandboxHost::start(settings, listener).await?;
    tracing::info!("sandbox host listening on {}", host.url());
    stop_signal().await;
    host.shutdown().await;
    Ok(())
}

async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is taken by another program; stop it, or set {variable} to another address")
        }
        _ => anyhow::anyhow!("can't listen on {address}: {error}; set {variable} to another address"),
    })
}

/// Makes the data folder where it is missing, and keeps other servers out of it for as long as the
/// returned file is open.
fn lock_data_dir(data_dir: &Path) -> anyhow::Result<File> {
    let unusable = || {
        format!(
            "CODEFLOW_DATA_DIR={}: the folder can't be used",
            data_dir.display()
        )
    };
    config::prepare_data_folder(data_dir)?;
    let lock = File::create(data_dir.join("lock")).with_context(unusable)?;
    if lock.try_lock().is_err() {
        bail!(
            "another codeflow works in {}; stop it, or set CODEFLOW_DATA_DIR to another folder",
            data_dir.display()
        );
    }
    Ok(lock)
}

async fn open_store(settings: &config::Server) -> anyhow::Result<Store> {
    match &settings.database {
        config::Database::File(path) => Store::open_file(path)
            .await
            .with_context(|| format!("the database {} can't be opened", path.display())),
        config::Database::Url(url) => Store::open(url)
            .await
            .context("the database of DATABASE_URL can't be opened"),
    }
}

/// Waits for SIGINT or SIGTERM.
async fn stop_signal() {
    let mut terminate =
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(error) => {
                tracing::warn!(%error, "SIGTERM can't be listened for");
                return std::future::pending().await;
            }
        };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
