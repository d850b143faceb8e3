//! A project's page: the conversation on one side, the app and its code on the other.

mod commands;
mod composer;
mod header;
mod separator;
mod title;

use leptos::{ev, prelude::*, reactive::computed::suspense::SuspenseContext, web_sys};
use leptos_router::{
    LazyRoute,
    hooks::{use_params_map, use_query_map},
};

use super::{
    components::{
        ButtonSize, ButtonVariant, IconName, Skeleton, Tab, TabsList, TabsPanel, button_class,
    },
    consents::{ConsentsDialog, ConsentsOpen},
    conversation::{Conversation, ConversationLog, Editing},
    erased::{self, part_when},
    feed,
    files::{FILE_QUERY, files_pane},
    home::SiteHeader,
    model::{DemoNotice, DemoNoticeState},
    not_found::NotFound,
    page_title::PageTitle,
    pane::{page, pane, panes},
    preview::{Picked, PreviewPane},
    team::{self, TeamState},
    terminal::terminal_pane,
    versions::{VERSION_QUERY, version_view, versions_panel},
};
use crate::{
    api::projects::get_workspace,
    protocol::{ApiError, ErrorCode, ProjectId, Workspace},
};

use composer::Composer;
use header::{PhonePart, WorkspaceHeader};
use separator::Separator;

/// The number of last prompts in a newly loaded page.
const SHOWN_PROMPTS: u64 = 20;

const PREVIEW: Tab = Tab {
    id: "preview",
    label: "Preview",
    icon: IconName::Eye,
};
const CODE: Tab = Tab {
    id: "code",
    label: "Code",
    icon: IconName::Code,
};
const TERMINAL: Tab = Tab {
    id: "terminal",
    label: "Terminal",
    icon: IconName::Terminal,
};

/// The page of the project in the address. Its code is fetched on demand.
pub struct WorkspaceRoute;

impl LazyRoute for WorkspaceRoute {
    fn data() -> Self {
        Self
    }

    async fn view(_this: Self) -> AnyView {
        page(workspace_page).await
    }
}

panes! {
    workspace:

    /// The page; its code is fetched on demand.
    pub fn workspace_page() {
        view! { <WorkspacePage/> }.into_any()
    }
}

/// Elements that lead to a project: links, and the form that creates one.
const WAYS_IN: &str = "a[href^='/projects/'], #new-project";

/// Prefetches the code of a project's page when the user is about to open one: points at its link,
/// focuses it, or types a prompt.
pub fn fetch_when_wanted() {
    Effect::new(|| {
        let wanted = StoredValue::new(false);
        let look = move |event: &web_sys::Event| {
            if !wanted.get_value()
                && event_target::<web_sys::Element>(event)
                    .closest(WAYS_IN)
                    .is_ok_and(|way| way.is_some())
            {
                wanted.set_value(true);
                #[cfg(all(lazy_parts, feature = "hydrate"))]
                leptos::task::spawn_local(async {
                    // It is fetched again when the page is opened.
                    let _ = __wasm_split_preload_workspace_page().await;
                });
            }
        };
        let listeners = [
            window_event_listener(ev::pointerover, move |event| look(&event)),
            window_event_listener(ev::focusin, move |event| look(&event)),
            window_event_listener(ev::input, move |event| look(&event)),
        ];
        on_cleanup(move || listeners.into_iter().for_each(WindowListenerHandle::remove));
    });
}

