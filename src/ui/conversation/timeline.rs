//! Consecutive tool calls as one line: the current call, or a summary of them. It opens to one line
//! per call, each of which opens to its details.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Block, step::step_details};
use crate::{
    protocol::{RunId, ToolUse},
    ui::{
        components::{Icon, IconName, Spinner},
        erased::{part, part_when, rows, words},
        pane::pane,
    },
};

/// The calls of a part, in their order.
pub type Calls = Memo<Vec<Arc<Block>>>;

fn tool_of(block: &Arc<Block>) -> Option<&ToolUse> {
    match &**block {
        Block::Tool(tool) => Some(tool),
        Block::Text(_) => None,
    }
}

/// The icon and the label of a tool call, during and after it; and for the summary, the verb and
/// the noun to count.
fn portrait(
    tool: &str,
) -> (
    IconName,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
) {
    match tool {
        "terminal" => (IconName::Terminal, "Running", "Ran", "ran", "command"),
        "createOrUpdateFiles" => (IconName::File, "Writing", "Wrote", "wrote files", ""),
        "editFile" => (IconName::Pencil, "Changing", "Changed", "changed files", ""),
        "readFiles" => (IconName::Eye, "Reading", "Read", "read files", ""),
        "listFiles" => (
            IconName::ListTree,
            "Listing",
            "Listed",
            "looked at folders",
            "",
        ),
        "searchFiles" => (IconName::Search, "Searching", "Searched", "searched", ""),
        "explore" => (
            IconName::FileSearch,
            "Exploring",
            "Explored",
            "explored the app",
            "",
        ),
        "unsplashImage" => (IconName::Image, "Fetching", "Fetched", "fetched", "image"),
        "describeImage" => (
            IconName::Image,
            "Looking at",
            "Looked at",
            "looked at the image",
            "",
        ),
        "lookAtApp" => (
            IconName::Eye,
            "Looking at",
            "Looked at",
            "looked at the app",
            "",
        ),
        "reviewChange" => (
            IconName::GitCompare,
            "Reviewing",
            "Reviewed",
            "reviewed the change",
            "",
        ),
        "checkApp" => (
            IconName::ShieldCheck,
            "Checking",
            "Checked",
            "checked the app",
            "",
        ),
        "askQuestions" => (IconName::MessageSquare, "Asking", "Asked", "asked you", ""),
        "proposePlan" => (
            IconName::ListTree,
            "Proposing",
            "Proposed",
            "made a plan",
            "",
        ),
        "listMcpTools" => (
            IconName::Wrench,
            "Asking",
            "Asked",
            "asked MCP servers for their tools",
            "",
        ),
        "completeStep" => (IconName::Check, "Ticking", "Ticked", "ticked", "step"),
        _ => (IconName::Wrench, "Using", "Used", "used", "other tool"),
    }
}

/// Such as "Wrote files, ran 2 commands", in the order of first occurrence.
fn summary(calls: &[Arc<Block>]) -> String {
    let mut kinds: Vec<(&str, &str, usize)> = Vec::new();
    for tool in calls.iter().filter_map(tool_of) {
        let (_, _, _, did, unit) = portrait(&tool.tool);
        match kinds.iter_mut().find(|kind| kind.0 == did) {
            Some(kind) => kind.2 += 1,
            None => kinds.push((did, unit, 1)),
        }
    }
    let mut summary = String::new();
    for (did, unit, count) in kinds {
        if !summary.is_empty() {
            summary.push_str(", ");
        }
        summary.push_str(did);
        if !unit.is_empty() {
            summary.push(' ');
            summary.push_str(&count.to_string());
            summary.push(' ');
            summary.push_str(unit);
            if count != 1 {
                summary.push('s');
            }
        }
    }
    if let Some(first) = summary.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    summary
}

/// A duration such as "85 ms", "4.2 s" or "3 min 5 s"; empty if it is negligible.
pub(super) fn took(milliseconds: u64) -> String {
    match milliseconds {
        0..100 => String::new(),
        100..1000 => format!("{milliseconds} ms"),
        1000..10_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        10_000..60_000 => format!("{} s", milliseconds / 1000),
        _ => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds / 1000 % 60
        ),
    }
}

/// The calls as one line that opens; a single call as its own line.
pub fn timeline(run: RunId, calls: Calls, ended: Memo<bool>) -> AnyView {
    let lone = Memo::new(move |_| calls.with(|calls| calls.len() == 1));
    part(move || {
        if lone.get() {
            let step = calls.with_untracked(|calls| {
                calls
                    .first()
                    .and_then(tool_of)
                    .map(|tool| tool.step.clone())
            });
            step.map_or_else(|| ().into_any(), |step| line(run, calls, step, ended))
        } else {
            group(run, calls, ended)
        }
    })
}

