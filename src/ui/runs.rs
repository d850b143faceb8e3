//! The dashboard: all runs with their state, time and cost. The filter is part of the address, so
//! that a reload or a link shows the same. Each row links to a run's details.

mod actions;
mod details;
pub mod figures;
mod filter;
mod list;
mod row;
mod state;
mod timeline;
mod trouble;
mod usage;

use std::time::Duration;

use leptos::{html, leptos_dom::helpers::debounce, prelude::*};
use leptos_router::{LazyRoute, NavigateOptions, hooks::query_signal_with_options};

use super::{
    admin::AdminNav,
    components::{
        Alert, ButtonSize, ButtonVariant, INPUT, Icon, IconName, SELECT, Skeleton, button_class,
    },
    home::SiteHeader,
    not_found::NotFound,
    page_title::PageTitle,
    pane::{page, panes},
    visitor,
};
use crate::{
    api::{runs::list_runs, usage::list_usage},
    protocol::RunState,
};

pub use state::word as state_word;

use details::RunDetailsPage;
use filter::Filter;
use list::RunList;
use usage::UsageLine;

/// The pause in typing after which the search begins.
const TYPING: Duration = Duration::from_millis(300);

/// The list of runs. Its code, like that of a run's page, is fetched when somebody goes there.
pub struct RunsRoute;

impl LazyRoute for RunsRoute {
    fn data() -> Self {
        Self
    }

    async fn view(_this: Self) -> AnyView {
        page(runs_page).await
    }
}

panes! {
    administration:

    /// The list; its code is fetched on demand.
    pub fn runs_page() {
        for_administrators(|| view! { <RunsPage/> }.into_any())
    }

    /// A run; its code is fetched on demand.
    pub fn run_page() {
        for_administrators(|| view! { <RunDetailsPage/> }.into_any())
    }
}

fn for_administrators(page: impl FnOnce() -> AnyView) -> AnyView {
    if visitor::is_administrator() {
        page()
    } else {
        view! { <NotFound/> }.into_any()
    }
}

/// A run's page.
pub struct RunRoute;

impl LazyRoute for RunRoute {
    fn data() -> Self {
        Self
    }

    async fn view(_this: Self) -> AnyView {
        page(run_page).await
    }
}

#[component]
fn RunsPage() -> impl IntoView {
    let options = || NavigateOptions {
        replace: true,
        scroll: false,
        ..NavigateOptions::default()
    };
    let (state_text, set_state) = query_signal_with_options::<String>("state", options());
    let (search_text, set_search) = query_signal_with_options::<String>("search", options());
    let filter = Filter {
        state: Memo::new(move |_| {
            state_text.with(|text| text.as_ref().and_then(|text| text.parse().ok()))
        }),
        search: Memo::new(move |_| search_text.get().unwrap_or_default()),
    };
    let found = Resource::new_blocking(
        move || (filter.state.get(), filter.search.get()),
        |(state, search)| list_runs(state, search, None),
    );
    let usage = Resource::new(|| (), |()| list_usage());
    let on_ended = Callback::new(move |()| usage.refetch());
    let choose = move |text: String| set_state.set(Some(text).filter(|text| !text.is_empty()));
    let search_for = move |text: String| {
        set_search.set(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    };
    let mut typed = debounce(TYPING, search_for);
    let field = NodeRef::<html::Input>::new();
    Effect::new(move |before: Option<()>| {
        let search = filter.search.get();
        let Some(field) = field.get_untracked() else {
            return;
        };
        if before.is_none() {
            // Text typed before hydration counts.
            if field.value().trim() != search {
                search_for(field.value());
            }
        } else if !field.matches(":focus").unwrap_or(false) {
            // A link or the back button changed it.
            field.set_value(&search);
        }
    });
    view! {
        <PageTitle text="Runs"/>
        <SiteHeader/>
        <AdminNav current="/admin/runs"/>
        <main class="mx-auto max-w-6xl px-4 pt-6 pb-24 sm:px-5">
            <h1 class="text-2xl font-semibold tracking-tight">"Runs"</h1>
            <p class="mt-1 text-sm text-muted-foreground">"Everything the agent was asked to do, newest first."</p>
            <UsageLine usage/>
            <form
                method="get"
                action="/admin/runs"
                role="search"
                class="mt-6 flex flex-col gap-3 sm:flex-row"
                on:submit=move |event| event.prevent_default()
            >
                <div class="relative flex-1">
                    <span class="pointer-events-none absolute inset-y-0 left-3 flex items-center text-muted-foreground"><Icon name=IconName::Search/></span>
                    <input
                        node_ref=field
                        type="search"
                        name="search"
                        aria-label="Search runs"
                        placeholder="Search by project, prompt or id"
                        autocomplete="off"
                        class=format!("{INPUT} pl-9")
                        value=filter.search.get_untracked()
                        on:input=move |event| typed(event_target_value(&event))
                    />
                </div>
                <div class="relative sm:w-44">
                    <select
                        name="state"
                        aria-label="State"
                        class=SELECT
                        prop:value=move || filter.state.get().map_or("", RunState::as_str)
                        on:change=move |event| choose(event_target_value(&event))
                    >
                        <option value="">"All states"</option>
                        {RunState::ALL
                            .map(|state| {
                                let chosen = filter.state.get_untracked() == Some(state);
                                view! { <option value=state.as_str() selected=chosen>{state::word(state)}</option> }
                            })}
                    </select>
                    <span class="pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-muted-foreground">
                        <Icon name=IconName::ChevronRight class="size-4 rotate-90"/>
                    </span>
                </div>
                // Without scripts, the form is submitted. With scripts, this is parsed as text, so
                // that its content is not part of the view.
                <noscript inner_html=format!(
                    r#"<button type="submit" class="{}">Search</button>"#,
                    button_class(ButtonVariant::Outline, ButtonSize::Default),
                )></noscript>
            </form>
            <Transition fallback=Loading>
                {move || Suspend::new(async move {
                    match found.await {
                        Ok(first) => view! { <RunList filter first on_ended/> }.into_any(),
                        Err(error) => view! {
                            <div class="mt-6">
                                <Alert>
                                    <p>{error.message}</p>
                                    <a href="/admin/runs" rel="external" class="underline underline-offset-3 focus-ring">"Reload the list"</a>
                                </Alert>
                            </div>
                        }
                        .into_any(),
                    }
                })}
            </Transition>
        </main>
    }
}

/// The shape of the list while it is loaded.
#[component]
fn Loading() -> impl IntoView {
    view! {
        <div aria-busy="true" class="mt-6 flex flex-col gap-3">
            <span class="sr-only">"Loading the runs"</span>
            {[(); 6].map(|()| view! { <Skeleton class="h-12 w-full"/> })}
        </div>
    }
}
