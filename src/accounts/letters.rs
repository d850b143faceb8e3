//! What happens by e-mail: signing up, resetting a password, and changing the address. The answer
//! to "send me a link" is the same for a known and an unknown address, and takes the same time,
//! because the work is done after it.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    AccountError, Accounts, Client, Identity, LINK_LIFETIME,
    cookie::own_path,
    email::Email,
    mail::{Letter, Mailer},
    sign_in::network,
    throttle::Rate,
};
use crate::{
    protocol::Account,
    store::{Link, Purpose, StoreError},
};

/// The limits on letters to one address, and on letters that one client requests.
const OF_ADDRESS: Rate = Rate {
    burst: 4,
    pause: Duration::from_secs(900),
};
const OF_CLIENT: Rate = Rate {
    burst: 20,
    pause: Duration::from_secs(60),
};

impl Accounts {
    /// Sends a link that sets the password to the address, if it has an account.
    pub fn request_reset(&self, email: &str, client: &Client) -> Result<(), AccountError> {
        self.expect_on()?;
        let mailer = self.mailer(
            "This CodeFlow sends no e-mail. Ask an administrator for a link that sets your password.",
        )?;
        let email = Email::new(email)?;
        self.count_letter(&email, client)?;
        let accounts = self.clone();
        tokio::spawn(async move {
            if let Err(error) = accounts.send_reset(&mailer, &email).await {
                tracing::error!(%error, "a link for a new password can't be made");
            }
        });
        Ok(())
    }

    async fn send_reset(&self, mailer: &Mailer, email: &Email) -> Result<(), AccountError> {
        let found = self.inner.store.find_credentials(email.normal()).await?;
        let Some(found) = found.filter(|found| !found.disabled) else {
            return Ok(());
        };
        let account = self.inner.store.account_of(&found.user).await?;
        let link = self.link("reset", Purpose::Reset, Some(found.user)).await?;
        mailer.send(Letter {
            to: account.email,
            subject: "Set a new password for CodeFlow",
            text: format!(
                "Somebody asked for a new password for your account on {}.\n\nTo choose one, open \
                 this link within 24 hours:\n\n{link}\n\nIf it wasn't you, ignore this message: \
                 your password stays as it is.\n",
                self.inner.public_url
            ),
        });
        Ok(())
    }

    /// Sends a link to continue the sign-up. If the address already has an account, it gets a
    /// notice with a link that sets its password instead. `to`: the page to open once the account
    /// exists.
    pub(super) fn write_to_newcomer(
        &self,
        mailer: &Mailer,
        email: Email,
        to: Option<&str>,
        client: &Client,
    ) -> Result<(), AccountError> {
        self.count_letter(&email, client)?;
        let to = own_path(to).to_owned();
        let (accounts, mailer) = (self.clone(), mailer.clone());
        tokio::spawn(async move {
            if let Err(error) = accounts.send_sign_up(&mailer, &email, &to).await {
                tracing::error!(%error, "a link to sign up with can't be made");
            }
        });
        Ok(())
    }

    async fn send_sign_up(
        &self,
        mailer: &Mailer,
        email: &Email,
        to: &str,
    ) -> Result<(), AccountError> {
        let site = &self.inner.public_url;
        if let Some(found) = self.inner.store.find_credentials(email.normal()).await? {
            if found.disabled {
                return Ok(());
            }
            let account = self.inner.store.account_of(&found.user).await?;
            let link = self.link("reset", Purpose::Reset, Some(found.user)).await?;
            mailer.send(Letter {
                to: account.email,
                subject: "You already have a CodeFlow account",
                text: format!(
                    "Somebody wanted to sign up on {site} with this address, which has an account \
                     there.\n\nIf it was you, sign in: {site}/sign-in\n\nIf you forgot your \
                     password, choose a new one by this link within 24 hours:\n\n{link}\n\nIf it \
                     wasn't you, ignore this message: nothing was changed.\n"
                ),
            });
            return Ok(());
        }
        let link = Link {
            user: None,
            detail: Some(email.written().to_owned()),
        };
        let token = self.save_link(Purpose::SignUp, link, LINK_LIFETIME).await?;
        let link = self.address("sign-up", &token);
        let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let (address, to) = (escaped(email.written()), escaped(to));
        mailer.send(Letter {
            to: email.written().to_owned(),
            subject: "Finish signing up for CodeFlow",
            text: format!(
                "Somebody wants to sign up on {site} with this address.\n\nIf it was you, open \
                 this link within 24 hours and choose a \
                 password:\n\n{link}&email={address}&to={to}\n\nIf it wasn't you, ignore this \
                 message: there is no account.\n"
            ),
        });
        Ok(())
    }

