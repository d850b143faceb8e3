//! Teams: a project's members. Its owner invites and removes them, and they may leave. Changes take
//! effect at once, even on open connections.

use std::time::Duration;

use tokio::sync::watch;

use super::{ProjectError, Projects};
use crate::{
    accounts::{Accounts, Requester, Token, later},
    protocol::{InvitationView, Invited, People, ProjectId, ProjectRole, SessionId, Team, UserId},
    store::NewInvitation,
};

/// How long an invitation is valid.
const GOOD_FOR: Duration = Duration::from_secs(14 * 24 * 3600);
const OTHER_ADDRESS: &str = "This invitation is for the account with another e-mail address. Sign \
                             in with the address that it was sent to, or ask for one of your own.";

impl Projects {
    /// The project's members and who has it open, as a user in this role sees them; empty where
    /// there are no accounts.
    pub(super) async fn team(
        &self,
        project: ProjectId,
        role: ProjectRole,
    ) -> Result<Team, ProjectError> {
        if !self.has_account() {
            return Ok(Team {
                role,
                ..Team::default()
            });
        }
        Ok(Team {
            you: Some(self.user()?.clone()),
            role,
            people: self.inner.store.list_people(project).await?,
            here: self.inner.presence.here(project),
        })
    }

    /// Whether the user has an account.
    pub(super) fn has_account(&self) -> bool {
        let identity = self.identity.as_ref();
        identity.is_some_and(|identity| identity.account.is_some())
    }

    /// Changes whenever a membership does.
    pub fn memberships(&self) -> watch::Receiver<u64> {
        self.inner.presence.memberships()
    }

    /// The project's members and open invitations, for its owner.
    pub async fn people(&self, project: ProjectId) -> Result<People, ProjectError> {
        self.expect_owner(project).await?;
        let store = &self.inner.store;
        Ok(People {
            members: store.list_members(project).await?,
            invitations: store.list_project_invitations(project).await?,
        })
    }

    /// Creates an invitation, for anyone with the link or for the account with the address. In the
    /// latter case it is also e-mailed, if the server sends e-mail.
    pub async fn invite(
        &self,
        project: ProjectId,
        role: ProjectRole,
        email: Option<&str>,
        accounts: &Accounts,
        by: &Requester,
    ) -> Result<Invited, ProjectError> {
        self.expect_owner(project).await?;
        expect_member_role(role)?;
        let invitee = accounts.admit_invitation(email, by)?;
        let store = &self.inner.store;
        let title = store.find_project(project).await?.title;
        let token = Token::new();
        let invitation = NewInvitation {
            project,
            role,
            email: invitee
                .as_ref()
                .map(|it| (it.normal().to_owned(), it.written().to_owned())),
            token_hash: token.hash(),
            expires_at: later(GOOD_FOR),
        };
        store.invite_to_project(&by.actor()?, invitation).await?;
        let link = accounts.invitation_link(&token);
        let sent = match &invitee {
            Some(invitee) => accounts.send_invitation(invitee, by, &title, role, &link)?,
            None => false,
        };
        Ok(Invited { link, sent })
    }

    /// Withdraws an invitation. `NotFound` if there is no valid one.
    pub async fn revoke_invitation(
        &self,
        project: ProjectId,
        invitation: SessionId,
        by: &Requester,
    ) -> Result<(), ProjectError> {
        self.expect_owner(project).await?;
        let (store, by) = (&self.inner.store, by.actor()?);
        Ok(store
            .withdraw_project_invitation(&by, project, invitation)
            .await?)
    }

    /// Changes a member's role. `NotFound` if the project has no such member.
    pub async fn set_member_role(
        &self,
        project: ProjectId,
        user: &UserId,
        role: ProjectRole,
        by: &Requester,
    ) -> Result<(), ProjectError> {
        self.expect_owner(project).await?;
        expect_member_role(role)?;
        let (store, by) = (&self.inner.store, by.actor()?);
        store.set_member_role(&by, project, user, role).await?;
        self.inner.presence.people_changed(project);
        Ok(())
    }

    /// Removes a member from the project, and ends their open connections to it. `NotFound` if
    /// there is no such member.
    pub async fn remove_member(
        &self,
        project: ProjectId,
        user: &UserId,
        by: &Requester,
    ) -> Result<(), ProjectError> {
        self.expect_owner(project).await?;
        self.take_out(project, user, by).await
    }

    /// Leaves somebody else's project. `Conflict` in the user's own.
    pub async fn leave(&self, project: ProjectId, by: &Requester) -> Result<(), ProjectError> {
        let role = self.expect_role(project, ProjectRole::Viewer).await?;
        if role == ProjectRole::Owner {
            return Err(ProjectError::Conflict(
                "This project is yours, so you can't leave it. Delete it if you don't need it.",
            ));
        }
        self.take_out(project, self.user()?, by).await
    }

    async fn take_out(
        &self,
        project: ProjectId,
        user: &UserId,
        by: &Requester,
    ) -> Result<(), ProjectError> {
        let (store, by) = (&self.inner.store, by.actor()?);
        store.remove_member(&by, project, user).await?;
        self.inner.presence.people_changed(project);
        tracing::info!(project.id = %project, user.id = %user, "member left or was removed");
        Ok(())
    }

    /// The invitation for the link's token. `NotFound` if it is invalid, or no longer valid.
    pub async fn invitation(&self, token: &str) -> Result<InvitationView, ProjectError> {
        let (store, user) = (&self.inner.store, self.user()?);
        Ok(store.find_project_invitation(user, &hash(token)?).await?)
    }

    /// Joins the project of the token's invitation, and returns it; the role of an existing member
    /// stays. `NotFound` if the invitation is not valid (any more), `Forbidden` if it is for
    /// another address.
    pub async fn join(&self, token: &str, by: &Requester) -> Result<ProjectId, ProjectError> {
        self.user()?;
        let (store, by) = (&self.inner.store, by.actor()?);
        let joined = store.join_project(&by, &hash(token)?).await?;
        let project = joined.ok_or(ProjectError::Forbidden(OTHER_ADDRESS))?;
        self.inner.presence.people_changed(project);
        tracing::info!(project.id = %project, user.id = %by.user, "somebody joined a project");
        Ok(project)
    }
}

/// The hash that the token is stored under. A malformed token is as unknown as a wrong one.
fn hash(token: &str) -> Result<String, ProjectError> {
    let token = Token::sent(token).ok_or(ProjectError::NoInvitation)?;
    Ok(token.hash())
}

fn expect_member_role(role: ProjectRole) -> Result<(), ProjectError> {
    match role {
        ProjectRole::Viewer | ProjectRole::Editor => Ok(()),
        ProjectRole::Owner => Err(ProjectError::Invalid {
            field: "role",
            why: "Choose viewer or editor: a project has one owner.".to_owned(),
        }),
    }
}
