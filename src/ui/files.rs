//! The Code tab: the app's files as a tree, and an editor for the open ones. Both follow the writes
//! of runs and other tabs.

mod code_mirror;
mod compare;
mod context_menu;
mod drops;
mod editor_pane;
mod journeys;
mod kept_text;
mod open_files;
mod row;
mod search;
mod session;
mod sidebar;
mod tree;

use std::{collections::HashSet, sync::Arc, time::Duration};

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{browser, components::Skeleton, conversation::Conversation, pane::panes};
use crate::{
    api::files::list_files,
    protocol::{FileNode, ProjectId},
};

pub use code_mirror::Sides;
pub use compare::{Compared, LayoutButtons, follow_width};
pub use tree::{FileTree, TreeMarks};

use editor_pane::EditorPane;
use open_files::Content;
use session::{Readiness, Session};
use sidebar::Sidebar;
use tree::contains;

/// Changes within this time are fetched together.
const SETTLE: Duration = Duration::from_millis(400);
/// The file to show first: the first of these that exists.
const FIRST: [&str; 3] = ["app/page.tsx", "src/app/page.tsx", "README.md"];
/// The parts of the address that name the shown file and the cursor's line.
pub const FILE_QUERY: &str = "file";
const LINE_QUERY: &str = "line";

panes! {
    files:

    /// The Code tab; its code is fetched when somebody first looks.
    pub fn files_pane(
        project: ProjectId,
        conversation: RwSignal<Conversation>,
        is_shown: Memo<bool>,
    ) {
        // A boundary of its own, so that its fetches don't bring back the page's skeleton.
        view! { <Transition fallback=Loading><FilesPane project conversation is_shown/></Transition> }
            .into_any()
    }
}

#[component]
fn FilesPane(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    is_shown: Memo<bool>,
) -> impl IntoView {
    let session = Session::new(project);
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
    // Files were written elsewhere, or a run has ended that prevented saving.
    Effect::new(move |before: Option<(i64, usize)>| {
        let now = version.get();
        if let Some(before) = before {
            if before != now {
                session.files_changed();
            }
            if before.1 != now.1 {
                session.retry();
            } else if before.0 != now.0 {
                // What was deleted may have made room.
                session.retry_failed();
            }
        }
        now
    });

    let listed = LocalResource::new(move || {
        // Read, not tracked: a memo that nobody reads never changes.
        let _ = version.get();
        list_files(project)
    });
    let nodes = Memo::new(move |_| listed.get().and_then(Result::ok).unwrap_or_default());
    let problem = Signal::derive(move || match listed.get() {
        Some(Err(error)) => Some(error.message),
        Some(Ok(files)) if files.is_empty() => {
            Some("No files yet. They appear as they are written.".to_owned())
        }
        Some(Ok(_)) | None => None,
    });

    begin(session, nodes);
    follow_drafts(session, conversation);
    keep_address(session, is_shown);
    let leaving = window_event_listener(ev::pagehide, move |_| session.keep_texts());
    on_cleanup(move || leaving.remove());

    let changed = Memo::new(move |_| {
        let mut changed = HashSet::new();
        nodes.with(|nodes| edited(nodes, &mut changed));
        session.files.with(|files| {
            let unsaved = files.iter().filter(|file| file.is_unsaved());
            changed.extend(unsaved.map(|file| file.path.clone()));
        });
        changed
    });
    let at_work = Memo::new(move |_| conversation.with(Conversation::is_at_work));
    let listing = RwSignal::new(false);
    view! {
        <div class="flex min-h-0 flex-1 max-md:flex-col">
            <Sidebar session nodes problem changed listing/>
            <EditorPane session nodes at_work listing/>
        </div>
    }
}

/// Opens the file in the address, files with unsaved text from before a reload, and else the app's
/// first page.
fn begin(session: Session, nodes: Memo<Vec<FileNode>>) {
    let query = use_query_map().get_untracked();
    for path in kept_text::paths(session.project) {
        session.open(&path);
    }
    if let Some(path) = query.get(FILE_QUERY) {
        match query.get(LINE_QUERY).and_then(|line| line.parse().ok()) {
            Some(line) => session.open_at(&path, line),
            None => session.open(&path),
        }
    }
    Effect::new(move |done: Option<bool>| {
        if done == Some(true) || session.current.get_untracked().is_some() {
            return true;
        }
        let first = nodes.with(|nodes| FIRST.into_iter().find(|path| contains(nodes, path)));
        if let Some(path) = first {
            session.open(path);
        }
        first.is_some()
    });
    Effect::new(move |before: Option<Option<(String, bool)>>| {
        let is_ready = session.readiness.get() == Readiness::Ready;
        let shown = session
            .shown()
            .map(|file| (file.path, file.content == Content::Text && is_ready));
        if before.as_ref() != Some(&shown) {
            session.show();
        }
        shown
    });
}

fn follow_drafts(session: Session, conversation: RwSignal<Conversation>) {
    let drafts = Memo::new(move |_| {
        conversation.with(|all| {
            let run = all.current_run();
            run.into_iter()
                .flat_map(|run| run.drafts())
                .map(|draft| (draft.path.clone(), draft.text.clone()))
                .collect::<Vec<(String, Arc<String>)>>()
        })
    });
    Effect::new(move || {
        let drafts = drafts.get();
        session.drafted(&drafts);
    });
}

/// Keeps the shown file and line in the address, while no other tab is shown.
fn keep_address(session: Session, is_shown: Memo<bool>) {
    Effect::new(move || {
        let (path, line) = (session.current.get(), session.line.get());
        if !is_shown.get() {
            let query = location().search().unwrap_or_default();
            if query.starts_with(&format!("?{FILE_QUERY}=")) {
                browser::set_query("");
            }
            return;
        }
        let timer = set_timeout_with_handle(
            move || {
                let Some(path) = path else { return };
                let line = line
                    .filter(|(of, _)| *of == path)
                    .map_or_else(String::new, |(_, line)| format!("&{LINE_QUERY}={line}"));
                browser::set_query(&format!("{FILE_QUERY}={}{line}", browser::encoded(&path)));
            },
            SETTLE,
        );
        if let Ok(timer) = timer {
            on_cleanup(move || timer.clear());
        }
    });
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

/// The paths of the files that were edited since the latest version.
fn edited(nodes: &[FileNode], found: &mut HashSet<String>) {
    for node in nodes {
        if node.edited {
            found.insert(node.path.clone());
        }
        if let Some(children) = &node.children {
            edited(children, found);
        }
    }
}
