//! A run's entry: what it says and does, live, and how it ended.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    Block, BlockKey, Conversation, RunView,
    draft::{Draft, DraftView},
};
use crate::{
    api::runs::run_events,
    protocol::{ApiError, Message, MessageKind, RunId, RunState, ToolUse},
    ui::{
        components::{CARD, Icon, IconName, Spinner},
        time::duration,
    },
};

/// The run with this id. An earlier run's steps are fetched when somebody asks for them.
#[component]
pub fn RunEntry(conversation: RwSignal<Conversation>, id: RunId) -> impl IntoView {
    let view = Memo::new(move |_| conversation.with(|all| all.run(id).cloned()));
    let state = Memo::new(move |_| {
        view.with(|view| view.as_ref().map_or(RunState::Running, RunView::state))
    });
    let ended = Memo::new(move |_| state.get().is_final());
    let has_blocks =
        Memo::new(move |_| view.with(|view| view.as_ref().is_some_and(RunView::has_blocks)));
    let outcome = Memo::new(move |_| conversation.with(|all| all.outcome(id).cloned()));

    // Steps that are here are shown unless the reader hides them.
    let chosen = RwSignal::new(None::<bool>);
    let open = Memo::new(move |_| chosen.get().unwrap_or_else(|| has_blocks.get()));
    let fetch = Action::new(move |_: &()| async move {
        let events = run_events(id).await?;
        conversation.try_update(|all| events.into_iter().for_each(|event| all.apply(event)));
        Ok::<(), ApiError>(())
    });
    let toggle = move |_| {
        let open = open.get_untracked();
        chosen.set(Some(!open));
        if !open && !has_blocks.get_untracked() && !fetch.pending().get_untracked() {
            fetch.dispatch(());
        }
    };
    let about_steps = move || view.with(|view| view.as_ref().map(summary).unwrap_or_default());
    let trouble = move || {
        fetch
            .value()
            .get()
            .and_then(Result::err)
            .map(|error| error.message)
    };

    view! {
        <article data-run-state=move || state.get().as_str() aria-label="CodeFlow" class="flex flex-col gap-3">
            <div class="flex items-center justify-between gap-3 text-xs text-muted-foreground">
                <Show when=move || ended.get()>
                    <button
                        type="button"
                        class="-ml-1 inline-flex w-fit cursor-pointer items-center gap-1 rounded-md px-1 py-0.5 hover:text-foreground focus-ring"
                        aria-expanded=move || open.get().to_string()
                        on:click=toggle
                    >
                        <span class="transition-transform motion-reduce:transition-none" class=("rotate-90", move || open.get())>
                            <Icon name=IconName::ChevronRight class="size-3.5"/>
                        </span>
                        {move || if open.get() { "Hide steps" } else { "Show steps" }}
                        <span class="text-muted-foreground/80">{about_steps}</span>
                    </button>
                </Show>
                <Show when=move || state.get() != RunState::Queued>
                    <a href=format!("/admin/runs/{id}") class="ml-auto shrink-0 rounded-md px-1 py-0.5 hover:text-foreground focus-ring">"Run details"</a>
                </Show>
            </div>
            <Show when=move || open.get() && !has_blocks.get()>
                <p class="text-xs text-muted-foreground">
                    {move || trouble().unwrap_or_else(|| if fetch.pending().get() { "Loading the steps..." } else { "This run has no steps." }.to_owned())}
                </p>
            </Show>
            <Show when=move || open.get() || !ended.get()>
                <Blocks view ended/>
            </Show>
            <Show when=move || state.get() == RunState::Running && !has_blocks.get()>
                <span aria-hidden="true" class="thinking"><i></i><i></i><i></i></span>
            </Show>
            {move || outcome.get().map(|message| view! { <Outcome message stopped=state.get() == RunState::Cancelled/> })}
        </article>
    }
}

/// Such as " · 8 steps · 42 s", as far as known.
fn summary(view: &RunView) -> String {
    let mut summary = String::new();
    match view.tool_count() {
        0 => {}
        1 => summary.push_str(" · 1 step"),
        count => summary.push_str(&format!(" · {count} steps")),
    }
    if let Some(run) = view.run()
        && let Some(finished_at) = run.finished_at
    {
        summary.push_str(&format!(" · {}", duration(run.created_at, finished_at)));
    }
    summary
}

