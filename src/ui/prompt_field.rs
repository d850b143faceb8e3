//! The text field of the home page's form and of the workspace's chat. It grows, shows how much
//! room is left near the limit, says what is wrong, and never loses input: the text lives in the
//! element, not in a signal that could overwrite it at hydration. An image may accompany the text.

mod image;
mod improve;
mod library;
mod state;

use leptos::{ev, prelude::*};

use super::components::TEXTAREA;
use crate::protocol::PROMPT_MAX_CHARS;

pub use image::ImageSlot;
pub use improve::ImproveButton;
pub use library::{LIBRARY_ID, LibraryButton};
pub use state::{Attached, Prompt, PromptField};

/// From this length on the field shows how much room is left, in characters.
const TIGHT: usize = PROMPT_MAX_CHARS * 9 / 10;

/// The workspace's field, by its id.
pub const MESSAGE_ID: &str = "message";

/// The key code that browsers report while an input method handles a key. Safari ends a composition
/// before the keydown of the Enter that ended it, so this is the only sign (w3c.github.io/uievents,
/// 6.3.1).
const IN_COMPOSITION: u32 = 229;

/// Whether the key sends the text: Enter, unless it inserts a line break or ends an input method's
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
        let text = event_target_value(&input);
        field.keep(&text);
        field.text.set(text);
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

/// The complaint, and the remaining room, under the field with this `id`.
#[component]
pub fn PromptNote(field: PromptField, id: &'static str) -> impl IntoView {
    let count = Memo::new(move |_| field.text.with(|text| text.trim().chars().count()));
    view! {
        <div id=format!("{id}-note") class="flex items-start gap-3 text-xs empty:hidden">
            {move || {
                field.complaint.get().map(|complaint| {
                    let way_on = complaint.wants_credits.then(|| {
                        view! { " " <a href="/pricing" class="underline underline-offset-2 focus-ring">"See the plans"</a> }
                    });
                    view! { <p role="alert" class="text-destructive">{complaint.text} {way_on}</p> }
                })
            }}
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

/// With a comma as the thousands separator.
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
