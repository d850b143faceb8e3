//! The sandboxes of this host: creating, finding, pausing, resuming and ending them. A sandbox's
//! files are a layer on disk that outlives its container; only killing the sandbox removes them.

mod admission;
mod draining;
mod forks;
mod health;
mod orphans;
mod pool;
mod reservations;
mod sampling;
mod sandbox;
mod shares;
mod sleep;
mod warm_up;
mod watchdog;

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use anyhow::Context;
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    clock::now,
    containers::{Boot, Containers, USUAL_SHARES},
    disk,
    egress::Policy,
    error::HostError,
    record::{NewSandbox, Record},
    running_container::RunningContainer,
    runtime::{Home, Runtime},
    snapshots,
    template::{self, Template},
};
use crate::{cgroup::Cgroup, config};
pub(super) use health::{Notice, Waiting};
use pool::Pool;
use reservations::Reservations;
use sandbox::State;
pub(super) use sandbox::{Awake, InUse, Sandbox};

/// All sandboxes of the host.
pub(super) struct Sandboxes {
    containers: Containers,
    sandboxes: Mutex<HashMap<String, Arc<Sandbox>>>,
    pool: Pool,
    reservations: Reservations,
    /// Tasks that must end before the host has stopped.
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// What a sandbox's files are at its start.
#[derive(Clone, Copy)]
enum Origin<'a> {
    /// The template's.
    Template,
    /// A copy of the layer in this folder.
    Copy(&'a Path),
    /// The layer in this folder itself, which becomes the sandbox's.
    Move(&'a Path),
}

impl Sandboxes {
    /// Takes over the sandboxes on disk, as paused, and starts ending sandboxes on time.
    pub(super) async fn open(
        settings: config::SandboxHost,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let mut host = Self {
            containers: Containers::prepare(settings, "host").await?,
            sandboxes: Mutex::default(),
            pool: Pool::default(),
            reservations: Reservations::default(),
            tasks: TaskTracker::new(),
            shutdown,
        };
        if let Err(error) = host.take_over() {
            host.containers.close().await;
            return Err(error);
        }
        template::remove_unused(&host.settings().data_dir, &host.records());
        let host = Arc::new(host);
        tokio::spawn(host.clone().end_in_time());
        tokio::spawn(host.clone().keep_watch());
        tokio::spawn(host.clone().remove_orphans());
        tokio::spawn(host.clone().keep_sampling());
        tokio::spawn(host.clone().keep_shares());
        if host.settings().pool_size > 0 && host.runtime().is_ok() {
            host.tasks.spawn(host.clone().keep_pool());
        }
        Ok(host)
    }

    /// Loads the sandboxes on disk, and removes unfinished ones.
    fn take_over(&mut self) -> anyhow::Result<()> {
        let root = self.settings().data_dir.join("sandboxes");
        fs::create_dir_all(&root).with_context(|| format!("{} can't be made", root.display()))?;
        let sandboxes = self.sandboxes.get_mut();
        for entry in fs::read_dir(root)? {
            let folder = entry?.path();
            let record = match Record::read(&folder) {
                Ok(Some(record)) => record,
                Ok(None) => {
                    tracing::info!(folder = %folder.display(), "removing a sandbox that was never finished");
                    if let Err(error) = disk::remove(&folder) {
                        tracing::warn!(folder = %folder.display(), %error, "it can't be removed");
                    }
                    continue;
                }
                // Its files are somebody's work: they stay for a month (`orphans`).
                Err(error) => {
                    tracing::error!(folder = %folder.display(), %error, "a sandbox's record can't be read; the sandbox is left alone");
                    continue;
                }
            };
            let _ = fs::remove_dir_all(folder.join("sockets"));
            sandboxes.insert(record.id.clone(), Arc::new(Sandbox::new(folder, record)));
        }
        for folder in snapshots::unfinished(&self.settings().data_dir) {
            tracing::info!(folder = %folder.display(), "removing a snapshot that was never finished");
            if let Err(error) = disk::remove(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "it can't be removed");
            }
        }
        Ok(())
    }

    /// The runtime in use, or what to do to get one.
    pub(super) fn runtime(&self) -> Result<&Runtime, &str> {
        self.containers.runtime()
    }

    pub(super) fn settings(&self) -> &config::SandboxHost {
        self.containers.settings()
    }

    /// The number of sandboxes, by state.
    pub(super) fn counts(&self) -> Vec<(&'static str, usize)> {
        let all = self.all();
        let running = all.iter().filter(|sandbox| sandbox.is_running()).count();
        vec![
            ("running", running),
            ("asleep", all.len() - running),
            ("pooled", self.pool.containers().len()),
        ]
    }

    /// The number of waiting sandboxes, by template.
    pub(super) fn waiting(&self) -> HashMap<String, usize> {
        let built = template::all(&self.settings().data_dir).into_iter();
        let counted = built.map(|(name, template)| {
            let waiting = self.pool.count(&name, &template.version);
            (name, waiting)
        });
        counted.collect()
    }

    /// The limits that this machine can't enforce, and why.
    pub(super) fn unenforced(&self) -> &[String] {
        self.containers.unenforced()
    }

    /// `None` where control groups can't be used.
    pub(super) fn cgroup_of(&self, sandbox: &Sandbox) -> Option<Cgroup> {
        self.containers.cgroup(&sandbox.id)
    }

    pub(super) fn all(&self) -> Vec<Arc<Sandbox>> {
        self.sandboxes.lock().values().cloned().collect()
    }

    fn records(&self) -> Vec<Record> {
        self.all().iter().map(|sandbox| sandbox.record()).collect()
    }

    pub(super) fn get(&self, id: &str) -> Result<Arc<Sandbox>, HostError> {
        // E2B's older ids have a client's id after a dash.
        let id = id.split('-').next().unwrap_or(id);
        self.sandboxes
            .lock()
            .get(id)
            .cloned()
            .ok_or_else(|| HostError::NoSandbox(id.to_owned()))
    }

    /// Fails if no sandboxes are made: none can, or the host stops or is being drained.
    fn admits_new(&self) -> Result<(), HostError> {
        self.runtime()
            .map_err(|fault| HostError::NoRuntime(fault.to_owned()))?;
        if self.shutdown.is_cancelled() {
            return Err(anyhow::anyhow!("the sandbox host is stopping").into());
        }
        if self.is_draining() {
            return Err(HostError::Draining);
        }
        Ok(())
    }

    /// Creates a sandbox from a template or a snapshot, and starts it.
    #[tracing::instrument(name = "create_sandbox", skip_all, fields(sandbox.id))]
    pub(super) async fn create(&self, new: NewSandbox) -> Result<Arc<Sandbox>, HostError> {
        let data_dir = &self.settings().data_dir;
        let (template, snapshot) = match Template::find(data_dir, &new.template) {
            Some(template) => (template, None),
            None => {
                let missing = || HostError::NoTemplate(new.template.clone());
                let found = snapshots::find(data_dir, &new.template);
                let found = found.ok_or_else(missing)?;
                let template = Template::find_version(data_dir, &found.template, &found.version);
                (template.ok_or_else(missing)?, Some(found))
            }
        };
        self.admits_new()?;
        let begun = now();
        let (sandbox, from) = if let Some(snapshot) = snapshot {
            let folder = snapshots::root(data_dir).join(&snapshot.id);
            let new = NewSandbox {
                template: snapshot.template,
                snapshot: Some(snapshot.id),
                ..new
            };
            let sandbox = self.start_anew(template, new, Origin::Copy(&folder));
            (sandbox.await?, "snapshot")
        } else if let Some((sandbox, container)) = self.take_warm(&template, &new).await {
            (self.hand_out(sandbox, container, new).await?, "pool")
        } else {
            let sandbox = self.start_anew(template, new, Origin::Template);
            (sandbox.await?, "template")
        };
        metrics::counter!("codeflow_sandboxes_created_total", "from" => from).increment(1);
        tracing::Span::current().record("sandbox.id", &sandbox.id);
        let (template, ms) = (sandbox.record().template, now().saturating_sub(begun));
        tracing::info!(template, ms, "sandbox created");
        sandbox.log.info("created");
        Ok(sandbox)
    }

    /// Turns a waiting sandbox into the caller's.
    async fn hand_out(
        &self,
        sandbox: Arc<Sandbox>,
        container: Arc<RunningContainer>,
        new: NewSandbox,
    ) -> Result<Arc<Sandbox>, HostError> {
        let mut state = sandbox.state.lock().await;
        self.sandboxes
            .lock()
            .insert(sandbox.id.clone(), sandbox.clone());
        let become_theirs = |record: &mut Record| {
            *record = Record {
                id: record.id.clone(),
                ..Record::new(new, record.version.clone())
            };
        };
        if let Err(error) = sandbox.try_update(become_theirs).await {
            sandbox.set_state(&mut state, State::Killed);
            self.sandboxes.lock().remove(&sandbox.id);
            self.discard(&sandbox).await;
            return Err(HostError::of_making(error.into()));
        }
        sandbox.take_network_from_record();
        sandbox.touch();
        sandbox.set_state(&mut state, State::Running(container));
        drop(state);
        Ok(sandbox)
    }

    async fn start_anew(
        &self,
        template: Template,
        new: NewSandbox,
        origin: Origin<'_>,
    ) -> Result<Arc<Sandbox>, HostError> {
        let _room = self.make_room(&template).await?;
        let sandbox = Arc::new(self.sandbox(Record::new(new, template.version.clone())));
        // Registered before it runs, so that a host that is stopping waits for it and ends it.
        let mut state = sandbox.state.lock().await;
        self.sandboxes
            .lock()
            .insert(sandbox.id.clone(), sandbox.clone());
        let making = async {
            self.make_disk(&sandbox, origin).await?;
            sandbox.save().await?;
            self.boot(&sandbox, template, USUAL_SHARES).await
        };
        match making.await {
            Ok(container) => sandbox.set_state(&mut state, State::Running(container)),
            Err(error) => {
                sandbox.set_state(&mut state, State::Killed);
                self.sandboxes.lock().remove(&sandbox.id);
                sandbox.remove_files().await;
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

    async fn make_disk(&self, sandbox: &Sandbox, origin: Origin<'_>) -> anyhow::Result<()> {
        let folder = &sandbox.folder;
        let make = || fs::create_dir(folder).context("the sandbox's folder can't be made");
        match origin {
            Origin::Template => {
                make()?;
                self.containers.make_disk(folder).await
            }
            Origin::Copy(from) => {
                make()?;
                self.containers.copy_disk(from, folder).await
            }
            Origin::Move(from) => Ok(fs::rename(from, folder)?),
        }
    }

    /// Starts the sandbox's container.
    async fn boot(
        &self,
        sandbox: &Sandbox,
        template: Template,
        shares: u64,
    ) -> anyhow::Result<Arc<RunningContainer>> {
        if self.shutdown.is_cancelled() {
            anyhow::bail!("the sandbox host is stopping");
        }
        let record = sandbox.record();
        let envs = record
            .envs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let own = [
            format!("E2B_SANDBOX_ID={}", record.id),
            format!("E2B_TEMPLATE_ID={}", record.template),
        ];
        let start = template
            .manifest
            .server
            .map(|server| (server.start, server.port));
        let kills = self.cgroup_of(sandbox).map(|cgroup| cgroup.memory_kills());
        sandbox
            .health
            .booted(start.as_ref().map(|(_, port)| *port), kills);
        let boot = Boot {
            home: Home::Overlay {
                lower: template.home,
                layer: sandbox.layer(),
            },
            start,
            envs: [envs, own.to_vec()].concat(),
            policy: Policy {
                network: sandbox.network.clone(),
                log: sandbox.log.clone(),
            },
            shares,
        };
        Ok(Arc::new(
            self.containers
                .start(&record.id, &sandbox.folder, boot)
                .await?,
        ))
    }
}
