//! Runs: list them, see what one did, stop one, and run one again that did not work out.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, Event, Run, RunDetails, RunId, RunPage, RunState, StepDetails};

/// A page of runs, newest first: all, or those in a state, and with the text in the project's
/// title, the prompt or an id. `before` is the `next` of the page before.
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

/// Runs the message of a failed or stopped run once more, as a run of its own. Refused for any
/// other.
#[server(prefix = "/api", endpoint = "runs/replay", output = Json)]
pub async fn replay_run(run: RunId) -> Result<Run, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().replay(run).await)
}

/// The events of a run, oldest first: the conversation fetches an earlier run's when it is opened.
#[server(prefix = "/api", endpoint = "runs/events", input = GetUrl, output = Json)]
pub async fn run_events(run: RunId) -> Result<Vec<Event>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().run_events(run).await)
}

/// Stops a run, at work or waiting; what was written is kept. One that has ended already is left as
/// it is.
#[server(prefix = "/api", endpoint = "runs/cancel", output = Json)]
pub async fn cancel_run(run: RunId) -> Result<Run, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().cancel(run).await)
}

/// What a tool call of a run did, by the name of its step: its command, its answer, and the files
/// that it wrote with how they differ from what was there.
#[server(prefix = "/api", endpoint = "runs/step", input = GetUrl, output = Json)]
pub async fn get_step(run: RunId, step: String) -> Result<StepDetails, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().step_details(run, &step).await)
}
