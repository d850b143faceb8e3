//! Sharing: a project's public link, as its owner configures it and as its visitors see it.

use serde::{Deserialize, Serialize};

use super::{FileView, FragmentId, PreviewState};

/// How a project is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The unguessable last part of the link.
    pub slug: String,
    /// The version that visitors see; `None` for always the newest.
    pub version: Option<FragmentId>,
    /// Whether visitors may read the files.
    pub source: bool,
    /// The showcase category it is listed under, if any.
    pub category: Option<String>,
}

/// The contents of the dialog "Share".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareState {
    /// `None` while the project is private.
    pub share: Option<Share>,
    /// The version that is or would be shared, and its number; `None` if there is none yet.
    pub version: Option<(FragmentId, i32)>,
    /// The showcase's categories.
    pub categories: Vec<String>,
}

/// A shared app as its visitors see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedApp {
    pub title: String,
    /// The shown version's number.
    pub version: i32,
    pub preview: PreviewState,
    /// Whether visitors may read the files.
    pub source: bool,
    /// Whether it has a picture.
    pub picture: bool,
}

/// The files of a shared app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSource {
    pub title: String,
    /// All paths, sorted.
    pub paths: Vec<String>,
    /// The requested file.
    pub file: FileView,
}
