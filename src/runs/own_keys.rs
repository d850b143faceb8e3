//! Users' own keys: what their owner asks is answered by the models that such a key opens, and by
//! nobody else.

use std::sync::Arc;

use secrecy::SecretString;

use super::persistently;
use crate::{
    agent::Agent,
    protocol::{ModelProvider, UserId},
    store::{Store, StoreError},
};

/// Opens a user's own key of the provider, as it was saved.
pub type UnsealKey =
    Arc<dyn Fn(&UserId, ModelProvider, &str) -> anyhow::Result<SecretString> + Send + Sync>;

/// The keys that users have saved, as a cheap handle.
#[derive(Clone)]
pub struct OwnKeys {
    pub store: Store,
    pub agent: Agent,
    pub unseal: UnsealKey,
}

/// Why nobody answers with a user's own key; the sentences are for the user.
#[derive(Debug, thiserror::Error)]
pub enum OwnKeyError {
    #[error(
        "Your {} key was removed before this message was answered. Add it again in Settings, or \
         choose another model.",
        .0.label()
    )]
    Removed(ModelProvider),
    #[error("Your {} key can't be read any more. Enter it again in Settings.", .0.label())]
    Unreadable(ModelProvider),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OwnKeys {
    /// The provider's models, asked with the user's own key.
    pub async fn agent(
        &self,
        user: &UserId,
        provider: ModelProvider,
    ) -> Result<Agent, OwnKeyError> {
        let sealed = persistently(|| self.store.sealed_user_key(user, provider)).await?;
        let sealed = sealed.ok_or(OwnKeyError::Removed(provider))?;
        let key = (self.unseal)(user, provider, &sealed).map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "a user's key can't be opened");
            OwnKeyError::Unreadable(provider)
        })?;
        Ok(self.agent.with_key(provider, &key))
    }
}
