//! Boot: from settings and a bound listener to a running server, and its orderly end. `main` calls
//! it, and so do tests that need the real server.

mod backup;
mod database;
mod doctor;
mod previews;
mod reset;
mod restate;
mod shelf;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    accounts::Accounts,
    agent::Agent,
    alerts,
    config::{self, Database, Env, Environment, ObjectStorage, RunEngine, Settings},
    listener,
    llm::Model,
    projects::Projects,
    sandbox,
    sandbox_host::SandboxHost,
    server::{
        self, AppState, Bundle, Measures, PreviewGate, PreviewHosts, PreviewNames, SandboxCounts,
        Site,
    },
    store::Store,
};

pub use backup::{backup, restore};
use database::{DataLock, node_name, open_store};
pub use doctor::doctor;
use previews::{PreviewServer, with_previews};
pub use reset::reset;

/// How long open connections may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// A started server. [`Service::run`] serves its listener.
pub struct Service {
    address: SocketAddr,
    listener: TcpListener,
    router: Router,
    connections: config::Connections,
    projects: Projects,
    host: Option<Arc<SandboxHost>>,
    store: Store,
    shutdown: CancellationToken,
    _lock: DataLock,
}

impl Service {
    /// Opens everything the server needs, and resumes unfinished work. `shutdown` stops it.
    pub async fn start(
        settings: Settings,
        site: Site,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let Settings {
            environment,
            server: settings,
            object_storage,
            connections,
            accounts: account_settings,
            credits,
            llm,
            own_llm,
            keys,
            agent: mut agent_settings,
            engine,
            mut sandbox,
            sandbox_host,
            sweeps,
            alerts: alert_settings,
        } = settings;
        let address = listener.local_addr()?;
        let accounts_are_on = account_settings.are_on(address, &settings.public_url)?;
        let model = Model::new(llm, own_llm, keys)?;
        let bundle = Bundle::of_program()?;
        // Before the database: a second server must not change it.
        let lock = DataLock::take(&settings.data_dir)?;
        let mut site = site;
        if let Some(bundle) = &bundle {
            let laid_out = bundle.lay_out(&settings.data_dir);
            let root = laid_out.context("the site's folder can't be written")?;
            site.site_root = root.display().to_string().into();
        }
        let restate = match engine {
            RunEngine::Embedded => None,
            RunEngine::Restate(settings) => {
                Some((settings.clone(), restate::listener(&settings).await?))
            }
        };
        let store = tokio::select! {
            store = open_store(&settings.database) => store?,
            () = shutdown.cancelled() => bail!("stopped before the database was open"),
        };
        if object_storage
            .as_ref()
            .is_some_and(ObjectStorage::is_in_the_clear)
        {
            tracing::warn!("S3_ENDPOINT is plain http: files cross the network unencrypted");
        }
        let store = tokio::select! {
            store = store.with_bucket(object_storage.as_ref()) => store?,
            () = shutdown.cancelled() => bail!("stopped before the bucket was open"),
        };
        let store = match settings.database {
            Database::Url(_) => {
                let store = store.shared_as(node_name(&settings.data_dir)?);
                // An earlier process with this folder has ended.
                store.give_back_all().await?;
                store
            }
            Database::File(_) => store,
        };
        // With several users, each has a limit; a single user may use everything.
        if accounts_are_on {
            let of_user = agent_settings.max_runs.div_ceil(4);
            agent_settings.max_runs_of_user.get_or_insert(of_user);
        }
        let store = store.charging(credits.rules(accounts_are_on));
        let store = match accounts_are_on {
            true => store.with_own_keys(model.configured()),
            false => store,
        };
        let accounts = Accounts::new(
            store.clone(),
            &account_settings,
            accounts_are_on,
            &settings.public_url,
        )
        .await?;
        let host = match sandbox_host {
            None => None,
            Some(mut settings) => {
                settings.follow_port(address.port());
                let own = TcpListener::bind(("127.0.0.1", 0)).await?;
                let host = SandboxHost::start(settings, own).await?;
                sandbox.use_host(&host.url(), host.key(), host.domain());
                Some(Arc::new(host))
            }
        };

        sandbox.follow_port(address.port());
        let has_remote_hosts = !sandbox.hosts.is_empty();
        let (preview_scheme, preview_domain) = (sandbox.preview_scheme(), sandbox.domain.clone());
        let resuming = async {
            let client = sandbox::Client::with_records(sandbox, Some(recorded_host(&store)))?;
            let agent = Agent::new(model, client, agent_settings.clone())?;
            let projects = Projects::new(
                store.clone(),
                agent,
                accounts.clone(),
                &agent_settings,
                restate,
                shutdown.clone(),
            )?;
            let resumed = projects.resume().await?;
            anyhow::Ok((projects, resumed))
        };
        let (projects, resumed) = match resuming.await {
            Ok(started) => started,
            Err(error) => {
                if let Some(host) = host {
                    host.shutdown().await;
                }
                return Err(error);
            }
        };
        let host_ref = host.as_deref();
        let previews = PreviewHosts {
            scheme: preview_scheme,
            domain: preview_domain.into(),
        };
        let preview_server = match &host {
            Some(host) => Some(PreviewServer::Own(host.clone())),
            None if has_remote_hosts => Some(PreviewServer::Remote {
                projects: projects.clone(),
                domain: previews.domain.clone(),
            }),
            None => None,
        };
        let public_url: Arc<str> = settings.public_url.as_str().into();
        let state = AppState {
            projects: projects.clone(),
            accounts: accounts.clone(),
            shutdown: shutdown.clone(),
            sandbox_fault: host_ref
                .and_then(|host| host.runtime().err())
                .map(Arc::from),
            unenforced: host_ref.map_or(&[][..], SandboxHost::unenforced).into(),
            leptos: site,
            bundle,
            public_url: public_url.clone(),
            previews,
            preview_names: preview_server
                .clone()
                .map(|server| Arc::new(PreviewNames::new(server.finder()))),
            is_staging: environment == Environment::Staging,
            measures: Arc::new(Measures {
                token: settings.metrics_token,
                sandboxes: host
                    .clone()
                    .map(|host| -> SandboxCounts { Arc::new(move || host.counts()) }),
                data_dir: settings.data_dir.clone(),
            }),
        };
        server::start_measuring(shutdown.clone());
        let measured = state.clone();
        let figures = move || {
            let state = measured.clone();
            async move { server::metrics_text(&state).await }
        };
        alerts::watch(
            alert_settings,
            accounts.clone(),
            public_url.clone(),
            figures,
            shutdown.clone(),
        );
        let mut router = server::router(state)?;
        if let Some(server) = preview_server {
            let gate = accounts.are_on().then(|| {
                let on_loopback = config::is_loopback_url(&settings.public_url);
                let (projects, accounts) = (projects.clone(), accounts.clone());
                PreviewGate::new(
                    projects,
                    accounts,
                    public_url,
                    on_loopback,
                    shutdown.clone(),
                )
            });
            router = with_previews(router, server, gate);
        }

        projects.keep_swept(sweeps, shutdown.clone());
        accounts.keep_swept(shutdown.clone());
        if resumed > 0 {
            tracing::info!(projects = resumed, "resuming unfinished runs");
        }
        tracing::info!("listening on http://{address}");
        log_notices(&projects, &accounts, &settings.public_url);
        if let Some(link) = accounts.administrator_link().await? {
            tracing::info!("there is no administrator yet; make the account at {link}");
        }
        Ok(Self {
            address,
            listener,
            router,
            connections,
            projects,
            host,
            store,
            shutdown,
            _lock: lock,
        })
    }

