//! A user's preferences, on all devices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Values by names that the page chooses, such as `theme`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Preferences(pub BTreeMap<String, String>);
