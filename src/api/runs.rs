//! Runs: what one did.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use crate::protocol::{ApiError, Event, RunId};

/// The events of a run, oldest first: how the conversation fills in an earlier run when somebody looks.
#[server(prefix = "/api", endpoint = "runs/events", input = GetUrl)]
pub async fn run_events(run: RunId) -> Result<Vec<Event>, ApiError> {
    use super::answer::answer;
    use crate::runs::Supervisor;

    answer(expect_context::<Supervisor>().run_events(run).await.map_err(ApiError::from))
}
