//! Runs: listing them, inspecting one, stopping one, and repeating a failed one.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, Event, Run, RunDetails, RunId, RunPage, RunState, StepDetails};

/// A page of runs, newest first, optionally filtered by state and by a text in the project's title,
/// the prompt or an id. `before` is the `next` of the page before.
#[server(prefix = "/api", endpoint = "runs/list", input = GetUrl, output = Json)]
pub async fn list_runs(
    state: Option<RunState>,
    #[server(default)] search: String,
    before: Option<RunId>,
) -> Result<RunPage, ApiError> {
    use super::answer::answer;
    use crate::{projects::Projects, protocol::RunFilter};

    let filter = RunFilter {
        state,
        search,
        before,
    };
    answer(expect_context::<Projects>().run_page(&filter).await)
}

/// A run with all its steps.
#[server(prefix = "/api", endpoint = "runs/details", input = GetUrl, output = Json)]
pub async fn get_run(run: RunId) -> Result<RunDetails, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let details = answer(expect_context::<Projects>().run_details(run).await)?;
    let summary = &details.summary;
    session::opened("run", run, &summary.project_title, &summary.user).await?;
    Ok(details)
}

/// Executes the message of a failed or stopped run once more, as a new run. Refused for any other
/// run.
#[server(prefix = "/api", endpoint = "runs/replay", output = Json)]
pub async fn replay_run(run: RunId) -> Result<Run, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().replay(run).await)
}

/// The events of a run, oldest first. The conversation fetches an earlier run's events when it is
/// opened.
#[server(prefix = "/api", endpoint = "runs/events", input = GetUrl, output = Json)]
pub async fn run_events(run: RunId) -> Result<Vec<Event>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().run_events(run).await)
}

/// Stops a run, whether running or queued; what it wrote is kept. A finished run is left as it is.
#[server(prefix = "/api", endpoint = "runs/cancel", output = Json)]
pub async fn cancel_run(run: RunId) -> Result<Run, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().cancel(run).await)
}

/// Details of a run's tool call, by the name of its step: its command, its answer, and the files
/// that it changed with their diffs.
#[server(prefix = "/api", endpoint = "runs/step", input = GetUrl, output = Json)]
pub async fn get_step(run: RunId, step: String) -> Result<StepDetails, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().step_details(run, &step).await)
}
