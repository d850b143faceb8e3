//! An editing session: reads files into the editor, saves edits, and applies others' changes.
//! Unsaved text stays in the page until the server has it, and is stored in the browser.

mod saving;

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local, web_sys::HtmlElement};

use super::{
    code_mirror::{self, Editor, Handlers},
    kept_text,
    open_files::{Content, Fresh, OpenFile, SaveState, moved, next_after, was_sent},
};
use crate::{
    api::files::read_file,
    protocol::{ApiError, ErrorCode, FileView, ProjectId},
    ui::{browser, team},
};

/// Whether the editor's script is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    Loading,
    Ready,
    Failed,
}

/// A session, as a cheap handle.
#[derive(Clone, Copy)]
pub struct Session {
    pub project: ProjectId,
    /// Whether the user may change files.
    pub can_edit: bool,
    pub files: RwSignal<Vec<OpenFile>>,
    /// The path of the file that is shown.
    pub current: RwSignal<Option<String>>,
    pub readiness: RwSignal<Readiness>,
    /// Whether the dialog about a conflict is open.
    pub resolving: RwSignal<bool>,
    /// The file that the cursor was last moved in, and its line.
    pub line: RwSignal<Option<(String, u32)>>,
    /// The line to go to once its file is shown.
    goal: StoredValue<Option<(String, u32)>>,
    /// The file to close once it is saved.
    closing: StoredValue<Option<String>>,
    editor: StoredValue<Option<(Editor, Handlers)>, LocalStorage>,
    /// Files that were read before the editor was available.
    waiting: StoredValue<Vec<FileView>>,
    pause: StoredValue<Option<TimeoutHandle>>,
    /// The timer that sends refused texts again, and how many times it did since the last success.
    again: StoredValue<(Option<TimeoutHandle>, u32)>,
}

impl Session {
    pub fn new(project: ProjectId) -> Self {
        let session = Self {
            project,
            can_edit: team::can_edit(),
            files: RwSignal::new(Vec::new()),
            current: RwSignal::new(None),
            readiness: RwSignal::new(Readiness::Loading),
            resolving: RwSignal::new(false),
            line: RwSignal::new(None),
            goal: StoredValue::new(None),
            closing: StoredValue::new(None),
            editor: StoredValue::new_local(None),
            waiting: StoredValue::new(Vec::new()),
            pause: StoredValue::new(None),
            again: StoredValue::new((None, 0)),
        };
        on_cleanup(move || {
            if let Some((editor, _)) = session.editor.try_update_value(Option::take).flatten() {
                editor.destroy();
            }
        });
        session
    }

    /// Fetches the editor and shows it in the element.
    pub fn mount(self, host: HtmlElement) {
        spawn_local(async move {
            let loaded = code_mirror::load().await;
            let handlers = Handlers::new(
                move |path| self.typed(path),
                move |path| self.save(path),
                move |path, line| self.moved_to(path, line),
            );
            let editor = match loaded {
                true => code_mirror::mount(&host, &handlers),
                false => None,
            };
            // The user may have left the tab.
            let Some(editor) = editor else {
                self.readiness.try_set(Readiness::Failed);
                return;
            };
            if self
                .editor
                .try_set_value(Some((editor, handlers)))
                .is_some()
            {
                return;
            }
            self.readiness.set(Readiness::Ready);
            for view in self
                .waiting
                .try_update_value(std::mem::take)
                .unwrap_or_default()
            {
                self.take_in(view);
            }
        });
    }

    pub fn file(self, path: &str) -> Option<OpenFile> {
        self.files
            .try_with_untracked(|files| files.iter().find(|file| file.path == path).cloned())
            .flatten()
    }

    /// The file that is shown.
    pub fn shown(self) -> Option<OpenFile> {
        let current = self.current.get()?;
        self.files
            .with(|files| files.iter().find(|file| file.path == current).cloned())
    }

    /// Shows the file, reading it first if it isn't open yet.
    pub fn open(self, path: &str) {
        match self.file(path) {
            None => {
                self.files
                    .update(|files| files.push(OpenFile::new(path.to_owned())));
                self.load(path.to_owned());
            }
            Some(file) if file.stale || matches!(file.content, Content::Failed(_)) => {
                self.refresh(path.to_owned());
            }
            Some(_) => {}
        }
        if self.current.get_untracked().as_deref() != Some(path) {
            self.current.set(Some(path.to_owned()));
        }
    }

