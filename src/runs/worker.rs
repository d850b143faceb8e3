//! The worker: executes a run of a project once its turn has come, and ends it with its reply. Both
//! engines have one.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::FutureExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field};

use super::{
    app_locks::AppLock,
    build::{RunContext, build},
    draft,
    journal::persistently,
    records::Records,
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
pub(super) const DATABASE_WAIT: Duration = Duration::from_secs(5);

/// Executes runs, each for its engine.
pub struct Worker {
    pub context: RunContext,
    /// The maximum duration of a run.
    timeout: Duration,
    pub slots: RunSlots,
    /// The run that is worked on, by project.
    current: Mutex<HashMap<ProjectId, CurrentRun>>,
    /// Counts the works on runs.
    works: AtomicU64,
}

struct CurrentRun {
    id: RunId,
    /// The number of this work: another one may wait for it to stop.
    work: u64,
    /// Cancels the work on it.
    cancel: CancellationToken,
    /// Whether the work has the project's lock.
    works: bool,
}

/// How long a run waits for its turn.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Whether it waits for a slot.
    pub for_slot: bool,
    /// How long it waits for another server that works on the project.
    pub for_other: Duration,
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

/// How the work on a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// The run may have ended: look for the next one.
    Done,
    /// Another server works on the project, or can do so sooner.
    Elsewhere,
    /// The engine stopped the work.
    Stopped,
}

impl Worker {
    pub fn new(context: RunContext, settings: &config::Agent) -> Self {
        Self {
            context,
            timeout: settings.run_timeout,
            slots: RunSlots::new(
                settings.max_runs,
                settings.max_runs_of_user.unwrap_or(settings.max_runs),
            ),
            current: Mutex::default(),
            works: AtomicU64::default(),
        }
    }

    /// Executes the run once its turn has come, until it has ended, is cancelled, or `stop` is, and
    /// saves its work. The steps that it saves are reported to `records`.
    pub async fn work_on(
        &self,
        run: Run,
        patience: Patience,
        records: Records,
        stop: &CancellationToken,
    ) -> Worked {
        let traceparent = self.traceparent_of(run.id).await;
        let span = traces::within(traceparent.as_deref(), || {
            tracing::info_span!(
                "run",
                run.id = %run.id,
                project.id = %run.project,
                user.id = field::Empty
            )
        });
        let (project, cancel) = (run.project, CancellationToken::new());
        let work = self.works.fetch_add(1, Ordering::Relaxed);
        let current = CurrentRun {
            id: run.id,
            work,
            cancel: cancel.clone(),
            works: false,
        };
        self.current.lock().insert(project, current);
        let working = async {
            let turn = tokio::select! {
                turn = self.turn_of(&run, patience) => turn,
                () = cancel.cancelled() => {
                    tracing::info!("the user stopped the run before its turn");
                    Turn::Over
                }
                () = stop.cancelled() => return Worked::Stopped,
            };
            let (permit, alone) = match turn {
                Turn::Ready(permit, alone) => (permit, alone),
                Turn::Elsewhere => return Worked::Elsewhere,
                Turn::Over => return Worked::Done,
            };
            self.with_work(project, work, |current| current.works = true);
            self.work_in_turn(permit, &alone, run, records, &cancel, stop)
                .await
        };
        let worked = working.instrument(span).await;
        let mut current = self.current.lock();
        if current
            .get(&project)
            .is_some_and(|current| current.work == work)
        {
            current.remove(&project);
        }
        worked
    }

    async fn work_in_turn(
        &self,
        permit: SlotPermit,
        alone: &AppLock,
        run: Run,
        records: Records,
        cancel: &CancellationToken,
        stop: &CancellationToken,
    ) -> Worked {
        let (id, project) = (run.id, run.project);
        let context = self.context.under(alone);
        let is_stopped = tokio::select! {
            () = self.perform_to_its_end(&context, run, &records) => false,
            () = cancel.cancelled() => {
                tracing::info!("the user stopped the run");
                false
            }
            () = alone.lost() => {
                tracing::warn!("another server goes on with the run");
                false
            }
            () = stop.cancelled() => true,
        };
        drop(permit);
        if alone.is_lost() {
            return Worked::Done;
        }
        if is_stopped {
            stop_steps(&context.store, project).await;
            return Worked::Stopped;
        }
        context.apps.changed(project);
        // Before the next run changes what this one left.
        draft::save(&context, id).await;
        Worked::Done
    }

