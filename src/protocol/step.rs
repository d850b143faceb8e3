//! A tool call as it appears when opened in the conversation.

use serde::{Deserialize, Serialize};

use super::ChangeKind;

/// What a tool call did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDetails {
    /// The whole command of a `terminal` call.
    pub command: Option<String>,
    /// The tool's answer.
    pub output: String,
    /// The files that it wrote.
    pub changes: Vec<StepChange>,
}

/// How a tool call changed a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepChange {
    pub path: String,
    /// `Added` too if the file's earlier state is unknown.
    pub kind: ChangeKind,
    /// The lines of the unified diff, without its file header; only the first ones if there are
    /// many.
    pub lines: Vec<String>,
    /// The number of added and removed lines.
    pub added: usize,
    pub removed: usize,
    /// Why there are no lines (binary, or too large), or what they leave out.
    pub notice: Option<String>,
}
