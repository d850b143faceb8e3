//! Unsaved texts, stored in the browser, so that they survive a reload, a crash, or an unreachable
//! server.

use codee::{Decoder, Encoder, string::JsonSerdeCodec};
use serde::{Deserialize, Serialize};

use crate::{protocol::ProjectId, ui::browser};

/// A text and what it is based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptText {
    pub base: Option<String>,
    pub text: String,
}

/// The paths of the project's stored texts.
pub fn paths(project: ProjectId) -> Vec<String> {
    // No path contains a line break.
    let list = browser::draft(&list_key(project)).unwrap_or_default();
    list.lines().map(str::to_owned).collect()
}

pub fn find(project: ProjectId, path: &str) -> Option<KeptText> {
    let text = browser::draft(&key(project, path))?;
    JsonSerdeCodec::decode(&text).ok()
}

pub fn keep(project: ProjectId, path: &str, kept: &KeptText) {
    if let Ok(text) = JsonSerdeCodec::encode(kept) {
        browser::keep_draft(&key(project, path), &text);
        set_paths(project, path, true);
    }
}

pub fn forget(project: ProjectId, path: &str) {
    browser::forget_draft(&key(project, path));
    set_paths(project, path, false);
}

fn set_paths(project: ProjectId, path: &str, there: bool) {
    let mut all = paths(project);
    if all.iter().any(|other| other == path) == there {
        return;
    }
    all.retain(|other| other != path);
    if there {
        all.push(path.to_owned());
    }
    if all.is_empty() {
        browser::forget_draft(&list_key(project));
    } else {
        browser::keep_draft(&list_key(project), &all.join("\n"));
    }
}

fn key(project: ProjectId, path: &str) -> String {
    format!("unsaved:{project}:{path}")
}

fn list_key(project: ProjectId) -> String {
    format!("unsaved:{project}")
}