    /// Closes the file. Unsaved text is saved first; if that fails, the file stays open.
    pub fn close(self, path: &str) {
        let Some(file) = self.file(path) else { return };
        if file.is_unsaved() {
            self.closing.set_value(Some(path.to_owned()));
            self.open(path);
            self.save(path.to_owned());
            return;
        }
        self.drop_file(path);
    }

    /// Closes the file and discards its text.
    pub fn drop_file(self, path: &str) {
        let next = self.files.with_untracked(|files| {
            let at = files.iter().position(|file| file.path == path)?;
            Some(files[next_after(at, files.len())?].path.clone())
        });
        self.with_editor(|editor| editor.close(path));
        kept_text::forget(self.project, path);
        self.files
            .update(|files| files.retain(|file| file.path != path));
        if self.current.get_untracked().as_deref() == Some(path) {
            self.current.set(next);
        }
    }

    /// Updates paths below `from` to paths below `to`.
    pub fn renamed(self, from: &str, to: &str) {
        let open = self.files.with_untracked(|files| {
            let open = files.iter();
            open.filter_map(|file| Some((file.path.clone(), moved(&file.path, from, to)?)))
                .collect::<Vec<_>>()
        });
        for (old, new) in open {
            self.with_editor(|editor| editor.rename(&old, &new));
            kept_text::forget(self.project, &old);
            self.change(&old, |file| file.path.clone_from(&new));
            if self.current.get_untracked().as_ref() == Some(&old) {
                self.current.set(Some(new));
            }
        }
    }

    fn load(self, path: String) {
        spawn_local(async move {
            match read_file(self.project, path.clone(), true).await {
                Ok(view) if self.readiness.try_get_untracked() == Some(Readiness::Ready) => {
                    self.take_in(view);
                }
                Ok(view) => {
                    self.waiting.try_update_value(|waiting| waiting.push(view));
                }
                Err(error) => {
                    self.change(&path, |file| file.content = Content::Failed(error.message))
                }
            }
        });
    }

    /// Puts a file that was read into the editor, with the unsaved text from before a reload.
    fn take_in(self, view: FileView) {
        let path = view.path.clone();
        let Some(text) = view.text.clone() else {
            self.change(&path, |file| {
                file.base = Some(view.hash);
                file.stale = false;
                file.content = Content::Shown {
                    notice: view.notice.unwrap_or_default(),
                    image: view.image,
                };
            });
            return;
        };
        self.with_editor(|editor| {
            editor.open(&path, &text, !self.can_edit);
            editor.replace(&path, &text);
        });
        let kept = kept_text::find(self.project, &path);
        let saving = match &kept {
            None => SaveState::Saved,
            // The sandbox may have the same text without the server having noted it as an edit.
            Some(kept)
                if kept.text == text
                    || kept.base.as_ref() == Some(&view.hash)
                    || was_sent(&kept.sent, &view) =>
            {
                SaveState::Unsaved
            }
            Some(_) => SaveState::Conflict(Some(Box::new(view.clone()))),
        };
        if let Some(kept) = &kept {
            self.with_editor(|editor| editor.replace(&path, &kept.text));
        }
        let unsaved = saving == SaveState::Unsaved;
        self.change(&path, |file| {
            file.base = Some(view.hash);
            file.content = Content::Text;
            file.saving = saving;
            file.stale = false;
            (file.sent, file.merge) = kept.map(|kept| (kept.sent, kept.merge)).unwrap_or_default();
        });
        if unsaved {
            self.save_after(path, saving::PAUSE);
        }
    }

    /// Files were written elsewhere: the shown one is read again now, the others when they are
    /// shown.
    pub fn files_changed(self) {
        let current = self.current.try_get_untracked().flatten();
        self.files.try_update(|files| {
            for file in files.iter_mut() {
                file.stale = true;
            }
        });
        if let Some(path) = current {
            self.refresh(path);
        }
    }

    fn refresh(self, path: String) {
        let Some(before) = self.file(&path) else {
            return;
        };
        if before.content == Content::Loading {
            return;
        }
        if before.content != Content::Text {
            self.load(path);
            return;
        }
        spawn_local(async move {
            let read = read_file(self.project, path.clone(), true).await;
            let Some(file) = self.file(&path) else { return };
            // It was saved meanwhile, which is newer.
            if file.base != before.base || matches!(file.saving, SaveState::Saving(_)) {
                return;
            }
            self.refreshed(file, read);
        });
    }

