//! A run's entry: what it says and does, live, and its outcome.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    Block, BlockKey, Conversation, RunView, Shared, Text,
    actions::{Act, acts, retry},
    answering,
    consent::consents,
    draft::{Draft, DraftView},
    text::{said, thinking, whole},
    timeline::timeline,
};
use crate::{
    api::runs::run_events,
    protocol::{
        ApiError, GrowingText, Message, MessageKind, MessagePart, PassedJourney, RunId, RunState,
    },
    ui::{
        components::{Button, ButtonSize, ButtonVariant, CARD, Icon, IconName, Toaster},
        erased::{part, part_when, words},
        journey_end::journey_end,
        runs::figures::{cost, tokens},
        team,
        time::duration,
        visitor,
    },
};

/// How many files are named that a turn has drafted so far.
const NAMED_DRAFTS: usize = 5;

type View = Memo<Option<Shared<RunView>>>;

/// The run with this id. An earlier run's steps are fetched on request.
pub fn run_entry(conversation: RwSignal<Conversation>, id: RunId) -> AnyView {
    let view: View = Memo::new(move |_| conversation.with(|all| all.run(id).cloned().map(Shared)));
    let state = Memo::new(move |_| {
        view.with(|view| {
            view.as_ref()
                .map_or(RunState::Running, |view| view.0.state())
        })
    });
    let ended = Memo::new(move |_| state.get().is_final());
    let has_parts =
        Memo::new(move |_| view.with(|view| view.as_ref().is_some_and(|view| view.0.has_parts())));
    let is_bare =
        Memo::new(move |_| view.with(|view| view.as_ref().is_some_and(|view| view.0.is_bare())));
    let outcome = Memo::new(move |_| conversation.with(|all| all.outcome(id).cloned().map(Shared)));

    // Available steps are shown unless the reader hides them.
    let chosen = RwSignal::new(None::<bool>);
    let open = Memo::new(move |_| chosen.get().unwrap_or_else(|| has_parts.get()));
    let fetch = Action::new(move |_: &()| async move {
        let events = run_events(id).await?;
        conversation.try_update(|all| all.apply_all(events));
        Ok::<(), ApiError>(())
    });
    let toggle = move |_| {
        let open = open.get_untracked();
        chosen.set(Some(!open));
        if !open && !has_parts.get_untracked() && !fetch.pending().get_untracked() {
            fetch.dispatch(());
        }
    };
    let about_steps = move || {
        view.with(|view| {
            view.as_ref()
                .map(|view| summary(&view.0))
                .unwrap_or_default()
        })
    };
    let no_steps = move || {
        let trouble = fetch.value().get().and_then(Result::err);
        match trouble {
            Some(error) => error.message,
            None if fetch.pending().get() => "Loading the steps...".to_owned(),
            None => "This run has no steps, or they are no longer kept.".to_owned(),
        }
    };
    let steps = move || {
        view! {
            <button
                type="button"
                class="-ml-1 inline-flex w-fit cursor-pointer items-center gap-1 rounded-md px-1 py-0.5 text-xs text-muted-foreground hover:text-foreground focus-ring"
                aria-expanded=move || open.get().to_string()
                on:click=toggle
            >
                <span class="transition-transform motion-reduce:transition-none" class=("rotate-90", move || open.get())>
                    <Icon name=IconName::ChevronRight class="size-3.5"/>
                </span>
                {words(move || if open.get() { "Hide steps" } else { "Show steps" }.to_owned())}
                <span class="text-muted-foreground">{words(about_steps)}</span>
            </button>
        }
        .into_any()
    };
    view! {
        <article data-run-state=move || state.get().as_str() aria-label="CodeFlow" class="message flex flex-col gap-3">
            {part_when(move || state.get() == RunState::Queued, queued)}
            {part_when(move || ended.get() && (chosen.get().is_some() || !is_bare.get()), steps)}
            {part_when(
                move || open.get() && !has_parts.get(),
                move || view! { <p class="text-xs text-muted-foreground">{words(no_steps)}</p> }.into_any(),
            )}
            {part_when(move || open.get() || !ended.get(), move || blocks(id, view, ended))}
            {part_when(
                move || state.get() == RunState::Running && !has_parts.get(),
                || view! { <span aria-hidden="true" class="thinking"><i></i><i></i><i></i></span> }.into_any(),
            )}
            {part(move || match outcome.get() {
                Some(message) => ended_with(conversation, &message.0, state.get()),
                None => ().into_any(),
            })}
            {part_when(move || state.get() != RunState::Queued, move || footer(conversation, view, id))}
        </article>
    }
    .into_any()
}

fn queued() -> AnyView {
    view! {
        <p class="inline-flex items-center gap-1.5 text-xs text-muted-foreground">
            <Icon name=IconName::Clock class="size-3.5"/>
            "Queued: it begins when the runs before it have ended."
        </p>
    }
    .into_any()
}

