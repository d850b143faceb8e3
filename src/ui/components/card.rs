//! A raised surface.

use leptos::prelude::*;

/// The look of a card, for elements that are more than a `<div>`.
pub const CARD: &str = "rounded-xl border border-border bg-card text-card-foreground shadow-xs";

#[component]
pub fn Card(children: Children) -> impl IntoView {
    view! { <div class=CARD>{children()}</div> }
}
