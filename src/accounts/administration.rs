//! What administrators do with accounts, by the command `codeflow user`.

use super::{AccountError, Accounts, email::Email};
use crate::{
    protocol::{AccountRole, Plan},
    store::{NewUser, Purpose, StoreError},
};

impl Accounts {
    /// Makes an account without a password, and returns the link that sets one.
    pub async fn create(
        &self,
        email: &str,
        role: AccountRole,
        plan: Plan,
    ) -> Result<String, AccountError> {
        let email = Email::new(email)?;
        let new = NewUser {
            email: email.normal().to_owned(),
            written_email: email.written().to_owned(),
            password_hash: None,
            role,
            plan,
        };
        let account = match self.inner.store.create_user(new, None).await {
            Ok(account) => account,
            Err(StoreError::Conflict(_)) => {
                return Err(AccountError::Refused(
                    "There is an account with this address already.",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        self.link("reset", Purpose::Reset, Some(account.id)).await
    }

    pub async fn set_plan(&self, email: &str, plan: Plan) -> Result<(), AccountError> {
        let email = Email::new(email)?;
        Ok(self.inner.store.set_plan(email.normal(), plan).await?)
    }

    pub async fn set_role(&self, email: &str, role: AccountRole) -> Result<(), AccountError> {
        let email = Email::new(email)?;
        Ok(self.inner.store.set_role(email.normal(), role).await?)
    }

    /// Lets the account in no more, or again.
    pub async fn set_disabled(&self, email: &str, disabled: bool) -> Result<(), AccountError> {
        let email = Email::new(email)?;
        let store = &self.inner.store;
        Ok(store.set_disabled(email.normal(), disabled).await?)
    }

    /// Gives the account another address, to which nothing is sent.
    pub async fn set_email(&self, email: &str, to: &str) -> Result<(), AccountError> {
        let (email, to) = (Email::new(email)?, Email::new(to)?);
        let store = &self.inner.store;
        match store
            .set_email(email.normal(), to.normal(), to.written())
            .await
        {
            Err(StoreError::Conflict(_)) => Err(AccountError::Refused(
                "There is an account with this address already.",
            )),
            set => Ok(set?),
        }
    }

    /// Turns the account's two-step sign-in off: its owner lost the app and the recovery codes.
    pub async fn end_second_step_of(&self, email: &str) -> Result<(), AccountError> {
        let email = Email::new(email)?;
        let store = &self.inner.store;
        Ok(store.end_second_step_of(email.normal()).await?)
    }

    /// A link that sets the account's password.
    pub async fn reset_link(&self, email: &str) -> Result<String, AccountError> {
        let email = Email::new(email)?;
        let account = self.inner.store.find_account(email.normal()).await?;
        self.link("reset", Purpose::Reset, Some(account.id)).await
    }

    /// A link that makes an account where only the invited may.
    pub async fn invite_link(&self) -> Result<String, AccountError> {
        self.link("sign-up", Purpose::Invite, None).await
    }
}
