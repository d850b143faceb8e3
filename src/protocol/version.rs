//! The contents of an app's version, the difference between two versions, and what versions leave
//! out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Fragment, PreviewState, shorten};

/// The maximum length of a path that is shown in full, in characters.
const SHOWN_PATH: usize = 160;
/// How many omissions are named; the rest is only counted.
const MAX_NAMED: usize = 12;

/// A file, a link or an empty folder of a version. Its path is relative to the app, with `/`
/// between the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppEntry {
    pub path: String,
    pub node: AppNode,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppNode {
    File {
        content: Vec<u8>,
        executable: bool,
    },
    /// A symbolic link, with its target as written.
    Link {
        target: String,
    },
    /// A folder without anything that a version keeps.
    Folder,
}

impl AppEntry {
    /// The stored bytes: a file's content, or a link's target.
    pub fn content(&self) -> &[u8] {
        match &self.node {
            AppNode::File { content, .. } => content,
            AppNode::Link { target } => target.as_bytes(),
            AppNode::Folder => &[],
        }
    }

    /// A file that is not executable.
    pub fn file(path: impl Into<String>, content: Vec<u8>) -> Self {
        let (path, executable) = (path.into(), false);
        Self {
            path,
            node: AppNode::File {
                content,
                executable,
            },
        }
    }
}

/// A version that somebody views without restoring it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    pub fragment: Fragment,
    /// Whether it is the version that the project's app is based on.
    pub newest: bool,
    /// The preview of the version's own sandbox.
    pub preview: PreviewState,
}

/// How a file changed from one version to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Added,
    Changed,
    Removed,
}

/// A file or link that differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionChange {
    pub path: String,
    pub kind: ChangeKind,
}

/// How two versions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionDiff {
    /// `None` for the project's first version, whose files are all added.
    pub from: Option<Fragment>,
    pub to: Fragment,
    /// Sorted by path; only the first ones if there are many.
    pub changes: Vec<VersionChange>,
    /// The total number of changes.
    pub count: usize,
}

/// How a file differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    pub path: String,
    /// The texts; `None` where the version has no such file, and both `None` if there is a notice.
    pub before: Option<String>,
    pub after: Option<String>,
    /// The lines of the unified diff, without its file header; only the first ones if there are
    /// many.
    pub lines: Vec<String>,
    /// Why there are no texts (binary, or too large), or what they leave out.
    pub notice: Option<String>,
}

/// Something in the app's folder that no version keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Relative to the app; `.` is the app's own folder.
    pub path: String,
    /// What it is, such as `a named pipe`, or why it is left out.
    pub reason: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", shown(&self.path), self.reason)
    }
}

/// A Markdown list of what is left out, one line each; if there are many, the rest is counted.
pub fn list_left_out(left_out: &[LeftOut]) -> String {
    let mut lines: Vec<String> = left_out
        .iter()
        .take(MAX_NAMED)
        .map(|left| format!("- {left}"))
        .collect();
    match left_out.len().saturating_sub(MAX_NAMED) {
        0 => {}
        more => lines.push(format!("- and {more} more")),
    }
    lines.join("\n")
}

/// The path on one line, without characters that would end Markdown code.
fn shown(path: &str) -> String {
    let plain: String = path
        .chars()
        .flat_map(|letter| {
            if letter.is_control() {
                letter.escape_default().collect()
            } else {
                vec![letter]
            }
        })
        .map(|letter| if letter == '`' { '\'' } else { letter })
        .collect();
    shorten(&plain, SHOWN_PATH).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_named_on_a_line_each_and_counted_where_there_is_much() {
        let left = |path: &str| LeftOut {
            path: path.to_owned(),
            reason: "a named pipe".to_owned(),
        };
        assert_eq!(
            list_left_out(&[left("a\nb`c")]),
            "- `a\\nb'c`: a named pipe"
        );
        let many = list_left_out(&vec![left("a"); MAX_NAMED + 2]);
        assert_eq!(many.lines().count(), MAX_NAMED + 1);
        assert!(many.ends_with("- and 2 more"));
    }
}
