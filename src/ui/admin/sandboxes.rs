//! `/admin/sandboxes`: the provider's running and sleeping sandboxes, their usage, and ending them.

use leptos::prelude::*;

use super::frame::{CELL, LINK, address, columns, loaded, loading, page, size, table};
use crate::{
    api::admin::list_sandboxes,
    protocol::{SandboxOverview, SandboxUse},
    ui::{
        components::{
            Badge, BadgeVariant, Button, ButtonSize, ButtonVariant, EmptyState, IconName,
        },
        time::Moment,
    },
};

const PATH: &str = "/admin/sandboxes";
const LEAD: &str = "The sandboxes in which apps run. If you kill one, opening its project creates a new one from the latest version.";

#[component]
pub fn SandboxesPage() -> impl IntoView {
    page("Sandboxes", PATH, LEAD, || {
        let found = Resource::new_blocking(|| (), |()| list_sandboxes());
        view! {
            <Transition fallback=loading>
                {move || Suspend::new(async move { loaded(found.await, list) })}
            </Transition>
        }
        .into_any()
    })
}

fn list(sandboxes: Vec<SandboxOverview>) -> AnyView {
    if sandboxes.is_empty() {
        return view! { <EmptyState icon=IconName::Terminal title="No sandboxes" hint="A project's sandbox appears here when somebody opens the project."/> }
            .into_any();
    }
    const COLUMNS: [&str; 8] = [
        "Sandbox",
        "Project",
        "State",
        "Since",
        "Processor",
        "Memory",
        "Disk",
        "Actions",
    ];
    let rows = sandboxes.into_iter().map(row).collect();
    table("Sandboxes", columns(&COLUMNS), rows)
}

fn row(sandbox: SandboxOverview) -> AnyView {
    let project = match (&sandbox.project, sandbox.title) {
        (Some(id), Some(title)) => {
            let projects = address("/admin/projects", &[("search", &id.to_string())]);
            let version = sandbox.shows_version.then_some(" (an earlier version)");
            view! { <a href=projects dir="auto" class=LINK>{title}</a>{version} }.into_any()
        }
        _ if !sandbox.own => "Another installation's".into_any(),
        (Some(_), None) => "A project that is gone".into_any(),
        (None, _) => "Not taken yet".into_any(),
    };
    let state = match sandbox.awake {
        true => view! { <Badge variant=BadgeVariant::Success>"Awake"</Badge> }.into_any(),
        false => view! { <Badge variant=BadgeVariant::Outline>"Asleep"</Badge> }.into_any(),
    };
    let figure = |read: fn(&SandboxUse) -> String| {
        let used = sandbox.used.as_ref().map(read);
        used.unwrap_or_else(|| "–".to_owned())
    };
    let processor = figure(|used| format!("{:.0} %", used.cpu));
    let memory = figure(|used| format!("{} of {}", size(used.memory), size(used.memory_limit)));
    let disk = figure(|used| format!("{} of {}", size(used.disk), size(used.disk_limit)));
    let id = sandbox.id;
    let kill = sandbox.own.then(|| {
        view! {
            <details>
                <summary class="cursor-pointer rounded-sm text-xs underline underline-offset-3 focus-ring">
                    "Kill"<span class="sr-only">{format!(" {id}")}</span>
                </summary>
                <form method="post" action="/api/admin/sandboxes/kill" class="mt-2 flex min-w-48 flex-col items-start gap-2">
                    <p class="text-xs leading-5">"Unsaved work in it is lost, and a run that works in it repeats its current step."</p>
                    <input type="hidden" name="sandbox" value=id.clone()/>
                    <Button submit=true variant=ButtonVariant::Destructive size=ButtonSize::Sm>"Kill the sandbox"</Button>
                </form>
            </details>
        }
    });
    view! {
        <tr>
            <td class=format!("{CELL} font-mono text-xs")>{id.clone()}</td>
            <td class=format!("{CELL} min-w-40 wrap-anywhere")>{project}</td>
            <td class=CELL>{state}</td>
            <td class=format!("{CELL} whitespace-nowrap")><Moment at=sandbox.started_at/></td>
            <td class=format!("{CELL} whitespace-nowrap tabular-nums")>{processor}</td>
            <td class=format!("{CELL} whitespace-nowrap tabular-nums")>{memory}</td>
            <td class=format!("{CELL} whitespace-nowrap tabular-nums")>{disk}</td>
            <td class=CELL>{kill}</td>
        </tr>
    }
    .into_any()
}
