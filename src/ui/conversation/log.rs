//! The conversation's log. It follows its end while the reader is there, and stays put for a reader
//! who scrolled up (`follow.js`). Earlier parts are fetched when the reader scrolls there.

use leptos::{nonce::use_nonce, prelude::*};

use super::{Conversation, Entry, entry::run_entry, prompt::message_entry};
use crate::{
    api::projects::get_history,
    protocol::{ApiError, ProjectId},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Spinner},
        erased::part,
    },
};

/// Keeps the conversation at its end, and copies code; must be in the head.
pub const SCRIPT: &str = include_str!("follow.js");

/// The type of a script in server-rendered HTML. An element created by the browser has no nonce,
/// which the page's policy requires; there, an effect does the same.
const BEFORE_PAINT: &str = if cfg!(feature = "ssr") {
    "text/javascript"
} else {
    "text/plain"
};

/// `children` come before the first message and scroll with it.
#[component]
pub fn ConversationLog(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    children: Children,
) -> impl IntoView {
    let entries = Memo::new(move |_| super::Shared(conversation.with(Conversation::entries)));
    let last_seq = Memo::new(move |_| conversation.with(Conversation::last_seq));
    Effect::new(move || {
        // Read, not tracked: a memo that nobody reads never changes.
        let _ = last_seq.get();
        browser::follow_log();
    });
    view! {
        <div class="relative min-h-0 flex-1">
            <div
                data-log=""
                role="region"
                aria-label="Messages"
                tabindex="0"
                class="h-full overflow-y-auto overscroll-contain px-4 py-5 focus-ring-inset"
            >
                <div class="flex flex-col gap-6">
                    {children()}
                    {earlier(project, conversation)}
                    <div role="log" aria-label="Conversation" class="flex flex-col gap-6">
                        <For each=move || entries.get().0.to_vec() key=|entry| *entry let:entry>
                            {match entry {
                                Entry::Message(id) => message_entry(conversation, id),
                                Entry::Run(id) => run_entry(conversation, id),
                            }}
                        </For>
                    </div>
                </div>
            </div>
            <button type="button" data-log-end="" aria-label="New messages" class="log-end focus-ring">
                <Icon name=IconName::ArrowDown class="size-3.5"/>
                <span class="log-end-words">"New messages"</span>
            </button>
            // Before the first paint: the end is what people come for.
            <script type=BEFORE_PAINT nonce=use_nonce() inner_html="codeflow.followLog()"></script>
        </div>
    }
}

/// The button that fetches earlier messages.
fn earlier(project: ProjectId, conversation: RwSignal<Conversation>) -> AnyView {
    let before = Memo::new(move |_| conversation.with(Conversation::earlier));
    let fetch = Action::new(move |_: &()| async move {
        if let Some((_, first)) = before.get_untracked() {
            let history = get_history(project, first).await?;
            browser::keep_log_place();
            conversation.try_update(|all| all.apply_history(history));
        }
        Ok::<(), ApiError>(())
    });
    let pending = fetch.pending();
    part(move || {
        let Some((count, _)) = before.get() else {
            return ().into_any();
        };
        let trouble = fetch.value().get().and_then(Result::err);
        view! {
            <div class="flex flex-col items-center gap-1.5 text-xs text-muted-foreground">
                <Button
                    variant=ButtonVariant::Ghost
                    size=ButtonSize::Sm
                    disabled=pending
                    attr:data-log-earlier=""
                    on:click=move |_| {
                        fetch.dispatch(());
                    }
                >
                    {part(move || if pending.get() { view! { <Spinner/> }.into_any() } else { ().into_any() })}
                    {format!("Show earlier messages ({count})")}
                </Button>
                {trouble.map(|error| view! { <p role="alert" class="text-destructive">{error.message}</p> })}
            </div>
        }
        .into_any()
    })
}
