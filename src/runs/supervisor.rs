//! The supervisor takes runs and works on them: one at a time per project, the others queue behind, and so many at a time over all.
//! What it works on is in the database, so a restart picks up every run that has not ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Apps, Events, Previews,
    build::{Bench, build},
};
use crate::{
    agent::{Agent, RunError},
    config,
    protocol::{ModelNotice, NewPrompt, Project, ProjectId, Run, RunId},
    render,
    store::{Reply, Store, StoreError},
};

/// Everything that works on runs, as a cheap handle.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    events: Events,
    agent: Agent,
    apps: Apps,
    previews: Previews,
    /// The longest a run may take.
    timeout: Duration,
    /// Runs that may be worked on at a time; those that wait get their turn in the order in which they came.
    slots: Semaphore,
    /// Projects with a worker; a worker ends when its project has no run left.
    workers: Mutex<HashMap<ProjectId, RunHandle>>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// A project's worker and the run it is at.
#[derive(Debug, Default)]
struct RunHandle {
    id: Option<RunId>,
    /// Ends the work on it.
    cancel: CancellationToken,
    /// Set when a run was added while the worker was about to end.
    more: bool,
}

impl Supervisor {
    /// `shutdown` stops all work; what has been saved is gone on with at the next start.
    pub fn new(store: Store, agent: Agent, settings: &config::Agent, shutdown: CancellationToken) -> Self {
        let events = Events::new(store.clone());
        let tasks = TaskTracker::new();
        let apps = Apps::new(store.clone(), agent.clone(), tasks.clone());
        let previews = Previews::new(store.clone(), events.clone(), apps.clone(), tasks.clone(), shutdown.clone());
        Self {
            inner: Arc::new(Inner {
                store,
                events,
                agent,
                apps,
                previews,
                timeout: settings.run_timeout,
                slots: Semaphore::new(settings.max_runs),
                workers: Mutex::default(),
                tasks,
                shutdown,
            }),
        }
    }

    /// Goes on with every run that has not ended. Returns how many projects have some.
    pub async fn resume(&self) -> Result<usize, StoreError> {
        let projects = self.inner.store.unfinished_projects().await?;
        for project in &projects {
            self.work_on(*project);
        }
        Ok(projects.len())
    }

    /// Makes a project from its first prompt; the run begins at once.
    pub async fn create_project(&self, prompt: &NewPrompt) -> Result<Project, StoreError> {
        let (supervisor, prompt) = (self.clone(), prompt.clone());
        self.see_through(async move {
            let title = crate::agent::provisional_title(prompt.as_str());
            let (project, run, events) = supervisor.inner.store.create_project(&prompt, &title).await?;
            tracing::info!(project.id = %project.id, run.id = %run.id, "a project was made");
            supervisor.inner.events.announce(events);
            supervisor.work_on(project.id);
            Ok(project)
        })
        .await
    }

    /// Adds a message to the project; its run begins when those before it have ended.
    pub async fn add_prompt(&self, project: ProjectId, prompt: &NewPrompt) -> Result<Run, StoreError> {
        let (supervisor, prompt) = (self.clone(), prompt.clone());
        self.see_through(async move {
            let (run, events) = supervisor.inner.store.add_prompt(project, &prompt).await?;
            tracing::info!(project.id = %project, run.id = %run.id, "a message was added");
            supervisor.inner.events.announce(events);
            supervisor.work_on(project);
            Ok(run)
        })
        .await
    }

    /// Stops the run, at work or waiting: what was written is kept. One that has ended already is left as it is. Returns the run.
    pub async fn cancel(&self, run: RunId) -> Result<Run, StoreError> {
        let inner = self.inner.clone();
        self.see_through(async move {
            // Saved first, so that no worker takes it up again; the work ends a moment later.
            let reply = Reply::Cancelled {
                content: "Stopped. What was written so far is kept; send a message to go on from here.".to_owned(),
            };
            inner.events.announce(inner.store.finish_run(run, &reply, render::markdown).await?);
            let run = inner.store.find_run(run).await?;
            inner.with_worker(run.project, |worker| {
                if worker.id == Some(run.id) {
                    worker.cancel.cancel();
                }
            });
            Ok(run)
        })
        .await
    }

