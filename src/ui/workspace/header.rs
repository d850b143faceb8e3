//! The workspace's bar: the way home, the project's title, the model; on a phone the choice between
//! chat and app.

use leptos::prelude::*;

use super::PhonePart;
use crate::{
    protocol::ModelNotice,
    ui::{
        home::HomeLink,
        model::{DemoNoticeState, ModelBadge},
        theme::ThemeToggle,
    },
};

#[component]
pub fn WorkspaceHeader(
    title: Memo<String>,
    model: ModelNotice,
    notice: DemoNoticeState,
    part: RwSignal<PhonePart>,
) -> impl IntoView {
    view! {
        <header class="flex h-12 shrink-0 items-center gap-2.5 border-b border-border px-3 md:px-4">
            <HomeLink/>
            <span aria-hidden="true" class="hidden text-border sm:inline">"/"</span>
            <h1 class="min-w-0 flex-1 truncate text-sm text-muted-foreground max-sm:sr-only">{move || title.get()}</h1>
            <div role="group" aria-label="Show" class="ml-auto inline-flex items-center gap-0.5 rounded-lg bg-muted p-0.5 md:hidden">
                {[(PhonePart::Chat, "Chat"), (PhonePart::App, "App")]
                    .map(|(choice, label)| {
                        view! {
                            <button
                                type="button"
                                aria-pressed=move || (part.get() == choice).to_string()
                                class="h-7 cursor-pointer rounded-md px-3 text-xs font-medium text-muted-foreground aria-pressed:bg-card aria-pressed:text-foreground aria-pressed:shadow-xs focus-ring"
                                on:click=move |_| part.set(choice)
                            >
                                {label}
                            </button>
                        }
                    })}
            </div>
            <ModelBadge model notice/>
            <ThemeToggle/>
        </header>
    }
}
