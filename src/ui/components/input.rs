//! Fields of one line: what is typed, searched for, and chosen.

use leptos::{html, prelude::*};

/// Classes of an `<input>`. Sixteen pixels on a phone, where smaller ones make the browser zoom in.
pub const INPUT: &str = "h-9 w-full min-w-0 rounded-lg border border-border bg-card px-3 text-base text-foreground shadow-xs outline-none \
                         placeholder:text-muted-foreground focus-within-ring md:text-sm";

/// Classes of a `<select>`; its arrow is drawn beside it.
pub const SELECT: &str = "h-9 w-full cursor-pointer appearance-none rounded-lg border border-border bg-card pr-8 pl-3 text-base \
                          text-foreground shadow-xs focus-ring md:text-sm";

/// A field to search with. `label` is its accessible name and its hint, `class` is added to
/// [`INPUT`].
#[component]
pub fn SearchInput(
    label: &'static str,
    value: RwSignal<String>,
    class: &'static str,
    #[prop(optional)] node_ref: NodeRef<html::Input>,
) -> impl IntoView {
    view! {
        <input
            node_ref=node_ref
            type="search"
            aria-label=label
            placeholder=label
            autocomplete="off"
            class=format!("{INPUT} {class}")
            prop:value=move || value.get()
            on:input=move |event| value.set(event_target_value(&event))
        />
    }
}