    /// The listener's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the shutdown, and then until all work has stopped.
    pub async fn run(self) {
        let shutdown = self.shutdown;
        let serving = listener::serve(
            self.listener,
            self.router,
            self.connections,
            shutdown.clone(),
        );
        tokio::select! {
            () = serving => {}
            // Hot-reload sockets of open previews never end by themselves.
            () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {}
        }
        self.projects.stopped().await;
        if let Some(host) = self.host {
            host.shutdown().await;
        }
        self.store.close().await;
    }
}

/// Looks up where a project's sandbox is.
fn recorded_host(store: &Store) -> sandbox::RecordedHost {
    let store = store.clone();
    Arc::new(move |id| {
        let store = store.clone();
        Box::pin(async move {
            let found = store.host_of_sandbox(&id).await;
            found.unwrap_or_else(|error| {
                tracing::warn!(sandbox.id = id, %error, "the sandbox's host can't be looked up");
                None
            })
        })
    })
}

/// Logs what the server's operator should know at the start.
fn log_notices(projects: &Projects, accounts: &Accounts, public_url: &str) {
    if !accounts.are_on() && !config::is_loopback_url(public_url) {
        tracing::warn!(
            "PUBLIC_URL={public_url} with AUTH=off: the proxy in front of CodeFlow must ask people \
             to sign in"
        );
    }
    let notice = projects.installed_model();
    if notice.demo {
        tracing::info!(
            "no model is configured, so the demo answers; set OPENAI_API_KEY (or another provider's \
             key) for a real one"
        );
    } else {
        tracing::info!(model = notice.label, "apps are built by a real model");
    }
}

/// Applies the database's migrations.
pub async fn migrate(settings: &config::Server) -> anyhow::Result<()> {
    // Other servers may be using a database server; a file in the data folder belongs to one
    // process.
    let _lock = match settings.database {
        Database::File(_) => Some(DataLock::take(&settings.data_dir)?),
        Database::Url(_) => None,
    };
    open_store(&settings.database).await?.close().await;
    Ok(())
}

/// The accounts of the database, for commands. A server may be using it at the same time.
pub async fn accounts(env: &Env) -> anyhow::Result<Accounts> {
    let settings = config::Server::from_env(env)?;
    let accounts = config::Accounts::from_env(env)?;
    config::prepare_data_folder(&settings.data_dir)?;
    let credits = config::Credits::from_env(env)?;
    let store = open_store(&settings.database).await?;
    let store = store.charging(credits.rules(true));
    Accounts::new(store, &accounts, true, &settings.public_url).await
}
