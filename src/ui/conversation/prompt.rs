//! A user message with its actions.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    Conversation,
    actions::{Act, acts},
    answering::approved_plan,
    text::whole,
};
use crate::{
    protocol::{Image, Message, MessageId, MessagePart, Mode, Role, RunState},
    ui::{erased::part, team, time::RelativeTime},
};

/// A message that stands alone.
pub fn message_entry(conversation: RwSignal<Conversation>, id: MessageId) -> AnyView {
    let message =
        Memo::new(move |_| conversation.with(|all| all.message(id).cloned().map(super::Shared)));
    let state = Memo::new(move |_| conversation.with(|all| all.answer_of(id).map(|run| run.state)));
    part(move || match message.get() {
        Some(message) if message.0.role == Role::User => prompt(conversation, message.0, state),
        Some(message) => whole(&message.0.html),
        None => ().into_any(),
    })
}

fn prompt(
    conversation: RwSignal<Conversation>,
    message: Arc<Message>,
    state: Memo<Option<RunState>>,
) -> AnyView {
    let sent_at = message.created_at;
    let content = match &message.part {
        Some(MessagePart::Plan { plan }) if !plan.steps.is_empty() => {
            approved_plan(plan, &message.content)
        }
        _ => message.content.clone().into_any(),
    };
    let mode = match message.mode {
        Mode::Build => None,
        Mode::Plan => Some("Plan"),
        Mode::Ask => Some("Ask"),
    };
    let badge = |text: String, title: Option<String>| {
        view! { <span class="max-w-40 truncate rounded-md border border-border px-1.5" title=title>{text}</span> }
    };
    let mode = mode.map(|mode| badge(mode.to_owned(), None));
    let model = message.model.as_ref();
    let model = model.map(|model| badge(model.name().to_owned(), Some(model.as_str().to_owned())));
    let image = message.image.clone().map(attached_image);
    let (author, can_edit) = (team::author(message.user.clone()), team::can_edit());
    let buttons = part(move || {
        let possible: &[Act] = match state.get() {
            _ if !can_edit => &[Act::Copy],
            Some(RunState::Queued) => &[Act::Edit, Act::Remove, Act::Copy],
            Some(RunState::Running) => &[Act::Edit, Act::Copy],
            Some(RunState::Succeeded | RunState::Failed | RunState::Cancelled) => {
                &[Act::Edit, Act::Retry, Act::Copy]
            }
            None => &[Act::Copy],
        };
        acts(conversation, message.clone(), possible)
    });
    view! {
        <div class="message flex flex-col items-end gap-1.5">
            {image}
            <div dir="auto" class="max-w-[88%] rounded-2xl rounded-br-md bg-secondary px-3.5 py-2.5 text-sm leading-6 wrap-anywhere whitespace-pre-wrap text-secondary-foreground">
                {content}
            </div>
            <div class="flex h-7 items-center gap-1.5 text-xs text-muted-foreground">
                {author}
                {mode}
                {model}
                <span class="message-time"><RelativeTime at=sent_at/></span>
                {buttons}
            </div>
        </div>
    }
    .into_any()
}

/// A thumbnail that links to the full image.
fn attached_image(image: Image) -> AnyView {
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
    .into_any()
}
