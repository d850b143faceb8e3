//! Messages: what the user says next.

use leptos::prelude::*;

use crate::protocol::{ApiError, ProjectId, RunId};

/// Adds the user's message and the run that answers it, in one transaction.
#[server(prefix = "/api", endpoint = "messages/send")]
pub async fn send_message(project: ProjectId, text: String) -> Result<RunId, ApiError> {
    Err(ApiError::new(crate::protocol::ErrorCode::Unavailable, format!("{project}{text}")))
}