/// Such as " · 42 s"; omits what is unknown.
fn summary(view: &RunView) -> String {
    let run = view.run();
    let ended = run.and_then(|run| Some((run.created_at, run.finished_at?)));
    ended.map_or_else(String::new, |(from, to)| {
        format!(" · {}", duration(from, to))
    })
}

/// The run's cost, a button to copy its text, and a link to its details.
fn footer(conversation: RwSignal<Conversation>, view: View, id: RunId) -> AnyView {
    let spent = move || {
        let run = view.with(|view| view.as_ref().and_then(|view| view.0.run().cloned()));
        let Some(spent) = run.and_then(|run| run.spent) else {
            return String::new();
        };
        match spent.cost_micros {
            Some(_) => format!("{} tokens · {}", tokens(spent), cost(spent)),
            None => format!("{} tokens", tokens(spent)),
        }
    };
    let outcome = Memo::new(move |_| conversation.with(|all| all.outcome(id).cloned().map(Shared)));
    let copy = part(move || match outcome.get() {
        Some(message) => acts(conversation, message.0, &[Act::Copy]),
        None => ().into_any(),
    });
    view! {
        <div class="flex min-h-7 items-center gap-3 text-xs text-muted-foreground">
            {copy}
            <span class="tabular-nums" title="What the model read and wrote in this run">{words(spent)}</span>
            {visitor::is_administrator()
                .then(|| view! { <a href=format!("/admin/runs/{id}") class="ml-auto shrink-0 rounded-md px-1 py-0.5 hover:text-foreground focus-ring">"Run details"</a> })}
        </div>
    }
    .into_any()
}

