//! Teams: the people of a project, whom its owner invites and takes out, and who may leave. A
//! change is in force at once, also for what is open.

use std::time::Duration;

use tokio::sync::watch;

use super::{ProjectError, Projects};
use crate::{
    accounts::{Accounts, Requester, Token, later},
    protocol::{InvitationView, Invited, People, ProjectId, ProjectRole, SessionId, Team, UserId},
    store::NewInvitation,
};

/// How long an invitation can be used.
const GOOD_FOR: Duration = Duration::from_secs(14 * 24 * 3600);
const OTHER_ADDRESS: &str = "This invitation is for the account with another e-mail address. Sign \
                             in with the address that it was sent to, or ask for one of your own.";

impl Projects {
    /// Who is in the project and who has it open, as they see it in this role; nobody where there
    /// are no accounts.
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

    /// Whether they are somebody among others.
    pub(super) fn has_account(&self) -> bool {
        let identity = self.identity.as_ref();
        identity.is_some_and(|identity| identity.account.is_some())
    }

    /// Changes whenever somebody's place in a project does.
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

    /// Invites whoever has the link, or the account with the address, to whom it is sent where the
    /// server sends e-mail.
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

    /// Withdraws an invitation. `NotFound` when there is none that can be used.
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

    /// Gives a member another role. `NotFound` when the project has no such member.
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

    /// Takes a member out of the project: what they have open of it ends. `NotFound` when there is
    /// no such member.
    pub async fn remove_member(
        &self,
        project: ProjectId,
        user: &UserId,
        by: &Requester,
    ) -> Result<(), ProjectError> {
        self.expect_owner(project).await?;
        self.take_out(project, user, by).await
    }

    /// Takes them out of somebody else's project. `Conflict` in their own.
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

    /// The invitation that the link's token stands for. `NotFound` when it can't be used (any
    /// more).
    pub async fn invitation(&self, token: &str) -> Result<InvitationView, ProjectError> {
        let (store, user) = (&self.inner.store, self.user()?);
        Ok(store.find_project_invitation(user, &hash(token)?).await?)
    }

    /// Joins the project that the link's token invites to, and returns it; who is in it already
    /// stays as they are. `NotFound` when the invitation can't be used (any more), `Forbidden` when
    /// it is for another address.
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

/// What the token is found by. A text that can be none is as unknown as one that is wrong.
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
