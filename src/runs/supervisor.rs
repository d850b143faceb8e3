//! The supervisor: what the app may ask of runs. It saves what is wanted and leaves the work to the
//! engine.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Apps, Events, Previews, build::Bench, embedded::Embedded, engine::Engine};
use crate::{
    agent::Agent,
    config,
    protocol::{ImageId, ModelNotice, NewPrompt, PreviewError, Project, ProjectId, Run, RunId},
    render,
    store::{Reply, Store, StoreError},
};

/// How long the work under way may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Everything that works on runs, as a cheap handle.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

struct Inner {
    bench: Bench,
    /// What is seen through whoever asked for it.
    tasks: TaskTracker,
    engine: Box<dyn Engine>,
}

impl Supervisor {
    /// `shutdown` stops all work; what has been saved is gone on with at the next start.
    pub fn new(
        store: Store,
        agent: Agent,
        settings: &config::Agent,
        shutdown: CancellationToken,
    ) -> Self {
        let events = Events::new(store.clone());
        let tasks = TaskTracker::new();
        let apps = Apps::new(store.clone(), events.clone(), agent.clone(), tasks.clone());
        let previews = Previews::new(
            store.clone(),
            events.clone(),
            apps.clone(),
            tasks.clone(),
            shutdown.clone(),
        );
        let bench = Bench {
            store,
            events,
            agent,
            apps,
            previews,
        };
        Self {
            inner: Arc::new(Inner {
                engine: Box::new(Embedded::new(bench.clone(), settings, shutdown)),
                bench,
                tasks,
            }),
        }
    }

    /// Goes on with every run that has not ended. Returns how many projects have some.
    pub async fn resume(&self) -> Result<usize, StoreError> {
        let projects = self.inner.bench.store.unfinished_projects().await?;
        for project in &projects {
            self.work_on(*project);
        }
        Ok(projects.len())
    }

    /// Makes a project from its first prompt and the image that was uploaded for it; the run begins
    /// at once.
    pub async fn create_project(
        &self,
        prompt: &NewPrompt,
        image: Option<ImageId>,
    ) -> Result<Project, StoreError> {
        let (supervisor, prompt) = (self.clone(), prompt.clone());
        self.see_through(async move {
            let title = crate::agent::provisional_title(prompt.as_str());
            let (project, run, events) = supervisor
                .inner
                .bench
                .store
                .create_project(&prompt, image.as_ref(), &title)
                .await?;
            tracing::info!(project.id = %project.id, run.id = %run.id, "a project was made");
            supervisor.inner.bench.events.announce(events);
            supervisor.work_on(project.id);
            Ok(project)
        })
        .await
    }

    /// Adds a message, with the image that was uploaded for it, to the project; its run begins when
    /// those before it have ended.
    pub async fn add_prompt(
        &self,
        project: ProjectId,
        prompt: &NewPrompt,
        image: Option<ImageId>,
    ) -> Result<Run, StoreError> {
        let (supervisor, prompt) = (self.clone(), prompt.clone());
        self.see_through(async move {
            let (run, events) = supervisor
                .inner
                .bench
                .store
                .add_prompt(project, &prompt, image.as_ref())
                .await?;
            tracing::info!(project.id = %project, run.id = %run.id, "a message was added");
            supervisor.inner.bench.events.announce(events);
            supervisor.work_on(project);
            Ok(run)
        })
        .await
    }

    /// Stops the run, at work or waiting: what was written is kept. One that has ended already is
    /// left as it is. Returns the run.
    pub async fn cancel(&self, run: RunId) -> Result<Run, StoreError> {
        let inner = self.inner.clone();
        self.see_through(async move {
            // Saved first, so that no worker takes it up again; the work ends a moment later.
            let reply = Reply::Cancelled {
                content:
                    "Stopped. What was written so far is kept; send a message to go on from here."
                        .to_owned(),
            };
            inner.bench.events.announce(
                inner
                    .bench
                    .store
                    .finish_run(run, &reply, render::markdown)
                    .await?,
            );
            let run = inner.bench.store.find_run(run).await?;
            inner.engine.cancel(&run);
            Ok(run)
        })
        .await
    }

    /// Does the work in a task of its own: a client that hangs up must not leave a run that is
    /// saved and never begun.
    pub(super) async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = self.inner.tasks.spawn(work);
        work.await
            .map_err(|error| StoreError::Interrupted(error.to_string()))?
    }

    pub fn events(&self) -> &Events {
        &self.inner.bench.events
    }

    pub(super) fn store(&self) -> &Store {
        &self.inner.bench.store
    }

    /// What is waited for when the server stops.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    pub(super) fn apps(&self) -> &Apps {
        &self.inner.bench.apps
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.inner.bench.agent
    }

    pub fn model(&self) -> ModelNotice {
        self.inner.bench.agent.notice()
    }

    /// Keeps the project's preview going, and its state published, for as long as the guard lives.
    pub fn watch_preview(&self, project: ProjectId) -> super::Watch {
        self.inner.bench.previews.watch(project)
    }

    /// Notes which errors stand on the project's page, as somebody who looks at it sees them.
    pub fn report_preview_errors(&self, project: ProjectId, errors: Vec<PreviewError>) {
        self.inner.bench.previews.report(project, errors);
    }

    /// Waits until all work has stopped; call it after cancelling the token. What waits for
    /// somebody else's machine is not waited for for ever: it is gone on with at the next start, as
    /// after a crash.
    pub async fn stopped(&self) {
        let stopped = async {
            self.inner.engine.stopped().await;
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
        };
        if tokio::time::timeout(STOP_TIMEOUT, stopped).await.is_err() {
            tracing::warn!("some work did not stop in time and is left as it is");
        }
    }

    pub(super) fn work_on(&self, project: ProjectId) {
        self.inner.engine.work_on(project);
    }
}
