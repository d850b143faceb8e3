//! The user's library of prompts: a picker that puts one into the field, and saves the field's text.

mod form;
mod picker;
mod state;

use leptos::{ev, prelude::*};

use super::state::PromptField;
use crate::ui::{
    components::{Button, ButtonSize, ButtonVariant, Dialog, Icon, IconName},
    erased::{part, part_when},
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
    // How many times it was pressed: the dialog's code is fetched with the first time.
    let pressed = RwSignal::new(0_u32);
    let view = move || {
        view! {
            <Button
                variant=ButtonVariant::Ghost
                size=ButtonSize::Icon
                attr:id=LIBRARY_ID
                attr:aria-label="Saved prompts"
                attr:aria-haspopup="dialog"
                attr:title="Saved prompts"
                on:click=move |_| pressed.update(|count| *count += 1)
            >
                <Icon name=IconName::Bookmark/>
            </Button>
            {part_when(move || pressed.get() > 0, move || later("saved prompts", move || library_dialog(field, pressed)))}
        }
    };
    visitor::is_in().then(view)
}

panes! {
    commands:

    /// The library, which opens whenever the button is pressed.
    pub fn library_dialog(field: PromptField, pressed: RwSignal<u32>) {
        dialog(field, pressed)
    }
}

fn dialog(field: PromptField, pressed: RwSignal<u32>) -> AnyView {
    let library = Library::of(field);
    let open = library.open;
    Effect::new(move || {
        pressed.track();
        library.show(Shown::Picker);
        library.fetch();
        open.set(true);
    });
    let content = move || match library.shown.get() {
        Shown::Picker => picker(library),
        Shown::Form(prompt) => form(library, prompt),
    };
    view! {
        <Dialog open title="Saved prompts">
            <div on:keydown=keep_escape>{part(content)}</div>
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
