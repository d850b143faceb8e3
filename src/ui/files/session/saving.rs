//! Saving texts: after a pause in typing, by a key, and again after a failure; and resolving
//! conflicts.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use super::Session;
use crate::{
    api::files::write_file,
    protocol::{ApiError, ErrorCode, FileSaved},
    ui::files::{
        kept_text::{self, KeptText},
        open_files::{Content, OpenFile, SaveState},
    },
};

/// The pause in typing after which a text is saved.
pub(super) const PAUSE: Duration = Duration::from_millis(900);
/// The wait before a text that could not be saved is sent again.
const RETRY: Duration = Duration::from_secs(4);

impl Session {
    /// The user changed the text.
    pub(super) fn typed(self, path: String) {
        let known = self.file(&path).map(|file| file.saving);
        if matches!(known, Some(SaveState::Saved | SaveState::Failed(_))) {
            self.change(&path, |file| file.saving = SaveState::Unsaved);
        }
        self.save_after(path, PAUSE);
    }

    pub(super) fn save_after(self, path: String, pause: Duration) {
        if let Some(earlier) = self.pause.try_update_value(Option::take).flatten() {
            earlier.clear();
        }
        let timer = set_timeout_with_handle(move || self.save_all(&path), pause);
        self.pause.try_set_value(timer.ok());
    }

    /// Saves every unsaved file except those in conflict.
    pub(super) fn save_all(self, first: &str) {
        let unsaved = self.files.try_with_untracked(|files| {
            let unsaved = files
                .iter()
                .filter(|file| matches!(file.saving, SaveState::Unsaved | SaveState::Failed(_)));
            unsaved.map(|file| file.path.clone()).collect::<Vec<_>>()
        });
        self.keep_texts();
        let mut unsaved = unsaved.unwrap_or_default();
        unsaved.sort_by_key(|path| path != first);
        for path in unsaved {
            self.save(path);
        }
    }

    /// Retries failed saves.
    pub fn retry(self) {
        self.save_all("");
    }

    /// Stores all unsaved texts in the browser.
    pub fn keep_texts(self) {
        let unsaved = self.files.try_with_untracked(|files| {
            let unsaved = files.iter().filter(|file| file.is_unsaved());
            unsaved
                .map(|file| (file.path.clone(), file.base.clone()))
                .collect::<Vec<_>>()
        });
        for (path, base) in unsaved.unwrap_or_default() {
            if let Some(text) = self.text(&path) {
                kept_text::keep(self.project, &path, &KeptText { base, text });
            }
        }
    }

    /// The text in the editor.
    pub fn text(self, path: &str) -> Option<String> {
        let is_text = self.file(path)?.content == Content::Text;
        is_text.then(|| self.with_editor(|editor| editor.text(path)))?
    }

    /// Sends the text to the server, unless it is saved; a conflict is shown instead.
    pub fn save(self, path: String) {
        let (Some(file), Some(text)) = (self.file(&path), self.text(&path)) else {
            return;
        };
        match file.saving {
            SaveState::Saved | SaveState::Saving => return,
            SaveState::Conflict(_) => {
                self.open(&path);
                self.resolving.set(true);
                return;
            }
            SaveState::Unsaved | SaveState::Failed(_) => {}
        }
        self.change(&path, |file| file.saving = SaveState::Saving);
        spawn_local(async move {
            let sent = write_file(self.project, path.clone(), text.clone(), file.base).await;
            self.sent(path, text, sent);
        });
    }

    pub(super) fn sent(self, path: String, text: String, sent: Result<FileSaved, ApiError>) {
        let saving = match sent {
            Ok(FileSaved::Saved { hash }) => {
                self.change(&path, |file| file.base = Some(hash));
                if self.text(&path).as_ref() == Some(&text) {
                    kept_text::forget(self.project, &path);
                    SaveState::Saved
                } else {
                    self.save_after(path.clone(), PAUSE);
                    SaveState::Unsaved
                }
            }
            Ok(FileSaved::Conflict { theirs }) => SaveState::Conflict(theirs.map(Box::new)),
            Err(error) => {
                if matches!(error.code, ErrorCode::Unavailable | ErrorCode::Internal) {
                    self.save_after(path.clone(), RETRY);
                }
                SaveState::Failed(error.message)
            }
        };
        let is_saved = saving == SaveState::Saved;
        self.change(&path, |file| file.saving = saving);
        self.keep_texts();
        let closing = self.closing.try_update_value(Option::take).flatten();
        if is_saved && closing.as_ref() == Some(&path) {
            self.drop_file(&path);
        }
    }

    /// Resolves a conflict with this text, overwriting the file. It replaces the edited text.
    pub fn resolve(self, path: &str, text: Option<String>) {
        let Some(OpenFile {
            saving: SaveState::Conflict(theirs),
            ..
        }) = self.file(path)
        else {
            return;
        };
        if let Some(text) = text {
            self.with_editor(|editor| editor.replace(path, &text));
        }
        self.change(path, |file| {
            file.base = theirs.map(|theirs| theirs.hash);
            file.saving = SaveState::Unsaved;
        });
        self.save(path.to_owned());
    }

    /// Resolves a conflict by accepting the file as it is.
    pub fn take_theirs(self, path: &str) {
        let Some(OpenFile {
            saving: SaveState::Conflict(theirs),
            ..
        }) = self.file(path)
        else {
            return;
        };
        let Some(theirs) = theirs else {
            self.drop_file(path);
            return;
        };
        kept_text::forget(self.project, path);
        self.change(path, |file| file.saving = SaveState::Saved);
        self.take_in(*theirs);
    }
}