/// The page of the project in the address; the 404 page if there is none.
#[component]
fn WorkspacePage() -> impl IntoView {
    let params = use_params_map();
    let project = Memo::new(move |_| {
        params.with(|params| params.get("id").and_then(|id| id.parse::<ProjectId>().ok()))
    });
    let workspace = Resource::new_blocking(
        move || project.get(),
        |project| async move {
            match project {
                Some(project) => get_workspace(project, Some(SHOWN_PROMPTS)).await,
                None => Err(ApiError::new(
                    ErrorCode::NotFound,
                    "This project doesn't exist.",
                )),
            }
        },
    );
    view! {
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match workspace.await {
                    Ok(workspace) => view! { <WorkspaceView workspace/> }.into_any(),
                    Err(error) if error.code == ErrorCode::NotFound => view! { <NotFound/> }.into_any(),
                    Err(error) => view! { <Unavailable error/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

/// From here on, each part of the page waits for its own resources. If the page waited for them, it
/// would be replaced as a whole meanwhile, and its frame and dialogs would restart.
fn keep_page() {
    provide_context(SuspenseContext {
        tasks: ArcRwSignal::default(),
    });
}

#[component]
fn WorkspaceView(workspace: Workspace) -> impl IntoView {
    keep_page();
    let project = workspace.project.id;
    let after = workspace.after;
    let model = workspace.model.clone();
    let about = model.clone();
    let team = TeamState::provide(workspace.team.clone());
    let can_edit = team::can_edit();
    let conversation = RwSignal::new(Conversation::from(workspace));
    Picked::provide();
    let connection = feed::follow(
        project,
        after,
        move |event| {
            conversation.try_update(|all| all.apply(event));
        },
        move |news| team.follow(news),
    );

    Editing::provide();
    let title = Memo::new(move |_| conversation.with(|all| all.title().to_owned()));
    let notice = DemoNoticeState::new();
    let query = use_query_map();
    // The viewed version, by number or id.
    let viewed = Memo::new(move |_| query.with(|query| query.get(VERSION_QUERY)));
    let versions_open = RwSignal::new(false);
    // An address with a file shows that file, possibly a version's.
    let names_file = query.with_untracked(|query| query.get(FILE_QUERY).is_some())
        && viewed.with_untracked(Option::is_none);
    let (first_tab, first_part) = match names_file {
        true => (CODE.id, PhonePart::App),
        false => (PREVIEW.id, PhonePart::Chat),
    };
    let tab = RwSignal::new(first_tab);
    let part = RwSignal::new(first_part);
    Effect::new(move || {
        if viewed.with(Option::is_some) {
            part.set(PhonePart::App);
        }
    });
    let consents_open = ConsentsOpen::provide();
    commands::add(project, (tab, part), viewed, versions_open, consents_open);
    let code_shown = Memo::new(move |_| tab.get() == CODE.id && viewed.with(Option::is_none));
    // The code is fetched when first needed, then stays.
    let code_seen =
        Memo::new(move |seen: Option<&bool>| seen.copied().unwrap_or(false) || code_shown.get());
    let terminal_seen = Memo::new(move |seen: Option<&bool>| {
        seen.copied().unwrap_or(false) || tab.get() == TERMINAL.id
    });

    view! {
        <PageTitle text=title/>
        <div class="flex h-dvh flex-col overflow-hidden">
            <WorkspaceHeader project conversation title model=model.clone() notice part versions_open/>
            // The versions stand beside the app; where three don't fit, they take the chat's room.
            <main class="group/split relative flex min-h-0 flex-1" data-versions=move || versions_open.get().then_some("")>
                <section
                    aria-label="Chat"
                    class="w-full min-w-0 shrink-0 flex-col md:flex md:w-(--chat-width) md:max-xl:group-data-versions/split:hidden xl:group-data-versions/split:max-w-[calc(100%-48rem)]"
                    class=("flex", move || part.get() == PhonePart::Chat)
                    class=("hidden", move || part.get() != PhonePart::Chat)
                >
                    <ConversationLog project conversation><DemoNotice model notice/></ConversationLog>
                    <ProjectNotice conversation/>
                    <StatusLine conversation interrupted=connection.interrupted/>
                    {match can_edit {
                        true => view! { <Composer project conversation about=about.clone()/> }.into_any(),
                        false => view! { <ViewerNote/> }.into_any(),
                    }}
                </section>
                <Separator/>
                <section
                    aria-label="App"
                    class="min-w-0 flex-1 flex-col md:flex"
                    class=("flex", move || part.get() == PhonePart::App)
                    class=("hidden", move || part.get() != PhonePart::App)
                >
                    // The app itself stays mounted while a version is viewed.
                    <div class="min-h-0 flex-1 flex-col" class=("flex", move || viewed.with(Option::is_none)) class=("hidden", move || viewed.with(Option::is_some))>
                        <div class="flex h-11 shrink-0 items-center border-b border-border px-2">
                            <TabsList label="The app" tabs=if can_edit { &[PREVIEW, CODE, TERMINAL] } else { &[PREVIEW, CODE] } selected=tab/>
                        </div>
                        <TabsPanel id=PREVIEW.id selected=tab><PreviewPane project conversation line=connection.line/></TabsPanel>
                        <TabsPanel id=CODE.id selected=tab>
                            {part_when(move || code_seen.get(), move || pane("the code editor", move || files_pane(project, conversation, code_shown)))}
                        </TabsPanel>
                        {can_edit
                            .then(|| {
                                view! {
                                    <TabsPanel id=TERMINAL.id selected=tab>
                                        {part_when(move || terminal_seen.get(), move || pane("the terminal", move || terminal_pane(project)))}
                                    </TabsPanel>
                                }
                            })}
                    </div>
                    {erased::part(move || match viewed.get() {
                        Some(version) => pane("the version", move || version_view(project, version.clone())),
                        None => ().into_any(),
                    })}
                </section>
                <ConsentsDialog project open=consents_open/>
                {part_when(move || versions_open.get(), move || pane("the versions", move || versions_panel(project, conversation, versions_open)))}
            </main>
        </div>
    }
}

/// The note in place of the message field for viewers.
#[component]
fn ViewerNote() -> impl IntoView {
    view! {
        <p role="note" class="mx-3 mb-3 shrink-0 rounded-lg border border-border bg-card px-3 py-2 text-xs leading-5 text-muted-foreground">
            "You are a viewer of this project. To change the app, ask its owner to make you an editor, or duplicate it."
        </p>
    }
}

/// A notice about the project.
#[component]
fn ProjectNotice(conversation: RwSignal<Conversation>) -> impl IntoView {
    let notice = Memo::new(move |_| conversation.with(|all| all.notice().map(str::to_owned)));
    view! {
        <div role="note" class="px-4 text-xs text-muted-foreground">
            {move || notice.get().map(|text| view! { <p class="rounded-lg border border-border bg-card px-3 py-2 whitespace-pre-line">{text}</p> })}
        </div>
    }
}

/// The current run's status. The element always exists, because assistive technology announces only
/// changes inside it.
#[component]
fn StatusLine(conversation: RwSignal<Conversation>, interrupted: Signal<bool>) -> impl IntoView {
    let status = Memo::new(move |_| conversation.with(Conversation::status_line));
    let busy = Memo::new(move |_| conversation.with(Conversation::is_busy));
    view! {
        <div class="flex h-8 shrink-0 items-center gap-2 px-4 text-xs text-muted-foreground">
            <span aria-hidden="true" class="size-1.5 rounded-full bg-border" class=("pulse-dot", move || busy.get())></span>
            <p role="status" aria-live="polite" class="min-w-0 truncate" class=("shimmer", move || busy.get())>{move || status.get()}</p>
            <span aria-live="polite" class="ml-auto shrink-0">{move || interrupted.get().then_some("Reconnecting…")}</span>
        </div>
    }
}

/// The shape of the workspace while it is loaded.
#[component]
fn Loading() -> impl IntoView {
    view! {
        <div aria-busy="true" class="flex h-dvh flex-col">
            <span class="sr-only">"Loading the project"</span>
            <div class="flex h-12 items-center gap-3 border-b border-border px-4">
                <Skeleton class="size-6"/>
                <Skeleton class="h-4 w-40"/>
            </div>
            <div class="flex min-h-0 flex-1">
                <div class="flex w-full flex-col gap-4 p-4 md:w-(--chat-width)">
                    <Skeleton class="ml-auto h-10 w-2/3"/>
                    <Skeleton class="h-4 w-5/6"/>
                    <Skeleton class="h-4 w-3/4"/>
                </div>
                <div class="hidden flex-1 border-l border-border bg-muted/40 md:block"></div>
            </div>
        </div>
    }
}

/// The project may exist, but can't be shown right now.
#[component]
fn Unavailable(error: ApiError) -> impl IntoView {
    let reload = move |_| {
        let _ = location().reload();
    };
    view! {
        <PageTitle text="Unavailable"/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-xl flex-col items-center px-6 py-24 text-center">
            <h1 class="text-2xl font-semibold tracking-tight">"The project can't be opened right now"</h1>
            <p role="alert" class="mt-3 text-muted-foreground">{error.message}</p>
            <button type="button" class=format!("mt-8 {}", button_class(ButtonVariant::Default, ButtonSize::Default)) on:click=reload>
                "Try again"
            </button>
        </main>
    }
}
