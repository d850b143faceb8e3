//! The list of projects, most recently changed first.

use leptos::prelude::*;

use crate::{
    protocol::{ApiError, Project},
    ui::{
        components::{CARD, Icon, IconName},
        time::RelativeTime,
    },
};

#[component]
pub fn ProjectList(projects: Result<Vec<Project>, ApiError>) -> impl IntoView {
    let list = match projects {
        Err(error) => view! {
            <p role="alert" class="mt-4 text-sm text-muted-foreground">{error.message}</p>
        }
        .into_any(),
        Ok(projects) if projects.is_empty() => view! {
            <div class="mt-4 rounded-xl border border-dashed border-border px-6 py-10 text-center">
                <p class="text-sm font-medium">"No projects yet"</p>
                <p class="mt-1 text-sm text-muted-foreground">"Describe your first app above, and it will appear here."</p>
            </div>
        }
        .into_any(),
        Ok(projects) => view! {
            <ul class="mt-4 grid gap-3 sm:grid-cols-2">{projects.into_iter().map(|project| view! { <ProjectCard project/> }).collect_view()}</ul>
        }
        .into_any(),
    };
    view! {
        <section aria-labelledby="your-projects" class="mt-20">
            <h2 id="your-projects" class="text-sm font-semibold">"Your projects"</h2>
            {list}
        </section>
    }
}

#[component]
fn ProjectCard(project: Project) -> impl IntoView {
    view! {
        <li>
            <a
                href=format!("/projects/{}", project.id)
                class=format!("group flex items-center gap-3 px-4 py-3.5 transition-colors hover:border-foreground/25 focus-ring {CARD}")
            >
                <span class="min-w-0 flex-1">
                    <span class="block truncate text-sm font-medium">{project.title}</span>
                    <span class="mt-0.5 block text-xs text-muted-foreground"><RelativeTime at=project.updated_at/></span>
                </span>
                <span class="text-muted-foreground opacity-0 transition-opacity group-hover:opacity-100 group-focus-visible:opacity-100">
                    <Icon name=IconName::ChevronRight/>
                </span>
            </a>
        </li>
    }
}
