//! The open files: their tabs, the path of the shown one, its save status, and its text or picture.

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html,
    prelude::*,
};

use super::{
    compare::{CompareDialog, ConflictDialog},
    journeys::JourneyBar,
    open_files::{Content, OpenFile, SaveState},
    session::{Readiness, Session, raw_url},
};
use crate::{
    protocol::FileNode,
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Spinner, focus_child},
        erased::{part, rows},
    },
};

/// The editor's themes, under their names in the style sheet.
const THEMES: [(&str, &str); 3] = [
    ("page", "Light and dark"),
    ("solarized", "Solarized"),
    ("dracula", "Dracula"),
];
/// The preference's name.
const THEME_KEY: &str = "editor-theme";
/// The id of the panel that the tabs control.
const PANEL: &str = "open-file";

#[component]
pub fn EditorPane(
    session: Session,
    nodes: Memo<Vec<FileNode>>,
    /// Whether a run is at work, which keeps everybody else from saving.
    at_work: Memo<bool>,
    listing: RwSignal<bool>,
) -> impl IntoView {
    let host = NodeRef::<html::Div>::new();
    Effect::new(move |mounted: Option<bool>| {
        let host = host.get();
        if let (Some(host), false) = (&host, mounted == Some(true)) {
            session.mount(host.clone().into());
        }
        host.is_some()
    });
    let theme = RwSignal::new(THEMES[0].0.to_owned());
    Effect::new(move || {
        if let Some(kept) = browser::remembered(THEME_KEY) {
            theme.set(kept);
        }
    });
    let shown = Memo::new(move |_| session.shown());
    let comparing = RwSignal::new(false);
    let is_text = move || {
        shown.with(|file| {
            file.as_ref()
                .is_some_and(|file| file.content == Content::Text)
        })
    };
    let save = move |_| {
        if let Some(path) = session.current.get_untracked() {
            session.save(path);
        }
    };
    let status = move || shown.with(|file| file.as_ref().map_or("", OpenFile::status));
    let can_save = move || {
        shown.with(|file| {
            file.as_ref()
                .is_some_and(|file| !matches!(file.saving, SaveState::Saved | SaveState::Saving(_)))
        })
    };
    view! {
        <section
            aria-label="File"
            class="flex min-h-0 min-w-0 flex-1 flex-col"
            class=("max-md:hidden", move || listing.get() || session.current.get().is_none())
            data-editor-theme=move || theme.get()
        >
            <div class="flex h-10 shrink-0 items-center border-b border-border bg-muted/30">
                <button type="button" class="tool-button mx-1 focus-ring md:hidden" aria-label="All files" title="All files" on:click=move |_| listing.set(true)>
                    <Icon name=IconName::ListTree class="size-4"/>
                </button>
                <OpenTabs session/>
                <CloseTab session/>
            </div>
            <div class="flex min-h-10 shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-border py-1 pr-2 pl-3">
                <Breadcrumb session/>
                <p role="status" class="shrink-0 text-xs text-muted-foreground">{status}</p>
                <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm disabled=Signal::derive(move || !can_save()) on:click=save attr:title="Save (Ctrl or Cmd and S)">
                    <Icon name=IconName::Save class="size-3.5"/>
                    "Save"
                </Button>
                <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm disabled=Signal::derive(move || !is_text()) on:click=move |_| comparing.set(true) attr:title="Compare with the newest version">
                    <Icon name=IconName::GitCompare class="size-3.5"/>
                    "Compare"
                </Button>
                <select
                    aria-label="Editor theme"
                    class="h-7 cursor-pointer rounded-lg border border-border bg-card px-1.5 text-xs text-foreground focus-ring"
                    prop:value=move || theme.get()
                    on:change=move |event| {
                        let chosen = event_target_value(&event);
                        browser::remember(THEME_KEY, &chosen);
                        theme.set(chosen);
                    }
                >
                    {THEMES.map(|(id, label)| view! { <option value=id>{label}</option> })}
                </select>
            </div>
            <Trouble session shown at_work/>
            <JourneyBar session nodes shown at_work/>
            <div id=PANEL role="tabpanel" aria-label="The open file" class="relative flex min-h-0 flex-1 bg-card">
                <div node_ref=host class="code-editor min-h-0 min-w-0 flex-1" class=("hidden", move || !is_text())></div>
                {part(move || other_content(session, shown.get()))}
            </div>
        </section>
        <CompareDialog session open=comparing/>
        <ConflictDialog session/>
    }
}

