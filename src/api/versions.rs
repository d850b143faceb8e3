//! Versions: listing, viewing, restoring and comparing them. A version is identified by its number
//! or its id.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{
    ApiError, FileDiff, FileNode, FileView, Fragment, ProjectId, VersionDiff, VersionView,
};

/// The project's versions and drafts, newest first.
#[server(prefix = "/api", endpoint = "versions/list", input = GetUrl, output = Json)]
pub async fn list_versions(project: ProjectId) -> Result<Vec<Fragment>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().versions(project).await)
}

/// Views a version without restoring it. It runs in a sandbox of its own, which is kept as long as
/// this is called every half minute.
#[server(prefix = "/api", endpoint = "versions/view", input = GetUrl, output = Json)]
pub async fn view_version(project: ProjectId, version: String) -> Result<VersionView, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.view_version(project, &version).await)
}

/// Makes a version's files the app's files, as a new version. Refused while a run works.
#[server(prefix = "/api", endpoint = "versions/restore", output = Json)]
pub async fn restore_version(project: ProjectId, version: String) -> Result<Fragment, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(
        expect_context::<Projects>()
            .restore(project, &version)
            .await,
    )
}

/// The version's files as a tree.
#[server(prefix = "/api", endpoint = "versions/files", input = GetUrl, output = Json)]
pub async fn list_version_files(
    project: ProjectId,
    version: String,
) -> Result<Vec<FileNode>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.version_tree(project, &version).await)
}

/// One of the version's files, highlighted.
#[server(prefix = "/api", endpoint = "versions/file", input = GetUrl, output = Json)]
pub async fn read_version_file(
    project: ProjectId,
    version: String,
    path: String,
) -> Result<FileView, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.version_text(project, &version, &path).await)
}

/// The files that differ between the version `to` and `from`, or else the version before it.
#[server(prefix = "/api", endpoint = "versions/compare", input = GetUrl, output = Json)]
pub async fn compare_versions(
    project: ProjectId,
    from: Option<String>,
    to: String,
) -> Result<VersionDiff, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.compare(project, from.as_deref(), &to).await)
}

/// The differences of one file between the two versions: both texts and the diff's lines.
#[server(prefix = "/api", endpoint = "versions/diff", input = GetUrl, output = Json)]
pub async fn compare_file(
    project: ProjectId,
    from: Option<String>,
    to: String,
    path: String,
) -> Result<FileDiff, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(
        projects
            .compare_file(project, from.as_deref(), &to, &path)
            .await,
    )
}
