//! An improved prompt, and how it differs from the user's.

use serde::{Deserialize, Serialize};

/// The text to send if the user accepts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImprovedPrompt {
    pub text: String,
    /// The differences word by word, in order.
    pub changes: Vec<WordChange>,
}

/// Words that were kept, added or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "words")]
pub enum WordChange {
    Kept(String),
    Added(String),
    Removed(String),
}
