//! Passkeys: signing in with a device, which itself asks for a finger, a face or a PIN. A passkey
//! therefore counts as both steps of a sign-in. Each challenge is stored in the database, can be
//! answered once by the browser that asked for it, and expires soon.

use std::time::Duration;

use super::{
    AccountError, Accounts, Client, Identity, SignedIn, Token,
    own::given_name,
    relying_party::{Assertion, Refused, RelyingParty},
    sign_in::network,
    throttle::Rate,
};
use crate::{
    protocol::{Passkey, PasskeyId},
    store::{Link, Purpose, StoreError},
};

/// How long a challenge can be answered.
const ANSWERED_WITHIN: Duration = Duration::from_secs(300);
/// The limit on challenges and answers from one address.
const OF_ADDRESS: Rate = Rate {
    burst: 60,
    pause: Duration::from_secs(5),
};

const EXPIRED: AccountError = AccountError::Refused(
    "This took too long, or was answered already. Begin again: a passkey must answer within five \
     minutes.",
);

/// The state of a passkey's creation, kept until the browser answers.
#[derive(serde::Serialize, serde::Deserialize)]
struct Asked {
    name: String,
    state: String,
}

impl Accounts {
    /// The account's passkeys, the oldest first.
    pub async fn passkeys(&self, identity: &Identity) -> Result<Vec<Passkey>, AccountError> {
        Ok(self.inner.store.list_passkeys(&identity.user).await?)
    }

    /// The challenge for a new passkey as JSON for the browser, and the token that must come with
    /// its answer. It requires the password: otherwise a stolen session could become permanent
    /// access.
    pub async fn begin_passkey(
        &self,
        identity: &Identity,
        name: &str,
        password: &str,
    ) -> Result<(String, Token), AccountError> {
        let name = passkey_name(name)?;
        self.confirm(identity, password).await?;
        let (party, user) = (self.relying_party()?, &identity.user);
        let account = identity.account.as_ref().ok_or(AccountError::SignedOut)?;
        let known = self.inner.store.passkey_credentials(user).await?;
        let (question, state) = party.ask_for_key(account, &known)?;
        let asked = Asked {
            name: name.to_owned(),
            state,
        };
        let link = Link {
            user: Some(user.clone()),
            detail: Some(serde_json::to_string(&asked).map_err(anyhow::Error::from)?),
        };
        let token = self.save_link(Purpose::NewPasskey, link, ANSWERED_WITHIN);
        Ok((question, token.await?))
    }

