//! The user's library of prompts: a picker that puts one into the field, and saves the field's text.

mod form;
mod picker;
mod state;

use leptos::{ev, prelude::*};

use super::state::PromptField;
use crate::ui::{
    components::{Button, ButtonSize, ButtonVariant, Dialog, Icon, IconName},
    erased::part,
    pane::{later, panes},
    visitor,
};

use form::form;
use picker::picker;
use state::{Library, Shown};

/// The id of the button that opens the library.
pub const LIBRARY_ID: &str = "saved-prompts";

/// The button, for users who can have saved prompts.
#[component]
pub fn LibraryButton(field: PromptField) -> impl IntoView {
    visitor::is_in().then(|| view! { <div class="flex min-h-8 min-w-8 shrink-0 items-center">{later("saved prompts", move || library_button(field))}</div> })
}

panes! {
    image:

    /// The button and its dialog; their code is fetched after the page's.
    pub fn library_button(field: PromptField) {
        button(field)
    }
}

panes! {
    commands:

    /// What is in the dialog; its code is fetched when it is first opened.
    pub fn library_content(library: Library) {
        content(library)
    }
}

fn button(field: PromptField) -> AnyView {
    let library = Library::of(field);
    let open = library.open;
    let start = move |_| {
        library.show(Shown::Picker);
        library.fetch();
        open.set(true);
    };
    view! {
        <Button
            variant=ButtonVariant::Ghost
            size=ButtonSize::Icon
            attr:id=LIBRARY_ID
            attr:aria-label="Saved prompts"
            attr:aria-haspopup="dialog"
            attr:title="Saved prompts"
            on:click=start
        >
            <Icon name=IconName::Bookmark/>
        </Button>
        <Dialog open title="Saved prompts">
            <div on:keydown=keep_escape>
                {later("saved prompts", move || library_content(library))}
            </div>
        </Dialog>
    }
    .into_any()
}

/// The dialog stands in the prompt's form, where Escape has a meaning of its own.
fn keep_escape(key: ev::KeyboardEvent) {
    if key.key() == "Escape" {
        key.stop_propagation();
    }
}

fn content(library: Library) -> AnyView {
    part(move || match library.shown.get() {
        Shown::Picker => picker(library),
        Shown::Form(prompt) => form(library, prompt),
    })
}
