//! One sandbox: its record, its state, and operations that neither start nor stop it.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use super::health::Health;
use crate::sandbox_host::{
    clock::{in_seconds, now},
    disk::Layer,
    log::Log,
    metrics::Metrics,
    network::Network,
    record::Record,
    running_container::RunningContainer,
};

/// One sandbox.
pub(in crate::sandbox_host) struct Sandbox {
    pub(super) id: String,
    pub(super) folder: PathBuf,
    pub(super) log: Arc<Log>,
    metrics: Metrics,
    /// A copy from the record, for the egress proxy.
    pub(super) network: Arc<RwLock<Network>>,
    record: Mutex<Record>,
    /// Held while the record is written, so that the latest one is written last.
    writing: tokio::sync::Mutex<()>,
    /// Whether it was running when its state was last unlocked.
    running: AtomicBool,
    /// Held while the sandbox is started or stopped.
    pub(super) state: tokio::sync::Mutex<State>,
    /// Current requests.
    requests: AtomicUsize,
    /// When the last request ended: Unix time in milliseconds.
    used_at: AtomicU64,
    pub(super) health: Health,
}

pub(super) enum State {
    Running(Arc<RunningContainer>),
    /// Paused with its memory, since this moment.
    Frozen(Arc<RunningContainer>, Instant),
    /// Paused, with only its files left.
    Paused,
    Killed,
}

/// A running container.
pub(in crate::sandbox_host) struct Awake {
    pub container: Arc<RunningContainer>,
    /// Cancelled when its clients' connections must end.
    pub connected: CancellationToken,
    /// Whether it was asleep.
    pub woken: bool,
}

impl Awake {
    /// Call it while the sandbox's state is locked, so that no pause comes in between.
    pub(super) fn new(container: &Arc<RunningContainer>, woken: bool) -> Self {
        Self {
            container: container.clone(),
            connected: container.connected(),
            woken,
        }
    }
}

/// Marks a sandbox as in use until it is dropped.
pub(in crate::sandbox_host) struct InUse {
    sandbox: Arc<Sandbox>,
    counts: bool,
}

impl InUse {
    pub(in crate::sandbox_host) fn health(&self) -> &Health {
        &self.sandbox.health
    }

    /// Stops marking it as in use: what follows doesn't count.
    pub(in crate::sandbox_host) fn stop_counting(&mut self) {
        if std::mem::take(&mut self.counts) {
            self.sandbox.touch();
            self.sandbox.requests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.stop_counting();
    }
}

impl Sandbox {
    /// A sandbox that is not running.
    pub(super) fn new(folder: PathBuf, record: Record) -> Self {
        Self {
            id: record.id.clone(),
            folder,
            log: Arc::default(),
            metrics: Metrics::default(),
            network: Arc::new(RwLock::new(record.network.clone())),
            record: Mutex::new(record),
            writing: tokio::sync::Mutex::default(),
            running: AtomicBool::new(false),
            state: tokio::sync::Mutex::new(State::Paused),
            requests: AtomicUsize::new(0),
            used_at: AtomicU64::new(now()),
            health: Health::default(),
        }
    }

    pub(in crate::sandbox_host) fn record(&self) -> Record {
        self.record.lock().clone()
    }

    /// Changes the record, in memory and on disk.
    pub(super) async fn update(&self, change: impl FnOnce(&mut Record)) {
        if let Err(error) = self.try_update(change).await {
            tracing::warn!(sandbox.id = self.id, %error, "the sandbox's record can't be written");
        }
    }

    /// Changes the record; an error is that of writing it.
    pub(super) async fn try_update(&self, change: impl FnOnce(&mut Record)) -> io::Result<()> {
        change(&mut self.record.lock());
        self.save().await
    }

    /// Writes the record to disk.
    pub(super) async fn save(&self) -> io::Result<()> {
        let _writing = self.writing.lock().await;
        let (record, folder) = (self.record(), self.folder.clone());
        tokio::task::spawn_blocking(move || record.write(&folder)).await?
    }

    /// Sets its state; `state` is the locked one.
    pub(super) fn set_state(&self, state: &mut State, new: State) {
        self.running
            .store(matches!(new, State::Running(_)), Ordering::Relaxed);
        *state = new;
    }

    /// Marks it as stopping: clients whose connection is cut find out why, and don't take it for
    /// running. Call it while the state is locked.
    pub(super) fn hang_up(&self, container: &RunningContainer) {
        self.running.store(false, Ordering::Relaxed);
        container.hang_up();
    }

    pub(in crate::sandbox_host) fn in_use(self: &Arc<Self>) -> InUse {
        self.requests.fetch_add(1, Ordering::Relaxed);
        InUse {
            sandbox: self.clone(),
            counts: true,
        }
    }

    /// Sets its end to `seconds` from now.
    pub(in crate::sandbox_host) async fn set_timeout(&self, seconds: u64) {
        let end_at = in_seconds(seconds);
        self.update(|record| record.end_at = end_at).await;
    }

    /// Its writable layer.
    pub(in crate::sandbox_host) fn layer(&self) -> Layer {
        Layer::of(&self.folder)
    }

    /// Removes its folder, once it has no container.
    pub(super) async fn remove_files(&self) {
        let folder = self.folder.clone();
        let removed = tokio::task::spawn_blocking(move || Record::remove(&folder)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(sandbox.id = self.id, %error, "the sandbox's files can't be removed");
        }
    }

    pub(in crate::sandbox_host) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(in crate::sandbox_host) fn log(&self) -> &Log {
        &self.log
    }

    /// Replaces the network settings; open connections stay.
    pub(in crate::sandbox_host) async fn set_network(&self, network: Network) {
        self.update(|record| {
            record.network = Network {
                // Fixed at creation.
                allow_public_traffic: record.network.allow_public_traffic,
                mask_request_host: record.network.mask_request_host.clone(),
                ..network
            };
        })
        .await;
        self.take_network_from_record();
        self.log.info("network settings changed");
    }

    /// Extends its end to at least `seconds` from now.
    pub(in crate::sandbox_host) async fn extend(&self, seconds: u64) {
        let end_at = in_seconds(seconds);
        self.update(|record| record.end_at = record.end_at.max(end_at))
            .await;
    }

    /// Applies the record's settings to the egress proxy.
    pub(super) fn take_network_from_record(&self) {
        let network = self.record().network;
        *self.network.write() = network;
    }

    /// Records a use at this moment.
    pub(super) fn touch(&self) {
        self.used_at.store(now(), Ordering::Relaxed);
    }

    /// Whether it is running. A sandbox that is being started or stopped is not.
    pub(in crate::sandbox_host) fn is_running(&self) -> bool {
        match self.state.try_lock().as_deref() {
            Ok(State::Running(container)) => !container.ended.is_cancelled(),
            Ok(State::Frozen(..) | State::Paused | State::Killed) => false,
            Err(_) => self.running.load(Ordering::Relaxed),
        }
    }

    pub(in crate::sandbox_host) fn health(&self) -> &Health {
        &self.health
    }

    pub(super) fn idle_for(&self) -> Duration {
        if self.requests.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(now().saturating_sub(self.used_at.load(Ordering::Relaxed)))
    }
}
