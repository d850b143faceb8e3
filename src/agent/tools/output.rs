//! The result of a tool call: its output for the model, the written files, and errors that say who
//! gets them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    agent::{RunError, app::path::PathError},
    protocol::{FileChange, Question, Spent},
    sandbox::SandboxError,
};

/// The longest output that the model gets, in bytes; a longer one is cut in the middle.
pub(super) const MAX_OUTPUT: usize = 24 << 10;

/// The result of a tool call, as it is saved and shown to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// For the model.
    pub content: String,
    pub failed: bool,
    /// The files that were written.
    #[serde(default)]
    pub written: Vec<FileChange>,
    /// The written files whose contents are not in the call's arguments.
    #[serde(default)]
    pub contents: Vec<Written>,
    /// The file in which the text to replace was not found.
    #[serde(default)]
    pub missed: Option<String>,
    /// The sandbox in which it was executed.
    #[serde(default)]
    pub sandbox: Option<String>,
    /// The cost of explorers, which their own steps record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explored: Option<Spent>,
    /// What the user is asked before the tool may be used, which ends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Question>,
    /// How long the call took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<u64>,
}

/// A file in its state after a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub path: String,
    pub content: Content,
}

/// Text as it is, other bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Text(String),
    Base64(String),
}

impl Written {
    pub fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: Content::Text(text.into()),
        }
    }

    pub fn bytes(path: impl Into<String>, bytes: &[u8]) -> Self {
        Self {
            path: path.into(),
            content: Content::Base64(STANDARD.encode(bytes)),
        }
    }

    /// The file's path and bytes; no bytes if the saved base64 is damaged.
    pub fn into_bytes(self) -> (String, Vec<u8>) {
        let bytes = match self.content {
            Content::Text(text) => text.into_bytes(),
            Content::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
        };
        (self.path, bytes)
    }
}

impl ToolOutput {
    /// The output for a command whose end was not observed.
    pub fn interrupted() -> Self {
        Self {
            failed: true,
            ..Self::ok(
                "This command was interrupted: the connection to it was lost before it ended. It \
                 may have run partly, completely, or not at all. See what it has changed before \
                 you run it again.",
            )
        }
    }

    /// The reports of explorers, and what they cost together.
    pub fn explored(content: String, failed: bool, explored: Spent) -> Self {
        Self {
            failed,
            explored: Some(explored),
            ..Self::ok(content)
        }
    }

    /// The output of a call that wrote this file, whose content is not in the call's arguments.
    pub(super) fn wrote(file: Written, content: impl Into<String>) -> Self {
        Self {
            written: vec![FileChange {
                path: file.path.clone(),
            }],
            contents: vec![file],
            ..Self::ok(content)
        }
    }

    pub(super) fn ok(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            failed: false,
            written: Vec::new(),
            contents: Vec::new(),
            missed: None,
            sandbox: None,
            explored: None,
            asks: None,
            took: None,
        }
    }
}

/// Why a tool failed, and who gets the error.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The model: it can try another way.
    #[error("{0}")]
    RespondToModel(String),
    /// The run: it ends.
    #[error(transparent)]
    Fatal(#[from] RunError),
}

impl From<PathError> for ToolError {
    fn from(error: PathError) -> Self {
        Self::RespondToModel(error.to_string())
    }
}

impl From<SandboxError> for ToolError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::NoSuchPath(message) | SandboxError::Refused(message) => {
                Self::RespondToModel(message)
            }
            error => Self::Fatal(error.into()),
        }
    }
}

/// The text with `\n` for all line breaks.
pub(super) fn unix(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The text; if it is longer than `limit` bytes, its middle is left out.
pub fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let (head, tail) = text.split_at(text.floor_char_boundary(limit / 2));
    join(head, 0, tail, limit)
}

/// Joins the beginning and the end of a text between which `skipped` bytes are already missing.
pub(super) fn join(head: &str, skipped: u64, tail: &str, limit: usize) -> String {
    let (kept, dropped) = head.split_at(head.floor_char_boundary(limit / 2));
    let (dropped_too, kept_too) =
        tail.split_at(tail.ceil_char_boundary(tail.len().saturating_sub(limit / 2)));
    let bytes = skipped + (dropped.len() + dropped_too.len()) as u64;
    format!("{kept}\n[… {bytes} bytes left out …]\n{kept_too}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_is_cut_in_the_middle_between_characters() {
        let text = "ä".repeat(100);
        let cut = cut(&text, 51);
        assert!(
            cut.starts_with('ä') && cut.ends_with('ä') && cut.contains("bytes left out"),
            "{cut}"
        );
        assert!(cut.len() < 100);
    }

    #[test]
    fn written_files_come_back_as_they_were_text_or_binary() {
        for written in [
            Written::text("a", "ä\0"),
            Written::bytes("a", &[0xff, 0, 1]),
        ] {
            let saved = serde_json::to_string(&written).unwrap_or_default();
            let read: Result<Written, _> = serde_json::from_str(&saved);
            assert_eq!(read.ok(), Some(written));
        }
        assert_eq!(Written::bytes("a", &[0xff, 0]).into_bytes().1, [0xff, 0]);
    }
}
