//! Editing a message that was sent: it is edited in the field for new messages, and a notice above
//! the field says what sending it does.

use std::sync::Arc;

use leptos::prelude::*;

use super::Conversation;
use crate::{
    protocol::{Message, MessageId, RunState},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
        erased::part,
    },
};

/// The message that is being edited, for the conversation and the field; a context provided by the
/// workspace.
#[derive(Debug, Clone, Copy)]
pub struct Editing {
    pub message: RwSignal<Option<Arc<Message>>>,
}

impl Editing {
    /// Called once, by the workspace.
    pub fn provide() -> Self {
        let editing = Self {
            message: RwSignal::new(None),
        };
        provide_context(editing);
        editing
    }

    pub fn expect() -> Self {
        expect_context()
    }

    /// Ends editing after sending, unless another message is being edited by now.
    pub fn finish(self, sent: Option<MessageId>) {
        let edited = self.message.try_get_untracked().flatten();
        if edited.map(|message| message.id) == sent {
            self.message.set(None);
        }
    }
}

/// Says what sending the edited message does, and offers to cancel. `stop_and_send` is offered
/// while a run works, which nothing else stops.
#[component]
pub fn EditNotice(
    conversation: RwSignal<Conversation>,
    stop_and_send: Callback<()>,
) -> impl IntoView {
    let editing = Editing::expect();
    let at_work = Memo::new(move |_| conversation.with(Conversation::is_at_work));
    part(move || {
        let Some(message) = editing.message.get() else {
            return ().into_any();
        };
        let (waits, after) = conversation.with_untracked(|all| {
            let run = all.answer_of(message.id);
            let waits = run.is_some_and(|run| run.state == RunState::Queued);
            (waits, all.prompts_after(message.id))
        });
        let words = match (waits, after) {
            (true, _) => "Sending changes the message in the queue.",
            (false, 0) => {
                "The app goes back to the version before this message. What it is now stays in Versions."
            }
            (false, _) => {
                "The app goes back to the version before this message, and the messages after it go. \
                 What the app is now stays in Versions."
            }
        };
        let stop = move || {
            if at_work.get() && !waits {
                view! {
                    <p class="flex flex-wrap items-center gap-2">
                        "A run is at work."
                        <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| stop_and_send.run(())>
                            "End it and go on"
                        </Button>
                    </p>
                }
                .into_any()
            } else {
                ().into_any()
            }
        };
        view! {
            <div class="flex items-start gap-2 rounded-lg bg-muted px-3 py-2 text-xs leading-5 text-muted-foreground">
                <Icon name=IconName::Pencil class="mt-1 size-3.5"/>
                <div class="flex min-w-0 flex-1 flex-col gap-1.5">
                    <p role="note"><b class="font-medium text-foreground">"Editing a message. "</b>{words}</p>
                    {part(stop)}
                </div>
                <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm on:click=move |_| editing.message.set(None)>
                    "Cancel"
                </Button>
            </div>
        }
        .into_any()
    })
}
