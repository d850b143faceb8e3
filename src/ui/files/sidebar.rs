//! The side of the Code tab: the filter, the tree, search in all files, and actions on files:
//! creating, uploading, renaming, moving, deleting.

use std::collections::HashSet;

use leptos::{ev::KeyboardEvent, html, prelude::*, task::spawn_local, web_sys::File};

use super::{
    context_menu::{FileMenu, MENU},
    drops::{Drops, joined},
    row::Row,
    search::SearchFiles,
    session::Session,
    tree::{FileTree, TreeMarks},
};
use crate::{
    api::files::{delete_file, make_folder, move_file, write_file},
    protocol::{ApiError, FileNode, FileSaved, MAX_UPLOAD},
    ui::{
        browser,
        components::{
            Button, ButtonVariant, ConfirmDialog, Dialog, INPUT, Icon, IconName, SearchInput,
        },
    },
};

/// The error if the path is taken.
const EXISTS: &str = "There is already a file with this name. Choose another one.";

/// The purpose of a requested name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    File,
    Folder,
    Move { from: String },
}

impl Asked {
    fn title(&self) -> &'static str {
        match self {
            Self::File => "New file",
            Self::Folder => "New folder",
            Self::Move { .. } => "Rename or move",
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::File | Self::Folder => "Create",
            Self::Move { .. } => "Move",
        }
    }
}

