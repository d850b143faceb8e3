//! The embedded engine: a task in this process for each project with unfinished runs. Its queue is
//! the database, so a restart picks up every unfinished run.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, field};

use super::{
    app_locks::AppLock,
    build::{RunContext, build},
    draft,
    engine::Engine,
    journal::persistently,
    slots::{RunSlots, SlotPermit},
};
use crate::{
    agent::RunError,
    config,
    protocol::{ProjectId, Run, RunId},
    store::{Reply, Store, StoreError},
    traces,
};

/// The reply to a run that a fault of the server ended.
const FAULT: &str = "Something went wrong on the server, and this run could not continue. \
    What was written is kept; please send your message again.";
/// How many times saving a run's reply is attempted before a shorter reply takes its place.
const REPLY_ATTEMPTS: u32 = 3;
/// The time between two saves of a run's working time: a crash loses at most this much.
const SAVE_TIME_INTERVAL: Duration = Duration::from_secs(2);
/// The wait before the database is asked again.
const DATABASE_WAIT: Duration = Duration::from_secs(5);
/// The waits for a project that another server works on: it doubles from the first to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MAX_WAIT: Duration = Duration::from_secs(4);

/// The embedded engine, as a cheap handle.
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
    /// The maximum duration of a run.
    timeout: Duration,
    slots: RunSlots,
    /// The projects with a worker. A worker ends when its project has no run left.
    workers: Mutex<HashMap<ProjectId, RunHandle>>,
    /// Notified when a worker that worked ends.
    freed: Notify,
}

/// A project's worker and its current run.
#[derive(Debug, Default)]
struct RunHandle {
    id: Option<RunId>,
    /// Cancels the work on the run.
    cancel: CancellationToken,
    /// Set when a run is added while the worker is about to end.
    more: bool,
    /// Whether it waits for a slot, and for a server that works on the project. A worker that only
    /// takes over what nobody works on doesn't.
    waits: bool,
    /// Whether it has the project's lock.
    works: bool,
}

/// A run's turn.
enum Turn {
    /// It has come.
    Ready(SlotPermit, AppLock),
    /// Another server works on the project, or can do so sooner.
    Elsewhere,
    /// The run may have ended: look for the next one.
    Over,
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
                slots: RunSlots::new(
                    settings.max_runs,
                    settings.max_runs_of_user.unwrap_or(settings.max_runs),
                ),
                workers: Mutex::default(),
                freed: Notify::new(),
            }),
        }
    }

    /// Begins to work on the project, unless there is a worker already.
    fn begin(&self, project: ProjectId, waits: bool) {
        let mut workers = self.inner.workers.lock();
        if let Some(worker) = workers.get_mut(&project) {
            worker.more = true;
            worker.waits |= waits;
            return;
        }
        let worker = RunHandle {
            waits,
            ..RunHandle::default()
        };
        workers.insert(project, worker);
        drop(workers);
        let inner = self.inner.clone();
        self.inner.tasks.spawn(async move {
            let shutdown = inner.shutdown.clone();
            tokio::select! {
                worked = inner.work(project) => if worked {
                    inner.freed.notify_one();
                },
                () = shutdown.cancelled() => inner.note_stop(project).await,
            }
        });
    }
}

impl Engine for Embedded {
    fn work_on(&self, project: ProjectId) {
        self.begin(project, true);
    }

    fn take_over(&self, project: ProjectId) {
        self.begin(project, false);
    }

    fn room(&self) -> usize {
        self.inner.slots.free()
    }

