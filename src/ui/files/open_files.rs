//! The open files, each with the save state of its text.

use crate::protocol::FileView;

/// An open file.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenFile {
    pub path: String,
    pub content: Content,
    /// The hash of the text's base; `None` for a file that no longer exists.
    pub base: Option<String>,
    pub saving: SaveState,
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
    Saving,
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
            stale: false,
            drafted: false,
        }
    }

    /// Whether its text is not saved on the server yet.
    pub fn is_unsaved(&self) -> bool {
        self.saving != SaveState::Saved
    }

    /// The status to show.
    pub fn status(&self) -> &'static str {
        match (&self.content, &self.saving) {
            (Content::Text, SaveState::Saved) => "Saved",
            (Content::Text, SaveState::Saving) => "Saving…",
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
        } else {
            Fresh::Conflict
        }
    }
}

/// How a file compares with its earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    Same,
    /// Somebody else wrote it, and it was not being edited.
    Other,
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

    #[test]
    fn a_file_that_others_wrote_is_taken_over_only_where_nothing_was_typed() {
        let read = |hash: &str| FileView {
            path: "a".to_owned(),
            language: String::new(),
            lines: Vec::new(),
            size: 0,
            notice: None,
            text: Some(String::new()),
            hash: hash.to_owned(),
            image: false,
        };
        let mut file = OpenFile {
            base: Some("1".to_owned()),
            content: Content::Text,
            ..OpenFile::new("a".to_owned())
        };
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