#[component]
pub fn Sidebar(
    session: Session,
    nodes: Memo<Vec<FileNode>>,
    problem: Signal<Option<String>>,
    changed: Memo<HashSet<String>>,
    /// Whether a phone shows the list.
    listing: RwSignal<bool>,
) -> impl IntoView {
    let project = session.project;
    let filter = RwSignal::new(String::new());
    let searching = RwSignal::new(false);
    let selected = RwSignal::new(None::<Row>);
    let asked = RwSignal::new(Asked::File);
    let (asking, deleting) = (RwSignal::new(false), RwSignal::new(false));
    let name = RwSignal::new(String::new());
    let refusal = RwSignal::new(None::<String>);
    let files = NodeRef::<html::Input>::new();
    // The result of the last change.
    let said = RwSignal::new(String::new());
    let marks = TreeMarks {
        shown: session.current.into(),
        changed,
    };
    let path = move || selected.with(|row| row.as_ref().map(|row| row.path.clone()));
    // The target of new files: the selected folder, or the folder of the selected file.
    let folder = move || {
        let row = selected.get_untracked();
        row.as_ref().map(Row::folder).unwrap_or_default()
    };
    let ask = move |what: Asked| {
        name.set(match &what {
            Asked::Move { from } => from.clone(),
            Asked::File | Asked::Folder => joined(&folder(), ""),
        });
        refusal.set(None);
        asked.set(what);
        asking.set(true);
    };
    let rename = move || {
        if let Some(from) = untrack(path) {
            ask(Asked::Move { from });
        }
    };
    let choose = move |path: String| {
        session.open(&path);
        listing.set(false);
    };
    let choose_line = move |path: String, line: u32| {
        listing.set(false);
        session.open_at(&path, line);
    };
    let on_key = move |key: &KeyboardEvent| match key.key().as_str() {
        _ if !session.can_edit => {}
        "F2" => {
            key.prevent_default();
            rename();
        }
        "Delete" if untrack(path).is_some() => {
            key.prevent_default();
            deleting.set(true);
        }
        _ => {}
    };
    let submit = Action::new(move |_: &()| async move {
        let (what, path) = (asked.get_untracked(), name.get_untracked());
        let done: Result<(), ApiError> = match &what {
            Asked::File => match write_file(project, path.clone(), String::new(), None).await {
                Ok(FileSaved::Saved { .. }) => {
                    session.open(&path);
                    Ok(())
                }
                Ok(FileSaved::Conflict { .. }) => Err(ApiError::invalid("path", EXISTS)),
                Err(error) => Err(error),
            },
            Asked::Folder => make_folder(project, path).await,
            Asked::Move { from } => {
                let moved = move_file(project, from.clone(), path.clone()).await;
                moved.map(|()| session.renamed(from, &path))
            }
        };
        match done {
            Ok(()) => asking.set(false),
            Err(error) => refusal.set(Some(error.message)),
        }
    });
    let delete = move |()| {
        let Some(path) = untrack(path) else { return };
        spawn_local(async move {
            said.set(match delete_file(project, path.clone()).await {
                Ok(()) => format!("Deleted {path}. Earlier versions still have it."),
                Err(error) => error.message,
            });
        });
    };
    let upload_into = move |folder: String, chosen: Vec<File>| {
        spawn_local(async move {
            for file in chosen {
                let path = joined(&folder, &file.name());
                said.set(match send(session, &path, &file).await {
                    Ok(FileSaved::Saved { .. }) => {
                        session.open(&path);
                        format!("Uploaded {path}.")
                    }
                    Ok(FileSaved::Conflict { .. }) => {
                        format!("{path} is there already. Rename or delete it, then upload again.")
                    }
                    Err(why) => why,
                });
            }
        });
    };
    let upload = move |_| {
        let Some(field) = files.get_untracked() else {
            return;
        };
        let chosen: Vec<File> = field
            .files()
            .map(|list| (0..list.length()).filter_map(|at| list.item(at)).collect())
            .unwrap_or_default();
        field.set_value("");
        upload_into(folder(), chosen);
    };
    let drops = session.can_edit.then(|| Drops {
        on_files: Callback::new(move |(folder, dropped)| match dropped {
            Ok(files) => upload_into(folder, files),
            Err(why) => said.set(str::to_owned(why)),
        }),
        on_move: Callback::new(move |(from, to): (String, String)| {
            spawn_local(async move {
                said.set(match move_file(project, from.clone(), to.clone()).await {
                    Ok(()) => {
                        session.renamed(&from, &to);
                        format!("Moved {from} to {to}.")
                    }
                    Err(error) => error.message,
                });
            });
        }),
    });

    let tool = move |icon: IconName, label: &'static str, act: Callback<()>| {
        view! {
            <button type="button" class="tool-button focus-ring" aria-label=label title=label on:click=move |_| act.run(())>
                <Icon name=icon class="size-3.5"/>
            </button>
        }
    };
    let pick = Callback::new(move |()| {
        if let Some(field) = files.get_untracked() {
            field.click();
        }
    });
    let body = move || {
        if searching.get() {
            return view! { <SearchFiles session on_choose=choose_line/> }.into_any();
        }
        let none = move || {
            problem.get().or_else(|| {
                let unmatched =
                    filter.with(|filter| !filter.is_empty()) && selected.get().is_none();
                unmatched.then(|| "No file's path contains this.".to_owned())
            })
        };
        view! {
            <div class="px-2 pb-1.5">
                <SearchInput label="Filter files" value=filter class="h-8 md:text-xs"/>
            </div>
            <p class="px-3 text-xs text-muted-foreground empty:hidden">{none}</p>
            <FileTree nodes filter marks selected on_choose=choose on_key menu=MENU drops=drops/>
        }
        .into_any()
    };
    let on_selected = move |icon: IconName,
                            label: &'static str,
                            title: &'static str,
                            act: Callback<()>| {
        view! {
            <button type="button" class="tool-button focus-ring" aria-label=label title=title disabled=move || path().is_none() on:click=move |_| act.run(())>
                <Icon name=icon class="size-3.5"/>
            </button>
        }
    };
    view! {
        <aside
            aria-label="Files of the app"
            class="flex min-h-0 shrink-0 flex-col border-border bg-muted/30 max-md:flex-1 md:flex md:w-60 md:border-r"
            class=("max-md:hidden", move || !listing.get() && session.current.get().is_some())
        >
            <div role="toolbar" aria-label="Files" class="flex h-10 shrink-0 items-center gap-0.5 px-1.5">
                {session.can_edit.then(|| view! {
                    {tool(IconName::FilePlus, "New file", Callback::new(move |()| ask(Asked::File)))}
                    {tool(IconName::FolderPlus, "New folder", Callback::new(move |()| ask(Asked::Folder)))}
                    {tool(IconName::Upload, "Upload files", pick)}
                    {on_selected(IconName::Pencil, "Rename or move", "Rename or move (F2)", Callback::new(move |()| rename()))}
                    {on_selected(IconName::Trash, "Delete", "Delete (Delete key)", Callback::new(move |()| deleting.set(true)))}
                })}
                <FileMenu
                    session
                    selected
                    on_open=Callback::new(choose)
                    on_rename=Callback::new(move |()| rename())
                    on_delete=Callback::new(move |()| deleting.set(true))
                />
                <span class="flex-1"></span>
                <button
                    type="button"
                    class="tool-button focus-ring"
                    aria-label="Search in all files"
                    title="Search in all files"
                    aria-pressed=move || searching.get().to_string()
                    on:click=move |_| searching.update(|searching| *searching = !*searching)
                >
                    <Icon name=IconName::Search class="size-3.5"/>
                </button>
                <input node_ref=files type="file" multiple hidden aria-label="Files to upload" on:change=upload/>
            </div>
            {body}
            <p aria-live="polite" class="shrink-0 border-t border-border px-3 py-2 text-xs text-muted-foreground wrap-anywhere empty:hidden">{move || said.get()}</p>
        </aside>
        <Dialog open=asking title=Signal::derive(move || asked.get().title().to_owned())>
            <form
                class="flex flex-col gap-3"
                on:submit=move |event| {
                    event.prevent_default();
                    submit.dispatch(());
                }
            >
                <label class="flex flex-col gap-1.5 text-sm">
                    "Path in the app"
                    <input
                        class=INPUT
                        dir="ltr"
                        autocomplete="off"
                        spellcheck="false"
                        autofocus
                        aria-invalid=move || refusal.get().is_some().then_some("true")
                        prop:value=move || name.get()
                        on:input=move |event| name.set(event_target_value(&event))
                    />
                </label>
                <p role="alert" class="text-sm text-destructive empty:hidden">{move || refusal.get()}</p>
                <div class="flex justify-end gap-2">
                    <Button variant=ButtonVariant::Outline on:click=move |_| asking.set(false)>"Cancel"</Button>
                    <Button submit=true disabled=submit.pending()>{move || asked.get().action()}</Button>
                </div>
            </form>
        </Dialog>
        <ConfirmDialog
            open=deleting
            title=Signal::derive(move || format!("Delete {}?", path().unwrap_or_default()))
            description="Earlier versions keep it."
            action="Delete"
            on_confirm=Callback::new(delete)
        />
    }
}

/// Uploads the file to the path.
async fn send(session: Session, path: &str, file: &File) -> Result<FileSaved, String> {
    if file.size() > MAX_UPLOAD as f64 {
        return Err(format!(
            "{} is larger than {} MB, the most that a version keeps. Choose a smaller file.",
            file.name(),
            MAX_UPLOAD >> 20
        ));
    }
    let (project, path) = (session.project, browser::encoded(path));
    let url = format!("/api/files/upload?project={project}&path={path}");
    let away = || "The server can't be reached right now. Please upload the file again.".to_owned();
    let request = gloo_net::http::Request::post(&url).body(file.clone());
    let answer = request
        .map_err(|_| away())?
        .send()
        .await
        .map_err(|_| away())?;
    if answer.ok() {
        return answer.json().await.map_err(|_| away());
    }
    let error: Result<ApiError, _> = answer.json().await;
    Err(error.map_or_else(|_| away(), |error| error.message))
}
