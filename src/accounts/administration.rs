//! Changes to accounts by the command `codeflow user`. The audit log attributes them to the shell.

use std::time::Duration;

use super::{AccountError, Accounts, LINK_LIFETIME, Token, email::Email, later};
use crate::{
    protocol::{AccountRole, Plan, UserId},
    store::{AccountChange, Actor, NewUser, StoreError},
};

impl Accounts {
    /// Creates an account without a password, and returns the link that sets one.
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
        let account = match self.inner.store.create_user_for(&Actor::shell(), new).await {
            Ok(account) => account,
            Err(StoreError::Conflict(_)) => {
                return Err(AccountError::Refused(
                    "An account with this address already exists.",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        self.reset_link_of(&account.id).await
    }

    pub async fn set_plan(&self, email: &str, plan: Plan) -> Result<(), AccountError> {
        self.change(email, AccountChange::Plan(plan)).await
    }

    /// `Conflict` if no administrator would be left; so does the next function.
    pub async fn set_role(&self, email: &str, role: AccountRole) -> Result<(), AccountError> {
        self.change(email, AccountChange::Role(role)).await
    }

    /// Locks or unlocks the account.
    pub async fn set_disabled(&self, email: &str, disabled: bool) -> Result<(), AccountError> {
        self.change(email, AccountChange::Disabled(disabled)).await
    }

    async fn change(&self, email: &str, change: AccountChange) -> Result<(), AccountError> {
        let (store, email) = (&self.inner.store, Email::new(email)?);
        let account = store.find_account(email.normal()).await?;
        let by = Actor::shell();
        Ok(store.change_account(&by, &account.id, change).await?)
    }

    /// Changes the account's address, without sending a letter.
    pub async fn set_email(&self, email: &str, to: &str) -> Result<(), AccountError> {
        let to = Email::new(to)?;
        let change = AccountChange::Email {
            normal: to.normal().to_owned(),
            written: to.written().to_owned(),
        };
        match self.change(email, change).await {
            Err(AccountError::Conflict(_)) => Err(AccountError::Refused(
                "An account with this address already exists.",
            )),
            set => set,
        }
    }

    /// Turns off the account's two-step sign-in, for an owner who lost the app and the recovery
    /// codes.
    pub async fn end_second_step_of(&self, email: &str) -> Result<(), AccountError> {
        self.change(email, AccountChange::NoSecondStep).await
    }

    /// A link that sets the account's password.
    pub async fn reset_link(&self, email: &str) -> Result<String, AccountError> {
        let email = Email::new(email)?;
        let account = self.inner.store.find_account(email.normal()).await?;
        self.reset_link_of(&account.id).await
    }

    async fn reset_link_of(&self, user: &UserId) -> Result<String, AccountError> {
        self.reset_link_by(&Actor::shell(), user).await
    }

    /// A link that sets the account's password, created by this actor.
    pub(super) async fn reset_link_by(
        &self,
        by: &Actor,
        user: &UserId,
    ) -> Result<String, AccountError> {
        let (store, token) = (&self.inner.store, Token::new());
        store
            .add_reset_link(by, user, token.hash(), later(LINK_LIFETIME))
            .await?;
        Ok(self.address("reset", &token))
    }

    /// A link that creates an account where sign-up is by invitation.
    pub async fn invite_link(&self) -> Result<String, AccountError> {
        self.invite_by(&Actor::shell(), LINK_LIFETIME).await
    }

    /// A link that creates an account, valid for this time.
    pub(super) async fn invite_by(
        &self,
        by: &Actor,
        lifetime: Duration,
    ) -> Result<String, AccountError> {
        let (store, token) = (&self.inner.store, Token::new());
        store
            .add_invitation(by, token.hash(), later(lifetime))
            .await?;
        Ok(self.address("sign-up", &token))
    }
}
