//! Sharing: a project's link for whoever has it, as its owner sets it and as its visitors see it.

use serde::{Deserialize, Serialize};

use super::{FileView, FragmentId, PreviewState};

/// How a project is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The last part of the link, which nobody can guess.
    pub slug: String,
    /// The version that visitors see; `None` for always the newest.
    pub version: Option<FragmentId>,
    /// Whether visitors may read the files.
    pub source: bool,
    /// Where the showcase lists it, if it does.
    pub category: Option<String>,
}

/// What the dialog "Share" shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareState {
    /// `None` while the project is private.
    pub share: Option<Share>,
    /// The version that the share is for or would be for, and its number; `None` where there is
    /// none yet.
    pub version: Option<(FragmentId, i32)>,
    /// Where the showcase can list it.
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
    /// Whether there is a picture of it.
    pub picture: bool,
}

/// The files of a shared app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSource {
    pub title: String,
    /// All paths, sorted.
    pub paths: Vec<String>,
    /// The one that was asked for.
    pub file: FileView,
}