    /// Does the work in a task of its own: a client that hangs up must not leave a run that is saved and never begun.
    pub(super) async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = self.inner.tasks.spawn(work);
        work.await.map_err(|error| StoreError::Interrupted(error.to_string()))?
    }

    pub fn events(&self) -> &Events {
        &self.inner.events
    }

    pub(super) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(super) fn apps(&self) -> &Apps {
        &self.inner.apps
    }

    pub fn model(&self) -> ModelNotice {
        self.inner.agent.notice()
    }

    /// Keeps the project's preview going, and its state published, for as long as the guard lives.
    pub fn watch_preview(&self, project: ProjectId) -> super::Watch {
        self.inner.previews.watch(project)
    }

    /// Waits until all work has stopped; call it after cancelling the token.
    pub async fn stopped(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Starts the project's worker unless it has one.
    pub(super) fn work_on(&self, project: ProjectId) {
        let mut workers = self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = workers.get_mut(&project) {
            worker.more = true;
            return;
        }
        workers.insert(project, RunHandle::default());
        drop(workers);
        let inner = self.inner.clone();
        self.inner.tasks.spawn(async move {
            let shutdown = inner.shutdown.clone();
            tokio::select! {
                () = inner.work(project) => {}
                () = shutdown.cancelled() => {}
            }
        });
    }
}

impl Inner {
    /// Works on the project's runs, oldest first, until none is left.
    async fn work(&self, project: ProjectId) {
        loop {
            match self.store.next_run(project).await {
                Ok(Some(run)) => {
                    let cancel = CancellationToken::new();
                    self.with_worker(project, |worker| {
                        worker.id = Some(run.id);
                        worker.cancel = cancel.clone();
                        worker.more = false;
                    });
                    let (id, previews) = (run.id, &self.previews);
                    tokio::select! {
                        () = self.perform(run) => {}
                        () = cancel.cancelled() => tracing::info!(run.id = %id, "the run was stopped by its user"),
                    }
                    previews.poke(project);
                }
                Ok(None) => {
                    let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
                    match workers.get_mut(&project) {
                        Some(worker) if worker.more => worker.more = false,
                        _ => {
                            workers.remove(&project);
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(project.id = %project, %error, "the project's runs can't be read; trying again");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }
    }

    fn with_worker(&self, project: ProjectId, change: impl FnOnce(&mut RunHandle)) {
        if let Some(worker) = self.workers.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&project) {
            change(worker);
        }
    }

    /// Performs the run's steps and ends it with its reply, whatever happens.
    async fn perform(&self, run: Run) {
        // Never closed.
        let _slot = self.slots.acquire().await;
        let begun = match self.store.start_run(run.id).await {
            Ok((run, event)) => {
                self.events.announce(event);
                run
            }
            Err(error) => {
                tracing::error!(run.id = %run.id, %error, "the run can't be started; trying again");
                tokio::time::sleep(Duration::from_secs(5)).await;
                return;
            }
        };
        if begun.state.is_final() {
            return;
        }
        tracing::info!(run.id = %run.id, project.id = %run.project, "the run is worked on");
        let bench = Bench {
            store: &self.store,
            events: &self.events,
            agent: &self.agent,
            apps: &self.apps,
            previews: &self.previews,
        };
        let content = match tokio::time::timeout(self.timeout, build(bench, &begun)).await {
            Ok(Ok(())) => None,
            Ok(Err(RunError::User(content))) => {
                tracing::info!(run.id = %run.id, reason = content, "the run failed");
                Some(content)
            }
            Ok(Err(RunError::Internal(error))) => {
                tracing::error!(run.id = %run.id, error = format!("{error:#}"), "the run failed by a fault");
                Some(
                    "Something went wrong on the server, and this run could not go on. What was written is kept; please send your message again."
                        .to_owned(),
                )
            }
            Err(_) => Some(format!(
                "This took longer than {} minutes and was stopped. What was written is kept; say how to go on, in smaller steps perhaps.",
                self.timeout.as_secs().div_ceil(60)
            )),
        };
        if let Some(content) = content {
            self.fail(&run, Reply::Error { content }).await;
        }
        tracing::info!(run.id = %run.id, "the run ended");
    }

    /// Ends the run with an error. One that can't be saved is tried again: a run without an end would block its project.
    async fn fail(&self, run: &Run, reply: Reply) {
        loop {
            match self.store.finish_run(run.id, &reply, render::markdown).await {
                Ok(events) => return self.events.announce(events),
                Err(error) => {
                    tracing::error!(run.id = %run.id, %error, "the run's end can't be saved; trying again");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }
    }
}
