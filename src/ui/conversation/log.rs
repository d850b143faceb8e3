//! The conversation on the page: it keeps to its end while the reader does, and leaves a reader who scrolled up alone.

use leptos::{html, prelude::*};

use super::{Conversation, Entry, entry::RunEntry};
use crate::{
    protocol::{Message, Role},
    ui::components::{Icon, IconName},
};

/// Nearer to the end than this (in CSS pixels) counts as being there.
const NEAR_END: i32 = 64;

#[component]
pub fn ConversationLog(conversation: RwSignal<Conversation>) -> impl IntoView {
    let entries = Memo::new(move |_| conversation.with(Conversation::entries));
    let last_seq = Memo::new(move |_| conversation.with(Conversation::last_seq));
    let log = NodeRef::<html::Div>::new();
    let at_end = RwSignal::new(true);

    let to_end = move || {
        if let Some(log) = log.try_get_untracked().flatten() {
            log.set_scroll_top(log.scroll_height());
        }
    };
    Effect::new(move || {
        last_seq.track();
        if at_end.get_untracked() {
            request_animation_frame(to_end);
        }
    });
    let on_scroll = move |_| {
        if let Some(log) = log.get_untracked() {
            at_end.set(log.scroll_height() - log.scroll_top() - log.client_height() < NEAR_END);
        }
    };
    let jump = move |_| {
        at_end.set(true);
        to_end();
    };

    view! {
        <div class="relative min-h-0 flex-1">
            <div
                node_ref=log
                role="log"
                aria-label="Conversation"
                tabindex="0"
                class="flex h-full flex-col gap-6 overflow-y-auto overscroll-contain px-4 py-5 focus-ring-inset"
                on:scroll=on_scroll
            >
                <For each=move || entries.get() key=|entry| *entry let:entry>
                    {match entry {
                        Entry::Message(id) => {
                            let message = Memo::new(move |_| conversation.with(|all| all.message(id).cloned()));
                            view! { {move || message.get().map(|message| view! { <MessageEntry message/> })} }.into_any()
                        }
                        Entry::Run(id) => view! { <RunEntry conversation id/> }.into_any(),
                    }}
                </For>
            </div>
            <Show when=move || !at_end.get()>
                <button
                    type="button"
                    class="absolute bottom-3 left-1/2 inline-flex -translate-x-1/2 cursor-pointer items-center gap-1.5 rounded-full border border-border bg-card px-3 py-1.5 text-xs font-medium text-foreground shadow-md hover:bg-accent focus-ring"
                    on:click=jump
                >
                    <Icon name=IconName::ArrowDown class="size-3.5"/>
                    "Jump to latest"
                </button>
            </Show>
        </div>
    }
}

/// A message that stands alone.
#[component]
fn MessageEntry(message: Message) -> impl IntoView {
    match message.role {
        Role::User => view! {
            <div class="flex justify-end">
                <div class="max-w-[88%] rounded-2xl rounded-br-md bg-secondary px-3.5 py-2.5 text-sm leading-6 wrap-anywhere whitespace-pre-wrap text-secondary-foreground">
                    {message.content}
                </div>
            </div>
        }
        .into_any(),
        Role::Assistant => view! { <div class="prose" inner_html=message.html></div> }.into_any(),
    }
}
