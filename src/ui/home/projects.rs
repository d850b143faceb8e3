//! The projects: a grid with search and sorting, whose cards can be renamed, duplicated and
//! deleted.

mod actions;
mod card;

use std::time::Duration;

use leptos::{ev, prelude::*};

use crate::{
    protocol::{ApiError, ProjectStatus, ProjectSummary},
    ui::{
        components::{Alert, EmptyState, Icon, IconName, SELECT, SearchInput},
        erased::{part, part_when, rows, words},
        live,
    },
};

use actions::{HEADING, Projects};
use card::card;

/// The orders: each one's value and name.
const ORDERS: [(&str, &str); 3] = [
    ("changed", "Last changed"),
    ("newest", "Newest"),
    ("title", "Name"),
];
/// The ids to show, in order.
fn shown(all: &[ProjectSummary], search: &str, order: &str) -> Vec<String> {
    let search = search.trim().to_lowercase();
    let mut found: Vec<&ProjectSummary> = all
        .iter()
        .filter(|project| project.title.to_lowercase().contains(&search))
        .collect();
    match order {
        "newest" => found.sort_by_key(|project| std::cmp::Reverse(project.created_at)),
        "title" => found.sort_by_key(|project| project.title.to_lowercase()),
        _ => {}
    }
    found.iter().map(|project| project.id.to_string()).collect()
}

#[component]
pub fn ProjectList(projects: Result<Vec<ProjectSummary>, ApiError>) -> impl IntoView {
    let list = match projects {
        Err(error) => view! { <div class="mt-4"><Alert>{error.message}</Alert></div> }.into_any(),
        Ok(projects) => grid(Projects::new(projects)),
    };
    view! {
        <section aria-labelledby=HEADING class="mt-20">{list}</section>
    }
}

fn grid(projects: Projects) -> AnyView {
    let (search, order) = (RwSignal::new(String::new()), RwSignal::new(ORDERS[0].0));
    let all = projects.all;
    live::refresh_while(
        move || {
            all.with_untracked(|all| {
                let mut all = all.iter();
                all.any(|project| project.status == ProjectStatus::Building)
            })
        },
        projects.fetch,
    );
    refresh_on_return(projects);
    let ids = Memo::new(move |_| {
        let (search, order) = (search.get(), order.get());
        all.with(|all| shown(all, &search, order))
    });
    let count = Memo::new(move |_| all.with(Vec::len));
    let none_found = Memo::new(move |_| count.get() > 0 && ids.with(Vec::is_empty));
    let row = move |id: String| match id.parse() {
        Ok(id) => card(projects, id),
        Err(_) => ().into_any(),
    };
    view! {
        <div class="flex flex-wrap items-center gap-x-3 gap-y-2">
            <h2 id=HEADING tabindex="-1" class="mr-auto text-lg font-semibold tracking-tight outline-none">
                "Your projects"
                <span class="ml-2 text-sm font-normal text-muted-foreground tabular-nums">
                    {words(move || match count.get() { 0 => String::new(), count => count.to_string() })}
                </span>
            </h2>
            {part_when(move || count.get() > 0, move || filters(search, order))}
        </div>
        {part_when(move || count.get() == 0, || view! {
            <div class="mt-4">
                <EmptyState
                    icon=IconName::Sparkles
                    title="No projects yet"
                    hint="Describe your first app above, or start from one of the showcase below. It will appear here."
                />
            </div>
        }
        .into_any())}
        {part_when(move || none_found.get(), move || view! {
            <div class="mt-4">
                <EmptyState icon=IconName::Search title="No project matches" hint="Try other words, or clear the search."/>
            </div>
        }
        .into_any())}
        <ul role="list" class="mt-4 grid gap-4 sm:grid-cols-2 lg:grid-cols-3">{rows(move || ids.get(), row)}</ul>
        <p role="status" class="sr-only">
            {part(move || {
                let words = if search.with(String::is_empty) { String::new() } else { format!("{} found", ids.with(Vec::len)) };
                words.into_any()
            })}
        </p>
    }
    .into_any()
}

/// The search and the order.
fn filters(search: RwSignal<String>, order: RwSignal<&'static str>) -> AnyView {
    let sort = move |changed: ev::Event| {
        let wanted = event_target_value(&changed);
        if let Some((value, _)) = ORDERS.into_iter().find(|(value, _)| *value == wanted) {
            order.set(value);
        }
    };
    view! {
        <div class="relative min-w-0 max-sm:w-full sm:w-56">
            <span class="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-muted-foreground"><Icon name=IconName::Search/></span>
            <SearchInput label="Search projects" value=search class="pl-8.5"/>
        </div>
        <div class="relative max-sm:flex-1">
            <select aria-label="Sort projects" class=SELECT on:change=sort>
                {ORDERS
                    .map(|(value, name)| view! { <option value=value selected=order.get_untracked() == value>{name}</option> })
                    .into_any()}
            </select>
            <span class="pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-muted-foreground">
                <Icon name=IconName::ChevronRight class="size-4 rotate-90"/>
            </span>
        </div>
    }
    .into_any()
}

/// Fetches the list when the user returns: other tabs and devices may have changed it.
fn refresh_on_return(projects: Projects) {
    Effect::new(move || {
        let visible = window_event_listener(ev::visibilitychange, move |_| {
            if !document().hidden() {
                // After another tab's request has been handled.
                set_timeout(move || projects.refresh(), Duration::from_millis(200));
            }
        });
        on_cleanup(move || visible.remove());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ProjectId, Timestamp};

    #[test]
    fn projects_are_found_by_their_title_in_any_case_and_sorted() {
        let project = |title: &str, created_at| ProjectSummary {
            id: format!("00000000-0000-7000-8000-{created_at:012}")
                .parse()
                .unwrap_or_else(|_| ProjectId::new()),
            title: title.to_owned(),
            status: ProjectStatus::Ready,
            picture: None,
            created_at: Timestamp(created_at),
            updated_at: Timestamp(0),
            shared: None,
        };
        let all = [
            project("Zoo", 1),
            project("todo App", 3),
            project("Äpfel", 2),
        ];
        let titles = |search: &str, order: &str| {
            let ids = shown(&all, search, order).into_iter();
            let found = ids.map(|id| all.iter().find(|one| one.id.to_string() == id));
            found
                .flatten()
                .map(|one| one.title.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(titles("", "changed"), ["Zoo", "todo App", "Äpfel"]);
        assert_eq!(titles("", "newest"), ["todo App", "Äpfel", "Zoo"]);
        assert_eq!(titles("", "title"), ["todo App", "Zoo", "Äpfel"]);
        assert_eq!(titles(" ÄPF", "changed"), ["Äpfel"]);
        assert!(titles("nothing", "title").is_empty());
    }
}
