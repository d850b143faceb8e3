//! Viewing a version without restoring it: a banner, its own preview, and its files, read-only.

use std::collections::HashSet;

use leptos::prelude::*;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::{
    api::versions::{list_version_files, read_version_file, restore_version, view_version},
    protocol::{ApiError, ErrorCode, PreviewState, ProjectId, VersionView},
    ui::{
        browser,
        components::{
            Alert, Button, ButtonSize, ButtonVariant, IconName, Spinner, Tab, TabsList, TabsPanel,
            button_class,
        },
        files::{FILE_QUERY, FileTree, TreeMarks},
        live, team,
    },
};

use super::{naming::VERSION_QUERY, viewer::FileViewer};

const PREVIEW: Tab = Tab {
    id: "version-preview",
    label: "Preview",
    icon: IconName::Eye,
};
const CODE: Tab = Tab {
    id: "version-code",
    label: "Code",
    icon: IconName::Code,
};
/// The interval of checks on a shown version, in milliseconds: its sandbox is kept as long as
/// somebody asks.
const SHOWN_MS: i64 = 25_000;

#[component]
pub fn VersionPane(project: ProjectId, version: String) -> impl IntoView {
    let named = use_query_map().with_untracked(|query| query.get(FILE_QUERY));
    let tab = RwSignal::new(if named.is_some() { CODE.id } else { PREVIEW.id });
    let looked = RwSignal::new(None::<Result<VersionView, ApiError>>);
    let which = StoredValue::new(version);
    // The time of the next check, in milliseconds since the epoch.
    let due = StoredValue::new(0_i64);
    let look = Action::new(move |_: &()| {
        let version = which.get_value();
        async move {
            let view = view_version(project, version).await;
            let next = match &view {
                Ok(VersionView {
                    preview: PreviewState::Ready { .. },
                    ..
                }) => browser::now() + SHOWN_MS,
                Err(error) if error.code == ErrorCode::NotFound => i64::MAX,
                _ => 0,
            };
            due.try_set_value(next);
            looked.try_set(Some(view));
        }
    });
    Effect::new(move || {
        look.dispatch(());
    });
    let is_due = move || due.try_get_value().is_some_and(|due| browser::now() >= due);
    live::refresh_while(is_due, look);

    // The frame stays as long as its address stays.
    let url = Memo::new(move |_| {
        looked.with(|looked| match looked {
            Some(Ok(VersionView {
                preview: PreviewState::Ready { url, .. },
                ..
            })) => Some(url.clone()),
            _ => None,
        })
    });
    let words = Memo::new(move |_| looked.with(|looked| screen(looked.as_ref())));
    let files = LocalResource::new(move || list_version_files(project, which.get_value()));
    let nodes = Memo::new(move |_| files.get().and_then(Result::ok).unwrap_or_default());
    let chosen = RwSignal::new(named);
    let path = Memo::new(move |_| chosen.get());
    // The address names the shown file.
    Effect::new(move |before: Option<()>| {
        let file = chosen.get().filter(|_| tab.get() == CODE.id);
        if before.is_some() {
            let file = file.map_or_else(String::new, |file| {
                format!("&{FILE_QUERY}={}", browser::encoded(&file))
            });
            let version = which.with_value(|version| browser::encoded(version));
            browser::set_query(&format!("{VERSION_QUERY}={version}{file}"));
        }
    });
    let marks = TreeMarks {
        shown: path.into(),
        changed: Memo::new(|_| HashSet::new()),
    };
    let file = LocalResource::new(move || {
        let path = path.get();
        async move {
            match path {
                Some(path) => Some(read_version_file(project, which.get_value(), path).await),
                None => None,
            }
        }
    });
    view! {
        <div class="flex min-h-0 flex-1 flex-col">
            <Banner project looked/>
            <div class="flex h-11 shrink-0 items-center border-b border-border px-2">
                <TabsList label="The version" tabs=&[PREVIEW, CODE] selected=tab/>
            </div>
            <TabsPanel id=PREVIEW.id selected=tab>
                <div class="relative flex min-h-0 flex-1 items-center justify-center overflow-hidden bg-muted/50">
                    {move || {
                        url.get()
                            .map(|url| {
                                view! {
                                    <iframe
                                        title="Preview of the version"
                                        src=url
                                        sandbox="allow-forms allow-modals allow-popups allow-same-origin allow-scripts"
                                        class="size-full border-0 bg-white"
                                    ></iframe>
                                }
                            })
                    }}
                    <p role="status" class="max-w-md p-6 text-center text-sm whitespace-pre-line text-muted-foreground empty:hidden">
                        {move || words.get()}
                    </p>
                </div>
            </TabsPanel>
            <TabsPanel id=CODE.id selected=tab>
                <div class="flex min-h-0 flex-1 max-md:flex-col">
                    <div class="shrink-0 overflow-auto border-border bg-muted/30 max-md:max-h-[35%] max-md:border-b md:w-60 md:border-r">
                        <FileTree
                            nodes
                            filter=RwSignal::new(String::new())
                            marks
                            selected=RwSignal::new(None)
                            on_choose=move |path| chosen.set(Some(path))
                            on_key=|_| ()
                        />
                    </div>
                    <FileViewer path view=file/>
                </div>
            </TabsPanel>
        </div>
    }
}

