//! Versions: the list of all saved versions with their changes, and the view of one without
//! restoring it.

mod changes;
mod choice;
mod comparison;
mod naming;
mod view;
mod viewer;

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_navigate;

use super::{
    browser,
    components::{
        Alert, Badge, BadgeVariant, Button, ButtonSize, ButtonVariant, Icon, IconName, Skeleton,
        Spinner, button_class,
    },
    conversation::Conversation,
    erased::{part_when, words},
    pane::panes,
    team,
};
use crate::{
    api::versions::{list_versions, restore_version},
    protocol::{Fragment, ProjectId},
};

use changes::Changes;
use choice::ComparisonChoice;
use comparison::{ComparisonPane, sides_in};
pub use naming::VERSION_QUERY;
use naming::{address, author, name};
use view::VersionPane;

/// The ids of the panel and of the button that opens it.
pub const PANEL_ID: &str = "versions-panel";
pub const VERSIONS_ID: &str = "versions-button";

panes! {
    versions:

    /// The view of a version, or a comparison of two (`1..3`); its code is fetched when first
    /// needed.
    pub fn version_view(project: ProjectId, version: String) {
        match sides_in(&version) {
            Some((from, to)) => view! { <ComparisonPane project from to/> }.into_any(),
            None => view! { <VersionPane project version/> }.into_any(),
        }
    }

    /// The list of versions, beside the app; its code is fetched when it is first opened.
    pub fn versions_panel(
        project: ProjectId,
        conversation: RwSignal<Conversation>,
        open: RwSignal<bool>,
    ) {
        view! { <VersionsPanel project conversation open/> }.into_any()
    }
}

#[component]
fn VersionsPanel(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    open: RwSignal<bool>,
) -> impl IntoView {
    let newest = Memo::new(move |_| conversation.with(|all| all.version().cloned()));
    let listed = LocalResource::new(move || {
        // Read, not tracked: a memo that nobody reads never changes.
        let _ = newest.get();
        list_versions(project)
    });
    let close = move || {
        open.set(false);
        browser::focus(VERSIONS_ID);
    };
    // Wherever the focus is, except while a field, menu or dialog uses the key.
    let keys = window_event_listener(ev::keydown, move |key| {
        if key.key() == "Escape" && !key.default_prevented() && !browser::is_occupied() {
            close();
        }
    });
    on_cleanup(move || keys.remove());
    // On a phone the list covers what it leads to.
    let on_view = Callback::new(move |()| {
        if browser::matches_media("(max-width: 767px)") {
            close();
        }
    });
    let trouble = RwSignal::new(None::<String>);
    let restoring = RwSignal::new(false);
    let body = move || {
        match listed.get() {
        None => view! {
            <div aria-busy="true" class="flex flex-col gap-3 p-4">
                {[(); 4].map(|()| view! { <Skeleton class="h-14 w-full"/> })}
            </div>
        }
        .into_any(),
        Some(Err(error)) => view! {
            <div class="p-4">
                <Alert>
                    <p>{error.message}</p>
                    <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| listed.refetch()>"Try again"</Button>
                </Alert>
            </div>
        }
        .into_any(),
        Some(Ok(versions)) if versions.is_empty() => view! {
            <p class="p-6 text-center text-sm text-muted-foreground">"No versions yet. The first one is saved when a run ends."</p>
        }
        .into_any(),
        Some(Ok(versions)) => {
            let choice = view! { <ComparisonChoice project versions=versions.clone()/> };
            let items = versions
                .into_iter()
                .enumerate()
                .map(|(at, version)| view! { <VersionItem project version newest=at == 0 restoring trouble on_view/> })
                .collect_view();
            view! {
                {choice}
                <ul role="list" aria-label="Versions" class="divide-y divide-border">{items}</ul>
            }
            .into_any()
        }
    }
    };
    view! {
        <aside
            id=PANEL_ID
            aria-label="All versions"
            class="flex flex-col border-border bg-card max-md:absolute max-md:inset-0 max-md:z-20 md:w-96 md:shrink-0 md:border-l"
        >
            <div class="flex h-11 shrink-0 items-center justify-between border-b border-border pr-2 pl-4">
                <h2 class="text-sm font-semibold">"Versions"</h2>
                <Button variant=ButtonVariant::Ghost size=ButtonSize::Icon attr:aria-label="Close the versions" on:click=move |_| close()>
                    <Icon name=IconName::X/>
                </Button>
            </div>
            {part_when(
                move || trouble.with(Option::is_some),
                move || view! { <div class="border-b border-border p-3"><Alert><p>{move || trouble.get()}</p></Alert></div> }.into_any(),
            )}
            <div class="min-h-0 flex-1 overflow-y-auto">{body}</div>
        </aside>
    }
}

