//! Files of the app, for the Code tab: read from the sandbox while it lives, else from the latest version.

use leptos::prelude::*;

use crate::protocol::{ApiError, FileNode, FileView, ProjectId};

/// The app's files as a tree; empty before anything was written.
#[server(prefix = "/api", endpoint = "files/list", input = leptos::server_fn::codec::GetUrl)]
pub async fn list_files(project: ProjectId) -> Result<Vec<FileNode>, ApiError> {
    Err(ApiError::new(crate::protocol::ErrorCode::Unavailable, project.to_string()))
}

/// One file, highlighted.
#[server(prefix = "/api", endpoint = "files/read", input = leptos::server_fn::codec::GetUrl)]
pub async fn read_file(project: ProjectId, path: String) -> Result<FileView, ApiError> {
    Err(ApiError::new(crate::protocol::ErrorCode::Unavailable, format!("{project}{path}")))
}