/// The message in place of the page.
fn screen(looked: Option<&Result<VersionView, ApiError>>) -> Option<String> {
    match looked {
        None => Some("Opening the version…".to_owned()),
        Some(Err(error)) => Some(error.message.clone()),
        Some(Ok(view)) => match &view.preview {
            PreviewState::None | PreviewState::Starting | PreviewState::Asleep { .. } => {
                Some("Starting a sandbox with this version…".to_owned())
            }
            PreviewState::Compiling { .. } => Some("Compiling…".to_owned()),
            PreviewState::Ready { .. } => None,
            PreviewState::Failed { reason, .. } => Some(reason.clone()),
        },
    }
}

/// The version's name, and the buttons to leave the view.
#[component]
fn Banner(
    project: ProjectId,
    looked: RwSignal<Option<Result<VersionView, ApiError>>>,
) -> impl IntoView {
    let fragment = Memo::new(move |_| {
        looked.with(|looked| Some(looked.as_ref()?.as_ref().ok()?.fragment.clone()))
    });
    let words = move || match (
        fragment.get(),
        looked.with(|looked| matches!(looked, Some(Err(_)))),
    ) {
        (Some(fragment), _) if fragment.draft => "You are viewing a draft".to_owned(),
        (Some(fragment), _) => format!("You are viewing version {}", fragment.number),
        (None, true) => "This version can't be opened".to_owned(),
        (None, false) => "Opening a version…".to_owned(),
    };
    let navigate = use_navigate();
    let trouble = RwSignal::new(None::<String>);
    let restore = Action::new_local(move |id: &String| {
        let (id, navigate) = (id.clone(), navigate.clone());
        async move {
            match restore_version(project, id).await {
                Ok(_) => navigate(&format!("/projects/{project}"), Default::default()),
                Err(error) => {
                    trouble.try_set(Some(error.message));
                }
            }
        }
    });
    let restoring = restore.pending();
    let on_restore = move |_| {
        if let Some(fragment) = fragment
            .get_untracked()
            .filter(|_| !restoring.get_untracked())
        {
            trouble.set(None);
            restore.dispatch_local(fragment.id.to_string());
        }
    };
    view! {
        <div role="region" aria-label="Viewed version" class="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-brand/30 bg-brand/10 px-3 py-2 text-sm">
            <p class="mr-auto font-medium">{words}</p>
            {team::can_edit()
                .then(|| {
                    view! {
                        <Button size=ButtonSize::Sm disabled=Signal::derive(move || restoring.get() || fragment.with(Option::is_none)) on:click=on_restore>
                            {move || restoring.get().then(|| view! { <Spinner/> })}
                            "Restore"
                        </Button>
                    }
                })}
            <a href=format!("/projects/{project}") class=button_class(ButtonVariant::Outline, ButtonSize::Sm)>"Back to the newest"</a>
        </div>
        {move || trouble.get().map(|text| view! { <div class="p-3"><Alert><p>{text}</p></Alert></div> })}
    }
}
