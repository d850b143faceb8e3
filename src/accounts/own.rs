//! What users do with their own account: change its name or password, and end its sessions.

use std::time::Duration;

use super::{AccountError, Accounts, Client, IDLE, Identity, SignedIn, Token, throttle::Rate};
use crate::protocol::{SessionId, SessionSummary};

/// The limit on confirmations by password.
const CONFIRMATIONS: Rate = Rate {
    burst: 10,
    pause: Duration::from_secs(30),
};
/// The limit on data exports.
const EXPORTS: Rate = Rate {
    burst: 5,
    pause: Duration::from_secs(60),
};
/// The maximum length of a name, in characters.
const MAX_NAME_CHARS: usize = 80;

/// A name for one of several things, checked; `advice` says how to name it.
pub(super) fn given_name<'n>(name: &'n str, advice: &str) -> Result<&'n str, AccountError> {
    let name = name.trim();
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(AccountError::Invalid {
            field: "name",
            why: format!("{advice}, in at most {MAX_NAME_CHARS} characters on one line."),
        });
    }
    Ok(name)
}

impl Accounts {
    /// Sets the account's display name.
    pub async fn rename(&self, identity: &Identity, name: &str) -> Result<(), AccountError> {
        let name = name.trim();
        if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            return Err(AccountError::Invalid {
                field: "name",
                why: format!("Choose a name of at most {MAX_NAME_CHARS} characters on one line."),
            });
        }
        Ok(self.inner.store.set_user_name(&identity.user, name).await?)
    }

    /// Changes the password, ends all sessions, and begins a new one for this browser.
    pub async fn change_password(
        &self,
        identity: &Identity,
        current: &str,
        new: &str,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignedIn, AccountError> {
        self.confirm(identity, current).await?;
        let account = identity.account.as_ref().ok_or(AccountError::SignedOut)?;
        let personal = vec![account.email.clone(), account.name.clone()];
        let hash = self.inner.passwords.hash(new, personal).await?;
        let store = &self.inner.store;
        store.set_password(&identity.user, hash).await?;
        self.announce_end();
        tracing::info!(user.id = %identity.user, "password changed");
        self.begin_session(identity.user.clone(), client, before)
            .await
    }

    /// Checks the account's password before something that can't be undone.
    pub(super) async fn confirm(
        &self,
        identity: &Identity,
        password: &str,
    ) -> Result<(), AccountError> {
        if identity.account.is_none() {
            return Err(AccountError::Refused(
                "This CodeFlow has no accounts: there is no password to change.",
            ));
        }
        self.count(format!("confirm {}", identity.user), CONFIRMATIONS)?;
        let hash = self.inner.store.password_hash(&identity.user).await?;
        let why = match hash {
            None => "This account has no password yet. Reset it to set one.",
            Some(_) => "This is not the account's password.",
        };
        if self.inner.passwords.verify(password, hash).await? {
            return Ok(());
        }
        Err(AccountError::Invalid {
            field: "current",
            why: why.to_owned(),
        })
    }

    /// Counts a data export, which is a lot of work.
    pub fn count_export(&self, identity: &Identity) -> Result<(), AccountError> {
        self.count(format!("export {}", identity.user), EXPORTS)
    }

    /// The account's sessions, most recently used first.
    pub async fn sessions(&self, identity: &Identity) -> Result<Vec<SessionSummary>, AccountError> {
        let mut sessions = self.inner.store.list_sessions(&identity.user, IDLE).await?;
        for session in &mut sessions {
            session.current = Some(session.id) == identity.session;
        }
        Ok(sessions)
    }

    /// Ends one of the account's sessions.
    pub async fn end_session(
        &self,
        identity: &Identity,
        session: SessionId,
    ) -> Result<(), AccountError> {
        self.inner
            .store
            .end_session(&identity.user, session)
            .await?;
        self.announce_end();
        Ok(())
    }

    /// Ends all of the account's sessions except the requesting one.
    pub async fn end_other_sessions(&self, identity: &Identity) -> Result<(), AccountError> {
        let store = &self.inner.store;
        store.end_sessions(&identity.user, identity.session).await?;
        self.announce_end();
        Ok(())
    }

    /// Deletes the account with everything that belongs to it, once its password confirms that. Its
    /// projects are hidden at once and removed soon after.
    pub async fn delete(&self, identity: &Identity, password: &str) -> Result<(), AccountError> {
        self.confirm(identity, password).await?;
        self.end_payments(identity).await?;
        self.inner.store.delete_user(&identity.user).await?;
        tracing::info!(user.id = %identity.user, "account deleted");
        self.announce_end();
        Ok(())
    }
}
