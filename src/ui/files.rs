//! The Code tab: the app's files as a tree, and one of them to read. Both are updated as a run
//! writes.

mod tree;
mod viewer;

use std::time::Duration;

use leptos::prelude::*;

use super::{components::Skeleton, conversation::Conversation};
use crate::{
    api::files::{list_files, read_file},
    protocol::{FileNode, ProjectId},
};

pub use tree::FileTree;
pub use viewer::FileViewer;

/// Files written within this time are fetched together.
const SETTLE: Duration = Duration::from_millis(400);
/// The file that is shown first: the first of these that exists.
const FIRST: [&str; 3] = ["app/page.tsx", "src/app/page.tsx", "README.md"];

/// The Code tab; its code is fetched when somebody first looks.
#[cfg_attr(lazy_parts, lazy)]
pub async fn files_pane(project: ProjectId, conversation: RwSignal<Conversation>) -> AnyView {
    // A boundary of its own: its fetches must not bring back the page's skeleton.
    view! { <Transition fallback=Loading><FilesPane project conversation/></Transition> }.into_any()
}

#[component]
fn FilesPane(project: ProjectId, conversation: RwSignal<Conversation>) -> impl IntoView {
    let change = Memo::new(move |_| conversation.with(|all| (all.last_files(), all.ended_runs())));
    let settled = RwSignal::new(change.get_untracked());
    Effect::new(move || {
        let change = change.get();
        if let Ok(timer) = set_timeout_with_handle(
            move || {
                settled.try_set(change);
            },
            SETTLE,
        ) {
            on_cleanup(move || timer.clear());
        }
    });
    let version = Memo::new(move |_| settled.get());

    let listed = LocalResource::new(move || {
        // Read, not tracked: a memo that nobody reads never changes.
        let _ = version.get();
        list_files(project)
    });
    let nodes = Memo::new(move |_| listed.get().and_then(Result::ok).unwrap_or_default());
    let chosen = RwSignal::new(None::<String>);
    let path = Memo::new(move |_| {
        chosen.get().or_else(|| {
            nodes.with(|nodes| {
                FIRST
                    .into_iter()
                    .find(|path| contains(nodes, path))
                    .map(str::to_owned)
            })
        })
    });
    let view = LocalResource::new(move || {
        // Read, not tracked: a memo that nobody reads never changes.
        let _ = version.get();
        let path = path.get();
        async move {
            match path {
                Some(path) => Some(read_file(project, path, false).await),
                None => None,
            }
        }
    });

    let side = move || {
        match listed.get() {
        Some(Err(error)) => view! { <p role="alert" class="p-3 text-xs text-muted-foreground">{error.message}</p> }.into_any(),
        Some(Ok(files)) if files.is_empty() => {
            view! { <p class="p-3 text-xs text-muted-foreground">"No files yet. They appear as they are written."</p> }.into_any()
        }
        Some(Ok(_)) | None => ().into_any(),
    }
    };
    view! {
        <div class="flex min-h-0 flex-1 max-md:flex-col">
            <div class="shrink-0 overflow-auto border-border bg-muted/30 max-md:max-h-[35%] max-md:border-b md:w-60 md:border-r">
                {side}
                <FileTree nodes path on_choose=move |path| chosen.set(Some(path))/>
            </div>
            <FileViewer path view/>
        </div>
    }
}

/// The shape of the pane while its first files are fetched.
#[component]
fn Loading() -> impl IntoView {
    view! {
        <div class="flex min-h-0 flex-1 max-md:flex-col" aria-busy="true">
            <div class="flex flex-col gap-3 border-border bg-muted/30 p-4 max-md:border-b md:w-60 md:border-r">
                <Skeleton class="h-4 w-3/4"/>
                <Skeleton class="h-4 w-1/2"/>
                <Skeleton class="h-4 w-2/3"/>
            </div>
            <div class="flex flex-1 flex-col gap-3 bg-card p-4">
                <Skeleton class="h-4 w-1/3"/>
                <Skeleton class="h-4 w-1/2"/>
                <Skeleton class="h-4 w-2/5"/>
            </div>
        </div>
    }
}

fn contains(nodes: &[FileNode], path: &str) -> bool {
    nodes.iter().any(|node| match &node.children {
        Some(children) => contains(children, path),
        None => node.path == path,
    })
}
