//! Questions to answer, and plans to approve. They wait for the user's message, and are disabled
//! once there is one.

use std::sync::Arc;

use leptos::{ev, prelude::*, task::spawn_local};

use super::{Conversation, text::whole};
use crate::{
    api::messages::send_message,
    protocol::{AppPlan, Message, MessageId, Mode, NewPrompt, ProjectId, Question},
    ui::{
        components::{Button, CARD, INPUT, Icon, IconName, TEXTAREA},
        erased::{part, part_when, words},
        order::Order,
    },
};

/// The line for an unanswered question.
const OPEN: &str = "You decide.";

/// An answering message that is being sent.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    project: ProjectId,
    answered: MessageId,
    mode: Mode,
    order: Order,
    pub(super) busy: RwSignal<bool>,
    trouble: RwSignal<Option<String>>,
}

impl Answer {
    pub(super) fn to(message: &Message, mode: Mode) -> Self {
        Self {
            project: message.project,
            answered: message.id,
            mode,
            order: Order::new(),
            busy: RwSignal::new(false),
            trouble: RwSignal::new(None),
        }
    }

    pub(super) fn send(self, text: &str) {
        if self.busy.get_untracked() {
            return;
        }
        let text: String = match NewPrompt::new(text) {
            Ok(prompt) => prompt.into(),
            Err(error) => return self.trouble.set(Some(error.to_string())),
        };
        self.busy.set(true);
        self.trouble.set(None);
        spawn_local(async move {
            let mode = Some(self.mode.as_str().to_owned());
            let (content, answered) = (text.clone(), Some(self.answered));
            let sent = send_message(self.project, text, None, mode, answered, None);
            let sent = self.order.send(content, sent).await;
            // The message itself arrives through the feed.
            self.trouble.try_set(sent.err().map(|error| error.message));
            self.busy.try_set(false);
        });
    }

    pub(super) fn complaint(self) -> AnyView {
        let trouble = move || self.trouble.get().unwrap_or_default();
        part_when(
            move || self.trouble.with(Option::is_some),
            move || {
                view! { <p role="alert" class="text-xs text-destructive">{words(trouble)}</p> }
                    .into_any()
            },
        )
    }
}

/// The text of the message that answers this one.
pub(super) fn answer_to(
    conversation: RwSignal<Conversation>,
    id: MessageId,
) -> Memo<Option<String>> {
    Memo::new(move |_| {
        conversation.with(|all| all.answer_to(id).map(|answer| answer.content.clone()))
    })
}

/// A question with its chosen options, and the text beside them.
#[derive(Clone)]
struct Asked {
    question: Arc<Question>,
    chosen: RwSignal<String>,
    other: RwSignal<String>,
}

impl Asked {
    fn is_open(&self) -> bool {
        self.chosen.with_untracked(String::is_empty)
            && self.other.with_untracked(|other| other.trim().is_empty())
    }

    /// Its line in the answer.
    fn line(&self) -> String {
        let (chosen, other) = (self.chosen.get_untracked(), self.other.get_untracked());
        let answer = match (chosen.as_str(), other.trim()) {
            ("", "") => OPEN.to_owned(),
            (chosen, "") => chosen.to_owned(),
            ("", other) => other.to_owned(),
            (chosen, other) => format!("{chosen}; {other}"),
        };
        format!("{} {answer}", self.question.question)
    }
}

/// Whether the answer contains this choice.
fn says(answer: &str, question: &str, option: &str) -> bool {
    answer.lines().any(|line| {
        let rest = line
            .strip_prefix(question)
            .and_then(|rest| rest.strip_prefix(' '));
        let rest = rest.and_then(|rest| rest.strip_prefix(option));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("; "))
    })
}

/// The message's questions.
pub fn questions(
    conversation: RwSignal<Conversation>,
    message: &Message,
    questions: &[Question],
) -> AnyView {
    let answer = answer_to(conversation, message.id);
    let answered = Memo::new(move |_| answer.with(Option::is_some));
    let sending = Answer::to(message, message.mode);
    let asked = questions.iter().map(|question| Asked {
        question: Arc::new(question.clone()),
        chosen: RwSignal::new(String::new()),
        other: RwSignal::new(String::new()),
    });
    let asked: Vec<Asked> = asked.collect();
    let groups: Vec<AnyView> = asked
        .iter()
        .enumerate()
        .map(|(index, asked)| group(asked, format!("{}-{index}", message.id), answer))
        .collect();
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if asked.iter().all(Asked::is_open) {
            let why = "Choose an answer first, or write one under Other.";
            return sending.trouble.set(Some(why.to_owned()));
        }
        let lines: Vec<String> = asked.iter().map(Asked::line).collect();
        sending.send(&lines.join("\n"));
    };
    let end = part(move || {
        if answered.get() {
            return done("Answered");
        }
        view! { <div><Button submit=true disabled=sending.busy>"Send answers"</Button></div> }
            .into_any()
    });
    view! {
        <form aria-label="Questions" class=format!("flex flex-col gap-4 px-4 py-3.5 {CARD}") on:submit=submit>
            {groups}
            {sending.complaint()}
            {end}
        </form>
    }
    .into_any()
}

