//! A tool call as somebody sees it who opens it in the conversation.

use serde::{Deserialize, Serialize};

use super::ChangeKind;

/// What a tool call did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDetails {
    /// The whole command, of a terminal's call.
    pub command: Option<String>,
    /// What the tool answered.
    pub output: String,
    /// The files that it wrote.
    pub changes: Vec<StepChange>,
}

/// What a tool call made of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepChange {
    pub path: String,
    /// `Added` also where it is not known what was there before.
    pub kind: ChangeKind,
    /// The unified diff's lines, without the names of files; the first ones where there are many.
    pub lines: Vec<String>,
    /// How many lines came and went.
    pub added: usize,
    pub removed: usize,
    /// Why there are no lines (binary, or too large), or what they don't show.
    pub notice: Option<String>,
}
