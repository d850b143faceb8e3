//! The text field of the home page's form and of the workspace's chat: it grows, counts when it
//! gets tight, says what is wrong, and never loses what was typed: the text lives in the element,
//! not in a signal that could overwrite it at hydration. An image may go with the text.

mod image;

use leptos::{ev, html, prelude::*};

use super::components::TEXTAREA;
use crate::protocol::{NewPrompt, PROMPT_MAX_CHARS};

use image::Attached;
pub use image::ImageSlot;

/// From this length on the field shows how much room is left, in characters.
const TIGHT: usize = PROMPT_MAX_CHARS * 9 / 10;

/// The workspace's field, by its id.
pub const MESSAGE_ID: &str = "message";
/// The complaint about an image that the server does not have yet.
const STILL_UPLOADING: &str = "The image is still uploading. Try again in a moment.";

/// What a field sends: the text, and the id of the image that was uploaded with it.
pub type Prompt = (NewPrompt, Option<String>);

/// The state of one field: a copy of its text, the image, and the complaint about them.
#[derive(Clone, Copy)]
pub struct PromptField {
    element: NodeRef<html::Textarea>,
    text: RwSignal<String>,
    image: RwSignal<Option<Attached>>,
    complaint: RwSignal<Option<String>>,
}

impl PromptField {
    pub fn new() -> Self {
        let field = Self {
            element: NodeRef::new(),
            text: RwSignal::new(String::new()),
            image: RwSignal::new(None),
            complaint: RwSignal::new(None),
        };
        // Text that was typed, or restored by the browser, before hydration.
        Effect::new(move || {
            if let Some(element) = field.element.get() {
                field.text.set(element.value());
            }
        });
        field
    }

    /// Text and image, if they can be sent; otherwise the field says why not and gets the focus.
    pub fn validated(self) -> Option<Prompt> {
        let image = self.image.get_untracked();
        let complaint = match NewPrompt::new(&self.text.get_untracked()) {
            Ok(_) if image.as_ref().is_some_and(Attached::is_uploading) => {
                STILL_UPLOADING.to_owned()
            }
            Ok(prompt) => return Some((prompt, image.and_then(Attached::into_id))),
            Err(error) => error.to_string(),
        };
        self.complain(complaint);
        self.focus();
        None
    }

    pub fn complain(self, complaint: String) {
        self.complaint.try_set(Some(complaint));
    }

    /// Puts the text into the field and the focus after it.
    pub fn fill(self, text: &str) {
        if let Some(element) = self.element.try_get_untracked().flatten() {
            element.set_value(text);
            self.text.set(text.to_owned());
            self.complaint.set(None);
        }
    }

    /// Empties the field of what was sent; a text or an image that changed meanwhile stays.
    pub fn clear(self, (sent, image): &Prompt) {
        if self
            .text
            .try_get_untracked()
            .is_some_and(|text| text.trim() == sent.as_str())
        {
            self.fill("");
        }
        let attached = self
            .image
            .try_get_untracked()
            .flatten()
            .and_then(Attached::into_id);
        if attached.is_some() && attached == *image {
            self.image.set(None);
        }
    }

    pub fn focus(self) {
        if let Some(element) = self.element.get_untracked() {
            let _ = element.focus();
        }
    }
}

/// What browsers give as the key's code while an input method handles it. Safari ends a composition
/// before the keydown of the Enter that ended it, so that only this tells (w3c.github.io/uievents,
/// 6.3.1).
const IN_COMPOSITION: u32 = 229;

/// Whether the key sends the text: Enter, unless it makes a new line or ends an input method's
/// composition.
fn sends(key: &ev::KeyboardEvent) -> bool {
    key.key() == "Enter"
        && !key.shift_key()
        && !key.is_composing()
        && key.key_code() != IN_COMPOSITION
}

/// The `<textarea>`. Enter and Ctrl/Cmd+Enter call `on_enter`; Shift+Enter makes a new line.
#[component]
pub fn PromptTextarea(
    field: PromptField,
    /// The accessible name, and the prefix of ids.
    label: &'static str,
    id: &'static str,
    placeholder: &'static str,
    rows: u32,
    #[prop(optional)] required: bool,
    on_enter: impl Fn() + 'static,
) -> impl IntoView {
    let note = format!("{id}-note");
    let on_key = move |key: ev::KeyboardEvent| {
        if sends(&key) {
            key.prevent_default();
            on_enter();
        }
    };
    let on_input = move |input| {
        field.text.set(event_target_value(&input));
        field.complaint.set(None);
    };
    view! {
        <label for=id class="sr-only">{label}</label>
        <textarea
            node_ref=field.element
            id=id
            name="prompt"
            rows=rows
            placeholder=placeholder
            required=required
            autocomplete="off"
            aria-describedby=note
            aria-invalid=move || field.complaint.with(Option::is_some).to_string()
            class=TEXTAREA
            on:keydown=on_key
            on:input=on_input
        ></textarea>
    }
}

/// The complaint, and how much room is left, under the field with this `id`.
#[component]
pub fn PromptNote(field: PromptField, id: &'static str) -> impl IntoView {
    let count = Memo::new(move |_| field.text.with(|text| text.trim().chars().count()));
    view! {
        <div id=format!("{id}-note") class="flex items-start gap-3 text-xs empty:hidden">
            {move || field.complaint.get().map(|complaint| view! { <p role="alert" class="text-destructive">{complaint}</p> })}
            {move || {
                (count.get() > TIGHT)
                    .then(|| {
                        view! {
                            <p
                                class="ml-auto shrink-0 tabular-nums"
                                class=("text-muted-foreground", move || count.get() <= PROMPT_MAX_CHARS)
                                class=("text-destructive", move || count.get() > PROMPT_MAX_CHARS)
                            >
                                {move || format!("{} / {}", grouped(count.get()), grouped(PROMPT_MAX_CHARS))}
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// With a comma before the last three digits.
fn grouped(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(10_000), "10,000");
        assert_eq!(grouped(9_041), "9,041");
    }
}
