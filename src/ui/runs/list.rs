//! The list of runs: as many pages as the user requested, updated in place.

use leptos::prelude::*;

use super::{
    filter::Filter,
    row::RunRow,
    trouble::{ConnectionLost, Trouble},
};
use crate::{
    api::runs::list_runs,
    protocol::{ApiError, Run, RunId, RunPage, RunState, RunSummary},
    ui::{
        components::{Button, ButtonVariant, CARD, Spinner},
        erased::{part, part_when, rows, words},
        live,
        time::ServerClock,
    },
};

/// The first `pages` pages as one.
async fn fetch(state: Option<RunState>, search: String, pages: usize) -> Result<RunPage, ApiError> {
    let mut all = list_runs(state, search.clone(), None).await?;
    for _ in 1..pages {
        if all.next.is_none() {
            break;
        }
        let page = list_runs(state, search.clone(), all.next).await?;
        all.runs.extend(page.runs);
        all.next = page.next;
        all.at = page.at;
    }
    Ok(all)
}

/// How many of the runs have ended.
fn ended(page: &RunPage) -> usize {
    page.runs
        .iter()
        .filter(|run| run.run.state.is_final())
        .count()
}

/// `on_ended` is called when another of the runs has ended.
#[component]
pub fn RunList(filter: Filter, first: RunPage, on_ended: Callback<()>) -> impl IntoView {
    let clock = ServerClock::new(first.at);
    let page = RwSignal::new(first);
    // The number of requested and of loaded pages.
    let (pages, loaded) = (RwSignal::new(1), RwSignal::new(1));
    let asked = StoredValue::new(0_u32);
    let refresh = Action::new(move |_: &()| {
        let (state, search, count) = (
            filter.state.get_untracked(),
            filter.search.get_untracked(),
            pages.get_untracked(),
        );
        asked.update_value(|asked| *asked += 1);
        let number = asked.get_value();
        async move {
            let fresh = fetch(state, search, count).await?;
            // A later request overtook this one: its answer is stale.
            if asked.try_get_value() == Some(number) {
                clock.set(fresh.at);
                if page.with_untracked(ended) != ended(&fresh) {
                    on_ended.run(());
                }
                page.set(fresh);
                loaded.set(count);
            }
            Ok::<(), ApiError>(())
        }
    });
    live::refresh_while(|| true, refresh);

    let shown = Memo::new(move |_| page.with(|page| page.runs.len()));
    let more = Memo::new(move |_| page.with(|page| page.next.is_some()));
    let loading_more = Memo::new(move |_| pages.get() > loaded.get());
    let load_more = move |_| {
        if !loading_more.get_untracked() {
            pages.update(|pages| *pages += 1);
            refresh.dispatch(());
        }
    };

    // The outcome of the last press of a button.
    let trouble = RwSignal::new(None::<String>);
    let replayed = RwSignal::new(None::<RunId>);
    let on_cancelled = Callback::new(move |cancelled: Result<Run, ApiError>| {
        trouble.set(cancelled.err().map(|error| error.message));
        refresh.dispatch(());
    });
    let on_replayed = Callback::new(move |answer: Result<Run, ApiError>| {
        replayed.set(answer.as_ref().ok().map(|run| run.id));
        trouble.set(answer.err().map(|error| error.message));
        refresh.dispatch(());
    });
    // Each row only follows its own run.
    let find =
        move |page: &RunPage, id: RunId| page.runs.iter().find(|run| run.run.id == id).cloned();
    let ids =
        move || page.with(|page| page.runs.iter().map(|run| run.run.id.to_string()).collect());
    let row = move |id: String| {
        let Some((id, first)) = id
            .parse()
            .ok()
            .and_then(|id| page.with_untracked(|page| Some((id, find(page, id)?))))
        else {
            return ().into_any();
        };
        let summary = Memo::new(move |before: Option<&RunSummary>| {
            // A run that left the list keeps its last known state until its row is removed.
            let known = page.with(|page| find(page, id));
            known
                .or_else(|| before.cloned())
                .unwrap_or_else(|| first.clone())
        });
        view! { <RunRow summary clock on_cancelled on_replayed/> }.into_any()
    };
    view! {
        <div class="mt-4 flex flex-col gap-3">
            <div role="status" class="flex min-h-5 flex-wrap gap-x-3 text-xs text-muted-foreground">
                <span>
                    {words(move || match (shown.get(), more.get()) {
                        (0, _) => String::new(),
                        (1, _) => "1 run".to_owned(),
                        (count, false) => format!("{count} runs"),
                        (count, true) => format!("The newest {count} runs"),
                    })}
                </span>
                {part(move || match replayed.get() {
                    Some(id) => view! {
                        <span class="text-foreground">
                            "The run is replayed: "
                            <a href=format!("/admin/runs/{id}") class="underline underline-offset-3 focus-ring">"see the new run"</a>
                        </span>
                    }
                    .into_any(),
                    None => ().into_any(),
                })}
                <ConnectionLost refresh/>
            </div>
            <Trouble message=trouble.into()/>
            {part_when(move || shown.get() == 0, move || view! { <Nothing filter/> }.into_any())}
            {part_when(move || shown.get() != 0, move || table(ids, row))}
            {part_when(move || more.get(), move || view! {
                <div class="flex justify-center pt-2">
                    <Button variant=ButtonVariant::Outline on:click=load_more>
                        {part_when(move || loading_more.get(), || view! { <Spinner/> }.into_any())}
                        "Load more"
                    </Button>
                </div>
            }
            .into_any())}
        </div>
    }
}

