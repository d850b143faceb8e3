//! What a version's files are: the column of `fragment_files` that says how a content is read.

use std::str::FromStr;

use crate::protocol::{AppNode, named};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    File,
    Executable,
    /// Its content is what it points to.
    Link,
    /// Its content is empty.
    Folder,
}

named!(FileKind: File = "file", Executable = "executable", Link = "link", Folder = "folder");

impl FileKind {
    pub(super) fn of(node: &AppNode) -> Self {
        match node {
            AppNode::File { executable, .. } if *executable => Self::Executable,
            AppNode::File { .. } => Self::File,
            AppNode::Link { .. } => Self::Link,
            AppNode::Folder => Self::Folder,
        }
    }

    /// What has this content.
    pub(super) fn node(self, content: Vec<u8>) -> AppNode {
        match self {
            Self::File | Self::Executable => AppNode::File {
                content,
                executable: self == Self::Executable,
            },
            Self::Link => AppNode::Link {
                target: String::from_utf8_lossy(&content).into_owned(),
            },
            Self::Folder => AppNode::Folder,
        }
    }
}
