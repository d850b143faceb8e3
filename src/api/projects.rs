//! Projects: creating one from a prompt, a copy or the showcase; listing, renaming, deleting and
//! opening them.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{json::Json, order::Keyed};
use crate::protocol::{
    ApiError, History, MessageId, ModelNotice, Project, ProjectId, ProjectSummary, ShowcaseApp,
    Workspace,
};

/// Creates a project with its first message, the image that was uploaded for it, and its first run,
/// in one transaction, and redirects to the workspace. `mode` is `build` (the default), `plan` or
/// `ask`; `model` names one of those that [`get_model`] lists. Repeating a request with the same
/// `Idempotency-Key` creates nothing.
#[server(prefix = "/api", endpoint = "projects/create", output = Json, client = Keyed)]
pub async fn create_project(
    prompt: String,
    image: Option<String>,
    mode: Option<String>,
    model: Option<String>,
) -> Result<ProjectId, ApiError> {
    use super::answer::{self, answer, attached, refused};
    use crate::{
        projects::Projects,
        protocol::{ModelChoice, NewPrompt},
    };

    answer(
        async {
            let mode = answer::mode(mode)?.unwrap_or_default();
            let prompt = NewPrompt::new(&prompt)
                .map_err(refused("prompt"))?
                .in_mode(mode)
                .asking(ModelChoice::named(model))
                .ordered_with(answer::order_key()?);
            let project = expect_context::<Projects>()
                .create(&prompt, attached(image)?)
                .await?;
            leptos_axum::redirect(&format!("/projects/{}", project.id));
            Ok::<_, ApiError>(project.id)
        }
        .await,
    )
}

/// All projects, most recently active first.
#[server(prefix = "/api", endpoint = "projects/list", input = GetUrl, output = Json)]
pub async fn list_projects() -> Result<Vec<ProjectSummary>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().list().await)
}

/// Gives the project a title; 400 when it is blank or too long.
#[server(prefix = "/api", endpoint = "projects/rename", output = Json)]
pub async fn rename_project(project: ProjectId, title: String) -> Result<Project, ApiError> {
    use super::answer::answer;
    use crate::{projects::Projects, protocol::ProjectTitle};

    answer(
        async {
            let title = ProjectTitle::new(&title)
                .map_err(|error| ApiError::invalid("title", error.to_string()))?;
            Ok::<_, ApiError>(expect_context::<Projects>().rename(project, &title).await?)
        }
        .await,
    )
}

/// Creates a project with the files of this one's latest version; 409 if it has none.
#[server(prefix = "/api", endpoint = "projects/duplicate", output = Json)]
pub async fn duplicate_project(project: ProjectId) -> Result<Project, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().duplicate(project).await)
}

/// Deletes the project and stops its runs; it can be restored within ten seconds.
#[server(prefix = "/api", endpoint = "projects/delete", output = Json)]
pub async fn delete_project(project: ProjectId) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().delete(project).await)
}

/// Restores a project that was deleted a moment ago; 404 if it is too late.
#[server(prefix = "/api", endpoint = "projects/undelete", output = Json)]
pub async fn undelete_project(project: ProjectId) -> Result<Project, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().undelete(project).await)
}

/// The apps of the showcase.
#[server(prefix = "/api", endpoint = "showcase/list", input = GetUrl, output = Json)]
pub async fn list_showcase() -> Result<Vec<ShowcaseApp>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().showcase().await)
}

/// Creates a project with the files of a showcase app, and redirects to its workspace.
#[server(prefix = "/api", endpoint = "showcase/use", output = Json)]
pub async fn use_showcase(slug: String) -> Result<ProjectId, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let started = expect_context::<Projects>().start_from(&slug).await;
    answer(started.map(|project| {
        leptos_axum::redirect(&format!("/projects/{}", project.id));
        project.id
    }))
}

/// The workspace's initial contents, which the feed then continues. With `last`, only the last
/// prompts and their replies, and tool calls without their outputs.
#[server(prefix = "/api", endpoint = "projects/workspace", input = GetUrl, output = Json)]
pub async fn get_workspace(
    project: ProjectId,
    #[server(default)] last: Option<u64>,
) -> Result<Workspace, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().workspace(project, last).await)
}

/// The part of the conversation before this message.
#[server(prefix = "/api", endpoint = "projects/history", input = GetUrl, output = Json)]
pub async fn get_history(project: ProjectId, before: MessageId) -> Result<History, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().history(project, before).await)
}

/// The model that builds.
#[server(prefix = "/api", endpoint = "model", input = GetUrl, output = Json)]
pub async fn get_model() -> Result<ModelNotice, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().model().await)
}
