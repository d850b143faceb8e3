//! Messages: what the user says next.

use leptos::prelude::*;

use super::json::Json;
use crate::protocol::{ApiError, ProjectId, RunId};

/// Adds the user's message, with the image that was uploaded for it, and the run that answers it,
/// in one transaction.
#[server(prefix = "/api", endpoint = "messages/send", output = Json)]
pub async fn send_message(
    project: ProjectId,
    text: String,
    image: Option<String>,
) -> Result<RunId, ApiError> {
    use super::answer::{answer, attached, refused};
    use crate::{projects::Projects, protocol::NewPrompt};

    answer(
        async {
            let prompt = NewPrompt::new(&text).map_err(refused("text"))?;
            let run = expect_context::<Projects>()
                .add_prompt(project, &prompt, attached(image)?)
                .await?;
            Ok::<_, ApiError>(run.id)
        }
        .await,
    )
}