#[component]
fn VersionItem(
    project: ProjectId,
    version: Fragment,
    /// Whether the app is based on it.
    newest: bool,
    /// Whether one is being restored.
    restoring: RwSignal<bool>,
    trouble: RwSignal<Option<String>>,
    on_view: Callback<()>,
) -> impl IntoView {
    let name = name(&version);
    let address = address(project, &version);
    let user = version.user.clone();
    let about = version.clone();
    let by = words(move || author(&about, team::name_of(user.as_ref()).as_deref()));
    let navigate = use_navigate();
    let shows_changes = RwSignal::new(false);
    let id = version.id.to_string();
    let pending = RwSignal::new(false);
    let restore = move |_| {
        if restoring.get_untracked() {
            return;
        }
        restoring.set(true);
        pending.set(true);
        trouble.set(None);
        let id = id.clone();
        leptos::task::spawn_local(async move {
            let restored = restore_version(project, id).await;
            restoring.try_set(false);
            pending.try_set(false);
            if let Err(error) = restored {
                trouble.try_set(Some(error.message));
            }
        });
    };
    let view_it = {
        let address = address.clone();
        move |_| {
            navigate(&address, Default::default());
            on_view.run(());
        }
    };
    let badge = match (version.draft, newest) {
        (true, _) => Some(("Draft", BadgeVariant::Outline)),
        (false, true) => Some(("Current", BadgeVariant::Brand)),
        (false, false) => None,
    };
    let changed = version
        .changed
        .map(|count| files_changed(count, version.number == 1));
    let download = format!("/projects/{project}/download.zip?version={}", version.id);
    let fragment = version.id.to_string();
    view! {
        <li class="flex flex-col gap-1.5 px-4 py-3">
            <div class="flex gap-3">
                <div class="flex min-w-0 flex-1 flex-col gap-1.5">
                    <div class="flex items-baseline gap-2">
                        <p dir="auto" class="min-w-0 flex-1 text-sm font-medium wrap-anywhere">{version.title.clone()}</p>
                        {badge.map(|(words, variant)| view! { <Badge variant>{words}</Badge> })}
                    </div>
                    <p class="text-xs text-muted-foreground">
                        {name.clone()} " · " {by} " · " <time>{browser::local_time(version.created_at.0)}</time>
                    </p>
                </div>
                {picture(&version)}
            </div>
            <div class="-ml-2.5 flex flex-wrap items-center gap-1">
                <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm on:click=view_it attr:aria-describedby=format!("about-{}", version.id)>
                    "View"
                </Button>
                {team::can_edit()
                    .then(|| {
                        view! {
                            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm disabled=restoring on:click=restore>
                                {move || pending.get().then(|| view! { <Spinner/> })}
                                "Restore"
                            </Button>
                        }
                    })}
                {changed
                    .map(|words| {
                        view! {
                            <Button
                                variant=ButtonVariant::Ghost
                                size=ButtonSize::Sm
                                attr:aria-expanded=move || shows_changes.get().to_string()
                                on:click=move |_| shows_changes.update(|shown| *shown = !*shown)
                            >
                                {words}
                            </Button>
                        }
                    })}
                <a
                    href=download
                    download=""
                    rel="external"
                    aria-label=format!("Download {name}")
                    title="Download ZIP"
                    class=button_class(ButtonVariant::Ghost, ButtonSize::Sm)
                >
                    <Icon name=IconName::ArrowDown class="size-3.5"/>
                </a>
            </div>
            <span id=format!("about-{fragment}") class="sr-only">{name}</span>
            {part_when(
                move || shows_changes.get(),
                move || view! { <Changes project version=fragment.clone()/> }.into_any(),
            )}
        </li>
    }
}

fn files_changed(count: i32, first: bool) -> String {
    match (count, first) {
        (1, true) => "1 file".to_owned(),
        (count, true) => format!("{count} files"),
        (1, false) => "1 file changed".to_owned(),
        (count, false) => format!("{count} files changed"),
    }
}

/// Its picture, if there is one. Its accessible name says which version it is.
fn picture(version: &Fragment) -> Option<impl IntoView + use<>> {
    let path = format!("/api/pictures/{}", version.picture.as_ref()?);
    Some(view! {
        <img
            src=path
            alt=""
            width="80"
            height="50"
            loading="lazy"
            decoding="async"
            class="h-12.5 w-20 shrink-0 rounded-md border border-border bg-muted object-cover object-top"
        />
    })
}

#[cfg(test)]
mod tests {
    use super::files_changed;

    #[test]
    fn changed_files_are_counted_in_words() {
        assert_eq!(files_changed(1, false), "1 file changed");
        assert_eq!(files_changed(80, true), "80 files");
    }
}
