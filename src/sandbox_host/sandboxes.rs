//! The sandboxes of this host: made, found, put to sleep, woken and ended. Files of a sandbox are a layer on disk that outlives its
//! container; only killing the sandbox removes them.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{
    bundle::{FIRST_HOST_ID, USER},
    containers::Containers,
    egress::Policy,
    live::Live,
    log::Log,
    metrics::{self, Metrics},
    network::Network,
    record::{Record, now, random_id},
    runtime::{Home, Runtime},
    template::{self, Template},
};
use crate::config;

/// Between two looks for sandboxes whose time is over.
const TICK: Duration = Duration::from_millis(500);
/// The least time that a sandbox stays awake when a request woke it, in seconds (E2B's minimum).
const MIN_RESUME: u64 = 300;

/// All sandboxes of the host.
pub(super) struct Sandboxes {
    containers: Containers,
    sandboxes: Mutex<HashMap<String, Arc<Sandbox>>>,
    shutdown: CancellationToken,
}

/// One sandbox.
pub(super) struct Sandbox {
    id: String,
    folder: PathBuf,
    log: Arc<Log>,
    metrics: Metrics,
    /// As in the record, where the egress proxy reads it.
    network: Arc<RwLock<Network>>,
    record: Mutex<Record>,
    /// Held while the sandbox is started or stopped.
    state: tokio::sync::Mutex<State>,
    /// Requests under way.
    requests: AtomicUsize,
    /// When the last request ended: Unix time in milliseconds.
    used_at: AtomicU64,
}

enum State {
    Running(Arc<Live>),
    Paused,
    Killed,
}

/// What a new sandbox is made with.
pub(super) struct NewSandbox {
    pub template: String,
    pub timeout: u64,
    pub metadata: HashMap<String, String>,
    pub envs: HashMap<String, String>,
    pub secure: bool,
    pub auto_pause: bool,
    pub auto_resume: bool,
    pub network: Network,
}

/// Why the control plane refuses.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    /// What was asked for makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The sandbox is in a state that does not allow it.
    #[error("{0}")]
    Conflict(String),
    #[error("template '{0}' not found; build it with: codeflow template build {0}")]
    NoTemplate(String),
    #[error("Sandbox \"{0}\" doesn't exist or you don't have access to it")]
    NoSandbox(String),
    /// Nothing can run here; the text says what to install.
    #[error("{0}")]
    NoRuntime(String),
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

