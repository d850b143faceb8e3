//! The dashboard's queries: lists of runs, one run with its steps, and usage.

use super::{ProjectError, Projects};
use crate::{
    protocol::{
        RunDetails, RunFilter, RunId, RunPage, StepState, StepSummary, Timestamp, UsageReport,
    },
    render,
    store::SavedStep,
};

/// The length of a usage report, in days.
const REPORTED_DAYS: u32 = 30;
/// The maximum length of a step's output or error on the dashboard, in characters.
const SHOWN_OUTPUT: usize = 4000;

impl Projects {
    /// A page of the runs that match the filter, newest first.
    pub async fn run_page(&self, filter: &RunFilter) -> Result<RunPage, ProjectError> {
        let (runs, next) = self
            .inner
            .store
            .list_run_page(self.dashboard_of()?, filter)
            .await?;
        Ok(RunPage {
            runs,
            next,
            at: Timestamp::now(),
        })
    }

    /// The usage of the user's runs in the last 30 days, by day and by model.
    pub async fn usage_report(&self) -> Result<UsageReport, ProjectError> {
        let (user, store) = (self.user()?, &self.inner.store);
        Ok(UsageReport {
            days: store.list_usage_by_day(user, REPORTED_DAYS).await?,
            models: store.list_usage_by_model(user, REPORTED_DAYS).await?,
        })
    }

    /// The run with all its steps, or `NotFound`.
    pub async fn run_details(&self, run: RunId) -> Result<RunDetails, ProjectError> {
        let summary = self
            .inner
            .store
            .find_run_summary(self.dashboard_of()?, run)
            .await?;
        let ended = summary.run.state.is_final();
        let steps = self.inner.store.list_steps(run).await?;
        Ok(RunDetails {
            summary,
            steps: steps.into_iter().map(|step| shown(step, ended)).collect(),
            at: Timestamp::now(),
        })
    }
}

/// The step as the dashboard shows it; `ended` says whether its run has ended.
fn shown(step: SavedStep, ended: bool) -> StepSummary {
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