/// The table with a row for each run.
fn table(
    ids: impl Fn() -> Vec<String> + Send + Sync + 'static,
    row: impl Fn(String) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    view! {
        <div class=format!("overflow-hidden {CARD}")>
            <table class="w-full text-left text-sm max-lg:block">
                <caption class="sr-only">"Runs, newest first"</caption>
                <thead class="border-b border-border text-xs text-muted-foreground max-lg:sr-only">
                    <tr>
                        <th scope="col" class="py-2.5 pr-3 pl-4 font-medium">"State"</th>
                        <th scope="col" class="px-3 py-2.5 font-medium">"Prompt"</th>
                        <th scope="col" class="px-3 py-2.5 font-medium">"Project"</th>
                        <th scope="col" class="px-3 py-2.5 font-medium">"User"</th>
                        <th scope="col" class="px-3 py-2.5 font-medium">"Started"</th>
                        <th scope="col" class="px-3 py-2.5 text-right font-medium">"Duration"</th>
                        <th scope="col" class="px-3 py-2.5 text-right font-medium">"Tokens"</th>
                        <th scope="col" class="px-3 py-2.5 text-right font-medium">"Cost"</th>
                        <th scope="col" class="py-2.5 pr-4 pl-3"><span class="sr-only">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody class="divide-y divide-border max-lg:block">
                    {rows(ids, row)}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The message if there are no runs, or none that match.
#[component]
fn Nothing(filter: Filter) -> impl IntoView {
    // The list is recreated when the filter changes.
    let all =
        filter.state.get_untracked().is_none() && filter.search.with_untracked(String::is_empty);
    let (title, hint, address, link) = if all {
        (
            "No runs yet",
            "Start a project, and its first run appears here.",
            "/",
            "Start a project",
        )
    } else {
        (
            "No runs match",
            "Try another state or another search.",
            "/admin/runs",
            "Show all runs",
        )
    };
    view! {
        <div class="rounded-xl border border-dashed border-border px-6 py-14 text-center">
            <p class="text-sm font-medium">{title}</p>
            <p class="mt-1 text-sm text-muted-foreground">{hint}</p>
            <a href=address class="mt-3 inline-block rounded text-sm underline underline-offset-3 focus-ring">{link}</a>
        </div>
    }
}
