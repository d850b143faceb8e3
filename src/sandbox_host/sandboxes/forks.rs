//! Snapshots and forks: a sandbox's processes are frozen while its files are copied, and resume.
//! Memory is not copied: what starts from a copy begins with the template's dev server.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Context;

use super::{Origin, Sandbox, Sandboxes, sandbox::State};
use crate::{
    cgroup::Cgroup,
    sandbox_host::{
        clock::now,
        disk::{self, Layer},
        error::HostError,
        names::random_id,
        record::{NewSandbox, Record},
        snapshots::{self, Snapshot},
        template::Template,
    },
};

/// A sandbox's frozen processes, until this is dropped.
struct Frozen {
    cgroup: Cgroup,
    sandbox: String,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(error) = self.cgroup.thaw() {
            tracing::error!(sandbox.id = self.sandbox, %error, "the sandbox can't be thawed");
        }
    }
}

impl Sandboxes {
    /// Takes a snapshot of the sandbox, running or paused. It stays until it is removed. Of several
    /// with the same name, the name means the youngest.
    #[tracing::instrument(name = "snapshot_sandbox", skip_all, fields(sandbox.id = sandbox.id))]
    pub(in crate::sandbox_host) async fn take_snapshot(
        &self,
        sandbox: &Sandbox,
        name: Option<String>,
    ) -> Result<Snapshot, HostError> {
        let data_dir = &self.settings().data_dir;
        if let Some(name) = &name
            && Template::find(data_dir, name).is_some()
        {
            return Err(HostError::Conflict(format!(
                "'{name}' is a template; give the snapshot another name"
            )));
        }
        let record = sandbox.record();
        let snapshot = Snapshot {
            id: random_id(),
            name,
            sandbox: record.id,
            template: record.template,
            version: record.version,
            created_at: now(),
        };
        let folder = self.capture(sandbox, &snapshot.id).await?;
        let stored = {
            let (snapshot, folder) = (snapshot.clone(), folder.clone());
            tokio::task::spawn_blocking(move || {
                Layer::of(&folder).sync()?;
                snapshot.write(&folder)
            })
        };
        if let Err(error) = stored
            .await
            .map_err(anyhow::Error::from)
            .and_then(|stored| Ok(stored?))
        {
            remove(&folder).await;
            return Err(HostError::of_making(error));
        }
        tracing::info!(snapshot.id = snapshot.id, "snapshot taken");
        sandbox.log.info("snapshot taken");
        Ok(snapshot)
    }

    /// Removes the snapshot with this id, or the youngest with this name. Sandboxes made from it
    /// have their own copies.
    pub(in crate::sandbox_host) async fn remove_snapshot(
        &self,
        id_or_name: &str,
    ) -> Result<(), HostError> {
        let data_dir = &self.settings().data_dir;
        let Some(snapshot) = snapshots::find(data_dir, id_or_name) else {
            return Err(HostError::NoSnapshot(id_or_name.to_owned()));
        };
        let folder = snapshots::root(data_dir).join(&snapshot.id);
        let removed = tokio::task::spawn_blocking(move || snapshots::remove(&folder)).await;
        removed
            .map_err(anyhow::Error::from)
            .and_then(|removed| Ok(removed?))
            .context("the snapshot can't be removed")?;
        tracing::info!(snapshot.id = snapshot.id, "snapshot removed");
        Ok(())
    }

