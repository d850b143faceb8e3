//! The app of a project: opened in the project's sandbox, or rebuilt in a new one from the latest
//! version when the sandbox is gone.

mod draining;
mod rewind;

use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{
    agent::{Agent, App, RunError, SandboxPurpose},
    protocol::{
        AppEntry, EventKind, FileChange, Fragment, FragmentId, LeftOut, ProjectId, UserId,
        list_left_out,
    },
    runs::{AppLock, Events, KeptWork, ProjectLocks, crash_point, persistently},
    store::{NewFragment, Store},
};

/// The outcome of [`Apps::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The sandbox was ended; the next one is built from the latest version.
    Ended,
    /// The sandbox stays: a run needs it, or its files can't be listed right now.
    Needed,
}

/// What happened to a sandbox that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Sandbox,
    /// Its whole host does not answer any more.
    Host,
}

/// Why a sandbox was ended that nobody had used.
const UNUSED: &str = "The project was not in use, so its sandbox was removed to free disk space.";
const CHANGES_GONE: &str = "What the app itself or its commands had changed since then is gone, \
                            such as data that it kept in files.";

/// Opens apps, as a cheap handle.
#[derive(Clone)]
pub struct Apps {
    store: Store,
    events: Events,
    agent: Agent,
    tasks: TaskTracker,
    /// A project's app is opened once at a time, so that two callers don't each create a sandbox.
    opening: ProjectLocks,
}

impl Apps {
    /// The apps for the holder of a lock: nothing is written once it is lost.
    pub fn under(&self, lock: &AppLock) -> Self {
        Self {
            store: lock.guard(&self.store),
            ..self.clone()
        }
    }

    pub fn new(store: Store, events: Events, agent: Agent, tasks: TaskTracker) -> Self {
        Self {
            store,
            events,
            agent,
            tasks,
            opening: ProjectLocks::default(),
        }
    }

    /// The project's app in a running sandbox: the existing one, resumed if it was paused, or a new
    /// one with the files of the latest version.
    pub async fn open(&self, project: ProjectId) -> Result<App, RunError> {
        let apps = self.clone();
        // In a task of its own: if the caller went away, a sandbox that was created but not saved
        // would never be found again.
        let opening = async move { apps.find_or_create(project).await };
        let opening = self.tasks.spawn(opening.in_current_span());
        opening.await.map_err(anyhow::Error::from)?
    }

    async fn find_or_create(&self, project: ProjectId) -> Result<App, RunError> {
        let _one_at_a_time = self.opening.lock(project).await;
        persistently(|| self.store.note_use(project)).await?;
        loop {
            if let Some(app) = self.find(project).await? {
                return self.off_draining_host(project, app).await;
            }
            let before = self.store.sandbox_of(project).await?;
            let mut loss = None;
            if let Some(sandbox) = &before {
                tracing::warn!(
                    project.id = %project,
                    sandbox.id = sandbox,
                    "the sandbox is gone; rebuilding it from the latest version"
                );
                loss = Some(match self.agent.is_host_lost(sandbox).await {
                    true => Loss::Host,
                    false => Loss::Sandbox,
                });
            }
            if let Some(app) = self.create(project, before.as_deref(), loss).await? {
                return Ok(app);
            }
        }
    }

    /// A new sandbox for the project in place of this previous one, with the project's saved work.
    /// `None` if another server was faster.
    async fn create(
        &self,
        project: ProjectId,
        previous: Option<&str>,
        loss: Option<Loss>,
    ) -> Result<Option<App>, RunError> {
        let installation = persistently(|| self.store.installation()).await?;
        let app = self
            .agent
            .create(project, SandboxPurpose::Project, &installation)
            .await?;
        let filled = self.fill(project, &app, previous, loss).await;
        if !matches!(filled, Ok(true)) {
            self.discard(app.id()).await;
        }
        Ok(filled?.then_some(app))
    }

    async fn discard(&self, sandbox: &str) {
        if let Err(left) = self.agent.discard(sandbox).await {
            tracing::warn!(
                sandbox.id = sandbox,
                error = format!("{left:#}"),
                "a sandbox that nobody needs could not be removed"
            );
        }
    }

    /// The project's app in its existing sandbox, after finishing an interrupted restore; `None` if
    /// the sandbox is gone.
    async fn find(&self, project: ProjectId) -> Result<Option<App>, RunError> {
        let Some(sandbox) = self.store.sandbox_of(project).await? else {
            return Ok(None);
        };
        let Some(app) = self.agent.open(&sandbox).await? else {
            return Ok(None);
        };
        let Some(version) = self.store.restoring(project).await? else {
            return Ok(Some(app));
        };
        match self.finish_restoring(project, &app, version).await {
            Ok(true) => Ok(Some(app)),
            Err(error) if error.is_sandbox_fault() => Err(error),
            // A sandbox that can't hold the version (for lack of space, say) must not cost the
            // project. Everything in it is in versions.
            unfinished => {
                if let Err(error) = unfinished {
                    tracing::warn!(
                        project.id = %project,
                        sandbox.id = sandbox,
                        %error,
                        "a version can't be restored into the sandbox; making another one"
                    );
                }
                self.agent.discard(&sandbox).await?;
                self.store.forget_sandbox(project, &sandbox).await?;
                Ok(None)
            }
        }
    }

