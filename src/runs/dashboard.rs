//! What the dashboard asks for: lists of runs, one run with its steps, and the replay of one that
//! did not work out.

use super::Supervisor;
use crate::{
    protocol::{Run, RunDetails, RunFilter, RunId, RunPage, StepState, StepSummary, Timestamp},
    render,
    store::{Step, StoreError},
};

/// How much of a step's output or error people are shown, in characters.
const SHOWN_OUTPUT: usize = 4000;

impl Supervisor {
    /// A page of the runs that the filter finds, newest first.
    pub async fn run_page(&self, filter: &RunFilter) -> Result<RunPage, StoreError> {
        let (runs, next) = self.store().list_run_page(filter).await?;
        Ok(RunPage {
            runs,
            next,
            at: Timestamp::now(),
        })
    }

    /// The run with all its steps, or `NotFound`.
    pub async fn run_details(&self, run: RunId) -> Result<RunDetails, StoreError> {
        let summary = self.store().find_run_summary(run).await?;
        let ended = summary.run.state.is_final();
        let steps = self.store().list_steps(run).await?;
        Ok(RunDetails {
            summary,
            steps: steps.into_iter().map(|step| shown(step, ended)).collect(),
            at: Timestamp::now(),
        })
    }

    /// Runs the message of a run that failed or was stopped once more; the run begins when those
    /// before it have ended. `Conflict` when the run succeeded or goes on.
    pub async fn replay(&self, run: RunId) -> Result<Run, StoreError> {
        let supervisor = self.clone();
        self.see_through(async move {
            let (replay, events) = supervisor.store().replay_run(run).await?;
            tracing::info!(project.id = %replay.project, run.id = %replay.id, replayed.id = %run, "a run is replayed");
            supervisor.events().announce(events);
            supervisor.work_on(replay.project);
            Ok(replay)
        })
        .await
    }
}

/// The step for people; `ended` says whether its run has.
fn shown(step: Step, ended: bool) -> StepSummary {
    let state = match (&step.output, step.finished_at) {
        (Some(_), _) => StepState::Succeeded,
        (None, Some(_)) if step.error.is_some() => StepState::Failed,
        (None, Some(_)) => StepState::Interrupted,
        (None, None) if ended => StepState::Interrupted,
        (None, None) => StepState::Running,
    };
    StepSummary {
        name: step.name,
        state,
        attempt: step.attempt,
        started_at: step.started_at,
        finished_at: step.finished_at,
        output: step
            .output
            .map(|output| render::outline(&output, SHOWN_OUTPUT)),
        error: step.error.map(|error| render::cut(&error, SHOWN_OUTPUT)),
        spent: step.spent,
    }
}