    /// Starts `count` sandboxes with copies of this one's files, its settings and this time-out, in
    /// seconds. Each of them fails or succeeds on its own.
    #[tracing::instrument(name = "fork_sandbox", skip_all, fields(sandbox.id = sandbox.id))]
    pub(in crate::sandbox_host) async fn fork(
        &self,
        sandbox: &Sandbox,
        count: usize,
        timeout: u64,
    ) -> Result<Vec<Result<Arc<Sandbox>, HostError>>, HostError> {
        self.admits_new()?;
        let record = sandbox.record();
        let (data_dir, name) = (&self.settings().data_dir, &record.template);
        let template = Template::find_version(data_dir, name, &record.version)
            .ok_or_else(|| HostError::NoTemplate(name.clone()))?;
        // Without a record: it is no snapshot, and goes with a host that dies.
        let captured = self.capture(sandbox, &random_id()).await?;
        let start = async |origin: Origin<'_>| {
            let forked = self.start_anew(template.clone(), fork_of(&record, timeout), origin);
            let forked = forked.await?;
            forked.log.info(format!("forked from {}", record.id));
            Ok(forked)
        };
        let copies = (1..count).map(|_| start(Origin::Copy(&captured)));
        let mut forks = futures::future::join_all(copies).await;
        forks.push(start(Origin::Move(&captured)).await);
        if captured.exists() {
            remove(&captured).await;
        }
        metrics::counter!("codeflow_sandboxes_created_total", "from" => "fork")
            .increment(forks.iter().flatten().count() as u64);
        tracing::info!(count, "sandbox forked");
        Ok(forks)
    }

    /// Copies the sandbox's layer to a new folder among the snapshots.
    async fn capture(&self, sandbox: &Sandbox, name: &str) -> Result<PathBuf, HostError> {
        let _task = self.tasks.token();
        let folder = snapshots::root(&self.settings().data_dir).join(name);
        fs::create_dir_all(&folder).context("the snapshot's folder can't be made")?;
        match self.copy_layer(sandbox, &folder).await {
            Ok(()) => Ok(folder),
            Err(error) => {
                remove(&folder).await;
                Err(error)
            }
        }
    }

    async fn copy_layer(&self, sandbox: &Sandbox, to: &Path) -> Result<(), HostError> {
        // No request is admitted, and the sandbox is neither paused nor ended, until this is over.
        let state = sandbox.state.lock().await;
        let begun = Instant::now();
        let frozen = match &*state {
            State::Killed => return Err(HostError::NoSandbox(sandbox.id.clone())),
            State::Running(container) | State::Frozen(container, _)
                if !container.ended.is_cancelled() && self.is_gvisor() =>
            {
                return Err(HostError::Conflict(format!(
                    "Sandbox \"{}\" is in gVisor, which keeps files that it has not yet written; \
                     pause it without its memory first",
                    sandbox.id
                )));
            }
            State::Running(container) if !container.ended.is_cancelled() => {
                let frozen = self.freeze_for_copy(sandbox).await?;
                self.flush(sandbox, &frozen.cgroup).await?;
                Some(frozen)
            }
            State::Frozen(container, _) if !container.ended.is_cancelled() => {
                if let Some(cgroup) = self.cgroup_of(sandbox) {
                    self.flush(sandbox, &cgroup).await?;
                }
                None
            }
            ended => {
                if !matches!(ended, State::Paused) {
                    self.containers.end(&sandbox.id, &sandbox.folder).await;
                }
                let released = sandbox.layer().released().await;
                released.context("the sandbox's disk is still in use")?;
                None
            }
        };
        let copying = Instant::now();
        self.containers
            .copy_disk(&sandbox.folder, to)
            .await
            .map_err(HostError::of_making)?;
        drop(frozen);
        tracing::info!(
            copy_ms = copying.elapsed().as_millis(),
            ms = begun.elapsed().as_millis(),
            "the sandbox's files are copied"
        );
        Ok(())
    }

    fn is_gvisor(&self) -> bool {
        self.runtime().is_ok_and(|runtime| runtime.is_gvisor())
    }

    async fn freeze_for_copy(&self, sandbox: &Sandbox) -> Result<Frozen, HostError> {
        let Some(cgroup) = self.cgroup_of(sandbox) else {
            return Err(HostError::Conflict(format!(
                "Sandbox \"{}\" is running, and this machine can't freeze it for a copy; pause it \
                 first",
                sandbox.id
            )));
        };
        // Also thaws what could be frozen only in part.
        let frozen = Frozen {
            cgroup,
            sandbox: sandbox.id.clone(),
        };
        let freezing = frozen.cgroup.freeze().await;
        freezing.context("the sandbox can't be frozen")?;
        Ok(frozen)
    }

    /// Brings the sandbox's image up to date; its processes are frozen.
    async fn flush(&self, sandbox: &Sandbox, cgroup: &Cgroup) -> Result<(), HostError> {
        if let Layer::Folder(_) = sandbox.layer() {
            return Ok(());
        }
        let processes = cgroup.members();
        let flushed = tokio::task::spawn_blocking(move || disk::flush(processes)).await;
        let flushed = flushed.map_err(anyhow::Error::from);
        flushed
            .and_then(|flushed| Ok(flushed?))
            .context("the sandbox's files can't be written to its disk")?;
        Ok(())
    }
}

/// The settings of a fork: the original's, and a token of its own.
fn fork_of(record: &Record, timeout: u64) -> NewSandbox {
    NewSandbox {
        template: record.template.clone(),
        snapshot: record.snapshot.clone(),
        timeout,
        metadata: record.metadata.clone(),
        envs: record.envs.clone(),
        secure: record.token.is_some(),
        auto_pause: record.auto_pause,
        auto_pause_memory: record.auto_pause_memory,
        auto_resume: record.auto_resume,
        network: record.network.clone(),
    }
}

async fn remove(folder: &Path) {
    let folder = folder.to_owned();
    let removed = tokio::task::spawn_blocking(move || snapshots::remove(&folder)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(%error, "an unfinished snapshot can't be removed until the next start");
    }
}
