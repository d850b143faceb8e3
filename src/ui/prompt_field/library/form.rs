//! The form for a saved prompt's name and text. No `<form>`: it stands in the prompt's own.

use leptos::{ev, html, prelude::*};

use super::state::{Library, Shown};
use crate::{
    api::prompts::{change_saved_prompt, save_prompt},
    protocol::{PROMPT_NAME_MAX_CHARS, SavedPrompt},
    ui::{
        browser,
        components::{Button, ButtonVariant, INPUT, TEXTAREA},
        erased::part,
    },
};

const NAME_ID: &str = "saved-prompt-name";
const TEXT_ID: &str = "saved-prompt-text";
const REFUSAL_ID: &str = "saved-prompt-refusal";

/// Changes the prompt, or saves the field's text as a new one. Enter in the name saves, Escape
/// leaves the form.
pub fn form(library: Library, prompt: Option<SavedPrompt>) -> AnyView {
    let (name, text) = match &prompt {
        Some(prompt) => (prompt.name.clone(), prompt.text.clone()),
        None => (String::new(), library.field.text.get_untracked()),
    };
    let id = prompt.map(|prompt| prompt.id);
    let name_field = NodeRef::<html::Input>::new();
    let text_field = NodeRef::<html::Textarea>::new();
    let refusal = RwSignal::new(None::<String>);
    let leave = move || library.show(Shown::Picker);
    let save = Action::new(move |(name, text): &(String, String)| {
        let (name, text) = (name.clone(), text.clone());
        async move {
            let saved = match id {
                Some(id) => change_saved_prompt(id, name, text).await,
                None => save_prompt(name, text).await,
            };
            match saved {
                // The dialog was closed in the meantime.
                Ok(_) if refusal.is_disposed() => {}
                Ok(saved) => {
                    leave();
                    library.keep(saved);
                }
                Err(error) => _ = refusal.try_set(Some(error.message)),
            }
        }
    });
    let pending = save.pending();
    let submit = move || {
        let (Some(name), Some(text)) = (name_field.get_untracked(), text_field.get_untracked())
        else {
            return;
        };
        if !pending.get_untracked() {
            refusal.set(None);
            save.dispatch((name.value(), text.value()));
        }
    };
    let on_key = move |key: ev::KeyboardEvent| {
        if key.key() == "Escape" {
            // Else the dialog would close.
            key.prevent_default();
            leave();
        }
    };
    let on_name_key = move |key: ev::KeyboardEvent| {
        if key.key() == "Enter" && !key.is_composing() {
            key.prevent_default();
            submit();
        }
    };
    Effect::new(move || {
        if let Some(field) = name_field.get() {
            request_animation_frame(move || {
                browser::focus(NAME_ID);
                field.select();
            });
        }
    });
    let invalid = move || refusal.with(Option::is_some).to_string();
    view! {
        <div class="flex flex-col gap-4" on:keydown=on_key>
            <div class="flex flex-col gap-1.5">
                <label for=NAME_ID class="text-sm font-medium">"Name"</label>
                <input
                    node_ref=name_field
                    id=NAME_ID
                    dir="auto"
                    maxlength=PROMPT_NAME_MAX_CHARS.to_string()
                    placeholder="Its first words, if you leave this empty"
                    autocomplete="off"
                    value=name
                    aria-describedby=REFUSAL_ID
                    aria-invalid=invalid
                    class=INPUT
                    on:keydown=on_name_key
                />
            </div>
            <div class="flex flex-col gap-1.5">
                <label for=TEXT_ID class="text-sm font-medium">"Prompt"</label>
                <div class="max-h-[45dvh] overflow-y-auto rounded-lg border border-border bg-card p-3 focus-within-ring">
                    <textarea
                        node_ref=text_field
                        id=TEXT_ID
                        dir="auto"
                        rows="5"
                        autocomplete="off"
                        prop:value=text
                        aria-describedby=REFUSAL_ID
                        aria-invalid=invalid
                        class=TEXTAREA
                    ></textarea>
                </div>
            </div>
            <div id=REFUSAL_ID class="text-xs text-destructive empty:hidden">
                {part(move || refusal.get().map(|why| view! { <p role="alert">{why}</p> }).into_any())}
            </div>
            <div class="flex flex-wrap justify-end gap-2">
                <Button variant=ButtonVariant::Outline on:click=move |_| leave()>"Cancel"</Button>
                <Button disabled=pending on:click=move |_| submit()>{if id.is_some() { "Save" } else { "Save prompt" }}</Button>
            </div>
        </div>
    }
    .into_any()
}
