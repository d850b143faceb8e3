//! The sign that something is at work; the words beside it say what.

use leptos::prelude::*;

use super::{Icon, IconName};

#[component]
pub fn Spinner() -> impl IntoView {
    view! { <span class="inline-flex animate-spin motion-reduce:animate-none"><Icon name=IconName::Loader/></span> }
}
