//! The open files, each with the save state of its text.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::kept_text::{KeptText, Merge};
use crate::protocol::FileView;

/// How many texts that were sent, and not confirmed, are remembered.
const MAX_SENT: usize = 100;

/// An open file.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenFile {
    pub path: String,
    pub content: Content,
    /// The hash of the text's base; `None` for a file that no longer exists.
    pub base: Option<String>,
    pub saving: SaveState,
    /// Fingerprints of the texts that were sent since the server last confirmed one: any of them may
    /// be in the sandbox.
    pub sent: Vec<u64>,
    /// The merge that was begun in the conflict's dialog.
    pub merge: Option<Merge>,
    /// Whether the file may have changed since it was read.
    pub stale: bool,
    /// Whether a run's model is currently writing it.
    pub drafted: bool,
}

/// The content to show.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Loading,
    /// Text, which is in the editor.
    Text,
    /// Not editable as text; the sentence says why.
    Shown {
        notice: String,
        image: bool,
    },
    /// It could not be read; the sentence says why.
    Failed(String),
}

/// The save state of its text.
#[derive(Debug, Clone, PartialEq)]
pub enum SaveState {
    Saved,
    Unsaved,
    /// It is being sent; if that is tried again, the sentence says why it was refused before.
    Saving(Option<String>),
    /// Saving was refused; the sentence says why. The text is kept.
    Failed(String),
    /// Somebody else wrote the file: its new state, or `None` if it was deleted.
    Conflict(Option<Box<FileView>>),
}

impl OpenFile {
    pub fn new(path: String) -> Self {
        Self {
            path,
            content: Content::Loading,
            base: None,
            saving: SaveState::Saved,
            sent: Vec::new(),
            merge: None,
            stale: false,
            drafted: false,
        }
    }

    /// The unsaved text as the browser stores it.
    pub fn kept(&self, text: String) -> KeptText {
        KeptText {
            base: self.base.clone(),
            text,
            sent: self.sent.clone(),
            merge: self.merge.clone(),
        }
    }

    /// Remembers a text that is being sent.
    pub fn note_sent(&mut self, text: &str) {
        let print = fingerprint(text);
        self.sent.retain(|known| *known != print);
        if self.sent.len() == MAX_SENT {
            self.sent.remove(0);
        }
        self.sent.push(print);
    }

    /// The server has confirmed a text as this file's.
    pub fn saved(&mut self, hash: String) {
        self.base = Some(hash);
        self.sent.clear();
        self.merge = None;
    }

    /// Whether its text is not saved on the server yet.
    pub fn is_unsaved(&self) -> bool {
        self.saving != SaveState::Saved
    }

    pub fn is_in_conflict(&self) -> bool {
        matches!(self.saving, SaveState::Conflict(_))
    }

    /// The status to show.
    pub fn status(&self) -> &'static str {
        match (&self.content, &self.saving) {
            (Content::Text, SaveState::Saved) => "Saved",
            (Content::Text, SaveState::Saving(None)) => "Saving…",
            (Content::Text, _) => "Unsaved",
            _ => "",
        }
    }

    /// What to do after the file was read again.
    pub fn compare(&self, read: &FileView) -> Fresh {
        if self.base.as_ref() == Some(&read.hash) {
            Fresh::Same
        } else if self.saving == SaveState::Saved {
            Fresh::Other
        } else if was_sent(&self.sent, read) {
            Fresh::Own
        } else {
            Fresh::Conflict
        }
    }
}

/// Whether the file's text is one that was sent from here. A save can reach the sandbox and fail
/// after that, or its answer can be lost.
pub fn was_sent(sent: &[u64], read: &FileView) -> bool {
    let print = read.text.as_deref().map(fingerprint);
    print.is_some_and(|print| sent.contains(&print))
}

/// Tells texts apart, also after a reload.
pub fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// How a file compares with its earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    Same,
    /// Somebody else wrote it, and it was not being edited.
    Other,
    /// It has a text that was sent from here, and not confirmed.
    Own,
    Conflict,
}

/// The file to show after the one at `closed` was closed.
pub fn next_after(closed: usize, count: usize) -> Option<usize> {
    match count {
        0 | 1 => None,
        _ if closed + 1 < count => Some(closed + 1),
        _ => Some(closed - 1),
    }
}

/// The path after something was moved; `None` if it is not affected.
pub fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    let below = path.strip_prefix(from)?;
    (below.is_empty() || below.starts_with('/')).then(|| format!("{to}{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hash: &str) -> FileView {
        FileView {
            path: "a".to_owned(),
            language: String::new(),
            lines: Vec::new(),
            size: 0,
            notice: None,
            text: Some(format!("The text {hash}")),
            hash: hash.to_owned(),
            image: false,
        }
    }

    fn file() -> OpenFile {
        OpenFile {
            base: Some("1".to_owned()),
            content: Content::Text,
            ..OpenFile::new("a".to_owned())
        }
    }

    #[test]
    fn a_text_that_was_sent_and_not_confirmed_is_no_conflict_until_another_one_is_confirmed() {
        let mut file = OpenFile {
            saving: SaveState::Unsaved,
            ..file()
        };
        file.note_sent("The text 2");
        file.note_sent("The text 3");
        assert_eq!(file.compare(&read("2")), Fresh::Own);
        assert_eq!(file.compare(&read("3")), Fresh::Own);
        assert_eq!(file.compare(&read("4")), Fresh::Conflict);
        // Also after a reload.
        let kept = file.kept("The text 5".to_owned());
        assert!(was_sent(&kept.sent, &read("3")) && !was_sent(&kept.sent, &read("5")));
        file.saved("3".to_owned());
        assert_eq!(file.compare(&read("3")), Fresh::Same);
        assert_eq!(file.compare(&read("2")), Fresh::Conflict);
        for number in 0..=MAX_SENT {
            file.note_sent(&format!("The text {number}"));
            file.note_sent(&format!("The text {number}"));
        }
        assert_eq!(file.sent.len(), MAX_SENT);
        assert_eq!(file.compare(&read("0")), Fresh::Conflict);
        assert_eq!(file.compare(&read("2")), Fresh::Own);
    }

    #[test]
    fn a_text_that_is_sent_again_is_called_unsaved_until_it_is_saved() {
        let status = |saving| OpenFile { saving, ..file() }.status();
        assert_eq!(status(SaveState::Saving(None)), "Saving…");
        let again = SaveState::Saving(Some("The disk is full.".to_owned()));
        assert_eq!(status(again), "Unsaved");
        assert_eq!(status(SaveState::Saved), "Saved");
    }

    #[test]
    fn a_file_that_others_wrote_is_taken_over_only_where_nothing_was_typed() {
        let mut file = file();
        assert_eq!(file.compare(&read("1")), Fresh::Same);
        assert_eq!(file.compare(&read("2")), Fresh::Other);
        file.saving = SaveState::Unsaved;
        assert_eq!(file.compare(&read("1")), Fresh::Same);
        assert_eq!(file.compare(&read("2")), Fresh::Conflict);
        assert_eq!(file.status(), "Unsaved");
    }

    #[test]
    fn a_closed_tab_gives_way_to_its_neighbour_and_moved_folders_take_their_files_along() {
        assert_eq!(next_after(0, 1), None);
        assert_eq!(next_after(0, 3), Some(1));
        assert_eq!(next_after(2, 3), Some(1));
        assert_eq!(
            moved("app/a", "app", "src/app").as_deref(),
            Some("src/app/a")
        );
        assert_eq!(moved("app", "app", "src").as_deref(), Some("src"));
        assert_eq!(moved("apple/a", "app", "src"), None);
    }
}
