//! Projects: create one from a prompt, list them, open one.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, ModelNotice, Project, ProjectId, Workspace};

/// Creates a project, its first message with the image that was uploaded for it, and its first run
/// in one transaction, and redirects to the workspace.
#[server(prefix = "/api", endpoint = "projects/create", output = Json)]
pub async fn create_project(prompt: String, image: Option<String>) -> Result<ProjectId, ApiError> {
    use super::answer::{answer, attached, refused};
    use crate::{projects::Projects, protocol::NewPrompt};

    answer(
        async {
            let prompt = NewPrompt::new(&prompt).map_err(refused("prompt"))?;
            let project = expect_context::<Projects>()
                .create(&prompt, attached(image)?)
                .await?;
            leptos_axum::redirect(&format!("/projects/{}", project.id));
            Ok::<_, ApiError>(project.id)
        }
        .await,
    )
}

/// All projects, the one worked on last first.
#[server(prefix = "/api", endpoint = "projects/list", input = GetUrl, output = Json)]
pub async fn list_projects() -> Result<Vec<Project>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().list().await)
}

/// What the workspace shows when its page loads; the feed continues from there.
#[server(prefix = "/api", endpoint = "projects/workspace", input = GetUrl, output = Json)]
pub async fn get_workspace(project: ProjectId) -> Result<Workspace, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().workspace(project).await)
}

/// Gives the project a title.
#[server(prefix = "/api", endpoint = "projects/rename", output = Json)]
pub async fn rename_project(project: ProjectId, title: String) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::{projects::Projects, protocol::ProjectTitle};

    answer(
        async {
            let title = ProjectTitle::new(&title)
                .map_err(|error| ApiError::invalid("title", error.to_string()))?;
            expect_context::<Projects>().rename(project, &title).await?;
            Ok::<_, ApiError>(())
        }
        .await,
    )
}

/// Which model builds.
#[server(prefix = "/api", endpoint = "model", input = GetUrl, output = Json)]
pub async fn get_model() -> Result<ModelNotice, ApiError> {
    use crate::projects::Projects;

    Ok(expect_context::<Projects>().model())
}
