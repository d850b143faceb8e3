//! Administration: accounts and invitations, everybody's projects, sandboxes, models, the audit log
//! and the tables. For anyone else these functions don't exist (404). Forms work without scripts:
//! the page that they lead back to shows the result.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{
    AccountRole, ApiError, AuditFilter, AuditPage, DataFilter, DataPage, ModelTask, ModelsOverview,
    Notice, Plan, ProjectFilter, ProjectId, ProjectInside, ProjectPage, SandboxOverview, SessionId,
    UserFilter, UserId, UserPage,
};

/// The result of the last form, shown once.
#[server(prefix = "/api", endpoint = "admin/notice", input = GetUrl, output = Json)]
pub async fn take_notice() -> Result<Option<Notice>, ApiError> {
    Ok(super::session::administrator()?.take_notice())
}

/// A page of the accounts, with the open invitations.
#[server(prefix = "/api", endpoint = "admin/users", input = GetUrl, output = Json)]
pub async fn list_users(#[server(default)] filter: UserFilter) -> Result<UserPage, ApiError> {
    use super::{answer::answer, session};

    answer(session::administrator()?.users(&filter).await)
}

/// Changes the account's plan.
#[server(prefix = "/api", endpoint = "admin/users/plan", output = Json)]
pub async fn set_plan(user: UserId, plan: Plan) -> Result<(), ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let done = administrator.set_plan(&user, plan).await;
    session::noted(&administrator, done, |()| "Plan changed.".into())
}

/// Changes the account's role. Refused for the last administrator.
#[server(prefix = "/api", endpoint = "admin/users/role", output = Json)]
pub async fn set_role(user: UserId, role: AccountRole) -> Result<(), ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let done = administrator.set_role(&user, role).await;
    session::noted(&administrator, done, |()| "Role changed.".into())
}

/// Locks the account and ends its sessions. Refused for the last administrator.
#[server(prefix = "/api", endpoint = "admin/users/disable", output = Json)]
pub async fn disable_user(user: UserId) -> Result<(), ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let done = administrator.set_disabled(&user, true).await;
    session::noted(&administrator, done, |()| {
        "The account is disabled, and its sessions have ended.".into()
    })
}

/// Unlocks the account.
#[server(prefix = "/api", endpoint = "admin/users/enable", output = Json)]
pub async fn enable_user(user: UserId) -> Result<(), ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let done = administrator.set_disabled(&user, false).await;
    session::noted(&administrator, done, |()| "The account is enabled.".into())
}

/// Returns a one-time link with which the account's owner sets a password.
#[server(prefix = "/api", endpoint = "admin/users/reset-link", output = Json)]
pub async fn make_reset_link(user: UserId) -> Result<String, ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let made = administrator.reset_link(&user).await;
    session::noted(&administrator, made, |link| {
        let message = "Give this link to the account's owner: it sets a password, works once, \
                       and for a day. It is not shown again.";
        session::FormNotice::from(message).with_link(link)
    })
}

/// Signs in as the account's owner for an hour, in place of the administrator. Returns the page to
/// go to.
#[server(prefix = "/api", endpoint = "admin/users/sign-in", output = Json)]
pub async fn sign_in_as(user: UserId) -> Result<String, ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let (accounts, _) = session::both()?;
    match administrator.sign_in_as(&user).await {
        Ok(signed_in) => Ok(session::begin(&accounts, &signed_in, None)),
        Err(error) => session::noted(&administrator, Err(error), |_| "".into()),
    }
}

/// Returns a one-time link that creates an account, valid for so many days.
#[server(prefix = "/api", endpoint = "admin/invitations/make", output = Json)]
pub async fn make_invitation(days: u32) -> Result<String, ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let made = administrator.invite(days).await;
    session::noted(&administrator, made, |link| {
        let message = "Send this link to the person you are inviting. It creates one account. \
                       It is not shown again.";
        session::FormNotice::from(message).with_link(link)
    })
}