    /// Waits for the run's turn: a slot first, so that while it has none, a server with a free one
    /// may work on it; then for the project's lock.
    async fn turn_of(&self, run: &Run, patience: Patience) -> Turn {
        let (store, locks) = (&self.context.store, &self.context.locks);
        let user = match store.payer_of(run).await {
            Ok(user) => user,
            Err(error) => {
                wait_for_the_database(&error).await;
                return Turn::Over;
            }
        };
        Span::current().record("user.id", user.0.as_str());
        let permit = match patience.for_slot {
            true => self.slots.acquire(user).await,
            false => match self.slots.try_acquire(user) {
                Some(permit) => permit,
                None => return Turn::Elsewhere,
            },
        };
        // A restore may be under way, or another server may work on the project.
        let alone = match patience.for_other {
            Duration::ZERO => locks.lock_unless_elsewhere(run.project).await,
            wait => {
                let locked = tokio::time::timeout(wait, locks.lock(run.project)).await;
                locked.ok()
            }
        };
        let Some(alone) = alone else {
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

    fn with_work(&self, project: ProjectId, work: u64, change: impl FnOnce(&mut CurrentRun)) {
        let mut current = self.current.lock();
        if let Some(current) = current
            .get_mut(&project)
            .filter(|current| current.work == work)
        {
            change(current);
        }
    }

    /// Records an orderly stop of the server, so that the step under way does not count as crashed.
    pub async fn note_stop(&self, project: ProjectId) {
        let works = |current: &HashMap<ProjectId, CurrentRun>| {
            current.get(&project).is_some_and(|current| current.works)
        };
        // The steps of a run that only waits here are another server's.
        if works(&self.current.lock()) {
            stop_steps(&self.context.store, project).await;
        }
    }

    /// Stops the work on the run, if it is worked on here.
    pub fn cancel(&self, run: &Run) {
        if let Some(current) = self.current.lock().get(&run.project)
            && current.id == run.id
        {
            current.cancel.cancel();
        }
    }

    /// The project's run that is worked on here.
    pub fn current(&self, project: ProjectId) -> Option<RunId> {
        Some(self.current.lock().get(&project)?.id)
    }

    /// Stops the work on a run that another server has ended.
    pub async fn cancel_if_ended(&self, run: RunId) {
        match self.context.store.find_run(run).await {
            Ok(run) if run.state.is_final() => self.cancel(&run),
            Ok(_) => {}
            Err(error) => tracing::warn!(run.id = %run, %error, "the run can't be read"),
        }
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

    /// Executes the run, and ends it even after a panic: a dead worker would block its project.
    async fn perform_to_its_end(&self, context: &RunContext, run: Run, records: &Records) {
        if AssertUnwindSafe(self.perform(context, run.clone(), records))
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
    async fn perform(&self, context: &RunContext, run: Run, records: &Records) {
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
        let content = match self.build_in_time(context, &begun, records).await {
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
    async fn build_in_time(
        &self,
        context: &RunContext,
        run: &Run,
        records: &Records,
    ) -> Option<Result<(), RunError>> {
        let store = &context.store;
        let before = match persistently(|| store.worked(run.id)).await {
            Ok(before) => before,
            Err(error) => return Some(Err(error.into())),
        };
        tokio::select! {
            built = build(context, run, records) => Some(built),
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
}

/// Marks the steps under way as stopped in an orderly way.
async fn stop_steps(store: &Store, project: ProjectId) {
    if let Err(error) = store.stop_steps(project).await {
        tracing::warn!(
            project.id = %project,
            %error,
            "the orderly stop can't be saved and will count as a crash"
        );
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
