//! Edits: changes that people make in the Code tab. Each is made in the sandbox and saved as a row
//! before it counts as saved, so that a rebuilt sandbox gets it again. The edits of one session
//! become a version after a quiet minute, before the next run begins, and when the server restarts.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{ProjectError, apps::Apps};
use crate::{
    agent::{App, RunError},
    protocol::{EventKind, FileChange, ProjectId, RunState, UserId},
    runs::{Events, ProjectLocks},
    store::{Edit, NewFragment, SavedEdit, Store},
};

/// How long without a change until an editing session is over.
const QUIET: Duration = Duration::from_secs(60);
/// How long saving a session's version may take, and so delay a run.
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
    /// Serialises the changes to a project.
    changing: ProjectLocks,
    /// The last change of each unfinished editing session.
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
                changing: ProjectLocks::default(),
                sittings: Mutex::default(),
            }),
        }
    }

    /// Resumes the editing sessions that were unfinished when the server stopped.
    pub async fn resume(&self) -> Result<(), ProjectError> {
        for project in self.inner.store.edited_projects().await? {
            self.sit(project);
        }
        Ok(())
    }

    /// Saves the edits as a version at once. A failure is only logged: the edits stay, to be saved
    /// later.
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

    /// Blocks edits of the project until the returned guard is dropped.
    pub async fn hold(&self, project: ProjectId) -> OwnedMutexGuard<()> {
        self.inner.changing.lock(project).await
    }

    async fn try_to_keep(&self, project: ProjectId) -> Result<(), ProjectError> {
        let _one_at_a_time = self.hold(project).await;
        let inner = &self.inner;
        let edits = inner.store.list_edits(project).await?;
        let Some(last) = edits.last() else {
            return Ok(());
        };
        let up_to = last.number;
        let Some((entries, partial)) = inner.apps.present(project).await? else {
            return Ok(());
        };
        let version = NewFragment {
            project_title: String::new(),
            title: title(&edits),
            entries: entries.into(),
            partial,
            picture: None,
        };
        if let Some((fragment, events)) = inner.store.save_version(project, &version, None).await? {
            tracing::info!(project.id = %project, version = fragment.number, "edits saved as a version");
            inner.events.announce(events);
        }
        inner.store.forget_edits(project, up_to).await?;
        Ok(())
    }

    /// Makes a change in the app unless a run is working, and saves it as the user's edit. `None`
    /// if nothing was changed.
    pub(super) async fn change<Fut>(
        &self,
        user: &UserId,
        project: ProjectId,
        work: impl FnOnce(App) -> Fut + Send + 'static,
    ) -> Result<Option<Edit>, ProjectError>
    where
        Fut: Future<Output = Result<Option<Edit>, RunError>> + Send + 'static,
    {
        let (edits, user) = (self.clone(), user.clone());
        // In a task of its own: a browser that goes away must not leave an unsaved change behind.
        let changing = self.inner.tasks.spawn(async move {
            let inner = &edits.inner;
            let _one_at_a_time = edits.hold(project).await;
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
            inner.store.add_edit(&user, project, edit.clone()).await?;
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

    /// Notes a change; the version is saved once no other has followed for a while.
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
                // The next start resumes it.
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
}

/// The title of an editing session's version.
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
