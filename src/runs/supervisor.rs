//! The supervisor: begins, stops and resumes runs. It saves each request and leaves the work to the
//! engine.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{
    RunContext, embedded::Embedded, engine::Engine, peers, restate::Restate, stop::stopped,
};
use crate::{
    config,
    protocol::{ImageId, NewPrompt, Project, ProjectId, Run, RunId, UserId},
    store::StoreError,
};

/// The supervisor, as a cheap handle.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

struct Inner {
    context: RunContext,
    /// Requests under way.
    tasks: TaskTracker,
    engine: Arc<dyn Engine>,
}

impl Supervisor {
    /// With the embedded engine, or with Restate and the listener where it calls this server.
    /// `shutdown` stops all work; the next start resumes what has been saved.
    pub fn new(
        context: RunContext,
        settings: &config::Agent,
        restate: Option<(config::Restate, TcpListener)>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let engine: Arc<dyn Engine> = match restate {
            None => Arc::new(Embedded::new(context.clone(), settings, shutdown.clone())),
            Some((restate, listener)) => {
                let shutdown = shutdown.clone();
                let engine = Restate::new(context.clone(), settings, restate, listener, shutdown)?;
                Arc::new(engine)
            }
        };
        let tasks = TaskTracker::new();
        peers::follow(&context, &engine, &tasks, &shutdown);
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                context,
                tasks,
            }),
        })
    }

    /// Resumes every unfinished run, once the engine is ready; where several servers share the
    /// database, as many as there is room for, of those that no other one works on: the others
    /// follow. Returns the number of projects that are worked on.
    pub async fn resume(&self) -> anyhow::Result<usize> {
        let (store, engine) = (&self.inner.context.store, &*self.inner.engine);
        engine.ready().await?;
        if store.node().is_some() {
            return Ok(peers::take_over(store, engine).await?);
        }
        let projects = store.unfinished_projects().await?;
        for project in &projects {
            engine.work_on(*project);
        }
        Ok(projects.len())
    }

    /// Creates a project of the user from its first prompt and the image that was uploaded for it;
    /// the run begins at once.
    pub async fn create_project(
        &self,
        user: &UserId,
        prompt: &NewPrompt,
        image: Option<ImageId>,
    ) -> Result<Project, StoreError> {
        let (inner, prompt) = (self.inner.clone(), prompt.clone());
        let user = user.clone();
        self.run_to_completion(async move {
            let RunContext { store, events, .. } = &inner.context;
            let title = crate::agent::provisional_title(prompt.as_str());
            let (project, run, saved) = store
                .create_project(&user, &prompt, image.as_ref(), &title)
                .await?;
            tracing::info!(project.id = %project.id, run.id = %run.id, "project created");
            events.announce(saved);
            inner.engine.work_on(project.id);
            Ok(project)
        })
        .await
    }

    /// Adds a message of the user, with the image that was uploaded for it, to the project; its run
    /// begins when those before it have ended.
    pub async fn add_prompt(
        &self,
        user: &UserId,
        project: ProjectId,
        prompt: &NewPrompt,
        image: Option<ImageId>,
    ) -> Result<Run, StoreError> {
        let (inner, prompt) = (self.inner.clone(), prompt.clone());
        let user = user.clone();
        self.run_to_completion(async move {
            let RunContext { store, events, .. } = &inner.context;
            let (run, saved) = store
                .add_prompt(&user, project, &prompt, image.as_ref())
                .await?;
            tracing::info!(project.id = %project, run.id = %run.id, "message added");
            events.announce(saved);
            inner.engine.work_on(project);
            Ok(run)
        })
        .await
    }

    /// Stops the run, whether running or queued; what it wrote is kept. A finished run is left as
    /// it is. Returns the run.
    pub async fn cancel(&self, run: RunId) -> Result<Run, StoreError> {
        let inner = self.inner.clone();
        self.run_to_completion(async move {
            let RunContext { store, events, .. } = &inner.context;
            // Saved first, so that no worker picks it up again; the work stops a moment later.
            let reply = stopped(store, run).await?;
            events.announce(store.finish_run(run, &reply).await?);
            let run = store.find_run(run).await?;
            inner.engine.cancel(&run);
            Ok(run)
        })
        .await
    }

    /// Executes the message of a failed or stopped run once more, at the user's cost. The run
    /// begins after the project's earlier runs. `Conflict` if the run succeeded or has not ended.
    pub async fn replay(&self, user: &UserId, run: RunId) -> Result<Run, StoreError> {
        let (inner, user) = (self.inner.clone(), user.clone());
        self.run_to_completion(async move {
            let RunContext { store, events, .. } = &inner.context;
            let (replay, saved) = store.replay_run(&user, run).await?;
            tracing::info!(
                project.id = %replay.project,
                run.id = %replay.id,
                replayed.id = %run,
                "run replayed"
            );
            events.announce(saved);
            inner.engine.work_on(replay.project);
            Ok(replay)
        })
        .await
    }

    /// Works on the project's runs, after another task added one.
    pub fn work_on(&self, project: ProjectId) {
        self.inner.engine.work_on(project);
    }

    /// Frees the worker of a run that another task ended.
    pub fn ended(&self, run: &Run) {
        self.inner.engine.cancel(run);
    }

    /// Waits until all work has stopped; call it after cancelling the token.
    pub async fn stopped(&self) {
        self.inner.engine.stopped().await;
        self.inner.context.locks.stopped().await;
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Runs the work in a task of its own: if the client disconnects, no run may be left saved but
    /// never begun.
    async fn run_to_completion<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = self.inner.tasks.spawn(work.in_current_span());
        work.await
            .map_err(|error| StoreError::Interrupted(error.to_string()))?
    }
}