    fn freed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.inner.freed.notified())
    }

    fn cancel(&self, run: &Run) {
        self.inner.cancel(run);
    }

    fn changed_elsewhere(&self, project: ProjectId) {
        let mut run = None;
        self.inner.with_worker(project, |worker| {
            worker.more = true;
            run = worker.id;
        });
        let Some(run) = run else {
            return;
        };
        let inner = self.inner.clone();
        self.inner.tasks.spawn(async move {
            match inner.context.store.find_run(run).await {
                Ok(run) if run.state.is_final() => inner.cancel(&run),
                Ok(_) => {}
                Err(error) => tracing::warn!(run.id = %run, %error, "the run can't be read"),
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
    /// Works on the project's runs, oldest first, until none is left. Returns whether there was
    /// one.
    async fn work(&self, project: ProjectId) -> bool {
        let (mut worked, mut wait) = (false, FIRST_WAIT);
        loop {
            match self.context.store.next_run(project).await {
                Ok(Some(run)) => {
                    self.with_worker(project, |worker| worker.more = false);
                    let traceparent = self.traceparent_of(run.id).await;
                    let span = traces::within(traceparent.as_deref(), || {
                        tracing::info_span!(
                            "run",
                            run.id = %run.id,
                            project.id = %project,
                            user.id = field::Empty
                        )
                    });
                    if self.work_on_run(run).instrument(span).await {
                        (worked, wait) = (true, FIRST_WAIT);
                        continue;
                    }
                    if self.ends(project) {
                        return worked;
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(MAX_WAIT);
                }
                Ok(None) => {
                    let mut workers = self.workers.lock();
                    match workers.get_mut(&project) {
                        Some(worker) if worker.more => worker.more = false,
                        _ => {
                            workers.remove(&project);
                            return worked;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(
                        project.id = %project,
                        %error,
                        "the project's runs can't be read; retrying"
                    );
                    tokio::time::sleep(DATABASE_WAIT).await;
                }
            }
        }
    }

    /// Whether the project's worker ends because it does not wait for another server's.
    fn ends(&self, project: ProjectId) -> bool {
        let mut workers = self.workers.lock();
        if workers.get(&project).is_some_and(|worker| worker.waits) {
            return false;
        }
        workers.remove(&project);
        true
    }

    /// The trace of the request that made the run, where traces are sent.
    async fn traceparent_of(&self, run: RunId) -> Option<String> {
        if !traces::are_on() {
            return None;
        }
        let found = self.context.store.traceparent_of(run).await;
        found.unwrap_or_else(|error| {
            tracing::warn!(run.id = %run, %error, "the run's trace can't be read");
            None
        })
    }

    /// Executes the run once its turn has come, until it has ended or is cancelled, then saves its
    /// work. Returns `false` if another server works on the project.
    async fn work_on_run(&self, run: Run) -> bool {
        let (id, project) = (run.id, run.project);
        let cancel = CancellationToken::new();
        self.with_worker(project, |worker| {
            worker.id = Some(id);
            worker.cancel = cancel.clone();
        });
        let turn = tokio::select! {
            turn = self.turn_of(&run) => turn,
            () = cancel.cancelled() => {
                tracing::info!("the user stopped the run before its turn");
                Turn::Over
            }
        };
        let (permit, alone) = match turn {
            Turn::Ready(permit, alone) => (permit, alone),
            Turn::Elsewhere => return false,
            Turn::Over => return true,
        };
        self.with_worker(project, |worker| worker.works = true);
        let context = self.context.under(&alone);
        tokio::select! {
            () = self.perform_to_its_end(&context, run) => {}
            () = cancel.cancelled() => tracing::info!("the user stopped the run"),
            () = alone.lost() => tracing::warn!("another server goes on with the run"),
        }
        drop(permit);
        if !alone.is_lost() {
            context.apps.changed(project);
            // Before the next run changes what this one left.
            draft::save(&context, id).await;
        }
        self.with_worker(project, |worker| worker.works = false);
        true
    }

    /// Waits for the run's turn: a slot first, so that while it has none, a server with a free one
    /// may work on it; then for the project's lock.
    async fn turn_of(&self, run: &Run) -> Turn {
        let store = &self.context.store;
        let user = match store.payer_of(run).await {
            Ok(user) => user,
            Err(error) => {
                wait_for_the_database(&error).await;
                return Turn::Over;
            }
        };
        Span::current().record("user.id", user.0.as_str());
        let mut waits = false;
        self.with_worker(run.project, |worker| waits = worker.waits);
        let permit = match waits {
            true => self.slots.acquire(user).await,
            false => match self.slots.try_acquire(user) {
                Some(permit) => permit,
                None => return Turn::Elsewhere,
            },
        };
        // A restore may be under way, or another server may work on the project.
        let Some(alone) = self.context.locks.lock_unless_elsewhere(run.project).await else {
            return Turn::Elsewhere;
        };
        match store.find_run(run.id).await {
            Ok(run) if run.state.is_final() => Turn::Over,
            Ok(_) => Turn::Ready(permit, alone),
            Err(error) => {
                wait_for_the_database(&error).await;
                Turn::Over
            }
        }
    }

    fn cancel(&self, run: &Run) {
        self.with_worker(run.project, |worker| {
            if worker.id == Some(run.id) {
                worker.cancel.cancel();
            }
        });
    }

    fn with_worker(&self, project: ProjectId, change: impl FnOnce(&mut RunHandle)) {
        if let Some(worker) = self.workers.lock().get_mut(&project) {
            change(worker);
        }
    }

    /// Executes the run, and ends it even after a panic: a dead worker would block its project.
    async fn perform_to_its_end(&self, context: &RunContext, run: Run) {
        if AssertUnwindSafe(self.perform(context, run.clone()))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!("the run failed by a panic");
            let content = FAULT.to_owned();
            fail(context, &run, Reply::Error { content }).await;
        }
    }

    /// Executes the run's steps and ends it with its reply.
    async fn perform(&self, context: &RunContext, run: Run) {
        let begun = match context.store.start_run(run.id).await {
            Ok((run, event)) => {
                context.events.announce(event);
                run
            }
            Err(error) => {
                wait_for_the_database(&error).await;
                return;
            }
        };
        if begun.state.is_final() {
            return;
        }
        tracing::info!("the run started");
        // Nothing is edited from here on: the edits made before are saved as a version, and the run
        // sees them.
        context.apps.keep_edits(run.project).await;
        let content = match self.build_in_time(context, &begun).await {
            Some(Ok(())) => None,
            Some(Err(error @ (RunError::User(_) | RunError::Transient(_)))) => {
                let content = error.to_string();
                tracing::info!(reason = content, "the run failed");
                Some(content)
            }
            Some(Err(RunError::Internal(error))) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the run failed by a fault of the server"
                );
                Some(FAULT.to_owned())
            }
            None => Some(format!(
                "This took longer than {} minutes and was stopped. What was written is kept. \
                 Send a message to continue, perhaps in smaller steps.",
                self.timeout.as_secs().div_ceil(60)
            )),
        };
        if let Some(content) = content {
            fail(context, &run, Reply::Error { content }).await;
        }
        tracing::info!("the run ended");
    }

    /// Executes the run's steps; `None` when its time is up. Only working time counts, across
    /// restarts.
    async fn build_in_time(&self, context: &RunContext, run: &Run) -> Option<Result<(), RunError>> {
        let store = &context.store;
        let before = match persistently(|| store.worked(run.id)).await {
            Ok(before) => before,
            Err(error) => return Some(Err(error.into())),
        };
        tokio::select! {
            built = build(context, run) => Some(built),
            () = self.count_time(store, run.id, before) => None,
        }
    }

    /// Keeps saving the run's working time, which includes `before`, until its time is up. It is
    /// polled beside the work, which may hold the database's write lock that this waits for.
    async fn count_time(&self, store: &Store, run: RunId, before: Duration) {
        let begun = Instant::now();
        loop {
            let left = self.timeout.saturating_sub(before + begun.elapsed());
            tokio::time::sleep(left.min(SAVE_TIME_INTERVAL)).await;
            let worked = before + begun.elapsed();
            if worked >= self.timeout {
                return;
            }
            if let Err(error) = store.set_worked(run, worked).await {
                tracing::warn!(%error, "the run's working time can't be saved");
            }
        }
    }

    /// Records an orderly stop of the server, so that the step under way does not count as crashed.
    async fn note_stop(&self, project: ProjectId) {
        let works = |workers: &HashMap<ProjectId, RunHandle>| {
            workers.get(&project).is_some_and(|worker| worker.works)
        };
        // The steps of a run that only waits here are another server's.
        if !works(&self.workers.lock()) {
            return;
        }
        if let Err(error) = self.context.store.stop_steps(project).await {
            tracing::warn!(
                project.id = %project,
                %error,
                "the orderly stop can't be saved and will count as a crash"
            );
        }
    }
}

/// Ends the run with an error. Saving is retried, because a run without an end would block its
/// project.
async fn fail(context: &RunContext, run: &Run, reply: Reply) {
    let mut reply = reply;
    for attempt in 1.. {
        match context.store.finish_run(run.id, &reply).await {
            Ok(events) => return context.events.announce(events),
            // The run's rows are damaged for good; its project continues without it.
            Err(error) if attempt > REPLY_ATTEMPTS && !matches!(error, StoreError::Database(_)) => {
                tracing::error!(%error, "the run's reply can't be saved; it ends without one");
                match context.store.abandon_run(run.id).await {
                    Ok(()) => return,
                    Err(error) => wait_for_the_database(&error).await,
                }
            }
            Err(error) => wait_for_the_database(&error).await,
        }
        if attempt == REPLY_ATTEMPTS {
            let content = FAULT.to_owned();
            reply = Reply::Error { content };
        }
    }
}

async fn wait_for_the_database(error: &StoreError) {
    tracing::error!(%error, "the run can't be read or saved; retrying");
    tokio::time::sleep(DATABASE_WAIT).await;
}
