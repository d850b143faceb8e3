//! The sign that something is at work; the words beside it say what.

use leptos::prelude::*;

use super::{Icon, IconName};

/// Of 16 px unless `class` says otherwise.
#[component]
pub fn Spinner(#[prop(default = "size-4")] class: &'static str) -> impl IntoView {
    view! { <span class="inline-flex animate-spin motion-reduce:animate-none"><Icon name=IconName::Loader class/></span> }
}
