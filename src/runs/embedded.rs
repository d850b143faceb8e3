//! The embedded engine: a task for each project that has runs, in this process. What it works on is
//! in the database, so a restart picks up every run that has not ended.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    build::{RunContext, build},
    draft,
    engine::Engine,
    journal::persistently,
    slots::RunSlots,
};
use crate::{
    agent::RunError,
    config,
    protocol::{ProjectId, Run, RunId},
    render,
    store::{Reply, StoreError},
};

/// What people are told of a fault of ours.
const FAULT: &str = "Something went wrong on the server, and this run could not go on. What was written is kept; please send your message again.";
/// How often a run's own words are tried to be saved, before it ends with fewer.
const WORDS_TRIES: u32 = 3;
/// How many seconds of a run's time a crash may give back.
const NOTE_EVERY: Duration = Duration::from_secs(2);
/// How long is waited when the database can't be read or written.
const DATABASE_WAIT: Duration = Duration::from_secs(5);

/// The engine, as a cheap handle.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

struct Inner {
    context: RunContext,
    /// The workers.
    tasks: TaskTracker,
    /// Stops all work.
    shutdown: CancellationToken,
    /// The longest a run may take.
    timeout: Duration,
    slots: RunSlots,
    /// Projects with a worker; a worker ends when its project has no run left.
    workers: Mutex<HashMap<ProjectId, RunHandle>>,
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

impl Embedded {
    /// `shutdown` stops all work.
    pub fn new(context: RunContext, settings: &config::Agent, shutdown: CancellationToken) -> Self {
        Self {
            inner: Arc::new(Inner {
                context,
                tasks: TaskTracker::new(),
                shutdown,
                timeout: settings.run_timeout,
                slots: RunSlots::new(settings.max_runs),
                workers: Mutex::default(),
            }),
        }
    }
}

impl Engine for Embedded {
    fn work_on(&self, project: ProjectId) {
        let mut workers = self.inner.workers.lock();
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
                () = shutdown.cancelled() => inner.note_stop(project).await,
            }
        });
    }

    fn cancel(&self, run: &Run) {
        self.inner.with_worker(run.project, |worker| {
            if worker.id == Some(run.id) {
                worker.cancel.cancel();
            }
        });
    }

    fn stopped(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
        })
    }
}

impl Inner {
    /// Works on the project's runs, oldest first, until none is left.
    async fn work(&self, project: ProjectId) {
        loop {
            match self.context.store.next_run(project).await {
                Ok(Some(run)) => {
                    let cancel = CancellationToken::new();
                    self.with_worker(project, |worker| {
                        worker.id = Some(run.id);
                        worker.cancel = cancel.clone();
                        worker.more = false;
                    });
                    let id = run.id;
                    tokio::select! {
                        () = self.perform_to_its_end(run) => {}
                        () = cancel.cancelled() => tracing::info!(run.id = %id, "the run was stopped by its user"),
                    }
                    self.context.apps.changed(project);
                    // Before the next run changes what this one left.
                    draft::save(&self.context, id).await;
                }
                Ok(None) => {
                    let mut workers = self.workers.lock();
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
                    tokio::time::sleep(DATABASE_WAIT).await;
                }
            }
        }
    }

    fn with_worker(&self, project: ProjectId, change: impl FnOnce(&mut RunHandle)) {
        if let Some(worker) = self.workers.lock().get_mut(&project) {
            change(worker);
        }
    }

