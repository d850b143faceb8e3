//! Questions whether tools of MCP servers may be used: a button for each decision, which are sent
//! as one message once all are made.

use leptos::{ev, prelude::*};

use super::{
    Conversation,
    answering::{Answer, answer_to, done},
};
use crate::{
    protocol::{Message, Question, ToolDecision},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, CARD},
        consents::ConsentsOpen,
        erased::part,
    },
};

type Chosen = RwSignal<Vec<Option<ToolDecision>>>;

pub fn consents(
    conversation: RwSignal<Conversation>,
    message: &Message,
    questions: &[Question],
) -> AnyView {
    let answer = answer_to(conversation, message.id);
    let sending = Answer::to(message, message.mode);
    let allowed = ConsentsOpen::find();
    let show_allowed = move |_: ev::MouseEvent| {
        if let Some(allowed) = allowed {
            allowed.set();
        }
    };
    let chosen: Chosen = RwSignal::new(vec![None; questions.len()]);
    let asked = StoredValue::new(questions.to_vec());
    let choose = move |index: usize, decision: ToolDecision| {
        chosen.update(|chosen| {
            if let Some(chosen) = chosen.get_mut(index) {
                *chosen = Some(decision);
            }
        });
        let decided = chosen.with_untracked(|chosen| chosen.iter().copied().collect());
        let decided: Option<Vec<ToolDecision>> = decided;
        if let Some(decided) = decided {
            let line = |(question, decision): (&Question, ToolDecision)| {
                format!("{} {}", question.question, decision.label())
            };
            let lines: Vec<String> =
                asked.with_value(|asked| asked.iter().zip(decided).map(line).collect());
            sending.send(&lines.join("\n"));
        }
    };
    let rows: Vec<AnyView> = questions
        .iter()
        .enumerate()
        .map(|(index, question)| {
            let said = question.clone();
            let decided = Memo::new(move |_| {
                let answer = answer.get()?;
                let decision = said.decision(&answer).map(|(_, decision)| decision);
                Some(decision.map_or("Answered", ToolDecision::label))
            });
            let buttons = part(move || match decided.get() {
                Some(label) => done(label),
                None => buttons(chosen, index, sending.busy, choose),
            });
            view! {
                <div role="group" aria-label=question.question.clone() class="flex min-w-0 flex-col gap-2">
                    <p class="text-sm font-medium wrap-anywhere">{question.question.clone()}</p>
                    {buttons}
                </div>
            }
            .into_any()
        })
        .collect();
    view! {
        <section aria-label="Tools to allow" class=format!("flex flex-col gap-4 px-4 py-3.5 {CARD}")>
            {rows}
            {sending.complaint()}
            <p class="text-xs leading-5 text-muted-foreground">
                "Once is for the run that follows. You can take the others back: "
                <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm on:click=show_allowed>"Allowed tools"</Button>
            </p>
        </section>
    }
    .into_any()
}

fn buttons(
    chosen: Chosen,
    index: usize,
    busy: RwSignal<bool>,
    choose: impl Fn(usize, ToolDecision) + Copy + Send + Sync + 'static,
) -> AnyView {
    let button = |decision: ToolDecision| {
        let is_chosen = move || chosen.with(|chosen| chosen.get(index) == Some(&Some(decision)));
        view! {
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                disabled=busy
                attr:aria-pressed=move || is_chosen().to_string()
                on:click=move |_: ev::MouseEvent| choose(index, decision)
            >
                {decision.label()}
            </Button>
        }
    };
    view! { <div class="flex flex-wrap gap-2">{ToolDecision::ALL.map(button).collect_view()}</div> }
        .into_any()
}
