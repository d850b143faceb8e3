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
    /// Why versions leave it out, or some of its contents.
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
    /// One HTML fragment per line: `<span class="hl-…">` around escaped text.
    pub lines: Vec<String>,
    /// The file's size in bytes.
    pub size: u64,
    /// Why a file can't be shown and has no lines: it is binary or too large.
    pub notice: Option<String>,
    /// The text, for the editor; `None` where there is a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The SHA-256 of the content, in hex, which a later write names as its base.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// Whether a browser can show it as an image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub image: bool,
}

/// The maximum size of an editable text, in bytes.
pub const MAX_EDITED: usize = 1 << 20;
/// The maximum size of an upload, in bytes: that of a file in a version.
pub const MAX_UPLOAD: usize = 32 << 20;

/// The outcome of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum FileSaved {
    /// The file has the new content. A later write names this hash as its base.
    Saved { hash: String },
    /// Nothing was written: the file has changed since the base.
    Conflict {
        /// The current file; `None` if it is gone.
        theirs: Option<FileView>,
    },
}

/// A line that matches a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMatch {
    pub path: String,
    /// Counted from 1.
    pub line: u32,
    /// The line's text, shortened.
    pub text: String,
}

/// The matches of a search through all files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMatches {
    pub matches: Vec<FileMatch>,
    /// Whether there are more matches than were returned.
    pub more: bool,
}
