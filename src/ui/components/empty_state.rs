//! A placeholder for missing content: what will be there, and what to do.

use leptos::prelude::*;

use super::{Icon, IconName};

#[component]
pub fn EmptyState(
    icon: IconName,
    #[prop(into)] title: String,
    #[prop(into)] hint: String,
) -> impl IntoView {
    view! {
        <div class="flex flex-col items-center rounded-xl border border-dashed border-border px-6 py-12 text-center">
            <span class="grid size-10 place-items-center rounded-full bg-muted text-muted-foreground"><Icon name=icon class="size-5"/></span>
            <p class="mt-3 text-sm font-medium">{title}</p>
            <p class="mt-1 max-w-sm text-sm text-pretty text-muted-foreground">{hint}</p>
        </div>
    }
}
