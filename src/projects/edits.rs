//! Edits: what people change in the Code tab. Each is made in the sandbox, saved as a row, and only
//! then said to be saved: a lost sandbox gets it again. The edits of one sitting become a version
//! when nothing was changed for a while, before the next run begins, and when the server starts
//! again.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{ProjectError, Projects, apps::Apps, files::viewed};
use crate::{
    agent::{App, AppPath, Edited, RunError},
    protocol::{EventKind, FileChange, FileSaved, MAX_EDITED, MAX_UPLOAD, ProjectId, RunState},
    runs::{Events, KeptWork, ProjectApp},
    store::{Edit, NewFragment, SavedEdit, Store},
};

/// How long nothing is changed before a sitting is over.
const QUIET: Duration = Duration::from_secs(60);
/// How long saving a sitting's version may take, and with it hold up a run.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Edits of all projects, as a cheap handle.
#[derive(Clone)]
pub struct Edits {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    events: Events,
    apps: Apps,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// One change at a time per project.
    changing: Mutex<HashMap<ProjectId, Weak<tokio::sync::Mutex<()>>>>,
    /// The last change of each sitting that is not over.
    sittings: Mutex<HashMap<ProjectId, Instant>>,
}

impl Edits {
    pub fn new(
        store: Store,
        events: Events,
        apps: Apps,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                events,
                apps,
                tasks,
                shutdown,
                changing: Mutex::default(),
                sittings: Mutex::default(),
            }),
        }
    }

    /// Goes on with the sittings that were not over when the server stopped.
    pub async fn resume(&self) -> Result<(), ProjectError> {
        for project in self.inner.store.edited_projects().await? {
            self.sit(project);
        }
        Ok(())
    }

    /// Saves what was edited as a version, at once. A failure is logged only: the edits stay, and so
    /// does the wish to save them.
    pub async fn keep(&self, project: ProjectId) {
        let kept = tokio::time::timeout(TIMEOUT, self.try_to_keep(project)).await;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(project.id = %project, %error, "edits were not saved as a version");
            }
            Err(_) => {
                tracing::warn!(project.id = %project, "saving edits as a version took too long");
            }
        }
    }

    /// Lets nobody edit the project until what this returns is dropped.
    pub async fn hold(&self, project: ProjectId) -> tokio::sync::OwnedMutexGuard<()> {
        self.changing(project).lock_owned().await
    }

    async fn try_to_keep(&self, project: ProjectId) -> Result<(), ProjectError> {
        let changing = self.changing(project);
        let _one_at_a_time = changing.lock().await;
        let inner = &self.inner;
        let edits = inner.store.list_edits(project).await?;
        let Some(last) = edits.last() else {
            return Ok(());
        };
        let up_to = last.number;
        let (entries, partial) = match self.snapshot(project).await {
            Some(entries) => (entries, false),
            None => match KeptWork::of_project(&inner.store, project).await? {
                Some(kept) => (kept.entries, kept.partial),
                None => return Ok(()),
            },
        };
        let version = NewFragment {
            project_title: String::new(),
            title: title(&edits),
            entries: entries.into(),
            partial,
        };
        if let Some((fragment, events)) = inner.store.save_version(project, &version, None).await? {
            tracing::info!(project.id = %project, version = fragment.number, "edits saved as a version");
            inner.events.announce(events);
        }
        inner.store.forget_edits(project, up_to).await?;
        Ok(())
    }

    /// The app in its sandbox; `None` when that can't be read now.
    async fn snapshot(&self, project: ProjectId) -> Option<Vec<crate::protocol::AppEntry>> {
        let looking = async { self.inner.apps.open(project).await?.snapshot().await };
        match looking.await {
            Ok(snapshot) => snapshot.entries,
            Err(error) => {
                tracing::info!(project.id = %project, %error, "the version is made without the sandbox");
                None
            }
        }
    }

    /// Makes a change in the app unless a run is at work, and saves it as an edit. `None` when
    /// nothing was done.
    async fn change<Fut>(
        &self,
        project: ProjectId,
        work: impl FnOnce(App) -> Fut + Send + 'static,
    ) -> Result<Option<Edit>, ProjectError>
    where
        Fut: Future<Output = Result<Option<Edit>, RunError>> + Send + 'static,
    {
        let edits = self.clone();
        // In a task of its own: a browser that goes away must not leave a change that is not saved.
        let changing = self.inner.tasks.spawn(async move {
            let inner = &edits.inner;
            let lock = edits.changing(project);
            let _one_at_a_time = lock.lock().await;
            let run = inner.store.next_run(project).await?;
            if run.is_some_and(|run| run.state == RunState::Running) {
                return Err(ProjectError::Conflict(
                    "A run is at work on the app. Wait for it to end, or stop it; what you typed is kept.",
                ));
            }
            if !inner.apps.exists(project).await? {
                return Err(ProjectError::Conflict(
                    "The app has no files yet. They can be edited when the first run has written some.",
                ));
            }
            let app = inner.apps.open(project).await?;
            let Some(edit) = work(app).await? else {
                return Ok(None);
            };
            inner.store.add_edit(project, edit.clone()).await?;
            let files = vec![FileChange {
                path: edit.path().to_owned(),
            }];
            let kind = EventKind::Files { files };
            inner.events.publish(project, None, kind).await?;
            edits.sit(project);
            Ok(Some(edit))
        });
        changing
            .await
            .map_err(|error| ProjectError::Internal(error.into()))?
    }

    /// Notes a change; the version is saved when none follows for a while.
    fn sit(&self, project: ProjectId) {
        let begun = self
            .inner
            .sittings
            .lock()
            .insert(project, Instant::now())
            .is_none();
        if !begun {
            return;
        }
        let edits = self.clone();
        self.inner.tasks.spawn(async move {
            let shutdown = edits.inner.shutdown.clone();
            tokio::select! {
                () = edits.sitting_ends(project) => edits.keep(project).await,
                // The next start goes on with it.
                () = shutdown.cancelled() => {}
            }
        });
    }

    async fn sitting_ends(&self, project: ProjectId) {
        loop {
            let last = self.inner.sittings.lock().get(&project).copied();
            let left = last.map_or(Duration::ZERO, |last| QUIET.saturating_sub(last.elapsed()));
            if left.is_zero() {
                self.inner.sittings.lock().remove(&project);
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    fn changing(&self, project: ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut changing = self.inner.changing.lock();
        changing.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = changing.get(&project).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        changing.insert(project, Arc::downgrade(&lock));
        lock
    }
}

impl Projects {
    /// Writes the file if its content still has the hash `base`, or if there is none and `base` is
    /// `None`; else answers with what is there.
    pub async fn write_file(
        &self,
        project: ProjectId,
        path: &str,
        content: Vec<u8>,
        base: Option<String>,
    ) -> Result<FileSaved, ProjectError> {
        let own = AppPath::exact(path)?;
        if content.len() > MAX_UPLOAD {
            return Err(ProjectError::TooLarge(format!(
                "The file is {} MB; files of up to {} MB can be kept. Choose a smaller one.",
                content.len().div_ceil(1 << 20),
                MAX_UPLOAD >> 20
            )));
        }
        let hash = hex::encode(Sha256::digest(&content));
        let new = hash.clone();
        let changed = self.inner.edits.change(project, move |app| async move {
            let written = app.write_over(&own, content.clone(), &new, base.as_deref());
            Ok(match written.await? {
                Edited::Differs => None,
                Edited::Done => Some(Edit::Write {
                    path: own.as_str().to_owned(),
                    content,
                }),
            })
        });
        if changed.await?.is_some() {
            self.inner.previews.changed(project);
            return Ok(FileSaved::Saved { hash });
        }
        let theirs = match self.file_content(project, path).await {
            Ok(content) => Some(viewed(path, content, true).await?),
            Err(ProjectError::NoFile) => None,
            Err(error) => return Err(error),
        };
        Ok(FileSaved::Conflict { theirs })
    }

    /// Writes a text of the editor, as [`Projects::write_file`] does.
    pub async fn write_text(
        &self,
        project: ProjectId,
        path: &str,
        text: String,
        base: Option<String>,
    ) -> Result<FileSaved, ProjectError> {
        if text.len() > MAX_EDITED {
            return Err(ProjectError::TooLarge(format!(
                "The text is {} kB; up to {} kB can be edited here. Upload the file instead.",
                text.len().div_ceil(1 << 10),
                MAX_EDITED >> 10
            )));
        }
        self.write_file(project, path, text.into_bytes(), base)
            .await
    }

    /// Makes the folder, and those above it.
    pub async fn make_folder(&self, project: ProjectId, path: &str) -> Result<(), ProjectError> {
        let own = AppPath::exact(path)?;
        let path = path.to_owned();
        self.change_files(project, move |app| async move {
            app.make_folder(&own).await?;
            Ok(Some(Edit::Folder { path }))
        })
        .await
    }

    /// Moves a file or folder to a path where nothing is.
    pub async fn move_file(
        &self,
        project: ProjectId,
        from: &str,
        to: &str,
    ) -> Result<(), ProjectError> {
        let (own, own_to) = (AppPath::exact(from)?, AppPath::exact(to)?);
        let (from, to) = (from.to_owned(), to.to_owned());
        self.change_files(project, move |app| async move {
            app.move_path(&own, &own_to).await?;
            Ok(Some(Edit::Move { from, to }))
        })
        .await
    }

    /// Deletes a file, or a folder with all that is in it.
    pub async fn delete_file(&self, project: ProjectId, path: &str) -> Result<(), ProjectError> {
        let own = AppPath::exact(path)?;
        let path = path.to_owned();
        self.change_files(project, move |app| async move {
            app.delete_path(&own).await?;
            Ok(Some(Edit::Delete { path }))
        })
        .await
    }

    async fn change_files<Fut>(
        &self,
        project: ProjectId,
        work: impl FnOnce(App) -> Fut + Send + 'static,
    ) -> Result<(), ProjectError>
    where
        Fut: Future<Output = Result<Option<Edit>, RunError>> + Send + 'static,
    {
        self.inner.edits.change(project, work).await?;
        self.inner.previews.changed(project);
        Ok(())
    }
}

/// What the version of a sitting is called.
fn title(edits: &[SavedEdit]) -> String {
    let mut paths: Vec<&str> = Vec::new();
    for saved in edits {
        let path = saved.edit.path();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let first = paths
        .first()
        .map_or("files", |path| path.rsplit('/').next().unwrap_or(path));
    match paths.len() {
        0 | 1 => format!("Edited {first}"),
        2 => format!("Edited {first} and 1 other"),
        more => format!("Edited {first} and {} others", more - 1),
    }
}
