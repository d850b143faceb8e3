//! The sweep, which frees disk: one task applies the rules below at the start and then every
//! `SWEEP_SECONDS`.
//!
//! | what goes | when | how much at a time |
//! |---|---|---|
//! | uploaded images that no message has | a day after the upload | all |
//! | deleted projects, with their sandboxes | 12 seconds after their deletion (`deletion`) | one |
//! | deleted prompts of users' libraries | an hour after their deletion | all |
//! | blobs that are in no version and are no image or picture | at once | 200 |
//! | contents in the database, to the bucket, if there is one (`S3_BUCKET`) | at once | 32 |
//! | objects in the bucket that nothing names | a day later | 500 |
//! | step outputs, most events; never a project's newest run's | `RUN_KEEP_DAYS` after their run | 20 runs |
//! | sandboxes whose project is gone or has another one | an hour after their start | one |
//! | sandboxes of versions that nobody looks at | the same | one |
//! | a project's sandbox, whose files are saved as a draft first | unused for `SANDBOX_KEEP_DAYS` | one |
//! | the same, the longest unused first | when the disk runs low: looked at every minute | one |
//! | the same, on a sandbox host that is being drained | unused for three minutes | one |
//!
//! A version with its picture, a message, or an image that a message shows is never removed. The
//! images of old runs that go are those in their steps' outputs: checks' pictures, and what tools
//! looked at. The outputs of a run without a result stay until something was saved after it.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Projects, apps::Released};
use crate::{
    agent::RunError,
    config,
    protocol::Timestamp,
    runs::BUILD_INPUT,
    store::{Store, StoreError, Unused},
};

/// How long an uploaded image waits for its message.
const UNUSED_IMAGE: Duration = Duration::from_secs(24 * 3600);
/// How long a deleted prompt can be brought back.
const DELETED_PROMPT: Duration = Duration::from_secs(3600);
/// How many rows are removed per batch; and the pause between batches, which leaves the database to
/// others.
const BLOBS_AT_A_TIME: u64 = 200;
const OBJECTS_AT_A_TIME: u64 = 500;
const RUNS_AT_A_TIME: u64 = 20;
const PAUSE: Duration = Duration::from_millis(50);
/// A younger sandbox may still become its project's.
const YOUNGEST_ORPHAN: Duration = Duration::from_secs(3600);
/// The time between two checks of the free disk space.
const DISK_CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// When the disk runs low, a sandbox that was used this recently stays.
const IN_USE: Duration = Duration::from_secs(3600);
/// The same on a host that is being drained; use is noted every minute.
const IN_USE_DRAINED: Duration = Duration::from_secs(180);

struct Sweeper {
    projects: Projects,
    settings: config::Sweeps,
}

impl Projects {
    /// Sweeps at once and then at each interval, until `shutdown`.
    pub fn keep_swept(&self, settings: config::Sweeps, shutdown: CancellationToken) {
        self.keep_removing(shutdown.clone());
        let sweeper = Sweeper {
            projects: self.clone(),
            settings,
        };
        self.inner.tasks.spawn(async move {
            tokio::select! {
                () = sweeper.work() => {}
                () = shutdown.cancelled() => {}
            }
        });
    }
}