/// Texts and tool uses in their order; each keeps its place in the page while it grows.
#[component]
fn Blocks(view: Memo<Option<RunView>>, ended: Memo<bool>) -> impl IntoView {
    let blocks = Memo::new(move |_| {
        view.with(|view| view.iter().flat_map(RunView::blocks).collect::<Vec<_>>())
    });
    let keys = move || {
        blocks.with(|blocks| {
            blocks
                .iter()
                .map(|(key, _)| key.clone())
                .collect::<Vec<_>>()
        })
    };
    let drafts = Memo::new(move |_| {
        view.with(|view| {
            view.iter()
                .flat_map(RunView::drafts)
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    let drafted = move || {
        drafts.with(|drafts| {
            drafts
                .iter()
                .map(|draft| (draft.turn, draft.path.clone()))
                .collect::<Vec<_>>()
        })
    };
    view! {
        <div class="flex flex-col gap-1.5">
            <For each=keys key=BlockKey::clone let:key>
                {
                    let block = Memo::new(move |_| blocks.with(|all| all.iter().find(|(other, _)| *other == key).map(|(_, block)| block.clone())));
                    view! { <BlockView block ended/> }
                }
            </For>
            <For each=drafted key=Clone::clone let:key>
                {
                    let of_key = move |draft: &Draft| (draft.turn, &draft.path) == (key.0, &key.1);
                    let (is_it, is_it_last) = (of_key.clone(), of_key);
                    let draft = Memo::new(move |_| drafts.with(|drafts| drafts.iter().find(|draft| is_it(draft)).cloned()));
                    let grows = Memo::new(move |_| drafts.with(|drafts| drafts.last().is_some_and(&is_it_last)));
                    view! { <DraftView draft grows/> }
                }
            </For>
        </div>
    }
}

/// The kind of a block never changes, so its element is created once and only its text follows the
/// signal.
#[component]
fn BlockView(block: Memo<Option<Arc<Block>>>, ended: Memo<bool>) -> impl IntoView {
    let is_text = block.with_untracked(|block| matches!(block.as_deref(), Some(Block::Text(_))));
    if is_text {
        let text = Memo::new(move |_| {
            block.with(|block| match block.as_deref() {
                Some(Block::Text(text)) => text.clone(),
                _ => Vec::new(),
            })
        });
        let count = Memo::new(move |_| text.with(Vec::len));
        // A block's element stays as it is while those after it grow.
        view! {
            <div class="prose py-1 empty:hidden">
                <For each=move || 0..count.get() key=|at| *at let:at>
                    {
                        let html = Memo::new(move |_| text.with(|text| text.get(at).cloned()));
                        view! { <div class="prose" inner_html=move || html.get().as_deref().unwrap_or_default().to_owned()></div> }
                    }
                </For>
            </div>
        }
        .into_any()
    } else {
        let tool = Memo::new(move |_| {
            block.with(|block| match block.as_deref() {
                Some(Block::Tool(tool)) => Some(tool.clone()),
                _ => None,
            })
        });
        view! { {move || tool.get().map(|tool| view! { <ToolView tool ended/> })} }.into_any()
    }
}

/// The icon and the words for a tool call, while it runs and after.
fn portrait(tool: &str) -> (IconName, &'static str, &'static str) {
    match tool {
        "terminal" => (IconName::Terminal, "Running", "Ran"),
        "createOrUpdateFiles" => (IconName::File, "Writing", "Wrote"),
        "editFile" => (IconName::Pencil, "Editing", "Edited"),
        "readFiles" => (IconName::Eye, "Reading", "Read"),
        "listFiles" => (IconName::ListTree, "Listing", "Listed"),
        "searchFiles" => (IconName::Search, "Searching", "Searched"),
        "unsplashImage" => (IconName::Image, "Fetching", "Fetched"),
        "describeImage" => (IconName::Image, "Looking at", "Looked at"),
        "checkApp" => (IconName::ShieldCheck, "Checking", "Checked"),
        _ => (IconName::Wrench, "Using", "Used"),
    }
}

#[component]
fn ToolView(tool: ToolUse, ended: Memo<bool>) -> impl IntoView {
    let (icon, doing, done) = portrait(&tool.tool);
    let failed = tool.failed;
    let running = tool.output.is_none();
    let verb = if running { doing } else { done };
    let mark = move || {
        match (running, failed) {
        (true, _) if ended.get() => {
            view! { <Icon name=IconName::X class="size-3.5 text-muted-foreground"/><span class="sr-only">"interrupted"</span> }.into_any()
        }
        (true, _) => view! { <Spinner/><span class="sr-only">"running"</span> }.into_any(),
        (false, true) => {
            view! { <Icon name=IconName::X class="size-3.5 text-destructive"/><span class="sr-only">"failed"</span> }.into_any()
        }
        (false, false) => {
            view! { <Icon name=IconName::Check class="size-3.5 text-success"/><span class="sr-only">"done"</span> }.into_any()
        }
    }
    };
    let line = view! {
        <Icon name=icon class="size-3.5"/>
        <span class="shrink-0">{verb}</span>
        <code class="min-w-0 flex-1 truncate font-mono text-foreground/80" title=tool.title.clone()>{tool.title.clone()}</code>
        {mark}
    };
    match tool.output {
        Some(output) if !output.trim().is_empty() => view! {
            <details class="group rounded-lg border border-border bg-card text-xs text-muted-foreground">
                <summary class="flex h-8 cursor-pointer list-none items-center gap-2 rounded-lg px-2.5 hover:bg-accent/60 focus-ring">{line}</summary>
                <pre class="max-h-72 overflow-auto border-t border-border px-3 py-2 font-mono leading-5 whitespace-pre-wrap wrap-anywhere" tabindex="0">
                    {output}
                </pre>
            </details>
        }
        .into_any(),
        _ => view! {
            <div class="flex h-8 items-center gap-2 rounded-lg border border-border bg-card px-2.5 text-xs text-muted-foreground">{line}</div>
        }
        .into_any(),
    }
}

/// The message that ended the run.
#[component]
fn Outcome(message: Message, stopped: bool) -> impl IntoView {
    let says_kept = message.content.contains("files are kept");
    let body = if message.html.is_empty() {
        view! { <p class="text-sm leading-6 wrap-anywhere whitespace-pre-wrap">{message.content}</p> }.into_any()
    } else {
        view! { <div class="prose" inner_html=message.html></div> }.into_any()
    };
    if stopped {
        return view! {
            <div class=format!("flex gap-3 px-4 py-3 text-muted-foreground {CARD}")>
                <Icon name=IconName::Square class="mt-1 size-4"/>
                <div class="min-w-0">{body}</div>
            </div>
        }
        .into_any();
    }
    if message.kind == MessageKind::Error {
        // Where the error does not say so itself.
        let kept = (!says_kept).then(|| {
            view! { <p class="mt-1.5 text-xs text-muted-foreground">"Nothing is lost: the files are kept. Send a message to continue from here."</p> }
        });
        let draft = message
            .fragment
            .map(|fragment| view! { <p class="mt-1.5 truncate text-xs font-medium">{fragment.title}</p> });
        return view! {
            <div class="flex gap-3 rounded-xl border border-destructive/40 bg-destructive/5 px-4 py-3">
                <Icon name=IconName::CircleAlert class="mt-1 size-4 text-destructive"/>
                <div class="min-w-0">
                    {body}
                    {kept}
                    {draft}
                </div>
            </div>
        }
        .into_any();
    }
    let version = message.fragment.map(|fragment| {
        view! {
            <div class=format!("flex items-center gap-3 px-3.5 py-2.5 {CARD}")>
                <span class="grid size-8 place-items-center rounded-lg bg-brand/12 text-brand"><Icon name=IconName::Sparkles/></span>
                <span class="min-w-0 truncate text-sm font-medium">{format!("v{} · {}", fragment.number, fragment.title)}</span>
            </div>
        }
    });
    view! { {body} {version} }.into_any()
}
