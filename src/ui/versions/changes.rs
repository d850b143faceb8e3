//! The changes of a version compared with the one before it: its files, and the lines of each.

use leptos::prelude::*;

use crate::{
    api::versions::{compare_file, compare_versions},
    protocol::{ChangeKind, ProjectId, VersionDiff},
    ui::{components::Skeleton, erased::part_when},
};

#[component]
pub fn Changes(project: ProjectId, version: String) -> impl IntoView {
    let to = version.clone();
    let compared = LocalResource::new(move || compare_versions(project, None, to.clone()));
    move || match compared.get() {
        None => view! { <Skeleton class="h-10 w-full"/> }.into_any(),
        Some(Err(error)) => {
            view! { <p role="alert" class="text-xs text-destructive">{error.message}</p> }
                .into_any()
        }
        Some(Ok(diff)) => list(project, &version, diff),
    }
}

fn list(project: ProjectId, version: &str, diff: VersionDiff) -> AnyView {
    let more = diff.count.saturating_sub(diff.changes.len());
    let files = diff.changes.into_iter().map(|change| {
        let shown = RwSignal::new(false);
        let (mark, words) = match change.kind {
            ChangeKind::Added => ("+", "added"),
            ChangeKind::Changed => ("~", "changed"),
            ChangeKind::Removed => ("−", "removed"),
        };
        let (path, version) = (change.path.clone(), version.to_owned());
        view! {
            <li>
                <button
                    type="button"
                    aria-expanded=move || shown.get().to_string()
                    class="flex w-full cursor-pointer items-baseline gap-2 rounded-md px-1 py-0.5 text-left font-mono text-xs hover:bg-accent focus-ring"
                    on:click=move |_| shown.update(|shown| *shown = !*shown)
                >
                    <span aria-hidden="true" class="w-3 shrink-0 text-center text-muted-foreground">{mark}</span>
                    <span class="min-w-0 flex-1 wrap-anywhere">{change.path}</span>
                    <span class="shrink-0 font-sans text-muted-foreground">{words}</span>
                </button>
                {part_when(
                    move || shown.get(),
                    move || view! { <Lines project version=version.clone() path=path.clone()/> }.into_any(),
                )}
            </li>
        }
    });
    let files = files.collect_view();
    view! {
        <ul role="list" aria-label="Changed files" class="flex flex-col gap-0.5 border-l border-border pl-2">{files}</ul>
        <p class="text-xs text-muted-foreground empty:hidden">{(more > 0).then(|| format!("And {more} more."))}</p>
    }
    .into_any()
}

#[component]
fn Lines(project: ProjectId, version: String, path: String) -> impl IntoView {
    let compared =
        LocalResource::new(move || compare_file(project, None, version.clone(), path.clone()));
    move || match compared.get() {
        None => view! { <Skeleton class="h-8 w-full"/> }.into_any(),
        Some(Err(error)) => {
            view! { <p role="alert" class="px-5 text-xs text-destructive">{error.message}</p> }
                .into_any()
        }
        Some(Ok(diff)) => {
            let lines = diff.lines.into_iter().map(|line| {
                let class = match line.as_bytes().first() {
                    Some(b'+') => "block bg-success/15",
                    Some(b'-') => "block bg-destructive/12",
                    Some(b'@') => "block text-muted-foreground",
                    _ => "block",
                };
                view! { <span class=class>{line} "\n"</span> }
            });
            let lines = lines.collect_view();
            let label = format!("Changes of {}", diff.path);
            view! {
                <p class="px-5 py-1 text-xs text-muted-foreground empty:hidden">{diff.notice}</p>
                <pre tabindex="0" aria-label=label class="my-1 max-h-80 overflow-auto rounded-md border border-border bg-background py-1 font-mono text-xs leading-5 empty:hidden focus-ring">{lines}</pre>
            }
            .into_any()
        }
    }
}
