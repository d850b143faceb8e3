//! Projects: make one from a prompt, list them, open one.

use leptos::prelude::*;

use crate::protocol::{ApiError, ModelNotice, Project, ProjectId, Workspace};

/// Makes a project, its first message and its first run in one transaction, and leads to the workspace.
#[server(prefix = "/api", endpoint = "projects/create")]
pub async fn create_project(prompt: String) -> Result<ProjectId, ApiError> {
    Err(ApiError::new(crate::protocol::ErrorCode::Unavailable, prompt))
}

/// All projects, the one worked on last first.
#[server(prefix = "/api", endpoint = "projects/list", input = leptos::server_fn::codec::GetUrl)]
pub async fn list_projects() -> Result<Vec<Project>, ApiError> {
    Ok(Vec::new())
}

/// What the workspace shows at first; the feed goes on from there.
#[server(prefix = "/api", endpoint = "projects/workspace", input = leptos::server_fn::codec::GetUrl)]
pub async fn get_workspace(project: ProjectId) -> Result<Workspace, ApiError> {
    Err(ApiError::new(crate::protocol::ErrorCode::NotFound, project.to_string()))
}

/// Which model builds.
#[server(prefix = "/api", endpoint = "model", input = leptos::server_fn::codec::GetUrl)]
pub async fn get_model() -> Result<ModelNotice, ApiError> {
    Err(ApiError::new(crate::protocol::ErrorCode::Unavailable, "no model"))
}
