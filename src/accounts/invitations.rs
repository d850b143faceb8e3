//! The accounts' part in invitations to projects: who may be invited, how many invitations one
//! account may send, and the letter. The invitations themselves belong to the projects.

use std::time::Duration;

use super::{AccountError, Accounts, Requester, Token, email::Email, throttle::Rate};
use crate::{protocol::ProjectRole, store::Actor};

/// How many people one account may invite.
const INVITATIONS: Rate = Rate {
    burst: 30,
    pause: Duration::from_secs(60),
};

/// The recipient of an invitation.
#[derive(Debug, Clone)]
pub struct Invitee(Email);

impl Invitee {
    /// The address in normal form.
    pub fn normal(&self) -> &str {
        self.0.normal()
    }

    /// The address as it was written.
    pub fn written(&self) -> &str {
        self.0.written()
    }
}

impl Requester {
    /// The actor for the audit log.
    pub fn actor(&self) -> Result<Actor, AccountError> {
        let identity = self.identity()?;
        let name = match &identity.account {
            Some(account) if identity.acting => {
                format!("{} (by an administrator)", account.email)
            }
            Some(account) => account.email.clone(),
            None => "the local user".to_owned(),
        };
        Ok(Actor {
            user: identity.user.clone(),
            name,
            address: self.client.address.to_string(),
        })
    }
}

impl Accounts {
    /// Counts an invitation, and parses the address if there is one; `TooMany` above the limit.
    pub fn admit_invitation(
        &self,
        email: Option<&str>,
        by: &Requester,
    ) -> Result<Option<Invitee>, AccountError> {
        self.expect_on()?;
        let email = email.filter(|email| !email.trim().is_empty());
        let email = email.map(Email::new).transpose()?;
        let user = &by.identity()?.user;
        self.count(format!("invitations of {user}"), INVITATIONS)?;
        if let (Some(email), Some(_)) = (&email, &self.inner.mailer) {
            self.count_letter(email, &by.client)?;
        }
        Ok(email.map(Invitee))
    }

    /// The link in an invitation.
    pub fn invitation_link(&self, token: &Token) -> String {
        format!("{}/invite/{}", self.inner.public_url, token.expose())
    }

    /// Sends the link to the recipient. Returns whether the server sends e-mail.
    pub fn send_invitation(
        &self,
        to: &Invitee,
        by: &Requester,
        title: &str,
        role: ProjectRole,
        link: &str,
    ) -> Result<bool, AccountError> {
        let account = by.identity()?.account.as_ref();
        let inviter = account.map_or("Somebody", |account| &account.email);
        let may = match role {
            ProjectRole::Viewer => "look at it",
            ProjectRole::Editor | ProjectRole::Owner => "work on it",
        };
        let text = format!(
            "{inviter} invites you to the project “{title}”, so that you can {may}.\n\nTo join, \
             open this link within 14 days, and sign in or make an account with this \
             address:\n\n{link}\n\nIf you don't know what this is about, ignore this message.\n"
        );
        let subject = "You are invited to a project on CodeFlow";
        Ok(self.write_to(to.written(), subject, text))
    }
}
