//! Runs: what one did, and the end of one that nobody wants any more.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use crate::protocol::{ApiError, Event, Run, RunId};

/// The events of a run, oldest first: how the conversation fills in an earlier run when somebody looks.
#[server(prefix = "/api", endpoint = "runs/events", input = GetUrl)]
pub async fn run_events(run: RunId) -> Result<Vec<Event>, ApiError> {
    use super::answer::answer;
    use crate::runs::Supervisor;

    answer(expect_context::<Supervisor>().run_events(run).await.map_err(ApiError::from))
}

/// Stops a run, at work or waiting; what was written is kept. One that has ended already is left as it is.
#[server(prefix = "/api", endpoint = "runs/cancel")]
pub async fn cancel_run(run: RunId) -> Result<Run, ApiError> {
    use super::answer::answer;
    use crate::runs::Supervisor;

    answer(expect_context::<Supervisor>().cancel(run).await.map_err(ApiError::from))
}
