//! The app's files, for the Code tab: read from the sandbox while it exists, else from the latest
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

/// One file's text in the newest version.
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

/// Writes a text file whose content still has the hash `base`; without one, a file that does not
/// exist yet. If somebody else wrote it in the meantime, their text comes back as a conflict.
#[server(prefix = "/api", endpoint = "files/write", output = Json)]
pub async fn write_file(
    project: ProjectId,
    path: String,
    content: String,
    #[server(default)] base: Option<String>,
) -> Result<FileSaved, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    // A form can't tell an empty value from a missing one.
    let base = base.filter(|base| !base.is_empty());
    let projects = expect_context::<Projects>();
    answer(projects.write_text(project, &path, content, base).await)
}

/// Creates a folder and its parents.
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

/// Renames or moves a file or folder to a free path.
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

/// Deletes a file, or a folder with everything in it.
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

/// The lines of the app's files that contain the text, ignoring case.
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