fn group(run: RunId, calls: Calls, ended: Memo<bool>) -> AnyView {
    // The current call is open; finished ones can be opened.
    let chosen = RwSignal::new(None::<bool>);
    let open = Memo::new(move |_| chosen.get().unwrap_or_else(|| !ended.get()));
    let running = Memo::new(move |_| {
        let is_running =
            |block: &&Arc<Block>| tool_of(block).is_some_and(|tool| tool.output.is_none());
        let current = calls.with(|calls| calls.iter().rev().find(is_running).cloned());
        current.filter(|_| !ended.get()).map(super::Shared)
    });
    let said = move || match running.get().as_ref().and_then(|block| tool_of(&block.0)) {
        Some(tool) => format!("{} {}", portrait(&tool.tool).1, tool.title),
        None => calls.with(|calls| summary(calls)),
    };
    let counted = move || {
        calls.with(|calls| {
            let tools = calls.iter().filter_map(tool_of);
            let failed = tools.clone().filter(|tool| tool.failed).count();
            let time = took(tools.filter_map(|tool| tool.took).sum());
            let failed = match failed {
                0 => String::new(),
                failed => format!(" · {failed} failed"),
            };
            let time = if time.is_empty() {
                time
            } else {
                format!(" · {time}")
            };
            format!("{} steps{failed}{time}", calls.len())
        })
    };
    let mark = part(move || {
        if running.get().is_some() {
            view! { <Spinner/> }.into_any()
        } else {
            ().into_any()
        }
    });
    let steps = move || {
        let keys = move || {
            let step = |block: &Arc<Block>| tool_of(block).map(|tool| tool.step.clone());
            calls.with(|calls| calls.iter().filter_map(step).collect())
        };
        let list = rows(keys, move |step| {
            view! { <li>{line(run, calls, step, ended)}</li> }.into_any()
        });
        view! { <ol role="list" class="timeline-steps">{list}</ol> }.into_any()
    };
    view! {
        <div class="timeline">
            <button
                type="button"
                class="timeline-line focus-ring-inset"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| chosen.set(Some(!open.get_untracked()))
            >
                <span class="timeline-arrow"><Icon name=IconName::ChevronRight class="size-3.5"/></span>
                <span dir="auto" class="min-w-0 flex-1 truncate text-start text-foreground/80">{words(said)}</span>
                <span class="shrink-0 tabular-nums">{words(counted)}</span>
                {mark}
            </button>
            {part_when(move || open.get(), steps)}
        </div>
    }
    .into_any()
}

/// One call.
fn line(run: RunId, calls: Calls, step: String, ended: Memo<bool>) -> AnyView {
    let name = step.clone();
    let block = Memo::new(move |_| {
        let is_it = |block: &&Arc<Block>| tool_of(block).is_some_and(|tool| tool.step == name);
        calls.with(|calls| calls.iter().find(is_it).cloned().map(super::Shared))
    });
    let open = RwSignal::new(false);
    part(move || {
        let Some(tool) = block.get().and_then(|block| tool_of(&block.0).cloned()) else {
            return ().into_any();
        };
        let (icon, doing, done, ..) = portrait(&tool.tool);
        let running = tool.output.is_none();
        let mark = part(
            move || match (running && ended.get(), running, tool.failed) {
                (true, ..) => mark(IconName::X, "size-3.5 text-muted-foreground", "interrupted"),
                (_, true, _) => {
                    view! { <Spinner/><span class="sr-only">"running"</span> }.into_any()
                }
                (.., true) => mark(IconName::X, "size-3.5 text-destructive", "failed"),
                (.., false) => mark(IconName::Check, "size-3.5 text-success", "done"),
            },
        );
        let time = tool.took.map(took).unwrap_or_default();
        let content = view! {
            <Icon name=icon class="size-3.5"/>
            <span class="shrink-0">{if running { doing } else { done }}</span>
            <code dir="auto" class="min-w-0 flex-1 truncate text-start font-mono text-foreground/80" title=tool.title.clone()>{tool.title.clone()}</code>
            <span class="shrink-0 tabular-nums">{time}</span>
            {mark}
        };
        let Some(output) = tool.output else {
            return view! { <div class="timeline"><div class="timeline-line">{content}</div></div> }
                .into_any();
        };
        let step = tool.step;
        let details = move || {
            let (step, output) = (step.clone(), output.clone());
            pane("the step", move || {
                step_details(run, step.clone(), output.clone())
            })
        };
        view! {
            <div class="timeline">
                <button
                    type="button"
                    class="timeline-line focus-ring-inset"
                    aria-expanded=move || open.get().to_string()
                    on:click=move |_| open.update(|open| *open = !*open)
                >
                    {content}
                </button>
                {part_when(move || open.get(), details)}
            </div>
        }
        .into_any()
    })
}

fn mark(icon: IconName, class: &'static str, word: &'static str) -> AnyView {
    view! { <Icon name=icon class=class/><span class="sr-only">{word}</span> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_summed_up_by_kind_and_times_are_short() {
        let call = |tool: &str| {
            Arc::new(Block::Tool(ToolUse {
                step: "turn-1-x-1".to_owned(),
                tool: tool.to_owned(),
                title: "x".to_owned(),
                output: Some(String::new()),
                failed: false,
                took: None,
            }))
        };
        let calls = [
            "createOrUpdateFiles",
            "terminal",
            "createOrUpdateFiles",
            "terminal",
            "editFile",
        ];
        assert_eq!(
            summary(&calls.map(call)),
            "Wrote files, ran 2 commands, changed files"
        );
        let times = [40, 850, 4290, 42_900, 185_000].map(took);
        assert_eq!(times, ["", "850 ms", "4.2 s", "42 s", "3 min 5 s"]);
    }
}
