//! The user's prompts as the dialog shows them, and what can be done with one.

use leptos::prelude::*;

use super::super::state::PromptField;
use crate::{
    api::prompts::{delete_saved_prompt, list_saved_prompts, undelete_saved_prompt},
    protocol::{ApiError, SavedPrompt, SavedPromptId},
    ui::browser,
};

/// The id of the search field.
pub const SEARCH_ID: &str = "search-saved-prompts";

/// The shown part of the library.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    Picker,
    /// The form for a prompt, or for the field's text.
    Form(Option<SavedPrompt>),
}

/// What happened last.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    Saved(String),
    /// Its deletion can be undone.
    Deleted(SavedPrompt),
    Failed(String),
}

/// The user's prompts, and what the dialog shows.
#[derive(Clone, Copy)]
pub struct Library {
    pub field: PromptField,
    pub open: RwSignal<bool>,
    /// `None` until they are fetched.
    pub all: RwSignal<Option<Vec<SavedPrompt>>>,
    pub shown: RwSignal<Shown>,
    pub news: RwSignal<Option<News>>,
}

impl Library {
    pub fn of(field: PromptField) -> Self {
        Self {
            field,
            open: RwSignal::new(false),
            all: RwSignal::new(None),
            shown: RwSignal::new(Shown::Picker),
            news: RwSignal::new(None),
        }
    }

    /// Fetches the prompts again: other tabs and devices may have changed them.
    pub fn fetch(self) {
        leptos::task::spawn_local(async move {
            match list_saved_prompts().await {
                Ok(all) => _ = self.all.try_set(Some(all)),
                Err(error) => self.failed(error),
            }
        });
    }

    fn failed(self, error: ApiError) {
        self.news.try_set(Some(News::Failed(error.message)));
    }

    pub fn find(self, id: SavedPromptId) -> Option<SavedPrompt> {
        self.all.with_untracked(|all| {
            let mut all = all.iter().flatten();
            all.find(|prompt| prompt.id == id).cloned()
        })
    }

    /// Puts a prompt that was saved to the front.
    pub fn keep(self, prompt: SavedPrompt) {
        self.news.try_set(Some(News::Saved(prompt.name.clone())));
        self.all.try_update(|all| {
            let all = all.get_or_insert_default();
            all.retain(|other| other.id != prompt.id);
            all.insert(0, prompt);
        });
    }

    /// Puts the prompt's text into the field, below the text that is there, and closes the dialog.
    pub fn insert(self, id: SavedPromptId) {
        let Some(prompt) = self.find(id) else {
            return;
        };
        self.open.set(false);
        let before = self.field.text.get_untracked();
        self.field.fill(&joined(&before, &prompt.text));
        // After the dialog has restored the focus.
        request_animation_frame(move || self.field.focus());
    }

    /// Removes the prompt from the list at once, and offers to undo it.
    pub fn delete(self, id: SavedPromptId) {
        let Some(prompt) = self.find(id) else {
            return;
        };
        self.all.update(|all| {
            if let Some(all) = all {
                all.retain(|other| other.id != id);
            }
        });
        browser::focus(SEARCH_ID);
        leptos::task::spawn_local(async move {
            match delete_saved_prompt(id).await {
                Ok(()) => _ = self.news.try_set(Some(News::Deleted(prompt))),
                Err(error) => {
                    self.failed(error);
                    self.fetch();
                }
            }
        });
    }

    pub fn undelete(self, id: SavedPromptId) {
        self.news.set(None);
        browser::focus(SEARCH_ID);
        leptos::task::spawn_local(async move {
            if let Err(error) = undelete_saved_prompt(id).await {
                self.failed(error);
            }
            self.fetch();
        });
    }

    pub fn show(self, shown: Shown) {
        self.news.set(None);
        self.shown.set(shown);
    }
}

/// Both texts, one below the other.
fn joined(before: &str, text: &str) -> String {
    match before.trim_end() {
        "" => text.to_owned(),
        before => format!("{before}\n\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_goes_below_what_is_already_there() {
        assert_eq!(joined(" \n", "Use blue"), "Use blue");
        assert_eq!(
            joined("Build a shop. \n", "Use blue"),
            "Build a shop.\n\nUse blue"
        );
    }
}
