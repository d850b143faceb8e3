//! Sharing: the dialog's link and settings, and requests from visitors of `/s/{slug}`.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{
    ApiError, FragmentId, ProjectId, Share, ShareState, SharedApp, SharedSource,
};

/// How the project is shared, if it is.
#[server(prefix = "/api", endpoint = "shares/get", input = GetUrl, output = Json)]
pub async fn get_share(project: ProjectId) -> Result<ShareState, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().share(project).await)
}

/// Shares the project with anyone who has the link, or changes how it is shared; without a version,
/// the newest is shown. 409 if there is none yet.
#[server(prefix = "/api", endpoint = "shares/save", output = Json)]
pub async fn save_share(
    project: ProjectId,
    #[server(default)] version: Option<FragmentId>,
    #[server(default)] source: bool,
    #[server(default)] category: Option<String>,
) -> Result<Share, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.set_share(project, version, source, category).await)
}

/// Makes the project private again; its link is dead for good.
#[server(prefix = "/api", endpoint = "shares/end", output = Json)]
pub async fn end_share(project: ProjectId) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().end_share(project).await)
}

/// The shared app's current state; pages repeat the call while somebody looks. 404 if there is no
/// such share (any more), 429 if its visitors had it open for too long.
#[server(prefix = "/api", endpoint = "shares/open", input = GetUrl, output = Json)]
pub async fn open_share(slug: String) -> Result<SharedApp, ApiError> {
    use super::answer::{answer, client_address};
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.open_share(&slug, client_address()).await)
}

/// The shared app's files and the text of one, if visitors may read them.
#[server(prefix = "/api", endpoint = "shares/source", input = GetUrl, output = Json)]
pub async fn read_share_source(
    slug: String,
    #[server(default)] path: Option<String>,
) -> Result<SharedSource, ApiError> {
    use super::answer::{answer, client_address};
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    let address = client_address();
    answer(projects.share_source(&slug, address, path.as_deref()).await)
}

/// Creates a project for the user with the shared app's files, and redirects to its workspace.
#[server(prefix = "/api", endpoint = "shares/remix", output = Json)]
pub async fn remix_share(slug: String) -> Result<ProjectId, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let remixed = expect_context::<Projects>().remix(&slug).await;
    answer(remixed.map(|project| {
        leptos_axum::redirect(&format!("/projects/{}", project.id));
        project.id
    }))
}