/// Keeps a sandbox counted as in use.
pub(super) struct InUse(Arc<Sandbox>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.used_at.store(now(), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sandbox {
    pub(super) fn record(&self) -> Record {
        self.lock_record().clone()
    }

    fn lock_record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record, on disk too.
    fn update(&self, change: impl FnOnce(&mut Record)) {
        let mut record = self.lock_record();
        change(&mut record);
        if let Err(error) = record.write(&self.folder) {
            tracing::warn!(sandbox.id = self.id, %error, "the sandbox's record can't be written");
        }
    }

    pub(super) fn in_use(self: &Arc<Self>) -> InUse {
        self.requests.fetch_add(1, Ordering::Relaxed);
        InUse(self.clone())
    }

    /// The end moves to `seconds` from now.
    pub(super) fn set_timeout(&self, seconds: u64) {
        self.update(|record| record.end_at = now().saturating_add(seconds.saturating_mul(1000)));
    }

    /// The files of its own.
    pub(super) fn layer(&self) -> PathBuf {
        self.folder.join("layer/upper")
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Takes new network settings; connections that are open stay so.
    pub(super) fn set_network(&self, network: Network) {
        *self.network.write().unwrap_or_else(PoisonError::into_inner) = network.clone();
        self.update(|record| {
            record.network = Network {
                // Decided when it was made.
                allow_public_traffic: record.network.allow_public_traffic,
                mask_request_host: record.network.mask_request_host.clone(),
                ..network
            };
        });
        self.log.info("network settings changed");
    }

    /// The end moves to at least `seconds` from now.
    pub(super) fn extend(&self, seconds: u64) {
        self.update(|record| record.end_at = record.end_at.max(now().saturating_add(seconds.saturating_mul(1000))));
    }

    pub(super) async fn is_running(&self) -> bool {
        matches!(&*self.state.lock().await, State::Running(live) if !live.ended.is_cancelled())
    }

    fn idle_for(&self) -> Duration {
        if self.requests.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(now().saturating_sub(self.used_at.load(Ordering::Relaxed)))
    }
}

impl Sandboxes {
    /// Takes over what is on disk, as paused, and starts to end sandboxes in time.
    pub(super) async fn open(settings: config::SandboxHost, shutdown: CancellationToken) -> anyhow::Result<Arc<Self>> {
        let mut host = Self {
            containers: Containers::prepare(settings, "host").await?,
            sandboxes: Mutex::default(),
            shutdown,
        };
        let root = host.settings().data_dir.join("sandboxes");
        fs::create_dir_all(&root).with_context(|| format!("{} can't be made", root.display()))?;
        host.take_over(&root)?;
        template::remove_unused(&host.settings().data_dir, &host.records());
        let host = Arc::new(host);
        tokio::spawn(host.clone().end_in_time());
        tokio::spawn(metrics::keep_sampling(host.clone()));
        Ok(host)
    }

    /// The sandboxes on disk; what was never finished is removed.
    fn take_over(&mut self, root: &Path) -> anyhow::Result<()> {
        let sandboxes = self.sandboxes.get_mut().unwrap_or_else(PoisonError::into_inner);
        for entry in fs::read_dir(root)? {
            let folder = entry?.path();
            let record = match Record::read(&folder) {
                Ok(Some(record)) => record,
                Ok(None) => {
                    tracing::info!(folder = %folder.display(), "removing a sandbox that was never finished");
                    fs::remove_dir_all(&folder)?;
                    continue;
                }
                // Its files are somebody's work: they stay until somebody has looked.
                Err(error) => {
                    tracing::error!(folder = %folder.display(), %error, "a sandbox's record can't be read; the sandbox is left alone");
                    continue;
                }
            };
            let _ = fs::remove_dir_all(folder.join("sockets"));
            sandboxes.insert(record.id.clone(), Arc::new(Sandbox::new(folder, record, State::Paused)));
        }
        Ok(())
    }

    /// Which runtime is used, or what to do to have one.
    pub(super) fn runtime(&self) -> Result<&Runtime, &str> {
        self.containers.runtime()
    }

    pub(super) fn settings(&self) -> &config::SandboxHost {
        self.containers.settings()
    }

    /// Ends when the host stops.
    pub(super) async fn stopping(&self) {
        self.shutdown.cancelled().await;
    }

    /// Below the hierarchies' roots.
    pub(super) fn cgroup_of(&self, sandbox: &Sandbox) -> PathBuf {
        self.containers.cgroup(&sandbox.id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Sandbox>>> {
        self.sandboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> Vec<Arc<Sandbox>> {
        self.lock().values().cloned().collect()
    }

    fn records(&self) -> Vec<Record> {
        self.all().iter().map(|sandbox| sandbox.record()).collect()
    }

    pub(super) fn get(&self, id: &str) -> Result<Arc<Sandbox>, HostError> {
        // E2B's older ids have a client's id behind a dash.
        let id = id.split('-').next().unwrap_or(id);
        self.lock().get(id).cloned().ok_or_else(|| HostError::NoSandbox(id.to_owned()))
    }

    /// Makes a sandbox and starts it.
    pub(super) async fn create(&self, new: NewSandbox) -> Result<Arc<Sandbox>, HostError> {
        self.runtime().map_err(|fault| HostError::NoRuntime(fault.to_owned()))?;
        let template =
            Template::find(&self.settings().data_dir, &new.template).ok_or_else(|| HostError::NoTemplate(new.template.clone()))?;
        let started_at = now();
        let record = Record {
            id: random_id(),
            template: new.template,
            version: template.version.clone(),
            token: new.secure.then(random_id),
            metadata: new.metadata,
            envs: new.envs,
            started_at,
            end_at: started_at.saturating_add(new.timeout.saturating_mul(1000)),
            timeout: new.timeout,
            auto_pause: new.auto_pause,
            auto_resume: new.auto_resume,
            traffic_token: (new.network.allow_public_traffic == Some(false)).then(random_id),
            network: new.network,
        };
        let folder = self.settings().data_dir.join("sandboxes").join(&record.id);
        let sandbox = Arc::new(Sandbox::new(folder, record, State::Paused));
        // Known before it runs, so that a host that stops meanwhile waits for it and ends it.
        let mut state = sandbox.state.lock().await;
        self.lock().insert(sandbox.id.clone(), sandbox.clone());
        match self.make(&sandbox, template).await {
            Ok(live) => *state = State::Running(live),
            Err(error) => {
                *state = State::Killed;
                self.lock().remove(&sandbox.id);
                let _ = Record::remove(&sandbox.folder);
                return Err(error.into());
            }
        }
        drop(state);
        tracing::info!(
            sandbox.id,
            template = sandbox.record().template,
            ms = now().saturating_sub(started_at),
            "sandbox created"
        );
        sandbox.log.info("created");
        Ok(sandbox)
    }

    async fn make(&self, sandbox: &Sandbox, template: Template) -> anyhow::Result<Arc<Live>> {
        let made = self
            .make_layer(&sandbox.folder)
            .and_then(|()| Ok(sandbox.record().write(&sandbox.folder)?));
        made.context("the sandbox's folder can't be made")?;
        self.boot(sandbox, template).await
    }

    fn make_layer(&self, folder: &Path) -> anyhow::Result<()> {
        for name in ["", "layer", "layer/upper", "layer/work"] {
            fs::create_dir(folder.join(name))?;
        }
        let user = Some(FIRST_HOST_ID + USER);
        chown(folder.join("layer/upper"), user, user)?;
        Ok(())
    }

    /// Starts the sandbox's container.
    async fn boot(&self, sandbox: &Sandbox, template: Template) -> anyhow::Result<Arc<Live>> {
        if self.shutdown.is_cancelled() {
            anyhow::bail!("the sandbox host is stopping");
        }
        let record = sandbox.record();
        let envs = record.envs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let home = Home::Overlay {
            lower: template.home,
            layer: sandbox.folder.join("layer"),
        };
        let own = [
            format!("E2B_SANDBOX_ID={}", record.id),
            format!("E2B_TEMPLATE_ID={}", record.template),
        ];
        let envs = [envs, own.to_vec()].concat();
        let policy = Policy {
            network: sandbox.network.clone(),
            log: sandbox.log.clone(),
        };
        let live = self.containers.start(
            &record.id,
            &sandbox.folder,
            home,
            template.manifest.server.map(|server| server.start),
            envs,
            policy,
        );
        Ok(Arc::new(live.await?))
    }

    /// The sandbox's container, started again when it was paused; `None` when there is nothing to start any more. The flag tells
    /// whether it was started.
    pub(super) async fn wake(&self, sandbox: &Sandbox) -> anyhow::Result<Option<(Arc<Live>, bool)>> {
        let mut state = sandbox.state.lock().await;
        match &*state {
            State::Killed => return Ok(None),
            State::Running(live) if !live.ended.is_cancelled() => return Ok(Some((live.clone(), false))),
            State::Running(live) => {
                tracing::warn!(sandbox.id, "the sandbox had ended by itself; it is started again");
                sandbox.log.warn("it had ended by itself, and is started again");
                self.containers.stop(&sandbox.id, &sandbox.folder, live, false).await;
                *state = State::Paused;
            }
            State::Paused => {}
        }
        let record = sandbox.record();
        let Some(template) = Template::find_version(&self.settings().data_dir, &record.template, &record.version) else {
            tracing::warn!(
                sandbox.id,
                "the template that the sandbox was made from is gone, and the sandbox with it"
            );
            return Ok(None);
        };
        let begun = now();
        let live = self.boot(sandbox, template).await?;
        *state = State::Running(live.clone());
        let timeout = record.timeout.max(MIN_RESUME);
        sandbox.update(|record| {
            record.started_at = now();
            record.end_at = now().saturating_add(timeout.saturating_mul(1000));
        });
        sandbox.used_at.store(now(), Ordering::Relaxed);
        tracing::info!(sandbox.id, ms = now().saturating_sub(begun), "sandbox resumed");
        sandbox.log.info("resumed");
        Ok(Some((live, true)))
    }

    /// The sandbox's container as a request finds it: woken, when the sandbox was made to wake by requests.
    pub(super) async fn reach(&self, sandbox: &Sandbox) -> anyhow::Result<Option<Arc<Live>>> {
        if !sandbox.record().auto_resume && !sandbox.is_running().await {
            return Ok(None);
        }
        Ok(self.wake(sandbox).await?.map(|(live, _)| live))
    }

    /// Ends the container and keeps the files; false when it was paused already.
    pub(super) async fn pause(&self, sandbox: &Sandbox) -> bool {
        let mut state = sandbox.state.lock().await;
        let State::Running(live) = &*state else {
            return false;
        };
        self.containers.stop(&sandbox.id, &sandbox.folder, live, true).await;
        *state = State::Paused;
        tracing::info!(sandbox.id, "sandbox paused");
        sandbox.log.info("paused");
        true
    }

    /// Ends the sandbox and removes its files.
    pub(super) async fn kill(&self, sandbox: &Sandbox) {
        self.lock().remove(&sandbox.id);
        let mut state = sandbox.state.lock().await;
        if let State::Running(live) = &*state {
            self.containers.stop(&sandbox.id, &sandbox.folder, live, false).await;
        }
        *state = State::Killed;
        let folder = sandbox.folder.clone();
        let removed = tokio::task::spawn_blocking(move || Record::remove(&folder)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(sandbox.id, %error, "the sandbox's files can't be removed");
        }
        tracing::info!(sandbox.id, "sandbox killed");
    }

    async fn end_in_time(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.shutdown.cancelled() => return,
            }
            for sandbox in self.all() {
                let record = sandbox.record();
                let over = record.end_at <= now();
                let idle = record.auto_pause && sandbox.idle_for() >= self.settings().idle;
                // One that is being started or stopped right now is looked at again at the next tick.
                let running = || matches!(sandbox.state.try_lock().as_deref(), Ok(State::Running(_)));
                if !(over || idle) || !running() {
                    continue;
                }
                let host = self.clone();
                tokio::spawn(async move {
                    if record.auto_pause {
                        host.pause(&sandbox).await;
                    } else {
                        host.kill(&sandbox).await;
                    }
                });
            }
        }
    }

    /// Pauses what runs, several at a time, and leaves nothing behind.
    pub(super) async fn shutdown(&self) {
        self.shutdown.cancel();
        let sandboxes = self.all();
        futures::future::join_all(sandboxes.iter().map(|sandbox| self.pause(sandbox))).await;
        self.containers.close().await;
    }
}

impl Sandbox {
    fn new(folder: PathBuf, record: Record, state: State) -> Self {
        Self {
            id: record.id.clone(),
            folder,
            log: Arc::default(),
            metrics: Metrics::default(),
            network: Arc::new(RwLock::new(record.network.clone())),
            record: Mutex::new(record),
            state: tokio::sync::Mutex::new(state),
            requests: AtomicUsize::new(0),
            used_at: AtomicU64::new(now()),
        }
    }
}
