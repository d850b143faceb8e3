//! The work on a run for one call of Restate's: a task that holds the project's lock, and reports
//! each step that it saves.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    protocol::{ProjectId, RunId},
    runs::{
        build::RunContext,
        records::{Records, StepReference, Unrecorded},
        stop::stopped,
        worker::{Patience, Worked, Worker},
    },
    store::StoreError,
};

/// How long a call waits for a project that another server works on, before Restate tries again
/// and may reach that one.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// Why a run has not ended. Restate calls again.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    #[error("another server works on the project")]
    Locked,
    #[error("the work was stopped on this server")]
    Stopped,
    #[error("the run can't be read or saved: {0}")]
    Store(#[from] StoreError),
    #[error("the work failed by a panic")]
    Panicked,
}

pub struct Execution {
    saved: mpsc::UnboundedReceiver<Unrecorded>,
    /// What the last entry names.
    reported: Vec<Unrecorded>,
    work: JoinHandle<Result<(), Unfinished>>,
}

impl Execution {
    /// The steps that were saved since the last call of this, which Restate has recorded by now.
    /// `None` once the work has stopped.
    pub async fn next(&mut self) -> Option<Vec<StepReference>> {
        for step in self.reported.drain(..) {
            step.recorded();
        }
        self.reported.push(self.saved.recv().await?);
        while let Ok(step) = self.saved.try_recv() {
            self.reported.push(step);
        }
        let steps = self.reported.iter();
        Some(steps.map(|step| step.reference.clone()).collect())
    }

    /// How the work stopped.
    pub async fn end(&mut self) -> Result<(), Unfinished> {
        match (&mut self.work).await {
            Ok(ended) => ended,
            Err(_) => Err(Unfinished::Panicked),
        }
    }
}

/// Executes runs for calls.
pub struct Executor {
    pub worker: Worker,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Executor {
    /// `shutdown` stops all work.
    pub fn new(worker: Worker, shutdown: CancellationToken) -> Self {
        Self {
            worker,
            tasks: TaskTracker::new(),
            shutdown,
        }
    }

    /// Waits until all work has stopped, after the shutdown was requested.
    pub async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Begins to work on the run, after those of the project that were created before it. `known`
    /// are the steps that Restate has recorded; `stop` stops the work.
    pub fn execute(
        self: &Arc<Self>,
        project: ProjectId,
        run: RunId,
        known: HashSet<StepReference>,
        stop: CancellationToken,
    ) -> Execution {
        let (records, saved) = Records::new(known);
        let executor = self.clone();
        let work = self.tasks.spawn(async move {
            tokio::select! {
                ended = executor.work_until_ended(project, run, records, &stop) => ended,
                () = executor.shutdown.cancelled() => {
                    executor.worker.note_stop(project).await;
                    Err(Unfinished::Stopped)
                }
            }
        });
        Execution {
            saved,
            reported: Vec::new(),
            work,
        }
    }

    async fn work_until_ended(
        &self,
        project: ProjectId,
        run: RunId,
        records: Records,
        stop: &CancellationToken,
    ) -> Result<(), Unfinished> {
        let store = &self.worker.context.store;
        let patience = Patience {
            for_slot: true,
            for_other: LOCK_PATIENCE,
        };
        loop {
            match store.find_run(run).await {
                Ok(run) if run.state.is_final() => return Ok(()),
                Err(StoreError::NotFound(_)) => return Ok(()),
                found => found?,
            };
            // Restate may have been given a later run of the project first.
            let Some(next) = store.next_run(project).await? else {
                return Ok(());
            };
            let working = self.worker.work_on(next, patience, records.clone(), stop);
            match working.await {
                Worked::Done => {}
                Worked::Elsewhere => return Err(Unfinished::Locked),
                Worked::Stopped => return Err(Unfinished::Stopped),
            }
        }
    }

    /// Ends a run whose invocation was cancelled: it is stopped already if this program did that.
    pub async fn cancelled_at_restate(&self, run: RunId) -> Result<(), StoreError> {
        let RunContext { store, events, .. } = &self.worker.context;
        let run = match store.find_run(run).await {
            Ok(run) if !run.state.is_final() => run,
            Ok(_) | Err(StoreError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        tracing::info!(run.id = %run.id, "the run was cancelled at Restate");
        let reply = stopped(store, run.id).await?;
        events.announce(store.finish_run(run.id, &reply).await?);
        self.worker.cancel(&run);
        Ok(())
    }
}
