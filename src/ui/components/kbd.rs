//! A key, or keys pressed together.

use leptos::prelude::*;

/// `keys` as people write them, such as `Ctrl K` or `?`: one cap for each word.
#[component]
pub fn Kbd(keys: &'static str) -> impl IntoView {
    view! {
        <span class="inline-flex shrink-0 gap-0.5">
            {keys.split(' ').map(|key| view! { <kbd class="kbd">{key}</kbd> }).collect_view()}
        </span>
    }
}