    fn refreshed(self, file: OpenFile, read: Result<FileView, ApiError>) {
        let path = file.path.clone();
        match read {
            Ok(view) => {
                self.change(&path, |file| file.stale = false);
                match (file.compare(&view), &view.text) {
                    (Fresh::Same, _) => {}
                    (Fresh::Other, Some(text)) => {
                        self.with_editor(|editor| editor.replace(&path, text));
                        self.change(&path, |file| file.base = Some(view.hash));
                    }
                    (Fresh::Other, None) => self.take_in(view),
                    (Fresh::Conflict, text) if self.text(&path) != *text => {
                        self.change(&path, |file| {
                            file.saving = SaveState::Conflict(Some(Box::new(view)));
                        });
                    }
                    // What was typed is there, but the server has not said that it is saved.
                    (Fresh::Conflict | Fresh::Own, _) => {
                        self.change(&path, |file| {
                            file.base = Some(view.hash);
                            file.saving = SaveState::Unsaved;
                        });
                        self.save_after(path, saving::PAUSE);
                    }
                }
            }
            Err(error) if error.code == ErrorCode::NotFound && file.is_unsaved() => {
                self.change(&path, |file| file.saving = SaveState::Conflict(None));
            }
            Err(error) if error.code == ErrorCode::NotFound => self.drop_file(&path),
            // It stays stale.
            Err(_) => {}
        }
    }

    /// The files that a model is currently writing: open ones show it, and are read-only meanwhile.
    pub fn drafted(self, drafts: &[(String, Arc<String>)]) {
        let open = self.files.with_untracked(Clone::clone);
        for file in open
            .into_iter()
            .filter(|file| file.content == Content::Text)
        {
            let draft = drafts.iter().find(|(path, _)| *path == file.path);
            match draft {
                Some((path, text)) if file.saving == SaveState::Saved => {
                    self.with_editor(|editor| {
                        editor.lock(path, true);
                        editor.grow(path, text);
                    });
                }
                Some((path, _)) => {
                    self.with_editor(|editor| editor.lock(path, true));
                }
                None if file.drafted => {
                    self.with_editor(|editor| editor.lock(&file.path, !self.can_edit));
                    // A draft is not a file yet, and may never become one.
                    self.change(&file.path, |file| {
                        if file.saving == SaveState::Saved {
                            file.base = None;
                        }
                    });
                    self.refresh(file.path.clone());
                }
                None => {}
            }
            if file.drafted != draft.is_some() {
                self.change(&file.path, |file| file.drafted = !file.drafted);
            }
        }
    }

    fn moved_to(self, path: String, line: u32) {
        if self.current.try_get_untracked().flatten().as_ref() == Some(&path) {
            self.line.set(Some((path, line)));
        }
    }

    /// Shows the current file's text, or hides the editor.
    pub fn show(self) {
        let path = self.current.get_untracked();
        let text = path.filter(|path| {
            self.file(path)
                .is_some_and(|file| file.content == Content::Text)
        });
        self.with_editor(|editor| match &text {
            Some(path) => {
                editor.show(path);
                let goal = self.goal.get_value().filter(|(goal, _)| goal == path);
                if let Some((_, line)) = goal {
                    editor.go_to(path, line);
                    self.goal.set_value(None);
                }
            }
            None => editor.hide(),
        });
    }

    /// Shows the file at the line.
    pub fn open_at(self, path: &str, line: u32) {
        let goal = Some((path.to_owned(), line));
        self.goal.set_value(goal.clone());
        self.line.set(goal);
        self.open(path);
        self.show();
        self.focus_editor();
    }

    pub fn focus_editor(self) {
        self.with_editor(Editor::focus);
    }

    fn change(self, path: &str, change: impl FnOnce(&mut OpenFile)) {
        self.files.try_update(|files| {
            if let Some(file) = files.iter_mut().find(|file| file.path == path) {
                change(file);
            }
        });
    }

    fn with_editor<T>(self, act: impl FnOnce(&Editor) -> T) -> Option<T> {
        self.editor
            .try_with_value(|editor| editor.as_ref().map(|(editor, _)| act(editor)))
            .flatten()
    }
}

/// The address of a file's content.
pub fn raw_url(project: ProjectId, path: &str) -> String {
    format!(
        "/api/files/raw?project={project}&path={}",
        browser::encoded(path)
    )
}