/// Content that is not text.
fn other_content(session: Session, shown: Option<OpenFile>) -> AnyView {
    let Some(file) = shown else {
        return view! { <p class="m-auto p-6 text-sm text-muted-foreground">"Choose a file to read or edit it."</p> }
            .into_any();
    };
    let url = raw_url(session.project, &file.path);
    match file.content {
        Content::Text => ().into_any(),
        Content::Loading if session.readiness.get() == Readiness::Failed => {
            view! { <p role="alert" class="m-auto p-6 text-sm text-muted-foreground">"The editor could not be loaded. Check the connection and reload the page."</p> }
                .into_any()
        }
        Content::Loading => view! {
            <p class="m-auto flex items-center gap-2 p-6 text-sm text-muted-foreground" aria-busy="true"><Spinner/>"Opening the file…"</p>
        }
        .into_any(),
        Content::Failed(why) => {
            let path = file.path;
            view! {
                <div class="m-auto flex flex-col items-center gap-3 p-6 text-sm text-muted-foreground">
                    <p role="alert">{why}</p>
                    <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| session.open(&path)>"Try again"</Button>
                </div>
            }
            .into_any()
        }
        Content::Shown { image: true, .. } => view! {
            <div class="dotted flex min-h-0 flex-1 items-center justify-center overflow-auto p-6">
                <img src=url alt=file.path class="max-h-full max-w-full rounded border border-border bg-card object-contain"/>
            </div>
        }
        .into_any(),
        Content::Shown { notice, .. } => view! {
            <div class="m-auto flex flex-col items-center gap-3 p-6 text-center text-sm text-muted-foreground">
                <p>{notice}</p>
                <a href=url class="underline focus-ring">"Download it"</a>
            </div>
        }
        .into_any(),
    }
}

/// Why the shown file is read-only or not saved, and what to do.
#[component]
fn Trouble(session: Session, shown: Memo<Option<OpenFile>>, at_work: Memo<bool>) -> impl IntoView {
    let said = Memo::new(move |_| {
        let file = shown.get()?;
        Some(match file.saving {
            _ if file.drafted => ("The agent is writing this file.".to_owned(), None),
            SaveState::Conflict(None) => (
                "This file was deleted meanwhile. Your text is kept here.".to_owned(),
                Some("Resolve"),
            ),
            SaveState::Conflict(Some(_)) => (
                "This file was changed by a run or in another tab. Your text is kept here."
                    .to_owned(),
                Some("Resolve"),
            ),
            SaveState::Unsaved | SaveState::Failed(_) | SaveState::Saving(Some(_))
                if at_work.get() =>
            {
                (
                    "A run is at work. Your text is kept here and saved when it ends.".to_owned(),
                    None,
                )
            }
            SaveState::Failed(why) | SaveState::Saving(Some(why)) => {
                (format!("Not saved: {why}"), Some("Try again"))
            }
            _ => return None,
        })
    });
    let act = move |_| {
        if let Some(path) = session.current.get_untracked() {
            session.save(path);
        }
    };
    part(move || {
        match said.get() {
        None => ().into_any(),
        Some((text, action)) => view! {
            <div role="alert" class="flex shrink-0 items-center gap-3 border-b border-border bg-brand/8 px-3 py-1.5 text-xs">
                <Icon name=IconName::CircleAlert class="size-3.5 text-brand"/>
                <p class="min-w-0 flex-1">{text}</p>
                {action.map(|label| view! { <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=act>{label}</Button> })}
            </div>
        }
        .into_any(),
    }
    })
}

/// The parent folders of the shown file, and its name.
#[component]
fn Breadcrumb(session: Session) -> impl IntoView {
    let parts = move || {
        let path = session.current.get().unwrap_or_default();
        let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        let last = parts.len() - 1;
        parts
            .into_iter()
            .enumerate()
            .map(|(at, part)| {
                // A long name gives way before its folders do.
                let (room, class) = if at == last {
                    ("flex min-w-12 shrink-[9999] items-center", "truncate text-foreground")
                } else {
                    ("flex min-w-0 items-center gap-0.5", "truncate")
                };
                let mark = (at < last).then(|| view! { <Icon name=IconName::ChevronRight class="size-3"/> });
                view! { <li class=room aria-current=(at == last).then_some("page")><span class=class dir="auto">{part}</span>{mark}</li> }
            })
            .collect_view()
    };
    view! {
        <nav aria-label="Path" class="min-w-0 flex-1 max-md:basis-full">
            <ol class="flex min-w-0 items-center gap-0.5 overflow-hidden font-mono text-xs text-muted-foreground">{parts}</ol>
        </nav>
    }
}

