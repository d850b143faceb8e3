//! Files of the app, for the Code tab: read from the sandbox while it lives, else from the latest
//! version.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, FileNode, FileView, ProjectId};

/// The app's files as a tree; empty before anything was written.
#[server(prefix = "/api", endpoint = "files/list", input = GetUrl, output = Json)]
pub async fn list_files(project: ProjectId) -> Result<Vec<FileNode>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().list_files(project).await)
}

/// One file, highlighted.
#[server(prefix = "/api", endpoint = "files/read", input = GetUrl, output = Json)]
pub async fn read_file(project: ProjectId, path: String) -> Result<FileView, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().read_file(project, &path).await)
}
