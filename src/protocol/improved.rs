//! A prompt in better words, and how they differ from the user's.

use serde::{Deserialize, Serialize};

/// The text to send, if its user accepts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImprovedPrompt {
    pub text: String,
    /// How it differs, word by word, in order.
    pub changes: Vec<WordChange>,
}

/// Words that stayed, came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "words")]
pub enum WordChange {
    Kept(String),
    Added(String),
    Removed(String),
}
