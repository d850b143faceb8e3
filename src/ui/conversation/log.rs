//! The conversation on the page: it follows its end as long as the reader does, and stays put for a
//! reader who scrolled up.

use leptos::{html, prelude::*};

use super::{Conversation, Entry, entry::RunEntry};
use crate::{
    protocol::{Image, Message, Role},
    ui::components::{Icon, IconName},
};

/// Nearer to the end than this (in CSS pixels) counts as being there.
const NEAR_END: i32 = 64;

/// `children` stand before the first message and scroll away with it.
#[component]
pub fn ConversationLog(conversation: RwSignal<Conversation>, children: Children) -> impl IntoView {
    let entries = Memo::new(move |_| conversation.with(Conversation::entries));
    let last_seq = Memo::new(move |_| conversation.with(Conversation::last_seq));
    let scroller = NodeRef::<html::Div>::new();
    let at_end = RwSignal::new(true);
    let last_top = StoredValue::new(0);

    let to_end = move || {
        if let Some(scroller) = scroller.try_get_untracked().flatten() {
            scroller.set_scroll_top(scroller.scroll_height());
        }
    };
    Effect::new(move || {
        // Read, not tracked: a memo that nobody reads never changes.
        let _ = last_seq.get();
        if at_end.get_untracked() {
            request_animation_frame(to_end);
        }
    });
    // Only scrolling up leaves the end: when the end moves because something was added, the page
    // follows it.
    let on_scroll = move |_| {
        if let Some(scroller) = scroller.get_untracked() {
            let top = scroller.scroll_top();
            if scroller.scroll_height() - top - scroller.client_height() < NEAR_END {
                at_end.set(true);
            } else if top < last_top.get_value() {
                at_end.set(false);
            }
            last_top.set_value(top);
        }
    };
    let jump = move |_| {
        at_end.set(true);
        to_end();
    };

    view! {
        <div class="relative min-h-0 flex-1">
            <div
                node_ref=scroller
                role="region"
                aria-label="Messages"
                tabindex="0"
                class="flex h-full flex-col gap-6 overflow-y-auto overscroll-contain px-4 py-5 focus-ring-inset"
                on:scroll=on_scroll
            >
                {children()}
                <div role="log" aria-label="Conversation" class="flex flex-col gap-6">
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
            <div class="flex flex-col items-end gap-1.5">
                {message.image.map(|image| view! { <AttachedImage image/> })}
                <div class="max-w-[88%] rounded-2xl rounded-br-md bg-secondary px-3.5 py-2.5 text-sm leading-6 wrap-anywhere whitespace-pre-wrap text-secondary-foreground">
                    {message.content}
                </div>
            </div>
        }
        .into_any(),
        Role::Assistant => view! { <div class="prose" inner_html=message.html></div> }.into_any(),
    }
}

/// Small here, and large where it leads.
#[component]
fn AttachedImage(image: Image) -> impl IntoView {
    view! {
        <a href=image.path() target="_blank" rel="noopener external" title="Open the image" class="max-w-[60%] rounded-2xl rounded-br-md focus-ring">
            <img
                src=image.path()
                width=image.width.to_string()
                height=image.height.to_string()
                alt="The image attached to this message"
                class="h-auto max-h-48 w-auto max-w-full rounded-2xl rounded-br-md border border-border bg-muted object-contain"
            />
        </a>
    }
}
