//! The sandboxes of this host: made, found, put to sleep, woken and ended. Files of a sandbox are a layer on disk that outlives its
//! container; only killing the sandbox removes them.

mod pool;
mod sandbox;

use std::{
    collections::HashMap,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    cgroup::Cgroup,
    containers::{Boot, Containers, USUAL_SHARES},
    egress::Policy,
    live::Live,
    metrics,
    network::Network,
    record::{Record, now},
    runtime::{Home, Runtime},
    template::{self, Template},
};
use crate::config;
use pool::Pool;
use sandbox::State;
pub(super) use sandbox::{InUse, Sandbox};

/// Between two looks for sandboxes whose time is over.
const TICK: Duration = Duration::from_millis(500);
/// The least time that a sandbox stays awake when a request woke it, in seconds (E2B's minimum).
const MIN_RESUME: u64 = 300;
/// Frozen sandboxes may hold one part in so many of the machine's memory.
const FROZEN_PART: u64 = 4;

/// All sandboxes of the host.
pub(super) struct Sandboxes {
    containers: Containers,
    sandboxes: Mutex<HashMap<String, Arc<Sandbox>>>,
    pool: Pool,
    /// What must have ended before the host has stopped.
    tasks: TaskTracker,
    shutdown: CancellationToken,
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
    /// The machine's disk is full.
    #[error("{0}")]
    NoSpace(String),
    /// Nothing can run here; the text says what to install.
    #[error("{0}")]
    NoRuntime(String),
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

impl Sandboxes {
    /// Takes over what is on disk, as paused, and starts to end sandboxes in time.
    pub(super) async fn open(settings: config::SandboxHost, shutdown: CancellationToken) -> anyhow::Result<Arc<Self>> {
        let mut host = Self {
            containers: Containers::prepare(settings, "host").await?,
            sandboxes: Mutex::default(),
            pool: Pool::default(),
            tasks: TaskTracker::new(),
            shutdown,
        };
        let root = host.settings().data_dir.join("sandboxes");
        fs::create_dir_all(&root).with_context(|| format!("{} can't be made", root.display()))?;
        host.take_over(&root)?;
        template::remove_unused(&host.settings().data_dir, &host.records());
        let host = Arc::new(host);
        tokio::spawn(host.clone().end_in_time());
        tokio::spawn(metrics::keep_sampling(host.clone()));
        if host.settings().pool_size > 0 && host.runtime().is_ok() {
            host.tasks.spawn(host.clone().keep_pool());
        }
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
            sandboxes.insert(record.id.clone(), Arc::new(Sandbox::new(folder, record)));
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

    /// The limits that this machine can't enforce, and why.
    pub(super) fn unenforced(&self) -> &[String] {
        self.containers.unenforced()
    }

    /// `None` where control groups can't be used.
    pub(super) fn cgroup_of(&self, sandbox: &Sandbox) -> Option<Cgroup> {
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
        if self.shutdown.is_cancelled() {
            return Err(anyhow::anyhow!("the sandbox host is stopping").into());
        }
        let begun = now();
        let sandbox = match self.take_warm(&template, &new) {
            Some((sandbox, live)) => self.hand_out(sandbox, live, new).await,
            None => self.start_anew(template, new).await?,
        };
        let (template, ms) = (sandbox.record().template, now().saturating_sub(begun));
        tracing::info!(sandbox.id, template, ms, "sandbox created");
        sandbox.log.info("created");
        Ok(sandbox)
    }

    /// Makes a sandbox that waited the caller's.
    async fn hand_out(&self, sandbox: Arc<Sandbox>, live: Arc<Live>, new: NewSandbox) -> Arc<Sandbox> {
        sandbox.update(|record| {
            *record = Record {
                id: record.id.clone(),
                ..Record::new(new, record.version.clone())
            };
        });
        sandbox.take_network_from_record();
        sandbox.touch();
        let mut state = sandbox.state.lock().await;
        self.lock().insert(sandbox.id.clone(), sandbox.clone());
        *state = State::Running(live);
        drop(state);
        sandbox
    }

    async fn start_anew(&self, template: Template, new: NewSandbox) -> Result<Arc<Sandbox>, HostError> {
        let sandbox = Arc::new(self.sandbox(Record::new(new, template.version.clone())));
        // Known before it runs, so that a host that stops meanwhile waits for it and ends it.
        let mut state = sandbox.state.lock().await;
        self.lock().insert(sandbox.id.clone(), sandbox.clone());
        let making = async {
            self.make_disk(&sandbox).await?;
            sandbox.record().write(&sandbox.folder)?;
            self.boot(&sandbox, template, USUAL_SHARES).await
        };
        match making.await {
            Ok(live) => *state = State::Running(live),
            Err(error) => {
                *state = State::Killed;
                self.lock().remove(&sandbox.id);
                let _ = Record::remove(&sandbox.folder);
                return Err(HostError::of_making(error));
            }
        }
        drop(state);
        Ok(sandbox)
    }

    fn sandbox(&self, record: Record) -> Sandbox {
        let folder = self.settings().data_dir.join("sandboxes").join(&record.id);
        Sandbox::new(folder, record)
    }

    async fn make_disk(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        fs::create_dir(&sandbox.folder).context("the sandbox's folder can't be made")?;
        self.containers.make_disk(&sandbox.folder).await
    }

    /// Starts the sandbox's container.
    async fn boot(&self, sandbox: &Sandbox, template: Template, shares: u64) -> anyhow::Result<Arc<Live>> {
        if self.shutdown.is_cancelled() {
            anyhow::bail!("the sandbox host is stopping");
        }
        let record = sandbox.record();
        let envs = record.envs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let own = [
            format!("E2B_SANDBOX_ID={}", record.id),
            format!("E2B_TEMPLATE_ID={}", record.template),
        ];
        let boot = Boot {
            home: Home::Overlay {
                lower: template.home,
                layer: sandbox.layer(),
            },
            start: template.manifest.server.map(|server| server.start),
            envs: [envs, own.to_vec()].concat(),
            policy: Policy {
                network: sandbox.network.clone(),
                log: sandbox.log.clone(),
            },
            shares,
        };
        Ok(Arc::new(self.containers.start(&record.id, &sandbox.folder, boot).await?))
    }

    /// The sandbox's container, woken when it was paused; `None` when there is nothing to wake any more. The flag tells whether it
    /// was woken.
    pub(super) async fn wake(&self, sandbox: &Sandbox) -> anyhow::Result<Option<(Arc<Live>, bool)>> {
        let mut state = sandbox.state.lock().await;
        let begun = now();
        let asleep = match &*state {
            State::Killed => return Ok(None),
            State::Running(live) if !live.ended.is_cancelled() => return Ok(Some((live.clone(), false))),
            State::Frozen(live, _) if !live.ended.is_cancelled() => Some(live.clone()),
            State::Running(_) | State::Frozen(..) => {
                tracing::warn!(sandbox.id, "the sandbox had ended by itself; it is started again");
                sandbox.log.warn("it had ended by itself, and is started again");
                self.containers.end(&sandbox.id, &sandbox.folder).await;
                *state = State::Paused;
                None
            }
            State::Paused => None,
        };
        let live = match asleep {
            Some(live) => {
                self.thaw(sandbox)?;
                live
            }
            None => {
                let record = sandbox.record();
                let Some(template) = Template::find_version(&self.settings().data_dir, &record.template, &record.version) else {
                    tracing::warn!(
                        sandbox.id,
                        "the template that the sandbox was made from is gone, and the sandbox with it"
                    );
                    return Ok(None);
                };
                self.boot(sandbox, template, USUAL_SHARES).await?
            }
        };
        *state = State::Running(live.clone());
        sandbox.update(|record| {
            record.started_at = now();
            record.end_at = now().saturating_add(record.timeout.max(MIN_RESUME).saturating_mul(1000));
        });
        sandbox.touch();
        tracing::info!(sandbox.id, ms = now().saturating_sub(begun), "sandbox resumed");
        sandbox.log.info("resumed");
        Ok(Some((live, true)))
    }

    fn thaw(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        match self.cgroup_of(sandbox) {
            Some(cgroup) => cgroup.thaw().context("the sandbox can't be thawed"),
            None => Ok(()),
        }
    }

    /// The sandbox's container as a request finds it: woken, when the sandbox was made to wake by requests.
    pub(super) async fn reach(&self, sandbox: &Sandbox) -> anyhow::Result<Option<Arc<Live>>> {
        if !sandbox.record().auto_resume && !sandbox.is_running().await {
            return Ok(None);
        }
        Ok(self.wake(sandbox).await?.map(|(live, _)| live))
    }

    /// Puts the sandbox to sleep: frozen with all that is in its memory, or with its files alone when `memory` is not wanted or can't
    /// be kept. False when it was paused already.
    pub(super) async fn pause(&self, sandbox: &Sandbox, memory: bool) -> bool {
        let mut state = sandbox.state.lock().await;
        let State::Running(live) = &*state else {
            return false;
        };
        let live = live.clone();
        let frozen = memory && !self.settings().frozen.is_zero() && self.freeze(sandbox).await;
        // When no request gets in any more.
        live.hang_up();
        *state = if frozen {
            State::Frozen(live, Instant::now())
        } else {
            self.containers.stop(&sandbox.id, &sandbox.folder, &live).await;
            State::Paused
        };
        tracing::info!(sandbox.id, frozen, "sandbox paused");
        sandbox.log.info("paused");
        true
    }

    async fn freeze(&self, sandbox: &Sandbox) -> bool {
        let Some(cgroup) = self.cgroup_of(sandbox) else {
            return false;
        };
        let frozen = cgroup.freeze().await;
        if let Err(error) = &frozen {
            tracing::warn!(sandbox.id, %error, "the sandbox can't be frozen; its memory is given up");
        }
        frozen.is_ok()
    }

    /// Gives up the memory of a sandbox that is frozen; its files stay.
    async fn drop_memory(&self, sandbox: &Sandbox) {
        let mut state = sandbox.state.lock().await;
        let State::Frozen(live, _) = &*state else {
            return;
        };
        if let Err(error) = self.thaw(sandbox) {
            tracing::warn!(sandbox.id, error = format!("{error:#}"), "the sandbox ends without notice");
        }
        self.containers.stop(&sandbox.id, &sandbox.folder, live).await;
        *state = State::Paused;
        tracing::info!(sandbox.id, "the paused sandbox's memory is given up");
    }

    /// Ends the sandbox and removes its files.
    pub(super) async fn kill(&self, sandbox: &Sandbox) {
        self.lock().remove(&sandbox.id);
        let mut state = sandbox.state.lock().await;
        if let State::Running(live) | State::Frozen(live, _) = &*state {
            live.hang_up();
            self.containers.end(&sandbox.id, &sandbox.folder).await;
        }
        *state = State::Killed;
        let (folder, layer) = (sandbox.folder.clone(), sandbox.layer());
        let removed = tokio::task::spawn_blocking(move || {
            layer.release();
            Record::remove(&folder)
        });
        if let Ok(Err(error)) = removed.await {
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
                self.look_at_time(sandbox);
            }
            for sandbox in self.frozen_too_long() {
                let host = self.clone();
                tokio::spawn(async move { host.drop_memory(&sandbox).await });
            }
        }
    }