impl Sweeper {
    async fn work(&self) {
        let (mut sweeps, mut looks) = (
            interval(self.settings.interval),
            interval(DISK_CHECK_INTERVAL),
        );
        for ticks in [&mut sweeps, &mut looks] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = sweeps.tick() => self.sweep().await,
                _ = looks.tick() => {
                    log("sandboxes for want of disk", self.make_room().await);
                    log("sandboxes on hosts that are being drained", self.drained().await);
                }
            }
        }
    }

    /// Applies every rule in turn; failures are left to the next sweep.
    async fn sweep(&self) {
        log("images that no message has", self.images().await);
        log("deleted prompts", self.prompts().await);
        log("blobs that nothing has", self.blobs().await);
        log("contents that moved to the bucket", self.moves().await);
        log("objects that nothing names", self.objects().await);
        log("old runs' outputs and events", self.old_runs().await);
        log("sandboxes without a project", self.orphans().await);
        log("unused projects' sandboxes", self.unused().await);
        if let Err(error) = self.projects.inner.store.give_back_space().await {
            tracing::warn!(%error, "the database's free space can't be given back");
        }
    }

    async fn images(&self) -> Result<u64, RunError> {
        Ok(self
            .projects
            .inner
            .store
            .remove_unused_images(UNUSED_IMAGE)
            .await?)
    }

    async fn prompts(&self) -> Result<u64, RunError> {
        let store = &self.projects.inner.store;
        Ok(store.remove_deleted_prompts(DELETED_PROMPT).await?)
    }

    async fn blobs(&self) -> Result<u64, RunError> {
        remove_unused_blobs(&self.projects.inner.store).await
    }

    async fn moves(&self) -> Result<u64, RunError> {
        Ok(self.projects.inner.store.move_to_bucket().await?)
    }

    async fn objects(&self) -> Result<u64, RunError> {
        let store = &self.projects.inner.store;
        in_batches(|| store.remove_loose_objects(OBJECTS_AT_A_TIME)).await
    }

    async fn old_runs(&self) -> Result<u64, RunError> {
        let store = &self.projects.inner.store;
        in_batches(async || {
            let trimmed = store.trim_runs(self.settings.runs, RUNS_AT_A_TIME, shortened);
            Ok(trimmed.await? as u64)
        })
        .await
    }

    /// Ends sandboxes that were created for projects of this database, if the project is gone or
    /// has another sandbox.
    async fn orphans(&self) -> Result<u64, RunError> {
        let (store, agent) = (&self.projects.inner.store, &self.projects.inner.agent);
        let (ours, youngest) = (
            store.installation().await?,
            Timestamp::now().0 - millis(YOUNGEST_ORPHAN),
        );
        let mut ended = 0;
        let sandboxes = agent.sandboxes().await?;
        let noted = store.sandboxes_of_projects().await?;
        for sandbox in sandboxes {
            // At a provider that others use too, only sandboxes with our mark are ours. Old ones of
            // this machine may have none.
            let is_ours = match &sandbox.installation {
                Some(installation) => *installation == ours,
                None => self.settings.disk.is_some(),
            };
            let Some(project) = sandbox
                .project
                .as_deref()
                .filter(|_| is_ours && sandbox.started_at.0 < youngest)
            else {
                continue;
            };
            let needed = self.projects.inner.views.has(&sandbox.id)
                || self.projects.inner.shared.has(&sandbox.id)
                || noted.contains(&sandbox.id);
            if !needed {
                tracing::info!(
                    sandbox.id = sandbox.id,
                    project.id = project,
                    "ended a sandbox that no project has"
                );
                agent.discard(&sandbox.id).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// Ends the sandboxes of projects that have been unused for long.
    async fn unused(&self) -> Result<u64, RunError> {
        let mut ended = 0;
        for unused in self
            .projects
            .inner
            .store
            .unused_projects(self.settings.sandboxes)
            .await?
        {
            ended += u64::from(self.release(&unused).await);
        }
        Ok(ended)
    }

    /// Ends the longest unused sandboxes until the disk has enough free space.
    async fn make_room(&self) -> Result<u64, RunError> {
        let Some(disk) = &self.settings.disk else {
            return Ok(0);
        };
        if !is_low(disk)? {
            return Ok(0);
        }
        tracing::warn!(
            folder = %disk.folder.display(),
            "the disk runs low; ending unused sandboxes, which are made again when they are needed"
        );
        let mut ended = 0;
        for unused in self.projects.inner.store.unused_projects(IN_USE).await? {
            ended += u64::from(self.release(&unused).await);
            if !is_low(disk)? {
                break;
            }
        }
        Ok(ended)
    }

    /// Ends unused sandboxes on hosts that are being drained.
    async fn drained(&self) -> Result<u64, RunError> {
        let (store, agent) = (&self.projects.inner.store, &self.projects.inner.agent);
        if !agent.sandbox_hosts().iter().any(|host| host.draining) {
            return Ok(0);
        }
        let mut ended = 0;
        for unused in store.unused_projects(IN_USE_DRAINED).await? {
            if agent.is_draining(&unused.sandbox).await {
                ended += u64::from(self.release(&unused).await);
            }
        }
        Ok(ended)
    }

    /// Ends a project's sandbox once its files are saved in a version; returns whether it did.
    async fn release(&self, unused: &Unused) -> bool {
        let Unused { project, sandbox } = unused;
        let released = self.projects.inner.apps.release(*project, sandbox).await;
        let (project, sandbox) = (project.to_string(), sandbox.as_str());
        match &released {
            Ok(Released::Ended) => tracing::info!(
                project.id = project,
                sandbox.id = sandbox,
                "ended an unused project's sandbox; its versions stay"
            ),
            Ok(Released::Needed) => tracing::info!(
                project.id = project,
                sandbox.id = sandbox,
                "kept an unused project's sandbox: a run needs it, or its files can't be listed"
            ),
            Err(error) => tracing::warn!(
                project.id = project,
                sandbox.id = sandbox,
                %error,
                "an unused project's sandbox can't be ended"
            ),
        }
        matches!(released, Ok(Released::Ended))
    }
}

/// Removes all unreferenced blobs. Returns how many.
pub(super) async fn remove_unused_blobs(store: &Store) -> Result<u64, RunError> {
    in_batches(|| store.remove_unused_blobs(BLOBS_AT_A_TIME)).await
}

/// Repeats the batch until it finds nothing. Returns the total.
async fn in_batches<F: Future<Output = Result<u64, StoreError>>>(
    batch: impl Fn() -> F,
) -> Result<u64, RunError> {
    let mut done = 0;
    loop {
        match batch().await? {
            0 => return Ok(done),
            some => done += some,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What remains of a step's output when its run is old: for an image its description, for later
/// messages; for anything else a note.
fn shortened(step: &str, output: &str) -> String {
    let design = serde_json::from_str::<serde_json::Value>(output)
        .ok()
        .filter(|_| step == BUILD_INPUT);
    match design.and_then(|mut input| input.get_mut("design").map(serde_json::Value::take)) {
        Some(design) if !design.is_null() => {
            serde_json::json!({ "messages": [], "design": design }).to_string()
        }
        _ => serde_json::json!(
            "[This output is no longer kept: its run is older than RUN_KEEP_DAYS.]"
        )
        .to_string(),
    }
}

/// Whether the disk has less free space than required.
fn is_low(disk: &config::Disk) -> Result<bool, RunError> {
    let stat = nix::sys::statvfs::statvfs(&disk.folder).map_err(anyhow::Error::from)?;
    let size = stat.fragment_size();
    let (total, free) = (stat.blocks() * size, stat.blocks_available() * size);
    Ok(free < disk.free.unwrap_or_else(|| (2 << 30).max(total / 20)))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Logs what a rule removed, or why it failed.
fn log(what: &str, removed: Result<u64, RunError>) {
    match removed {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "swept: {what}"),
        Err(error) => tracing::warn!(error = format!("{error:#}"), "could not sweep: {what}"),
    }
}