/// Revokes an unused invitation.
#[server(prefix = "/api", endpoint = "admin/invitations/revoke", output = Json)]
pub async fn revoke_invitation(invitation: SessionId) -> Result<(), ApiError> {
    use super::session;

    let administrator = session::administrator()?;
    let done = administrator.revoke(invitation).await;
    session::noted(&administrator, done, |()| {
        "The invitation is revoked.".into()
    })
}

/// A page of the audit log, newest first.
#[server(prefix = "/api", endpoint = "admin/audit", input = GetUrl, output = Json)]
pub async fn list_audit(#[server(default)] filter: AuditFilter) -> Result<AuditPage, ApiError> {
    use super::{answer::answer, session};

    answer(session::administrator()?.audit(&filter).await)
}

/// A page of all users' projects, the youngest first.
#[server(prefix = "/api", endpoint = "admin/projects", input = GetUrl, output = Json)]
pub async fn list_all_projects(
    #[server(default)] filter: ProjectFilter,
) -> Result<ProjectPage, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let administrator = session::administrator()?;
    let projects = expect_context::<Projects>();
    answer(projects.of_everybody(&administrator, &filter).await)
}

/// The contents of a project, with one of its files. Looking is recorded in the audit log.
#[server(prefix = "/api", endpoint = "admin/project", input = GetUrl, output = Json)]
pub async fn look_into_project(
    project: ProjectId,
    #[server(default)] file: Option<String>,
) -> Result<ProjectInside, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let administrator = session::administrator()?;
    let projects = expect_context::<Projects>();
    let inside = projects.look_into(&administrator, project, file.as_deref());
    answer(inside.await)
}

/// The sandboxes at the provider, the youngest first.
#[server(prefix = "/api", endpoint = "admin/sandboxes", input = GetUrl, output = Json)]
pub async fn list_sandboxes() -> Result<Vec<SandboxOverview>, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let administrator = session::administrator()?;
    let projects = expect_context::<Projects>();
    answer(projects.all_sandboxes(&administrator).await)
}

/// Kills a sandbox. Unsaved work in it is lost.
#[server(prefix = "/api", endpoint = "admin/sandboxes/kill", output = Json)]
pub async fn kill_sandbox(sandbox: String) -> Result<(), ApiError> {
    use super::session;
    use crate::projects::Projects;

    let administrator = session::administrator()?;
    let projects = expect_context::<Projects>();
    let done = projects.kill_sandbox(&administrator, &sandbox).await;
    session::noted(&administrator, done, |()| "The sandbox is killed.".into())
}

/// The providers' keys, and the models with the outcome of their requests.
#[server(prefix = "/api", endpoint = "admin/models", input = GetUrl, output = Json)]
pub async fn list_models() -> Result<ModelsOverview, ApiError> {
    use super::{answer::answer, session};
    use crate::projects::Projects;

    let administrator = session::administrator()?;
    let projects = expect_context::<Projects>();
    answer(projects.models(&administrator).await)
}

/// Asks a model for a tool call, and returns the outcome. `alternative` and `task` are as in the
/// list.
#[server(prefix = "/api", endpoint = "admin/models/test", output = Json)]
pub async fn test_model(alternative: u32, task: ModelTask) -> Result<String, ApiError> {
    use super::session;
    use crate::projects::Projects;

    let administrator = session::administrator()?;
    let projects = expect_context::<Projects>();
    let tested = projects.test_model(&administrator, alternative, task).await;
    session::noted(&administrator, tested, |said| said.as_str().into())
}

/// Some rows of a table; only the tables' names if none is named.
#[server(prefix = "/api", endpoint = "admin/data", input = GetUrl, output = Json)]
pub async fn browse_data(#[server(default)] filter: DataFilter) -> Result<DataPage, ApiError> {
    use super::{answer::answer, session};

    answer(session::administrator()?.data(&filter).await)
}
