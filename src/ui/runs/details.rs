//! A run's page: its prompt, its outcome, its cost, and every step it took.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use super::{
    actions::RunActions,
    figures::{cost, tokens_in_and_out, worked_on},
    state::StateBadge,
    timeline::Timeline,
    trouble::{ConnectionLost, Trouble},
};
use crate::{
    api::runs::get_run,
    protocol::{ApiError, ErrorCode, Run, RunDetails, RunId},
    ui::{
        components::{Alert, CARD},
        erased::{part, words},
        home::SiteHeader,
        live,
        not_found::NotFound,
        page_title::PageTitle,
        time::{RelativeTime, ServerClock},
    },
};

/// The page of the run in the address; the 404 page if there is none.
#[component]
pub fn RunDetailsPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| params.get("id").and_then(|id| id.parse::<RunId>().ok()))
    });
    let details = Resource::new_blocking(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => get_run(id).await,
                None => Err(ApiError::new(
                    ErrorCode::NotFound,
                    "This run doesn't exist.",
                )),
            }
        },
    );
    view! {
        <Transition fallback=|| view! { <SiteHeader/> }>
            {move || Suspend::new(async move {
                match details.await {
                    Ok(first) => view! { <Details first/> }.into_any(),
                    Err(error) if error.code == ErrorCode::NotFound => view! { <NotFound/> }.into_any(),
                    Err(error) => view! {
                        <SiteHeader/>
                        <main class="mx-auto max-w-5xl px-4 pt-6 sm:px-5"><Alert>{error.message}</Alert></main>
                    }
                    .into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Details(first: RunDetails) -> impl IntoView {
    const PROMPT: &str = "prompt";
    let (id, project, user, prompt) = {
        let summary = &first.summary;
        (
            summary.run.id,
            summary.run.project,
            summary.user.to_string(),
            summary.prompt.clone(),
        )
    };
    let clock = ServerClock::new(first.at);
    let details = RwSignal::new(first);
    let refresh = Action::new(move |_: &()| async move {
        let fresh = get_run(id).await?;
        // An ended run stays ended: a contradicting answer is stale.
        let is_stale = !fresh.summary.run.state.is_final();
        if !(is_stale
            && details
                .try_with_untracked(|known| known.summary.run.state.is_final())
                .unwrap_or(true))
        {
            clock.set(fresh.at);
            details.try_set(fresh);
        }
        Ok::<(), ApiError>(())
    });
    let state = Memo::new(move |_| details.with(|details| details.summary.run.state));
    live::refresh_while(move || !state.get_untracked().is_final(), refresh);

    let trouble = RwSignal::new(None::<String>);
    let on_cancelled = Callback::new(move |cancelled: Result<Run, ApiError>| {
        trouble.set(cancelled.err().map(|error| error.message));
        refresh.dispatch(());
    });
    let navigate = use_navigate();
    let on_replayed = Callback::new(move |replayed: Result<Run, ApiError>| match replayed {
        Ok(run) => navigate(
            &format!("/admin/runs/{}", run.id),
            NavigateOptions::default(),
        ),
        Err(error) => trouble.set(Some(error.message)),
    });
    let summary = move |read: fn(&RunDetails) -> String| details.with(read);
    let title = Memo::new(move |_| summary(|details| details.summary.project_title.clone()));
    let started_at = Memo::new(move |_| details.with(|details| details.summary.started_at));
    let error = Memo::new(move |_| details.with(|details| details.summary.error.clone()));
    let duration = move || {
        details.with(|details| {
            let summary = &details.summary;
            worked_on(summary.started_at, summary.run.finished_at, || clock.now())
        })
    };
    view! {
        <PageTitle text=Signal::derive(move || format!("Run · {}", title.get()))/>
        <SiteHeader/>
        <main class="mx-auto max-w-6xl px-4 pt-6 pb-24 sm:px-5">
            <nav aria-label="Breadcrumb" class="flex min-w-0 items-center gap-2 text-sm text-muted-foreground">
                <a href="/admin/runs" class="rounded hover:text-foreground focus-ring">"Runs"</a>
                <span aria-hidden="true">"/"</span>
                <span class="truncate font-mono text-xs">{id.to_string()}</span>
            </nav>
            <div class="mt-4 flex flex-wrap items-start gap-x-6 gap-y-3">
                <div class="min-w-0 flex-1 basis-80">
                    <h1 id=PROMPT dir="auto" tabindex="-1" class="text-xl leading-snug font-semibold tracking-tight wrap-anywhere outline-none">{prompt}</h1>
                    <p class="mt-2 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted-foreground">
                        <StateBadge state/>
                        <a dir="auto" href=format!("/projects/{project}") class="rounded underline underline-offset-3 hover:text-foreground focus-ring">
                            {words(move || title.get())}
                        </a>
                        <span>"by "{user}</span>
                    </p>
                </div>
                <RunActions id state described_by=PROMPT.to_owned() on_cancelled on_replayed/>
            </div>
            <div role="status" class="text-sm">
                <ConnectionLost refresh/>
            </div>
            <div class="mt-4 flex flex-col gap-4 empty:hidden">
                <Trouble message=trouble.into()/>
                <Trouble message=error.into()/>
            </div>
            <dl class=format!("mt-5 grid grid-cols-2 gap-4 px-4 py-3 sm:grid-cols-5 {CARD}")>
                <Figure label="Started">
                    {part(move || match started_at.get() {
                        Some(at) => view! { <RelativeTime at/> }.into_any(),
                        None => "not yet".into_any(),
                    })}
                </Figure>
                <Figure label="Duration">{words(duration)}</Figure>
                <Figure label="Steps">{words(move || summary(|details| details.steps.len().to_string()))}</Figure>
                <Figure label="Cost">{words(move || summary(|details| cost(details.summary.spent)))}</Figure>
                <Figure label="Tokens">{words(move || summary(|details| tokens_in_and_out(details.summary.spent)))}</Figure>
            </dl>
            <Timeline details clock/>
        </main>
    }
}

#[component]
fn Figure(label: &'static str, children: Children) -> impl IntoView {
    view! {
        <div>
            <dt class="text-xs text-muted-foreground">{label}</dt>
            <dd class="mt-0.5 text-sm font-medium tabular-nums">{children()}</dd>
        </div>
    }
}
