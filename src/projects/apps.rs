//! The app of a project: opened in the project's sandbox, or rebuilt in a new one from the latest
//! version when the sandbox is gone.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{
    agent::{Agent, App, RunError},
    protocol::{EventKind, ProjectId},
    runs::{Events, KeptWork, persistently},
    store::Store,
};

/// The outcome of [`Apps::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The sandbox was ended; the next one is built from the latest version.
    Ended,
    /// The sandbox stays: a run needs it, or it has files that no version has.
    Needed,
}

/// Opens apps, as a cheap handle.
#[derive(Clone)]
pub struct Apps {
    store: Store,
    events: Events,
    agent: Agent,
    tasks: TaskTracker,
    /// A project's app is opened once at a time, so that two callers can't each create a sandbox.
    opening: Arc<Mutex<HashMap<ProjectId, Weak<tokio::sync::Mutex<()>>>>>,
}

impl Apps {
    pub fn new(store: Store, events: Events, agent: Agent, tasks: TaskTracker) -> Self {
        Self {
            store,
            events,
            agent,
            tasks,
            opening: Arc::default(),
        }
    }

    /// The project's app in a running sandbox: the one it has, resumed when it was paused; else a
    /// new one with the files of the latest version.
    pub async fn open(&self, project: ProjectId) -> Result<App, RunError> {
        let apps = self.clone();
        // In a task of its own: the caller may go away, and a sandbox that was created and not
        // saved would never be found again.
        let opening = async move { apps.find_or_create(project).await };
        let opening = self.tasks.spawn(opening.in_current_span());
        opening.await.map_err(anyhow::Error::from)?
    }

    async fn find_or_create(&self, project: ProjectId) -> Result<App, RunError> {
        let opening = self.opening(project);
        let _one_at_a_time = opening.lock().await;
        persistently(|| self.store.note_use(project)).await?;
        let before = self.store.sandbox_of(project).await?;
        let lost = before.is_some();
        if let Some(sandbox) = before {
            if let Some(app) = self.agent.open(&sandbox).await? {
                return Ok(app);
            }
            tracing::warn!(
                project.id = %project,
                sandbox.id = sandbox,
                "the sandbox is gone; rebuilding it from the latest version"
            );
        }
        let installation = persistently(|| self.store.installation()).await?;
        let app = self.agent.create(project, &installation).await?;
        match self.fill(project, &app, lost).await {
            Ok(()) => Ok(app),
            Err(error) => {
                if let Err(left) = self.agent.discard(app.id()).await {
                    tracing::warn!(
                        sandbox.id = app.id(),
                        error = format!("{left:#}"),
                        "an unfinished sandbox could not be removed"
                    );
                }
                Err(error)
            }
        }
    }

    /// Writes the project's kept work into a new app, and saves the app as the project's; `lost`
    /// when it replaces another sandbox.
    async fn fill(&self, project: ProjectId, app: &App, lost: bool) -> Result<(), RunError> {
        let kept = KeptWork::of_project(&self.store, project).await?;
        let notice = kept.as_ref().filter(|_| lost).map(rebuilt);
        if let Some(kept) = kept {
            kept.rebuild(app).await?;
        }
        self.store.set_sandbox(project, app.id()).await?;
        if let Some(text) = notice {
            self.events
                .publish(project, None, EventKind::Notice { text })
                .await?;
        }
        Ok(())
    }

    /// Ends the project's sandbox if everything in it is in the latest version, from which it is
    /// rebuilt when it is needed.
    pub async fn release(&self, project: ProjectId, sandbox: &str) -> Result<Released, RunError> {
        let opening = self.opening(project);
        let _one_at_a_time = opening.lock().await;
        if let Some(app) = self.agent.open(sandbox).await? {
            if self.store.next_run(project).await?.is_some() || !self.is_kept(project, &app).await?
            {
                // So that the sweep does not come back to it until the same time has passed again.
                self.store.note_use(project).await?;
                return Ok(Released::Needed);
            }
            self.agent.discard(app.id()).await?;
        }
        self.store.forget_sandbox(project, sandbox).await?;
        Ok(Released::Ended)
    }

    /// Whether the latest version equals the app as it is.
    async fn is_kept(&self, project: ProjectId, app: &App) -> Result<bool, RunError> {
        let Some(kept) = KeptWork::of_project(&self.store, project).await? else {
            return Ok(false);
        };
        let now = app.snapshot().await?;
        Ok(!kept.partial
            && now.left_out.is_empty()
            && now.entries.is_some_and(|entries| entries == kept.entries))
    }

    /// Whether the project has an app: [`Apps::open`] would otherwise create an empty one.
    pub async fn exists(&self, project: ProjectId) -> Result<bool, RunError> {
        Ok(self.store.sandbox_of(project).await?.is_some()
            || self.store.has_version(project).await?)
    }

    fn opening(&self, project: ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut opening = self.opening.lock();
        opening.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = opening.get(&project).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        opening.insert(project, Arc::downgrade(&lock));
        lock
    }
}

/// The notice of a sandbox that was lost and rebuilt.
fn rebuilt(kept: &KeptWork) -> String {
    let from = match &kept.fragment {
        Some(fragment) if fragment.draft => format!("the draft “{}”", fragment.title),
        Some(fragment) => format!("version {}", fragment.number),
        None => "what the runs wrote".to_owned(),
    };
    format!(
        "The sandbox was lost, and the app was rebuilt from {from}. What the app itself or its \
         commands had changed since then is gone, such as data that it kept in files."
    )
}
