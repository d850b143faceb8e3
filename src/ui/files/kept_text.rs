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
    /// Fingerprints of the texts that were sent and not confirmed.
    #[serde(default)]
    pub sent: Vec<u64>,
    /// The merge that was begun, if the text is in conflict.
    #[serde(default)]
    pub merge: Option<Merge>,
}

/// A merge that was begun in the conflict's dialog, and the texts that it began from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    pub text: String,
    /// The fingerprint of the own text.
    pub mine: u64,
    /// The hash of the other text; `None` if the file was deleted.
    pub theirs: Option<String>,
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn texts_stored_by_an_earlier_page_are_read() {
        let stored = r#"{"base":"1","text":"Typed"}"#;
        let read: KeptText = JsonSerdeCodec::decode(stored).unwrap();
        let expected = KeptText {
            base: Some("1".to_owned()),
            text: "Typed".to_owned(),
            sent: Vec::new(),
            merge: None,
        };
        assert_eq!(read, expected);
    }
}