/// Texts, with the tool calls between them, in order. Each keeps its place in the page while it
/// grows.
fn blocks(run: RunId, view: View, ended: Memo<bool>) -> AnyView {
    let keys = Memo::new(move |_| {
        view.with(|view| view.as_ref().map(|view| view.0.parts()).unwrap_or_default())
    });
    let drafts = Memo::new(move |_| {
        view.with(|view| {
            let view = view.iter();
            view.flat_map(|view| view.0.drafts().cloned())
                .collect::<Vec<Draft>>()
        })
    });
    // Those that are written, the last ones by name.
    let grown = Memo::new(move |_| drafts.with(Vec::len).saturating_sub(1));
    let files_before = move || {
        let count = grown.get();
        let named = drafts.with(|drafts| {
            let named = drafts[..count.min(drafts.len())]
                .iter()
                .rev()
                .take(NAMED_DRAFTS);
            named.map(|draft| draft.path.clone()).collect::<Vec<_>>()
        });
        let more = count - named.len();
        let named = named.join(", ");
        match more {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    };
    let draft = move || {
        let last = Memo::new(move |_| drafts.with(|drafts| drafts.last().cloned()));
        view! { <DraftView draft=last/> }.into_any()
    };
    view! {
        <div class="flex flex-col gap-1.5">
            <For each=move || keys.get() key=BlockKey::clone let:key>{block(run, view, key, ended)}</For>
            {part_when(move || drafts.with(|drafts| !drafts.is_empty()), draft)}
            {part_when(
                move || grown.get() > 0,
                move || view! { <p class="px-2.5 text-xs text-muted-foreground wrap-anywhere">"Written: " <code class="font-mono">{words(files_before)}</code></p> }.into_any(),
            )}
        </div>
    }
    .into_any()
}

/// The kind of a part never changes, so its element is created once, and only its content follows
/// the signal.
fn block(run: RunId, view: View, key: BlockKey, ended: Memo<bool>) -> AnyView {
    let of = match &key {
        BlockKey::Text(of) => Some(*of),
        BlockKey::Step(_) => None,
    };
    let part = Memo::new(move |_| {
        view.with(|view| {
            view.as_ref()
                .map(|view| view.0.part(&key))
                .unwrap_or_default()
        })
    });
    let Some(of) = of else {
        return timeline(run, part, ended);
    };
    let text = Memo::new(move |_| {
        part.with(|part| match part.first().map(Arc::as_ref) {
            Some(Block::Text(text)) => text.clone(),
            Some(Block::Tool(_)) | None => Text::default(),
        })
    });
    match of {
        GrowingText::Answer(_) => said(text),
        GrowingText::Thinking(_) => {
            let growing = Memo::new(move |_| {
                let key = BlockKey::Text(of);
                view.with(|view| view.as_ref().is_some_and(|view| view.0.is_thinking(&key)))
            });
            thinking(text, growing)
        }
    }
}

/// The run's reply.
fn ended_with(
    conversation: RwSignal<Conversation>,
    message: &Arc<Message>,
    state: RunState,
) -> AnyView {
    match &message.part {
        Some(MessagePart::Questions { questions })
            if questions.iter().all(|question| question.tool.is_some()) =>
        {
            return consents(conversation, message, questions);
        }
        Some(MessagePart::Questions { questions }) => {
            return answering::questions(conversation, message, questions);
        }
        Some(MessagePart::Plan { plan }) => {
            return answering::plan(conversation, message, plan);
        }
        None => {}
    }
    let body = if message.html.is_empty() {
        view! { <p dir="auto" class="text-sm leading-6 wrap-anywhere whitespace-pre-wrap">{message.content.clone()}</p> }.into_any()
    } else {
        whole(&message.html)
    };
    let fragment = message.fragment.clone();
    if state == RunState::Cancelled {
        return view! {
            <div class=format!("flex gap-3 px-4 py-3 text-muted-foreground {CARD}")>
                <Icon name=IconName::Square class="mt-1 size-4"/>
                <div class="min-w-0">{body}</div>
            </div>
        }
        .into_any();
    }
    if message.kind == MessageKind::Error {
        // Added if the error does not say it itself.
        let kept = (!message.content.contains("files are kept")).then(|| {
            view! { <p class="mt-1.5 text-xs text-muted-foreground">"Nothing is lost: the files are kept. Try it again, or send a message to continue from here."</p> }
        });
        let draft = fragment
            .map(|fragment| view! { <p dir="auto" class="mt-1.5 truncate text-xs font-medium">{fragment.title}</p> });
        return view! {
            <div class="flex gap-3 rounded-xl border border-destructive/40 bg-destructive/5 px-4 py-3">
                <Icon name=IconName::CircleAlert class="mt-1 size-4 text-destructive"/>
                <div class="flex min-w-0 flex-col">
                    {body}
                    {kept}
                    {draft}
                    {try_again(conversation, message)}
                </div>
            </div>
        }
        .into_any();
    }
    let version = fragment.map(|fragment| {
        view! {
            <div class=format!("flex items-center gap-3 px-3.5 py-2.5 {CARD}")>
                <span class="grid size-8 place-items-center rounded-lg bg-brand/12 text-brand"><Icon name=IconName::Sparkles/></span>
                <span dir="auto" class="min-w-0 truncate text-sm font-medium">{format!("v{} · {}", fragment.number, fragment.title)}</span>
            </div>
        }
    });
    view! { {body} {ends(&message.journeys)} {version} }.into_any()
}

/// The journeys that passed: the first with pictures of what they ended with.
fn ends(journeys: &[PassedJourney]) -> Option<AnyView> {
    let end = |journey: &PassedJourney| {
        let title = journey.title.clone();
        let (class, picture) = match &journey.picture {
            Some(picture) => {
                let src = format!("/api/pictures/{picture}");
                ("flex w-32 flex-col gap-1", journey_end(title.clone(), src))
            }
            None => {
                let mark =
                    view! { <Icon name=IconName::Check class="mt-0.5 size-3 text-success"/> };
                ("flex w-full gap-1.5", mark.into_any())
            }
        };
        view! {
            <li class=class>
                {picture}
                <p dir="auto" class="min-w-0 text-xs text-muted-foreground wrap-anywhere">{title}</p>
            </li>
        }
    };
    let ends: Vec<_> = journeys.iter().map(end).collect();
    (!ends.is_empty()).then(|| {
        view! {
            <div class="flex flex-col gap-2">
                <p class="text-xs font-medium">"Played in a browser, and passed:"</p>
                <ul role="list" aria-label="Journeys that passed" class="flex flex-wrap gap-3">{ends}</ul>
            </div>
        }
        .into_any()
    })
}

/// The button to retry after an error, if nothing came after it.
fn try_again(conversation: RwSignal<Conversation>, reply: &Message) -> AnyView {
    if !team::can_edit() {
        return ().into_any();
    }
    let run = reply.run;
    let prompt = Memo::new(move |_| {
        conversation.with(|all| {
            let run = all.run(run?)?.run()?;
            let newest = all.answer_of(run.message)?.id == run.id;
            (newest && all.prompts_after(run.message) == 0).then_some(run.message)
        })
    });
    let (toaster, busy) = (Toaster::expect(), RwSignal::new(false));
    part(move || match prompt.get() {
        Some(prompt) => view! {
            <div class="mt-2.5">
                <Button
                    variant=ButtonVariant::Outline
                    size=ButtonSize::Sm
                    disabled=busy
                    on:click=move |_| retry(toaster, prompt, busy)
                >
                    <Icon name=IconName::RotateCw class="size-3.5"/>
                    "Try again"
                </Button>
            </div>
        }
        .into_any(),
        None => ().into_any(),
    })
}