    /// Completes a restore that a crash or an error interrupted. Returns whether that was possible:
    /// a version of only a part of the app also needs the template.
    async fn finish_restoring(
        &self,
        project: ProjectId,
        app: &App,
        version: FragmentId,
    ) -> Result<bool, RunError> {
        let saved = self.store.find_version(project, version).await?;
        let now = app.snapshot().await?.entries;
        let Some(now) = now.filter(|_| !saved.partial) else {
            return Ok(false);
        };
        let paths = app.turn_into(&now, saved.entries, true).await?;
        self.store.restored(project, version).await?;
        let files: Vec<_> = paths.into_iter().map(|path| FileChange { path }).collect();
        if !files.is_empty() {
            let kind = EventKind::Files { files };
            self.events.publish(project, None, kind).await?;
        }
        Ok(true)
    }

    /// The app's current files, from its sandbox or else from saved work, and whether they are only
    /// a part of it. `None` if there is nothing yet.
    pub async fn present(
        &self,
        project: ProjectId,
    ) -> Result<Option<(Vec<AppEntry>, bool)>, RunError> {
        if self.store.sandbox_of(project).await?.is_some() {
            let looking = async { self.open(project).await?.snapshot().await };
            match looking.await {
                Ok(snapshot) => {
                    if let Some(entries) = snapshot.entries {
                        return Ok(Some((entries, false)));
                    }
                }
                Err(error) => tracing::warn!(
                    project.id = %project,
                    %error,
                    "the sandbox's files can't be read; what was kept stands for them"
                ),
            }
        }
        self.kept(project).await
    }

    async fn kept(&self, project: ProjectId) -> Result<Option<(Vec<AppEntry>, bool)>, RunError> {
        let kept = KeptWork::of_project(&self.store, project).await?;
        Ok(kept.map(|kept| (kept.entries, kept.partial)))
    }

    /// Makes a version's files the app's files, saved as a new version. Unsaved changes are saved
    /// before that. Returns the new version and the paths that changed.
    pub async fn restore(
        &self,
        project: ProjectId,
        version: FragmentId,
        by: &UserId,
    ) -> Result<(Fragment, Vec<String>), RunError> {
        let _one_at_a_time = self.opening.lock(project).await;
        let app = self.find(project).await?;
        let unsaved = self.unsaved(project, app.as_ref()).await?;
        let unsaved = unsaved.ok_or_else(cannot_look)?;
        let (restored, events) = self
            .store
            .restore_version(project, version, &unsaved, by)
            .await?;
        crash_point("after", "restore-version");
        self.events.announce(events);
        let Some(app) = app else {
            // The next sandbox is created from it.
            return Ok((restored, Vec::new()));
        };
        let saved = self.store.find_version(project, restored.id).await?;
        let paths = if saved.partial {
            Vec::new()
        } else {
            match app.turn_into(&unsaved.entries, saved.entries, false).await {
                Ok(paths) => {
                    self.store.restored(project, restored.id).await?;
                    paths
                }
                Err(error) => {
                    // The version is saved; whoever opens the app next does the rest.
                    tracing::warn!(
                        project.id = %project,
                        sandbox.id = app.id(),
                        %error,
                        "the restored version is not in the sandbox yet"
                    );
                    Vec::new()
                }
            }
        };
        Ok((restored, paths))
    }

    /// The app's current files, to be saved before they change; `None` if there is no sandbox and
    /// nothing was ever saved or written.
    async fn unsaved(
        &self,
        project: ProjectId,
        app: Option<&App>,
    ) -> Result<Option<NewFragment>, RunError> {
        let now = match app {
            Some(app) => {
                let entries = app.snapshot().await?.entries;
                Some((entries.ok_or_else(cannot_look)?, false))
            }
            None => self.kept(project).await?,
        };
        Ok(now.map(|(entries, partial)| unsaved_changes(entries, partial)))
    }

    /// Writes the project's saved work into a new sandbox, and makes it the project's sandbox in
    /// place of this previous one; `loss` says that that one was lost. Returns `false` if the
    /// project has another one meanwhile.
    async fn fill(
        &self,
        project: ProjectId,
        app: &App,
        previous: Option<&str>,
        loss: Option<Loss>,
    ) -> Result<bool, RunError> {
        let restoring = self.store.restoring(project).await?;
        let kept = KeptWork::of_project(&self.store, project).await?;
        let mut notice = match loss {
            None => None,
            Some(Loss::Sandbox) => kept.as_ref().map(rebuilt),
            Some(Loss::Host) => Some(rebuilt_elsewhere(kept.as_ref())),
        };
        if let Some(kept) = kept {
            let refused = kept.rebuild(app).await?;
            let not_written = not_written(&refused).into_iter();
            notice = notice
                .into_iter()
                .chain(not_written)
                .reduce(|all, more| all + " " + &more);
        }
        let (id, host) = (app.id(), app.host());
        if !self.store.set_sandbox(project, previous, id, host).await? {
            return Ok(false);
        }
        if let Some(version) = restoring {
            self.store.restored(project, version).await?;
        }
        if let Some(text) = notice {
            self.notify(project, text).await?;
        }
        Ok(true)
    }

