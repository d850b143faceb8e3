//! Messages: sending them, and changing or removing them afterwards.

use leptos::prelude::*;

use super::{json::Json, order::Keyed};
use crate::protocol::{ApiError, ImprovedPrompt, MessageId, ProjectId, RunId};

/// Adds the user's message, with the image that was uploaded for it, and its run, in one
/// transaction. `mode` is `build` (the default), `plan` or `ask`. `model` names one of those that
/// the project's workspace lists; if it is left out, the model of the message before is used, and
/// for `auto` the first of the list. `answers` names the message whose questions it answers or
/// whose plan it approves; only one message can do so. Repeating a request with the same
/// `Idempotency-Key` adds nothing.
#[server(prefix = "/api", endpoint = "messages/send", output = Json, client = Keyed)]
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

/// Improves the wording of a message that is not sent yet; nothing is sent or saved.
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

/// Sends a message again with another text and image and, if given, another mode and model. The
/// message and everything after it is withdrawn, and the app's files become those of the version
/// before it. A queued message is changed in place. Refused while a run works, unless `stop` asks
/// for it to be stopped.
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

/// Runs a message once more. If it is the last one and its run failed or was stopped, the run's
/// files are kept; any other message is treated as if it were sent again.
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

/// Removes a queued message. Refused once its run has begun.
#[server(prefix = "/api", endpoint = "messages/remove", output = Json)]
pub async fn remove_message(message: MessageId) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().remove_message(message).await)
}
