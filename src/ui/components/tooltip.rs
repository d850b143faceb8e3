//! A short text beside what the pointer or the focus is on. `popups.js` shows it: any element with
//! `data-tooltip` has one, such as `<Button attr:data-tooltip="Restart">`.

use leptos::prelude::*;

/// Gives `children` a tooltip. It is no accessible name: an icon alone still needs an `aria-label`.
#[component]
pub fn Tooltip(#[prop(into)] text: String, children: Children) -> impl IntoView {
    view! { <span class="inline-flex min-w-0" data-tooltip=text>{children()}</span> }
}
