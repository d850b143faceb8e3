//! A user's preferences, such as the theme: stored here so that they apply on all devices and to
//! every page from its first paint.

use std::collections::BTreeMap;

use super::{ProjectError, Projects};

/// The maximum number of preferences per user, and the maximum length of a name and of a value, in
/// bytes.
const MAX_PREFERENCES: usize = 64;
const MAX_NAME_BYTES: usize = 40;
const MAX_VALUE_BYTES: usize = 400;

impl Projects {
    /// The preferences by name; empty without a user, or if they can't be read, which is logged.
    pub async fn preferences(&self) -> BTreeMap<String, String> {
        let Ok(user) = self.user() else {
            return BTreeMap::new();
        };
        match self.inner.store.preferences(user).await {
            Ok(preferences) => preferences,
            Err(error) => {
                tracing::warn!(%error, "the preferences can't be read");
                BTreeMap::new()
            }
        }
    }

    /// Saves a preference in place of its earlier value; without a user, that is left to the
    /// browser. `Conflict` if a page never uses such a name or value.
    pub async fn set_preference(&self, name: &str, value: &str) -> Result<(), ProjectError> {
        let is_name = (1..=MAX_NAME_BYTES).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let is_value = value.len() <= MAX_VALUE_BYTES && !value.chars().any(char::is_control);
        if !is_name || !is_value {
            return Err(ProjectError::Conflict(
                "This preference can't be saved: its name or value is too long or has invalid characters.",
            ));
        }
        let (store, Ok(user)) = (&self.inner.store, self.user()) else {
            return Ok(());
        };
        let known = store.preferences(user).await?;
        if known.len() >= MAX_PREFERENCES && !known.contains_key(name) {
            return Err(ProjectError::Conflict("There are too many preferences."));
        }
        Ok(store.set_preference(user, name, value).await?)
    }
}
