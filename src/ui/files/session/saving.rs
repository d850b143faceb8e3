//! Saving texts: after a pause in typing, by a key, and again after a failure; and resolving
//! conflicts.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use super::Session;
use crate::{
    api::files::write_file,
    protocol::{ApiError, ErrorCode, FileSaved},
    ui::files::{
        kept_text::{self, Merge},
        open_files::{Content, OpenFile, SaveState, was_sent},
    },
};

/// The pause in typing after which a text is saved.
pub(super) const PAUSE: Duration = Duration::from_millis(900);
/// The wait before a text that could not be saved is sent again, which doubles up to the longest.
const RETRY: Duration = Duration::from_secs(4);
const LONGEST_RETRY: Duration = Duration::from_secs(120);

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

    /// Saves every unsaved file except those in conflict, and those that were refused.
    pub(super) fn save_all(self, first: &str) {
        self.save_those(first, |saving| *saving == SaveState::Unsaved);
    }

    /// Retries failed saves, with everything else that is unsaved.
    pub fn retry(self) {
        self.save_those("", |saving| {
            matches!(saving, SaveState::Unsaved | SaveState::Failed(_))
        });
    }

    /// Retries failed saves only: what they failed for may have passed.
    pub fn retry_failed(self) {
        self.save_those("", |saving| matches!(saving, SaveState::Failed(_)));
    }

    fn save_those(self, first: &str, which: impl Fn(&SaveState) -> bool) {
        let those = self.files.try_with_untracked(|files| {
            let those = files.iter().filter(|file| which(&file.saving));
            those.map(|file| file.path.clone()).collect::<Vec<_>>()
        });
        self.keep_texts();
        let mut those = those.unwrap_or_default();
        those.sort_by_key(|path| path != first);
        for path in those {
            self.save(path);
        }
    }

    /// Retries failed saves after a pause, which grows with every attempt. Nothing is sent while
    /// nobody sees the page, because each attempt keeps the sandbox awake.
    fn retry_later(self, error: &ApiError) {
        let attempts = self.again.try_with_value(|(_, attempts)| *attempts);
        let wait = Duration::from_secs(error.retry_after.unwrap_or(0));
        self.retry_in(retry_pause(attempts.unwrap_or(0)).max(wait));
    }

    fn retry_in(self, pause: Duration) {
        let act = move || {
            if document().hidden() {
                self.retry_in(pause);
                return;
            }
            self.again
                .try_update_value(|(_, attempts)| *attempts = attempts.saturating_add(1));
            self.retry_failed();
        };
        let timer = set_timeout_with_handle(act, pause).ok();
        let earlier = self
            .again
            .try_update_value(|(known, _)| std::mem::replace(known, timer));
        if let Some(earlier) = earlier.flatten() {
            earlier.clear();
        }
    }

    /// Stores all unsaved texts in the browser.
    pub fn keep_texts(self) {
        let unsaved = self.files.try_with_untracked(|files| {
            let unsaved = files.iter().filter(|file| file.is_unsaved());
            unsaved.cloned().collect::<Vec<_>>()
        });
        for file in unsaved.unwrap_or_default() {
            if let Some(text) = self.text(&file.path) {
                kept_text::keep(self.project, &file.path, &file.kept(text));
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
        let refused = match file.saving {
            SaveState::Saved | SaveState::Saving(_) => return,
            SaveState::Conflict(_) => {
                self.open(&path);
                self.resolving.set(true);
                return;
            }
            SaveState::Unsaved => None,
            SaveState::Failed(why) => Some(why),
        };
        self.change(&path, |file| {
            file.note_sent(&text);
            file.saving = SaveState::Saving(refused);
        });
        spawn_local(async move {
            let sent = write_file(self.project, path.clone(), text.clone(), file.base).await;
            self.sent(path, text, sent);
        });
    }

    pub(super) fn sent(self, path: String, text: String, sent: Result<FileSaved, ApiError>) {
        let saving = match sent {
            Ok(FileSaved::Saved { hash }) => {
                self.change(&path, |file| file.saved(hash));
                self.again.try_update_value(|(_, attempts)| *attempts = 0);
                if self.text(&path).as_ref() == Some(&text) {
                    kept_text::forget(self.project, &path);
                    SaveState::Saved
                } else {
                    self.save_after(path.clone(), PAUSE);
                    SaveState::Unsaved
                }
            }
            // An earlier save reached the sandbox, although the server did not confirm it.
            Ok(FileSaved::Conflict {
                theirs: Some(theirs),
            }) if was_sent(&self.sent_texts(&path), &theirs) => {
                self.change(&path, |file| file.base = Some(theirs.hash));
                self.save_after(path.clone(), Duration::ZERO);
                SaveState::Unsaved
            }
            Ok(FileSaved::Conflict { theirs }) => SaveState::Conflict(theirs.map(Box::new)),
            Err(error) => {
                if may_pass(error.code) {
                    self.retry_later(&error);
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

    /// Fingerprints of the file's texts that were sent and not confirmed.
    fn sent_texts(self, path: &str) -> Vec<u64> {
        self.file(path).map(|file| file.sent).unwrap_or_default()
    }

    /// Keeps the merge that somebody types in the conflict's dialog, until the conflict is resolved.
    pub fn keep_merge(self, path: &str, merge: Merge) {
        // Nothing that is shown follows it.
        self.files.try_update_untracked(|files| {
            let file = files.iter_mut().find(|file| file.path == path);
            if let Some(file) = file.filter(|file| file.is_in_conflict()) {
                file.merge = Some(merge);
            }
        });
        self.save_after(path.to_owned(), PAUSE);
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
            file.merge = None;
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

/// Whether what a save was refused for may pass by itself: a full disk, a run at work, a server that
/// can't be reached.
fn may_pass(code: ErrorCode) -> bool {
    match code {
        ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::Conflict | ErrorCode::TooMany => {
            true
        }
        ErrorCode::Invalid
        | ErrorCode::Unauthorized
        | ErrorCode::Forbidden
        | ErrorCode::NotFound
        | ErrorCode::TooLarge
        | ErrorCode::OutOfCredits
        | ErrorCode::Misdirected => false,
    }
}

/// The wait before the next attempt, after this many.
fn retry_pause(attempts: u32) -> Duration {
    RETRY
        .saturating_mul(2_u32.saturating_pow(attempts))
        .min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_text_is_sent_again_after_a_pause_that_grows() {
        let pauses: Vec<u64> = (0..7)
            .map(|attempts| retry_pause(attempts).as_secs())
            .collect();
        assert_eq!(pauses, [4, 8, 16, 32, 64, 120, 120]);
        assert_eq!(retry_pause(u32::MAX), LONGEST_RETRY);
        // As the disk of a sandbox, and of the server, is full.
        assert!(may_pass(ErrorCode::Conflict) && may_pass(ErrorCode::Unavailable));
        assert!(!may_pass(ErrorCode::TooLarge));
    }
}
