//! Files of the app, for the Code tab: read from the sandbox while it lives, else from the latest
//! version; written to the sandbox.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, FileMatches, FileNode, FileSaved, FileView, ProjectId};

/// The app's files as a tree; empty before anything was written.
#[server(prefix = "/api", endpoint = "files/list", input = GetUrl, output = Json)]
pub async fn list_files(project: ProjectId) -> Result<Vec<FileNode>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().list_files(project).await)
}

/// One file: its text, and highlighted lines unless `plain` is true.
#[server(prefix = "/api", endpoint = "files/read", input = GetUrl, output = Json)]
pub async fn read_file(
    project: ProjectId,
    path: String,
    #[server(default)] plain: bool,
) -> Result<FileView, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.read_file(project, &path, plain).await)
}

/// One file's text as the newest version has it.
#[server(prefix = "/api", endpoint = "files/saved", input = GetUrl, output = Json)]
pub async fn read_saved_file(project: ProjectId, path: String) -> Result<FileView, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(
        expect_context::<Projects>()
            .read_saved_file(project, &path)
            .await,
    )
}

/// Writes a text file that still has the content with the hash `base`; without one, a file that is
/// not there yet. What somebody else wrote meanwhile comes back as a conflict.
#[server(prefix = "/api", endpoint = "files/write", output = Json)]
pub async fn write_file(
    project: ProjectId,
    path: String,
    content: String,
    #[server(default)] base: Option<String>,
) -> Result<FileSaved, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    // A form has no empty value that differs from none.
    let base = base.filter(|base| !base.is_empty());
    let projects = expect_context::<Projects>();
    answer(projects.write_text(project, &path, content, base).await)
}

/// Makes a folder, and those above it.
#[server(prefix = "/api", endpoint = "files/folder", output = Json)]
pub async fn make_folder(project: ProjectId, path: String) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(
        expect_context::<Projects>()
            .make_folder(project, &path)
            .await,
    )
}

/// Renames or moves a file or folder to a path where nothing is.
#[server(prefix = "/api", endpoint = "files/move", output = Json)]
pub async fn move_file(project: ProjectId, from: String, to: String) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(
        expect_context::<Projects>()
            .move_file(project, &from, &to)
            .await,
    )
}

/// Deletes a file, or a folder with all that is in it.
#[server(prefix = "/api", endpoint = "files/delete", output = Json)]
pub async fn delete_file(project: ProjectId, path: String) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(
        expect_context::<Projects>()
            .delete_file(project, &path)
            .await,
    )
}

/// The lines of the app's files that contain the text, in any case.
#[server(prefix = "/api", endpoint = "files/search", input = GetUrl, output = Json)]
pub async fn search_files(project: ProjectId, text: String) -> Result<FileMatches, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(
        expect_context::<Projects>()
            .search_files(project, &text)
            .await,
    )
}
