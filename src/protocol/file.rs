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
}