    /// Ends the project's sandbox, after saving the app as a draft unless a version equals it. The
    /// next sandbox is created from that. A notice names what versions can't keep.
    pub async fn release(&self, project: ProjectId, sandbox: &str) -> Result<Released, RunError> {
        let _one_at_a_time = self.opening.lock(project).await;
        match self.agent.open(sandbox).await? {
            Some(app) => {
                let is_used = self.store.next_run(project).await?.is_some();
                if is_used || !self.keep(project, &app, UNUSED).await? {
                    // The sweep comes back to it only after the same time has passed again.
                    self.store.note_use(project).await?;
                    return Ok(Released::Needed);
                }
                self.agent.discard(app.id()).await?;
            }
            // The sandbox was lost, and whoever opens the project next must be informed.
            None => {
                if let Some(kept) = KeptWork::of_project(&self.store, project).await? {
                    self.notify(project, rebuilt(&kept)).await?;
                }
            }
        }
        self.store.forget_sandbox(project, sandbox).await?;
        Ok(Released::Ended)
    }

    /// Saves the unsaved files of an app whose sandbox is about to be ended; `why` begins the
    /// notice about what can't be saved. Returns whether that was possible.
    async fn keep(&self, project: ProjectId, app: &App, why: &str) -> Result<bool, RunError> {
        // The sandbox's files were saved before the version that is still being restored.
        if self.store.restoring(project).await?.is_some() {
            return Ok(true);
        }
        let now = app.snapshot().await?;
        let Some(entries) = now.entries else {
            return Ok(false);
        };
        let draft = unsaved_changes(entries, false);
        let saved = self.store.keep_as_draft(project, &draft).await?;
        self.events.announce(saved);
        if !now.left_out.is_empty() {
            self.notify(project, not_kept(why, &now.left_out)).await?;
        }
        Ok(true)
    }

    /// Shows a notice on the project's page.
    async fn notify(&self, project: ProjectId, text: String) -> Result<(), RunError> {
        let kind = EventKind::Notice { text };
        Ok(self.events.publish(project, None, kind).await?)
    }

    /// Whether the project has an app; without one, [`Apps::open`] would create an empty one.
    pub async fn exists(&self, project: ProjectId) -> Result<bool, RunError> {
        Ok(self.store.sandbox_of(project).await?.is_some()
            || self.store.has_version(project).await?)
    }
}

/// The app's current files, which were changed without a version being saved.
fn unsaved_changes(entries: Vec<AppEntry>, partial: bool) -> NewFragment {
    NewFragment {
        project_title: String::new(),
        title: "Unsaved changes".to_owned(),
        entries: entries.into(),
        partial,
        picture: None,
    }
}

/// The notice about files that no version could keep when a sandbox was ended.
fn not_kept(why: &str, left_out: &[LeftOut]) -> String {
    format!(
        "{why} The app is made again from its latest version, which could not keep:\n{}",
        list_left_out(left_out)
    )
}

fn cannot_look() -> RunError {
    RunError::User(
        "The app's files can't be listed, so what is in no version could be lost. Nothing was \
         changed; try again."
            .to_owned(),
    )
}

/// The notice about saved files that a new sandbox refused; `None` if it has them all.
fn not_written(refused: &[LeftOut]) -> Option<String> {
    (!refused.is_empty()).then(|| {
        let list = list_left_out(refused);
        format!("Not written to the new sandbox, and still in the version:\n{list}")
    })
}

/// The notice about a sandbox that was lost and rebuilt.
fn rebuilt(kept: &KeptWork) -> String {
    format!(
        "The sandbox was lost, and the app was rebuilt from {}. {CHANGES_GONE}",
        source(kept)
    )
}

/// The same, where the sandbox's machine was lost. Without saved work, only a run can be at work.
fn rebuilt_elsewhere(kept: Option<&KeptWork>) -> String {
    let from = kept.map_or_else(|| "what the run has written".to_owned(), source);
    format!(
        "The machine with the sandbox does not answer, so the app was rebuilt on another one from \
         {from}. {CHANGES_GONE}"
    )
}

fn source(kept: &KeptWork) -> String {
    match &kept.fragment {
        Some(fragment) if fragment.draft => format!("the draft “{}”", fragment.title),
        Some(fragment) => format!("version {}", fragment.number),
        None => "what the runs wrote".to_owned(),
    }
}
