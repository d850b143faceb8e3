//! The grey shape of what is still being loaded.

use leptos::prelude::*;

/// `class` gives its size.
#[component]
pub fn Skeleton(#[prop(into)] class: String) -> impl IntoView {
    view! { <div aria-hidden="true" class=format!("animate-pulse motion-reduce:animate-none rounded-md bg-muted {class}")></div> }
}