/// A tab for each open file: selected with arrow keys, closed by its button, Delete or a middle
/// click.
#[component]
fn OpenTabs(session: Session) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let paths = move || {
        session.files.with(|files| {
            files
                .iter()
                .map(|file| file.path.clone())
                .collect::<Vec<_>>()
        })
    };
    let on_key = move |key: KeyboardEvent| {
        let all = untrack(paths);
        let current = session.current.get_untracked();
        let Some(at) = all.iter().position(|path| Some(path) == current.as_ref()) else {
            return;
        };
        let to = match key.key().as_str() {
            "ArrowRight" => (at + 1) % all.len(),
            "ArrowLeft" => (at + all.len() - 1) % all.len(),
            "Home" => 0,
            "End" => all.len() - 1,
            "Delete" => {
                key.prevent_default();
                session.close(&all[at]);
                let left = untrack(paths).len();
                request_animation_frame(move || focus_child(list, at.min(left.saturating_sub(1))));
                return;
            }
            _ => return,
        };
        key.prevent_default();
        session.open(&all[to]);
        focus_child(list, to);
    };
    let tab = move |path: String| {
        let file = {
            let path = path.clone();
            Memo::new(move |_| {
                session
                    .files
                    .with(|files| files.iter().find(|file| file.path == path).cloned())
            })
        };
        let is_current = {
            let path = path.clone();
            Signal::derive(move || {
                session
                    .current
                    .with(|current| current.as_ref() == Some(&path))
            })
        };
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let (chosen, middle, closed) = (path.clone(), path.clone(), path.clone());
        let unsaved = move || file.with(|file| file.as_ref().is_some_and(OpenFile::is_unsaved));
        view! {
            <div
                role="tab"
                title=path
                aria-controls=PANEL
                attr:aria-keyshortcuts="Delete"
                aria-selected=move || is_current.get().to_string()
                tabindex=move || if is_current.get() { "0" } else { "-1" }
                class="open-tab group focus-ring-inset"
                on:click=move |_| session.open(&chosen)
                on:auxclick=move |event: MouseEvent| {
                    if event.button() == 1 {
                        event.prevent_default();
                        session.close(&middle);
                    }
                }
                // Prevents the browser's auto-scroll.
                on:mousedown=move |event: MouseEvent| {
                    if event.button() == 1 {
                        event.prevent_default();
                    }
                }
            >
                <span class="max-w-40 truncate" dir="auto">{name}</span>
                {move || unsaved().then(|| view! { <span role="img" aria-label="not saved" class="size-1.5 shrink-0 rounded-full bg-brand"></span> })}
                // For the mouse only: a tab can't contain a button. The keyboard uses Delete, and
                // there is a button for the shown file after the tabs.
                <span
                    aria-hidden="true"
                    title="Close (Delete)"
                    class="tool-button size-5"
                    on:click=move |event: MouseEvent| {
                        event.stop_propagation();
                        session.close(&closed);
                    }
                >
                    <Icon name=IconName::X class="size-3"/>
                </span>
            </div>
        }
        .into_any()
    };
    view! {
        <div node_ref=list role="tablist" aria-label="Open files" class="flex h-full min-w-0 flex-1 items-stretch overflow-x-auto" on:keydown=on_key>
            {rows(paths, tab)}
        </div>
    }
}

/// Closes the shown file.
#[component]
fn CloseTab(session: Session) -> impl IntoView {
    let label = move || {
        session.current.with(|path| {
            let path = path.as_ref()?;
            Some(format!("Close {}", path.rsplit('/').next().unwrap_or(path)))
        })
    };
    let close = move |_| {
        if let Some(path) = session.current.get_untracked() {
            session.close(&path);
        }
    };
    view! {
        <button
            type="button"
            class="tool-button mx-1 focus-ring"
            aria-label=label
            title=label
            hidden=move || session.current.with(Option::is_none)
            on:click=close
        >
            <Icon name=IconName::X class="size-3.5"/>
        </button>
    }
}