/// A question: its options, and a field for other words.
fn group(asked: &Asked, name: String, answer: Memo<Option<String>>) -> AnyView {
    let Asked {
        question,
        chosen,
        other,
    } = asked.clone();
    let answered = move || answer.with(Option::is_some);
    let options: Vec<AnyView> = question
        .options
        .iter()
        .map(|option| {
            let (question, value) = (question.clone(), option.clone());
            let is_chosen = move || {
                answer.with(|answer| match answer {
                    Some(answer) => says(answer, &question.question, &value),
                    None => chosen.with(|chosen| *chosen == value),
                })
            };
            let value = option.clone();
            let choose = move |_: ev::Event| chosen.set(value.clone());
            view! {
                <label class="flex cursor-pointer items-center gap-2.5 rounded-lg border border-border px-3 py-2 text-sm has-checked:border-ring has-checked:bg-accent has-disabled:cursor-default focus-within-ring">
                    <input type="radio" name=name.clone() value=option.clone() prop:checked=is_chosen class="accent-primary outline-none" on:change=choose/>
                    <span dir="auto" class="min-w-0 wrap-anywhere">{option.clone()}</span>
                </label>
            }
            .into_any()
        })
        .collect();
    view! {
        <fieldset class="flex min-w-0 flex-col gap-1.5" disabled=answered>
            <legend dir="auto" class="mb-2 text-sm font-medium wrap-anywhere">{question.question.clone()}</legend>
            {options}
            <input
                type="text"
                aria-label="Other"
                placeholder="Other"
                maxlength="500"
                autocomplete="off"
                class=INPUT
                prop:value=move || other.get()
                on:input=move |event| other.set(event_target_value(&event))
            />
        </fieldset>
    }
    .into_any()
}

/// The message's plan: editable until it is approved, then as proposed.
pub fn plan(
    conversation: RwSignal<Conversation>,
    message: &Arc<Message>,
    plan: &AppPlan,
) -> AnyView {
    let answer = answer_to(conversation, message.id);
    let answered = Memo::new(move |_| answer.with(Option::is_some));
    let sending = Answer::to(message, Mode::Build);
    let proposed = plan.to_markdown();
    let text = RwSignal::new(proposed.clone());
    let message = message.clone();
    let body = part(move || {
        if answered.get() {
            return view! { {whole(&message.html)} {done("Approved")} }.into_any();
        }
        let build = move |_: ev::MouseEvent| {
            let text = text.get_untracked();
            match text.trim() {
                "" => {
                    let why = "The plan is empty. Write what is to be built.";
                    sending.trouble.set(Some(why.to_owned()));
                }
                text => sending.send(&AppPlan::approval(text)),
            }
        };
        view! {
            <textarea
                aria-label="Plan"
                dir="auto"
                rows="8"
                autocomplete="off"
                class=TEXTAREA
                prop:value=move || text.get()
                on:input=move |event| text.set(event_target_value(&event))
            >
                {proposed.clone()}
            </textarea>
            {sending.complaint()}
            <div class="flex flex-wrap items-center gap-3">
                <Button disabled=sending.busy on:click=build>"Build this plan"</Button>
                <p class="text-xs text-muted-foreground">"Edit it first if you like, or send a message to have it changed."</p>
            </div>
        }
        .into_any()
    });
    view! { <section aria-label="Proposed plan" class=format!("flex flex-col gap-3 px-4 py-3.5 focus-within-ring {CARD}")>{body}</section> }
        .into_any()
}

pub(super) fn done(word: &'static str) -> AnyView {
    view! {
        <p class="inline-flex items-center gap-1.5 text-xs text-muted-foreground">
            <Icon name=IconName::Check class="size-3.5 text-success"/>
            {word}
        </p>
    }
    .into_any()
}

/// The plan in the message that approved it, with its steps ticked off as they are done.
pub fn approved_plan(plan: &AppPlan, text: &str) -> AnyView {
    let steps = plan.steps.iter().map(|step| {
        let (icon, class, word) = if step.done {
            (IconName::Check, "mt-1 size-4 text-success", "Done: ")
        } else {
            (
                IconName::Square,
                "mt-1 size-4 text-muted-foreground",
                "To do: ",
            )
        };
        view! {
            <li class="flex items-start gap-2">
                <Icon name=icon class=class/>
                <span class="sr-only">{word}</span>
                <span class="min-w-0">{step.text.clone()}</span>
            </li>
        }
    });
    let steps: Vec<_> = steps.collect();
    let count = format!("{} of {} steps done", plan.done(), plan.steps.len());
    view! {
        <p class="font-medium">"Build this plan"</p>
        <p class="mb-1 text-xs text-muted-foreground">{count}</p>
        <ol role="list" aria-label="Steps of the plan" class="flex flex-col gap-1 whitespace-normal">{steps}</ol>
        <details class="mt-2">
            <summary class="cursor-pointer rounded-md text-xs text-muted-foreground focus-ring">"The whole plan"</summary>
            <div class="mt-1">{text.to_owned()}</div>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_which_option_was_chosen() {
        let answer = "Which colours? Blue; and some red\nWho? Blue team";
        assert!(says(answer, "Which colours?", "Blue"));
        assert!(!says(answer, "Which colours?", "Red"));
        assert!(says(answer, "Who?", "Blue team") && !says(answer, "Who?", "Blue"));
    }
}