    /// Adds the passkey from the browser's answer. `token`: what it got with the challenge; it is
    /// used up in any case.
    pub async fn add_passkey(
        &self,
        identity: &Identity,
        answer: &str,
        token: Option<&Token>,
    ) -> Result<(), AccountError> {
        let asked = self.asked_passkey(Purpose::NewPasskey, token).await?;
        // Somebody else may have signed in in the meantime.
        if asked.user.as_ref() != Some(&identity.user) {
            return Err(EXPIRED);
        }
        let asked: Asked =
            serde_json::from_str(&asked.detail.unwrap_or_default()).map_err(anyhow::Error::from)?;
        let user = &identity.user;
        let key = match self.relying_party()?.accept_key(&asked.state, answer) {
            Ok(key) => key,
            Err(Refused::Internal(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(user.id = %user, %error, "a passkey was not accepted");
                return Err(AccountError::Refused(
                    "This passkey can't be used here. Try another device or browser.",
                ));
            }
        };
        match self.inner.store.add_passkey(user, &asked.name, key).await {
            Err(StoreError::Conflict(why)) => Err(AccountError::Refused(why)),
            added => {
                let passkey = added?;
                tracing::info!(user.id = %user, passkey.id = %passkey.id, "passkey added");
                Ok(())
            }
        }
    }

    /// Renames one of the account's passkeys.
    pub async fn rename_passkey(
        &self,
        identity: &Identity,
        passkey: PasskeyId,
        name: &str,
    ) -> Result<(), AccountError> {
        let (store, name) = (&self.inner.store, passkey_name(name)?);
        Ok(store.rename_passkey(&identity.user, passkey, name).await?)
    }

    /// Removes one of the account's passkeys, unless it is the only way to sign in.
    pub async fn remove_passkey(
        &self,
        identity: &Identity,
        passkey: PasskeyId,
    ) -> Result<(), AccountError> {
        let store = &self.inner.store;
        match store.remove_passkey(&identity.user, passkey).await {
            Err(StoreError::Conflict(why)) => Err(AccountError::Refused(why)),
            removed => {
                removed?;
                tracing::info!(user.id = %identity.user, passkey.id = %passkey, "passkey removed");
                Ok(())
            }
        }
    }

    /// The challenge for a sign-in as JSON for the browser, and the token that must come with its
    /// answer.
    pub async fn begin_passkey_sign_in(
        &self,
        client: &Client,
    ) -> Result<(String, Token), AccountError> {
        self.expect_on()?;
        self.count_passkey(client)?;
        let (question, state) = self.relying_party()?.ask_for_signature()?;
        let link = Link {
            user: None,
            detail: Some(state),
        };
        let token = self.save_link(Purpose::Passkey, link, ANSWERED_WITHIN);
        Ok((question, token.await?))
    }

    /// Signs in with the passkey of the browser's answer; no code is needed. `token`: what the
    /// browser got with the challenge; it is used up in any case. `before` is the browser's
    /// previous session, which ends.
    pub async fn sign_in_by_passkey(
        &self,
        answer: &str,
        token: Option<&Token>,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignedIn, AccountError> {
        self.expect_on()?;
        let signed_in = match self.count_passkey(client) {
            Ok(()) => self.check_passkey(answer, token, client, before).await,
            Err(error) => Err(error),
        };
        if let Err(AccountError::Passkey | AccountError::TooMany(_)) = signed_in {
            metrics::counter!("codeflow_refused_sign_ins_total").increment(1);
        }
        signed_in
    }

    async fn check_passkey(
        &self,
        answer: &str,
        token: Option<&Token>,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignedIn, AccountError> {
        let asked = self.asked_passkey(Purpose::Passkey, token).await?;
        let state = asked.detail.unwrap_or_default();
        let (store, party) = (&self.inner.store, self.relying_party()?);
        let assertion = Assertion::read(answer).map_err(|_| AccountError::Passkey)?;
        let found = store.find_passkey(&assertion.credential()).await?;
        let found = found.filter(|found| !found.disabled);
        let found = found.ok_or(AccountError::Passkey)?;
        let (user, passkey) = (&found.user, found.id);
        let after = match party.accept_signature(&state, &assertion, &found) {
            Ok(after) => after,
            Err(Refused::Internal(error)) => return Err(error.into()),
            Err(Refused::Copied) => {
                tracing::warn!(
                    user.id = %user, passkey.id = %passkey,
                    "a passkey's counter went back: it may have been copied",
                );
                return Err(AccountError::Refused(
                    "This passkey may have been copied: it was used elsewhere since. Sign in with \
                     your password, and remove it in the settings.",
                ));
            }
            Err(Refused::Answer(error)) => {
                tracing::warn!(
                    user.id = %user, passkey.id = %passkey, %error, "a passkey was refused",
                );
                return Err(AccountError::Passkey);
            }
        };
        if !store.use_passkey(&found, after).await? {
            return Err(AccountError::Passkey);
        }
        self.begin_session(found.user, client, before).await
    }

    /// The stored challenge, which can be answered once.
    async fn asked_passkey(
        &self,
        purpose: Purpose,
        token: Option<&Token>,
    ) -> Result<Link, AccountError> {
        self.redeem(token, purpose).await?.ok_or(EXPIRED)
    }

    fn relying_party(&self) -> Result<&RelyingParty, AccountError> {
        self.inner
            .relying_party
            .as_ref()
            .ok_or(AccountError::Refused(
                "Passkeys need an address with a host name and https. An administrator sets it as \
                 PUBLIC_URL.",
            ))
    }

    fn count_passkey(&self, client: &Client) -> Result<(), AccountError> {
        let from = format!("passkey from {}", network(client.address));
        self.count(from, OF_ADDRESS)
    }
}

fn passkey_name(name: &str) -> Result<&str, AccountError> {
    given_name(name, "Name the passkey after what holds it")
}
