//! A notice that can't be overlooked.

use leptos::prelude::*;

use super::{Icon, IconName};

/// Something went wrong; assistive technology says it at once.
#[component]
pub fn Alert(children: Children) -> impl IntoView {
    view! {
        <div role="alert" class="flex gap-2.5 rounded-xl border border-destructive/40 bg-destructive/5 px-4 py-3 text-sm leading-6">
            <Icon name=IconName::CircleAlert class="mt-1 size-4 text-destructive"/>
            <div class="min-w-0 flex-1 wrap-anywhere">{children()}</div>
        </div>
    }
}
