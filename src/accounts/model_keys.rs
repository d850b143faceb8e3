//! Keys of people's own for the models' providers: what they send is answered with them, and costs
//! no credits. They are encrypted in the database; nobody is shown one again.

use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::{AccountError, Accounts, Identity, Requester, throttle::Rate};
use crate::protocol::{ModelKey, ModelProvider, Timestamp, UserId};

/// The shortest and the longest key, in characters: of each the last ones are shown.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=500;
/// How many of its last characters are shown.
const SHOWN: usize = 4;
/// The limit on changes of keys.
const CHANGES: Rate = Rate {
    burst: 20,
    pause: Duration::from_secs(30),
};
/// The limit on tests of keys, each of which asks a provider.
const TESTS: Rate = Rate {
    burst: 5,
    pause: Duration::from_secs(30),
};

impl Accounts {
    /// The account's keys, without what is secret of them.
    pub async fn model_keys(&self, identity: &Identity) -> Result<Vec<ModelKey>, AccountError> {
        Ok(self.inner.store.list_user_keys(&identity.user).await?)
    }

    /// Saves a key of the account's owner for the provider, in place of one before. It is not
    /// tried: a test does that, or the first run that it fails says so.
    pub async fn set_model_key(
        &self,
        by: &Requester,
        provider: ModelProvider,
        key: &SecretString,
    ) -> Result<(), AccountError> {
        let identity = self.expect_own_keys(by)?;
        let text = key.expose_secret().trim();
        if !LENGTHS.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccountError::Invalid {
                field: "key",
                why: format!(
                    "This is not a key. Paste the whole key as {} shows it, without spaces.",
                    provider.label()
                ),
            });
        }
        let sealed = self
            .inner
            .vault
            .seal(&name(&identity.user, provider), text.as_bytes())?;
        let key = ModelKey {
            provider,
            ending: text[text.len() - SHOWN..].to_owned(),
            added_at: Timestamp::now(),
        };
        let store = &self.inner.store;
        store.set_user_key(&by.actor()?, key, sealed).await?;
        tracing::info!(user.id = %identity.user, provider = provider.as_str(), "model key set");
        Ok(())
    }

    /// Removes the account's key of the provider.
    pub async fn remove_model_key(
        &self,
        by: &Requester,
        provider: ModelProvider,
    ) -> Result<(), AccountError> {
        let identity = self.expect_own_keys(by)?;
        let store = &self.inner.store;
        store.remove_user_key(&by.actor()?, provider).await?;
        tracing::info!(user.id = %identity.user, provider = provider.as_str(), "model key removed");
        Ok(())
    }

    /// Counts a test of a key; `TooMany` when there were more than one may.
    pub fn admit_key_test(&self, by: &Requester) -> Result<(), AccountError> {
        let identity = self.expect_own_keys(by)?;
        self.count(format!("model key tests of {}", identity.user), TESTS)
    }

    /// The user's key of the provider, to ask its models with, as it was saved. Errors when the
    /// server has another secret key by now.
    pub fn unseal_model_key(
        &self,
        user: &UserId,
        provider: ModelProvider,
        sealed: &str,
    ) -> anyhow::Result<SecretString> {
        let key = self.inner.vault.unseal(&name(user, provider), sealed)?;
        let key = String::from_utf8(key).context("a key isn't text")?;
        Ok(key.into())
    }

    /// Who changes keys of their own.
    fn expect_own_keys<'a>(&self, by: &'a Requester) -> Result<&'a Identity, AccountError> {
        let identity = by.identity()?;
        if identity.account.is_none() {
            return Err(AccountError::Refused(
                "This CodeFlow has no accounts: it uses the keys of its environment.",
            ));
        }
        if identity.acting {
            // It is the owner's money.
            return Err(AccountError::Refused(
                "Only the account's owner can change model keys, not an administrator in their \
                 name.",
            ));
        }
        self.count(format!("model keys of {}", identity.user), CHANGES)?;
        Ok(identity)
    }
}

/// What a user's key is sealed as.
fn name(user: &UserId, provider: ModelProvider) -> String {
    format!("{} key of {user}", provider.as_str())
}