    /// Pauses or kills a sandbox whose time is over.
    fn look_at_time(self: &Arc<Self>, sandbox: Arc<Sandbox>) {
        let record = sandbox.record();
        let over = record.end_at <= now();
        let idle = record.auto_pause && sandbox.idle_for() >= self.settings().idle;
        // One that is being started or stopped right now is looked at again at the next tick.
        let running = || matches!(sandbox.state.try_lock().as_deref(), Ok(State::Running(_)));
        if !(over || idle) || !running() {
            return;
        }
        let host = self.clone();
        tokio::spawn(async move {
            if record.auto_pause {
                host.pause(&sandbox, true).await;
            } else {
                host.kill(&sandbox).await;
            }
        });
    }

    /// The sandboxes that have been frozen for long, and the oldest of the others while they hold more memory than is theirs to hold.
    fn frozen_too_long(&self) -> Vec<Arc<Sandbox>> {
        let mut frozen: Vec<(Instant, Arc<Sandbox>)> = Vec::new();
        for sandbox in self.all() {
            if let Ok(State::Frozen(_, since)) = sandbox.state.try_lock().as_deref() {
                frozen.push((*since, sandbox.clone()));
            }
        }
        frozen.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
        let (mut held, limit) = (0, memory_of_machine() / FROZEN_PART);
        let too_long = |(since, sandbox): &(Instant, Arc<Sandbox>)| {
            held += self
                .cgroup_of(sandbox)
                .and_then(|cgroup| cgroup.usage())
                .map_or(0, |usage| usage.memory);
            since.elapsed() >= self.settings().frozen || held > limit
        };
        frozen.into_iter().filter(too_long).map(|(_, sandbox)| sandbox).collect()
    }

    /// Pauses what runs, several at a time, and leaves nothing behind.
    pub(super) async fn shutdown(&self) {
        self.shutdown.cancel();
        self.pause_all().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.empty_pool().await;
        // Those that were handed out meanwhile.
        self.pause_all().await;
        self.containers.close().await;
    }

    async fn pause_all(&self) {
        let sandboxes = self.all();
        let pausing = sandboxes.iter().map(async |sandbox| {
            self.pause(sandbox, false).await;
            self.drop_memory(sandbox).await;
        });
        futures::future::join_all(pausing).await;
    }
}

/// The machine's memory in bytes.
fn memory_of_machine() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = text
        .strip_prefix("MemTotal:")
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

impl HostError {
    fn of_making(error: anyhow::Error) -> Self {
        match error.downcast_ref::<io::Error>() {
            Some(full) if full.kind() == io::ErrorKind::StorageFull => Self::NoSpace(full.to_string()),
            _ => Self::Internal(error),
        }
    }
}
