//! Runs: what one did.

use leptos::prelude::*;

use crate::protocol::{ApiError, Event, RunId};

/// The events of a run, oldest first: how the conversation fills in an earlier run when somebody looks.
#[server(prefix = "/api", endpoint = "runs/events", input = leptos::server_fn::codec::GetUrl)]
pub async fn run_events(run: RunId) -> Result<Vec<Event>, ApiError> {
    Err(ApiError::new(crate::protocol::ErrorCode::Unavailable, run.to_string()))
}
