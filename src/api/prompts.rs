//! The user's library of prompts.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, SavedPrompt, SavedPromptId};

/// The user's saved prompts, the one saved last first.
#[server(prefix = "/api", endpoint = "prompts/list", input = GetUrl, output = Json)]
pub async fn list_saved_prompts() -> Result<Vec<SavedPrompt>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().saved_prompts().await)
}

/// Saves a prompt; without a name, its first words name it. 409 if the user has 200.
#[server(prefix = "/api", endpoint = "prompts/save", output = Json)]
pub async fn save_prompt(
    #[server(default)] name: String,
    text: String,
) -> Result<SavedPrompt, ApiError> {
    use super::answer::{answer, saved_prompt};
    use crate::projects::Projects;

    answer(
        async {
            let (name, text) = saved_prompt(&name, &text)?;
            let projects = expect_context::<Projects>();
            Ok::<_, ApiError>(projects.save_prompt(name, &text).await?)
        }
        .await,
    )
}

/// Gives a saved prompt another name and text.
#[server(prefix = "/api", endpoint = "prompts/change", output = Json)]
pub async fn change_saved_prompt(
    prompt: SavedPromptId,
    #[server(default)] name: String,
    text: String,
) -> Result<SavedPrompt, ApiError> {
    use super::answer::{answer, saved_prompt};
    use crate::projects::Projects;

    answer(
        async {
            let (name, text) = saved_prompt(&name, &text)?;
            let projects = expect_context::<Projects>();
            let changed = projects.change_saved_prompt(prompt, name, &text).await;
            Ok::<_, ApiError>(changed?)
        }
        .await,
    )
}

/// Deletes a saved prompt.
#[server(prefix = "/api", endpoint = "prompts/delete", output = Json)]
pub async fn delete_saved_prompt(prompt: SavedPromptId) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.delete_saved_prompt(prompt).await)
}

/// Restores a saved prompt that was deleted a moment ago; 404 if it is too late.
#[server(prefix = "/api", endpoint = "prompts/undelete", output = Json)]
pub async fn undelete_saved_prompt(prompt: SavedPromptId) -> Result<SavedPrompt, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.undelete_saved_prompt(prompt).await)
}
