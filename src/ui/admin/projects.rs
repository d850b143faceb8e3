//! `/admin/projects`: everybody's projects.

use leptos::prelude::*;

use super::frame::{
    CELL, LINK, address, columns, field, loaded, loading, next_page, page, parameter, size, table,
};
use crate::{
    api::admin::list_all_projects,
    protocol::{ProjectFilter, ProjectOverview, ProjectPage},
    ui::{
        components::{Button, ButtonVariant, EmptyState, IconName},
        runs::state_word,
        time::Moment,
    },
};

const PATH: &str = "/admin/projects";
const LEAD: &str =
    "Everybody's projects, the youngest first. To see one, open its runs, or sign in as its owner.";

#[component]
pub fn ProjectsPage() -> impl IntoView {
    page("Projects", PATH, LEAD, || {
        let filter = || ProjectFilter {
            search: parameter("search"),
            before: parameter("before"),
        };
        let found = Resource::new_blocking(filter, list_all_projects);
        let search = untrack(filter).search;
        let kept = search.clone();
        view! {
            <form method="get" action=PATH role="search" class="flex items-end gap-3">
                <div class="flex-1">{field("Search by title, owner or id", "search", "search", search)}</div>
                <Button submit=true variant=ButtonVariant::Outline>"Search"</Button>
            </form>
            <Transition fallback=loading>
                {move || {
                    let kept = kept.clone();
                    Suspend::new(async move { loaded(found.await, |page| list(page, &kept)) })
                }}
            </Transition>
        }
        .into_any()
    })
}

fn list(page: ProjectPage, search: &str) -> AnyView {
    if page.projects.is_empty() {
        return view! { <EmptyState icon=IconName::Folder title="No projects" hint="No projects match."/> }
            .into_any();
    }
    const COLUMNS: [&str; 6] = [
        "Project", "Owner", "Versions", "Size", "Last run", "Changed",
    ];
    let next = page
        .next
        .map(|next| address(PATH, &[("search", search), ("before", &next.to_string())]));
    let rows = page.projects.into_iter().map(row).collect();
    view! {
        {table("Projects", columns(&COLUMNS), rows)}
        {next_page(next)}
    }
    .into_any()
}

fn row(project: ProjectOverview) -> AnyView {
    let id = project.id.to_string();
    let owner = address("/admin/users", &[("search", &project.owner_id.to_string())]);
    let last = match project.last_run {
        Some((run, state)) => {
            view! { <a href=format!("/admin/runs/{run}") class=LINK>{state_word(state)}</a> }
                .into_any()
        }
        None => "None".into_any(),
    };
    view! {
        <tr>
            <td class=format!("{CELL} min-w-48")>
                <a href=format!("{PATH}/{id}") dir="auto" class=format!("{LINK} font-medium wrap-anywhere")>{project.title}</a>
                <span class="block font-mono text-xs text-muted-foreground">{id}</span>
            </td>
            <td class=format!("{CELL} wrap-anywhere")><a href=owner class=LINK>{project.owner}</a></td>
            <td class=format!("{CELL} tabular-nums")>{project.versions}</td>
            <td class=format!("{CELL} whitespace-nowrap tabular-nums")>{size(project.bytes)}</td>
            <td class=CELL>{last}</td>
            <td class=format!("{CELL} whitespace-nowrap")><Moment at=project.updated_at/></td>
        </tr>
    }
    .into_any()
}
