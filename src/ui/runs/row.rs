//! A run's row: a table row on wide screens, a card on narrow ones.

use leptos::prelude::*;

use super::{
    actions::RunActions,
    figures::{cost, tokens, tokens_in_and_out, worked_on},
    state::StateBadge,
};
use crate::{
    protocol::{ApiError, Run, RunSummary},
    ui::{
        erased::{part, words},
        time::{FullTime, ServerClock},
    },
};

/// The whole row links to the run's details: the prompt's link is stretched over it, below the
/// other link and the buttons.
#[component]
pub fn RunRow(
    summary: Memo<RunSummary>,
    clock: ServerClock,
    on_cancelled: Callback<Result<Run, ApiError>>,
    on_replayed: Callback<Result<Run, ApiError>>,
) -> impl IntoView {
    let (id, project, prompt, user) = summary.with_untracked(|run| {
        (
            run.run.id,
            run.run.project,
            run.prompt.clone(),
            run.user.clone(),
        )
    });
    let state = Memo::new(move |_| summary.with(|run| run.run.state));
    let started_at = Memo::new(move |_| summary.with(|run| run.started_at));
    let error = Memo::new(move |_| summary.with(|run| run.error.clone()));
    let name = format!("run-{id}");
    view! {
        <tr
            data-run-state=move || state.get().as_str()
            class="relative transition-colors hover:bg-accent/50 max-lg:grid max-lg:grid-cols-2 max-lg:gap-x-4 max-lg:gap-y-1.5 max-lg:px-4 max-lg:py-3.5 lg:*:align-top"
        >
            <td class="lg:py-3 lg:pr-3 lg:pl-4 max-lg:flex max-lg:h-7 max-lg:items-center"><StateBadge state/></td>
            <td class="min-w-0 lg:w-full lg:max-w-0 lg:px-3 lg:py-3 max-lg:order-1 max-lg:col-span-2">
                <a
                    id=name.clone()
                    dir="auto"
                    href=format!("/admin/runs/{id}")
                    class="font-medium after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:rounded-md focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-ring line-clamp-2 wrap-anywhere"
                >
                    {prompt}
                </a>
                {part(move || match error.get() {
                    Some(error) => view! { <p dir="auto" class="mt-0.5 truncate text-xs text-destructive" title=error.clone()>{error.clone()}</p> }.into_any(),
                    None => ().into_any(),
                })}
            </td>
            <td class="lg:max-w-44 lg:px-3 lg:py-3 max-lg:order-2 max-lg:flex max-lg:min-w-0 max-lg:text-xs">
                <a
                    dir="auto"
                    href=format!("/projects/{project}")
                    class="relative block truncate rounded text-muted-foreground underline-offset-3 hover:text-foreground hover:underline focus-ring"
                >
                    {words(move || summary.with(|run| run.project_title.clone()))}
                </a>
            </td>
            <td data-label="User" class=format!("{FIGURE} max-lg:order-2")>{user.to_string()}</td>
            <td data-label="Started" class=format!("{FIGURE} {LAST} lg:max-xl:min-w-24 lg:max-xl:whitespace-normal!")>
                {part(move || match started_at.get() {
                    Some(at) => view! { <FullTime at/> }.into_any(),
                    None => "not yet".into_any(),
                })}
            </td>
            <td data-label="Duration" class=format!("{FIGURE} {LAST} lg:text-right")>
                {words(move || summary.with(|run| worked_on(run.started_at, run.run.finished_at, || clock.now())))}
            </td>
            <td data-label="Tokens" class=format!("{FIGURE} {LAST} lg:text-right") title=move || summary.with(|run| tokens_in_and_out(run.spent))>
                {words(move || summary.with(|run| tokens(run.spent)))}
            </td>
            <td data-label="Cost" class=format!("{FIGURE} {LAST} lg:text-right")>{words(move || summary.with(|run| cost(run.spent)))}</td>
            <td class="text-right lg:py-2 lg:pr-4 lg:pl-3 max-lg:col-start-2 max-lg:row-start-1">
                <span class="relative inline-flex"><RunActions id state described_by=name on_cancelled on_replayed/></span>
            </td>
        </tr>
    }
}

/// A cell with a figure; on narrow screens, its heading precedes it.
const FIGURE: &str = "text-muted-foreground tabular-nums lg:px-3 lg:py-3 lg:whitespace-nowrap max-lg:text-xs \
                      max-lg:before:mr-1.5 max-lg:before:text-muted-foreground max-lg:before:content-[attr(data-label)]";
const LAST: &str = "max-lg:order-3";