    /// Performs the run, and ends it also where this program has a fault: a worker that is gone
    /// would block its project.
    async fn perform_to_its_end(&self, run: Run) {
        if AssertUnwindSafe(self.perform(run.clone()))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!(run.id = %run.id, "the run failed by a panic");
            let content = FAULT.to_owned();
            self.fail(&run, Reply::Error { content }).await;
        }
    }

    /// Performs the run's steps and ends it with its reply.
    async fn perform(&self, run: Run) {
        let user = match self.context.store.user_of(run.project).await {
            Ok(user) => user,
            Err(error) => {
                self.wait_for_the_database(&run, &error).await;
                return;
            }
        };
        let _permit = self.slots.acquire(user).await;
        let begun = match self.context.store.start_run(run.id).await {
            Ok((run, event)) => {
                self.context.events.announce(event);
                run
            }
            Err(error) => {
                self.wait_for_the_database(&run, &error).await;
                return;
            }
        };
        if begun.state.is_final() {
            return;
        }
        tracing::info!(run.id = %run.id, project.id = %run.project, "the run is worked on");
        let content = match self.build_in_time(&begun).await {
            Some(Ok(())) => None,
            Some(Err(error @ (RunError::User(_) | RunError::Transient(_)))) => {
                let content = error.to_string();
                tracing::info!(run.id = %run.id, reason = content, "the run failed");
                Some(content)
            }
            Some(Err(RunError::Internal(error))) => {
                tracing::error!(run.id = %run.id, error = format!("{error:#}"), "the run failed by a fault");
                Some(FAULT.to_owned())
            }
            None => Some(format!(
                "This took longer than {} minutes and was stopped. What was written is kept; say how to go on, in smaller steps perhaps.",
                self.timeout.as_secs().div_ceil(60)
            )),
        };
        if let Some(content) = content {
            self.fail(&run, Reply::Error { content }).await;
        }
        tracing::info!(run.id = %run.id, "the run ended");
    }

    /// Performs the run's steps; `None` when its time is over. Its time passes only while it is
    /// worked on, and over restarts.
    async fn build_in_time(&self, run: &Run) -> Option<Result<(), RunError>> {
        let store = &self.context.store;
        let before = match persistently(|| store.worked(run.id)).await {
            Ok(before) => before,
            Err(error) => return Some(Err(error.into())),
        };
        tokio::select! {
            built = build(&self.context, run) => Some(built),
            () = self.count_time(run.id, before) => None,
        }
    }

    /// Saves how long the run has been worked on, `before` included, until its time is over. Both
    /// it and the work are polled all the time: the work may hold what this waits for.
    async fn count_time(&self, run: RunId, before: Duration) {
        let begun = Instant::now();
        loop {
            let left = self.timeout.saturating_sub(before + begun.elapsed());
            tokio::time::sleep(left.min(NOTE_EVERY)).await;
            let worked = before + begun.elapsed();
            if worked >= self.timeout {
                return;
            }
            if let Err(error) = self.context.store.set_worked(run, worked).await {
                tracing::warn!(run.id = %run, %error, "how long the run has worked can't be saved");
            }
        }
    }

    /// Notes that the server stops in an orderly way, so that what is under way does not count as a
    /// crash.
    async fn note_stop(&self, project: ProjectId) {
        if let Err(error) = self.context.store.stop_steps(project).await {
            tracing::warn!(project.id = %project, %error, "an orderly stop can't be saved; it will count as a crash");
        }
    }

    /// Ends the run with an error. One that can't be saved is tried again: a run without an end
    /// would block its project.
    async fn fail(&self, run: &Run, reply: Reply) {
        let mut reply = reply;
        for tries in 1.. {
            match self
                .context
                .store
                .finish_run(run.id, &reply, render::markdown)
                .await
            {
                Ok(events) => return self.context.events.announce(events),
                // The run or what belongs to it is damaged, and stays so: its project goes on
                // without it.
                Err(error) if tries > WORDS_TRIES && !matches!(error, StoreError::Database(_)) => {
                    tracing::error!(run.id = %run.id, %error, "the run can't be ended with a reply, and is ended without one");
                    match self.context.store.abandon_run(run.id).await {
                        Ok(()) => return,
                        Err(error) => self.wait_for_the_database(run, &error).await,
                    }
                }
                Err(error) => self.wait_for_the_database(run, &error).await,
            }
            if tries == WORDS_TRIES {
                let content = FAULT.to_owned();
                reply = Reply::Error { content };
            }
        }
    }

    async fn wait_for_the_database(&self, run: &Run, error: &StoreError) {
        tracing::error!(run.id = %run.id, %error, "the run can't be read or saved; trying again");
        tokio::time::sleep(DATABASE_WAIT).await;
    }
}
