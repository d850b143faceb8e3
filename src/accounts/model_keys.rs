//! Users' own keys for the model providers. Messages answered with one cost no credits. The keys
//! are encrypted in the database and never shown again.

use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::{AccountError, Accounts, Identity, Requester, throttle::Rate};
use crate::protocol::{ModelKey, ModelProvider, Timestamp, UserId};

/// The minimum and maximum length of a key, in characters. Its last characters are shown.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=500;
/// How many of its last characters are shown.
const SHOWN: usize = 4;
/// The limit on changing keys.
const CHANGES: Rate = Rate {
    burst: 20,
    pause: Duration::from_secs(30),
};
/// The limit on testing keys, because each test asks a provider.
const TESTS: Rate = Rate {
    burst: 5,
    pause: Duration::from_secs(30),
};

impl Accounts {
    /// The account's keys, without the secret part.
    pub async fn model_keys(&self, identity: &Identity) -> Result<Vec<ModelKey>, AccountError> {
        Ok(self.inner.store.list_user_keys(&identity.user).await?)
    }

    /// Saves the user's key for the provider, in place of an earlier one. It is not tried here: a
    /// test does that, or the first run that fails with it says so.
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

    /// Counts a test of a key; `TooMany` above the limit.
    pub fn admit_key_test(&self, by: &Requester) -> Result<(), AccountError> {
        let identity = self.expect_own_keys(by)?;
        self.count(format!("model key tests of {}", identity.user), TESTS)
    }

    /// Decrypts the user's key for the provider. Fails if the server's secret key has changed
    /// since.
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

    /// The identity, if it may change its own keys.
    fn expect_own_keys<'a>(&self, by: &'a Requester) -> Result<&'a Identity, AccountError> {
        let identity = by.identity()?;
        if identity.account.is_none() {
            return Err(AccountError::Refused(
                "This CodeFlow has no accounts: it uses the keys of its environment.",
            ));
        }
        if identity.acting {
            // The key costs its owner money.
            return Err(AccountError::Refused(
                "Only the account's owner can change model keys, not an administrator in their \
                 name.",
            ));
        }
        self.count(format!("model keys of {}", identity.user), CHANGES)?;
        Ok(identity)
    }
}

/// The name that a user's key is sealed under.
fn name(user: &UserId, provider: ModelProvider) -> String {
    format!("{} key of {user}", provider.as_str())
}
