//! Actions on a message: small buttons under it, visible on hover, focus and touch.

use std::sync::Arc;

use leptos::{ev::MouseEvent, prelude::*};

use super::{Conversation, Editing};
use crate::{
    api::messages::{remove_message, retry_message},
    protocol::{ApiError, ErrorCode, Message, MessageId},
    ui::{
        browser,
        components::{Icon, IconName, Toast, Toaster},
        prompt_field::MESSAGE_ID,
    },
};

/// The action of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Edit,
    Retry,
    Remove,
    Copy,
}

impl Act {
    fn portrait(self) -> (IconName, &'static str, &'static str) {
        match self {
            Self::Edit => (IconName::Pencil, "Edit", "Edit and send again"),
            Self::Retry => (IconName::RotateCw, "Retry", "Run this message again"),
            Self::Remove => (IconName::X, "Remove", "Remove from the queue"),
            Self::Copy => (IconName::Copy, "Copy", "Copy the text"),
        }
    }
}

/// The buttons for a message.
pub fn acts(
    conversation: RwSignal<Conversation>,
    message: Arc<Message>,
    acts: &'static [Act],
) -> AnyView {
    let (toaster, editing) = (Toaster::expect(), Editing::expect());
    let busy = RwSignal::new(false);
    let buttons = acts.iter().map(|act| {
        let (icon, label, title) = act.portrait();
        let (act, message) = (*act, message.clone());
        let press = move |_: MouseEvent| match act {
            Act::Edit => {
                editing.message.set(Some(message.clone()));
                browser::focus(MESSAGE_ID);
            }
            act => perform(conversation, act, &message, toaster, busy),
        };
        let press: Box<dyn FnMut(MouseEvent)> = Box::new(press);
        view! {
            <button type="button" class="tool-button focus-ring" aria-label=label data-tooltip=title disabled=move || busy.get() on:click=press>
                <Icon name=icon class="size-3.5"/>
            </button>
        }
    });
    view! { <div class="message-acts">{buttons.collect_view()}</div> }.into_any()
}

fn perform(
    conversation: RwSignal<Conversation>,
    act: Act,
    message: &Arc<Message>,
    toaster: Toaster,
    busy: RwSignal<bool>,
) {
    match act {
        Act::Edit => {}
        Act::Copy => {
            let done = if browser::copy(&message.content) {
                Toast::new("Copied")
            } else {
                Toast::error("The browser allows no copying here. Select the text instead.")
            };
            toaster.show(done);
        }
        Act::Retry => {
            let after = conversation.with_untracked(|all| all.prompts_after(message.id));
            let id = message.id;
            if after == 0 {
                retry(toaster, id, busy);
                return;
            }
            // One press would remove a lot.
            let words = "Retry replaces this message and those after it. What the app is now stays in Versions.";
            toaster.show(
                Toast::new(words).with_action("Retry from here", move || retry(toaster, id, busy)),
            );
        }
        Act::Remove => {
            let id = message.id;
            request(toaster, busy, async move { remove_message(id).await });
        }
    }
}

/// Runs the message again.
pub fn retry(toaster: Toaster, id: MessageId, busy: RwSignal<bool>) {
    request(toaster, busy, async move {
        retry_message(id, false).await.map(drop)
    });
}

fn request(
    toaster: Toaster,
    busy: RwSignal<bool>,
    asked: impl Future<Output = Result<(), ApiError>> + 'static,
) {
    busy.set(true);
    leptos::task::spawn_local(async move {
        if let Err(error) = asked.await {
            let toast = Toast::error(error.message);
            toaster.show(match error.code {
                ErrorCode::OutOfCredits => toast.with_action("See the plans", || {
                    let _ = location().set_href("/pricing");
                }),
                _ => toast,
            });
        }
        busy.try_set(false);
    });
}
