//! Messages: what the user says next, and what is done with a message afterwards.

use leptos::prelude::*;

use super::json::Json;
use crate::protocol::{ApiError, ImprovedPrompt, MessageId, ProjectId, RunId};

/// Adds the user's message, with the image that was uploaded for it, and the run that answers it,
/// in one transaction. `mode` says what the run may do: `build` (the default), `plan` or `ask`.
/// `model` names one of those that the project's workspace lists; that of the message before if it
/// is left out, the first of the list if it is `auto`.
/// `answers` names the message whose questions it answers or whose plan it approves, which only one
/// message does. A request that is sent again with the same `Idempotency-Key` adds nothing.
#[server(prefix = "/api", endpoint = "messages/send", output = Json)]
pub async fn send_message(
    project: ProjectId,
    text: String,
    image: Option<String>,
    mode: Option<String>,
    answers: Option<MessageId>,
    model: Option<String>,
) -> Result<RunId, ApiError> {
    use super::answer::{self, answer, attached, refused};
    use crate::{
        projects::Projects,
        protocol::{ModelChoice, NewPrompt},
    };

    answer(
        async {
            let mode = answer::mode(mode)?.unwrap_or_default();
            let prompt = NewPrompt::new(&text).map_err(refused("text"))?;
            let prompt = prompt
                .in_mode(mode)
                .answering(answers)
                .asking(ModelChoice::named(model))
                .ordered_with(answer::order_key()?);
            let run = expect_context::<Projects>()
                .add_prompt(project, &prompt, attached(image)?)
                .await?;
            Ok::<_, ApiError>(run.id)
        }
        .await,
    )
}

/// Words a message better that is yet to be sent; nothing is sent or kept.
#[server(prefix = "/api", endpoint = "messages/improve", output = Json)]
pub async fn improve_message(text: String) -> Result<ImprovedPrompt, ApiError> {
    use super::answer::{answer, refused};
    use crate::{projects::Projects, protocol::NewPrompt};

    answer(
        async {
            let prompt = NewPrompt::new(&text).map_err(refused("text"))?;
            let improved = expect_context::<Projects>().improve_prompt(&prompt).await?;
            Ok::<_, ApiError>(improved)
        }
        .await,
    )
}

/// Sends a message again with another text and image, in another mode and for another model if one
/// is named: it and what came after it goes, and the app's files become those of the version before
/// it. A message that still waits is changed where it is.
/// Refused while a run works, unless `stop` asks for it to be stopped.
#[server(prefix = "/api", endpoint = "messages/edit", output = Json)]
pub async fn edit_message(
    message: MessageId,
    text: String,
    image: Option<String>,
    #[server(default)] stop: bool,
    mode: Option<String>,
    model: Option<String>,
) -> Result<RunId, ApiError> {
    use super::answer::{self, answer, attached, refused};
    use crate::{
        projects::Projects,
        protocol::{ModelChoice, NewPrompt},
    };

    answer(
        async {
            let mode = answer::mode(mode)?;
            let prompt = NewPrompt::new(&text).map_err(refused("text"))?;
            let prompt = prompt.asking(ModelChoice::named(model));
            let run = expect_context::<Projects>()
                .edit_message(message, &prompt, mode, attached(image)?, stop)
                .await?;
            Ok::<_, ApiError>(run.id)
        }
        .await,
    )
}

/// Runs a message once more: the last one, where its run failed or was stopped, with what that
/// wrote; any other as if it were sent again.
#[server(prefix = "/api", endpoint = "messages/retry", output = Json)]
pub async fn retry_message(
    message: MessageId,
    #[server(default)] stop: bool,
) -> Result<RunId, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let retried = expect_context::<Projects>()
        .retry_message(message, stop)
        .await;
    answer(retried.map(|run| run.id))
}

/// Removes a message that still waits. Refused once its run began.
#[server(prefix = "/api", endpoint = "messages/remove", output = Json)]
pub async fn remove_message(message: MessageId) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().remove_message(message).await)
}
