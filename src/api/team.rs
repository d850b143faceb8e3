//! Teams: a project's members, invitations, joining and leaving.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{
    ApiError, InvitationView, Invited, People, ProjectId, ProjectRole, SessionId, UserId,
};

/// The project's members and open invitations, for its owner.
#[server(prefix = "/api", endpoint = "team/people", input = GetUrl, output = Json)]
pub async fn list_people(project: ProjectId) -> Result<People, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().people(project).await)
}

/// Creates an invitation for anyone with the link, or for the account with the address. 409 if that
/// account is in the project already.
#[server(prefix = "/api", endpoint = "team/invite", output = Json)]
pub async fn invite(
    project: ProjectId,
    role: ProjectRole,
    #[server(default)] email: Option<String>,
) -> Result<Invited, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (accounts, by) = session::both()?;
    let projects = expect_context::<Projects>();
    let email = email.as_deref();
    answer(projects.invite(project, role, email, &accounts, &by).await)
}

/// Withdraws an unused invitation.
#[server(prefix = "/api", endpoint = "team/revoke", output = Json)]
pub async fn revoke_invitation(project: ProjectId, invitation: SessionId) -> Result<(), ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (_, by) = session::both()?;
    let projects = expect_context::<Projects>();
    answer(projects.revoke_invitation(project, invitation, &by).await)
}

/// Changes a member's role.
#[server(prefix = "/api", endpoint = "team/role", output = Json)]
pub async fn set_member_role(
    project: ProjectId,
    user: UserId,
    role: ProjectRole,
) -> Result<(), ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (_, by) = session::both()?;
    let projects = expect_context::<Projects>();
    answer(projects.set_member_role(project, &user, role, &by).await)
}

/// Removes a member from the project, and ends their open connections to it.
#[server(prefix = "/api", endpoint = "team/remove", output = Json)]
pub async fn remove_member(project: ProjectId, user: UserId) -> Result<(), ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (_, by) = session::both()?;
    let projects = expect_context::<Projects>();
    answer(projects.remove_member(project, &user, &by).await)
}

/// Leaves somebody else's project. 409 in the user's own.
#[server(prefix = "/api", endpoint = "team/leave", output = Json)]
pub async fn leave_project(project: ProjectId) -> Result<(), ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (_, by) = session::both()?;
    answer(expect_context::<Projects>().leave(project, &by).await)
}

/// The invitation of a link. 404 if it is not valid (any more).
#[server(prefix = "/api", endpoint = "invitations/get", input = GetUrl, output = Json)]
pub async fn get_invitation(token: String) -> Result<InvitationView, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().invitation(&token).await)
}

/// Joins the project of the invitation. Returns the page to go to.
#[server(prefix = "/api", endpoint = "invitations/join", output = Json)]
pub async fn join_project(token: String) -> Result<String, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let (_, by) = session::both()?;
    let joined = expect_context::<Projects>().join(&token, &by).await;
    answer(joined.map(|project| session::lead(format!("/projects/{project}"))))
}