    /// Sends a link that confirms the new address to that address, and a notice to the old one.
    /// Nothing changes until the link is opened.
    pub async fn request_email(
        &self,
        identity: &Identity,
        password: &str,
        email: &str,
        client: &Client,
    ) -> Result<(), AccountError> {
        self.confirm(identity, password).await?;
        let account = identity.account.as_ref().ok_or(AccountError::SignedOut)?;
        let mailer = self.mailer(
            "This CodeFlow sends no e-mail. Ask an administrator to change your address.",
        )?;
        let email = Email::new(email)?;
        self.count_letter(&email, client)?;
        let link = Link {
            user: Some(identity.user.clone()),
            detail: Some(email.written().to_owned()),
        };
        let token = self.save_link(Purpose::Email, link, LINK_LIFETIME).await?;
        let (site, link) = (&self.inner.public_url, self.address("confirm", &token));
        mailer.send(Letter {
            to: email.written().to_owned(),
            subject: "Confirm your address for CodeFlow",
            text: format!(
                "Somebody wants to use this address for their account on {site}.\n\nIf it was you, \
                 open this link within 24 hours:\n\n{link}\n\nIf it wasn't you, ignore this \
                 message.\n"
            ),
        });
        mailer.send(Letter {
            to: account.email.clone(),
            subject: "Your CodeFlow account's address is about to change",
            text: format!(
                "Somebody who is signed in to your account on {site} asked for another address for \
                 it: {email}\n\nIt changes when that address is confirmed. If it wasn't you, change \
                 your password now: {site}/settings\n"
            ),
        });
        Ok(())
    }

    /// Changes the account's address to the one that the link confirms.
    pub async fn confirm_email(&self, link: &str, client: &Client) -> Result<(), AccountError> {
        self.expect_on()?;
        let from = format!("confirm from {}", network(client.address));
        self.count(from, OF_CLIENT)?;
        let store = &self.inner.store;
        let hash = super::Token::sent(link).ok_or(AccountError::Link)?.hash();
        let found = store.find_link(&hash, Purpose::Email).await?;
        let (user, detail) = found.user.zip(found.detail).ok_or(AccountError::Link)?;
        let email = Email::new(&detail)?;
        let before: Account = store.account_of(&user).await?;
        let changed = store.change_email(&hash, email.normal(), email.written());
        match changed.await {
            Err(StoreError::Conflict(_)) => return Err(AccountError::Unusable),
            changed => changed?,
        }
        tracing::info!(user.id = %user, "address changed");
        if let Some(mailer) = &self.inner.mailer {
            mailer.send(Letter {
                to: before.email,
                subject: "Your CodeFlow account's address has changed",
                text: format!(
                    "Your account on {} has the address {email} from now on.\n\nIf you did not \
                     want that, tell an administrator.\n",
                    self.inner.public_url
                ),
            });
        }
        Ok(())
    }

    /// Sends a letter. Returns whether the server sends e-mail.
    pub fn write_to(&self, to: &str, subject: &'static str, text: String) -> bool {
        let Some(mailer) = &self.inner.mailer else {
            return false;
        };
        mailer.send(Letter {
            to: to.to_owned(),
            subject,
            text,
        });
        true
    }

    fn mailer(&self, none: &'static str) -> Result<Mailer, AccountError> {
        self.inner.mailer.clone().ok_or(AccountError::Refused(none))
    }

    pub(super) fn count_letter(&self, to: &Email, client: &Client) -> Result<(), AccountError> {
        let client = network(client.address);
        self.count(format!("letters from {client}"), OF_CLIENT)?;
        self.count(format!("letters to {}", to.normal()), OF_ADDRESS)
    }
}
