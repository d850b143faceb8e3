//! Files as the Code tab and the conversation show them.

use serde::{Deserialize, Serialize};

/// A file that a run wrote. Paths are relative to the app, with `/` between the parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    pub path: String,
}

/// An entry of the file tree; folders come first, each level sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileNode {
    /// The last part of the path.
    pub name: String,
    /// The whole path, relative to the app.
    pub path: String,
    /// A folder's entries; `None` for a file.
    pub children: Option<Vec<FileNode>>,
    /// Why no version keeps it, or some of what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Whether somebody edited the file since the latest version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
}

/// A file's text, highlighted on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileView {
    pub path: String,
    /// The language's name, such as `TypeScriptReact`.
    pub language: String,
    /// One HTML fragment a line: `<span class="hl-…">` around escaped text.
    pub lines: Vec<String>,
    /// The file's size in bytes.
    pub size: u64,
    /// Why there are no lines, for a file that can't be shown (binary, or too large).
    pub notice: Option<String>,
    /// The text itself, which an editor may change; `None` where there is a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// SHA-256 of the content, in hex: what a later write says it is based on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// Whether a browser can show it as an image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub image: bool,
}

/// The largest text that is edited, in bytes.
pub const MAX_EDITED: usize = 1 << 20;
/// The largest file that can be uploaded, in bytes: the largest that a version keeps.
pub const MAX_UPLOAD: usize = 32 << 20;

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum FileSaved {
    /// The file has the content that was sent; a later write is based on this hash.
    Saved { hash: String },
    /// Nothing was written: the file is not what the write was based on.
    Conflict {
        /// What is there; `None` when the file is gone.
        theirs: Option<FileView>,
    },
}

/// A line that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMatch {
    pub path: String,
    /// Counted from 1.
    pub line: u32,
    /// The line's text, shortened.
    pub text: String,
}

/// What a search in all files found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMatches {
    pub matches: Vec<FileMatch>,
    /// Whether there is more than was returned.
    pub more: bool,
}
