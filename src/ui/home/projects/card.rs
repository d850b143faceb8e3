//! A project's card: its picture, its title, its status, and the menu "More".

use leptos::{ev, html, prelude::*};

use super::actions::Projects;
use crate::{
    api::projects::rename_project,
    protocol::{Membership, ProjectId, ProjectRole, ProjectStatus, TITLE_MAX_CHARS},
    ui::{
        browser,
        components::{
            CARD, DropdownMenuContent, DropdownMenuItem, DropdownMenuSeparator,
            DropdownMenuTrigger, INPUT, Icon, IconName,
        },
        erased::{part, words},
        time::RelativeTime,
    },
};

/// Nothing once the project is no longer listed.
pub fn card(projects: Projects, id: ProjectId) -> AnyView {
    let Some(first) = projects.find(id) else {
        return ().into_any();
    };
    let project = Memo::new(move |before: Option<&_>| {
        let found = projects.find(id);
        found
            .or_else(|| before.cloned())
            .unwrap_or_else(|| first.clone())
    });
    let renaming = RwSignal::new(false);
    let picture = Memo::new(move |_| project.with(|project| project.picture_path()));
    let status = Memo::new(move |_| project.with(|project| project.status));
    let updated_at = Memo::new(move |_| project.with(|project| project.updated_at));
    let title = Memo::new(move |_| project.with(|project| project.title.clone()));
    let shared = Memo::new(move |_| project.with(|project| project.shared.clone()));
    let menu = format!("project-{id}");
    view! {
        <li class=format!("group relative flex flex-col transition-shadow hover:shadow-float has-[[data-title]:focus-visible]:outline-2 has-[[data-title]:focus-visible]:outline-ring {CARD}")>
            {part(move || cover(picture.get(), status.get()))}
            <div class="flex items-center gap-1 py-2.5 pr-1.5 pl-3.5">
                <div class="min-w-0 flex-1">
                    {part(move || match renaming.get() {
                        true => rename(projects, id, title.get_untracked(), renaming),
                        false => view! {
                            <a
                                href=format!("/projects/{id}")
                                id=format!("open-{id}")
                                data-title=""
                                dir="auto"
                                class="block truncate text-sm font-medium outline-none after:absolute after:inset-0 after:rounded-xl"
                            >
                                {words(move || title.get())}
                            </a>
                        }
                        .into_any(),
                    })}
                    <p class="mt-0.5 flex items-center gap-1.5 text-xs text-muted-foreground">
                        {part(move || dot(status.get()))}
                        {words(move || status.get().as_str().to_owned())}
                        <span aria-hidden="true">"·"</span>
                        {part(move || view! { <RelativeTime at=updated_at.get()/> }.into_any())}
                    </p>
                    {part(move || match shared.get() {
                        Some(membership) => mark(&membership),
                        None => ().into_any(),
                    })}
                </div>
                <div class="relative z-raised">
                    <DropdownMenuTrigger menu=menu.clone() attr:aria-label="More"><Icon name=IconName::Ellipsis/></DropdownMenuTrigger>
                    <DropdownMenuContent id=menu label="More">
                        {part(move || match may_rename(shared.get().as_ref()) {
                            true => view! { <DropdownMenuItem icon=Some(IconName::Pencil) on_select=move || renaming.set(true)>"Rename"</DropdownMenuItem> }.into_any(),
                            false => ().into_any(),
                        })}
                        <DropdownMenuItem icon=Some(IconName::Copy) on_select=move || projects.duplicate(id)>"Duplicate"</DropdownMenuItem>
                        <DropdownMenuSeparator/>
                        {part(move || match shared.with(Option::is_some) {
                            true => view! { <DropdownMenuItem icon=Some(IconName::X) on_select=move || projects.leave(project.get_untracked())>"Leave"</DropdownMenuItem> }.into_any(),
                            false => view! {
                                <DropdownMenuItem icon=Some(IconName::Trash) destructive=true on_select=move || projects.delete(project.get_untracked())>
                                    "Delete"
                                </DropdownMenuItem>
                            }
                            .into_any(),
                        })}
                    </DropdownMenuContent>
                </div>
            </div>
        </li>
    }
    .into_any()
}

/// The project's owner, and the user's role in it.
fn mark(membership: &Membership) -> AnyView {
    let Membership { owner, role } = membership;
    let about = format!("{owner}’s · {}", role.as_str());
    view! {
        <p class="mt-0.5 flex items-center gap-1.5 text-xs text-muted-foreground">
            <Icon name=IconName::User class="size-3"/>
            <span>"Shared with you"</span>
            <span aria-hidden="true">"·"</span>
            <span dir="auto" class="min-w-0 truncate">{about}</span>
        </p>
    }
    .into_any()
}

fn may_rename(membership: Option<&Membership>) -> bool {
    membership.is_none_or(|membership| membership.role >= ProjectRole::Editor)
}

/// The app's picture, or a placeholder.
fn cover(picture: Option<String>, status: ProjectStatus) -> AnyView {
    const FRAME: &str =
        "aspect-[16/10] w-full overflow-hidden rounded-t-xl border-b border-border bg-muted";
    match picture {
        Some(path) => view! {
            <div class=FRAME><img src=path alt="" width="640" height="400" loading="lazy" decoding="async" class="size-full object-cover object-top"/></div>
        }
        .into_any(),
        None if status == ProjectStatus::Building => view! {
            <div class=format!("dotted grid place-items-center {FRAME}")>
                <div aria-hidden="true" class="building"><i></i><i></i><i></i><i></i></div>
            </div>
        }
        .into_any(),
        None => view! {
            <div class=format!("dotted grid place-items-center text-muted-foreground/60 {FRAME}")><Icon name=IconName::Image class="size-6"/></div>
        }
        .into_any(),
    }
}

/// The status's colour; the word beside it says the same.
fn dot(status: ProjectStatus) -> AnyView {
    let class = match status {
        ProjectStatus::Building => "size-1.5 rounded-full pulse-dot",
        ProjectStatus::Ready => "size-1.5 rounded-full bg-success",
        ProjectStatus::Failed => "size-1.5 rounded-full bg-destructive",
        ProjectStatus::Empty | ProjectStatus::Stopped => {
            "size-1.5 rounded-full bg-muted-foreground/50"
        }
    };
    view! { <span aria-hidden="true" class=class></span> }.into_any()
}

/// The title as a field: Enter and leaving it save, Escape cancels.
fn rename(projects: Projects, id: ProjectId, title: String, renaming: RwSignal<bool>) -> AnyView {
    let field = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let Some(field) = field.get() {
            // It is in the page a moment later.
            request_animation_frame(move || {
                let _ = field.focus();
                field.select();
            });
        }
    });
    let before = title.clone();
    let saving = RwSignal::new(false);
    // `refocus`: the focus returns to the title, unless it was moved on purpose.
    let save = move |refocus: bool| {
        // Leaving the field removes it from the page, which blurs it once more.
        if renaming.try_get_untracked() != Some(true) || saving.get_untracked() {
            return;
        }
        let field = field.try_get_untracked().flatten();
        let Some(wanted) = field.map(|field| field.value()) else {
            return;
        };
        if wanted.trim() == before || wanted.trim().is_empty() {
            return leave(id, renaming, refocus);
        }
        saving.set(true);
        // The shown title is being saved; if it is refused, it can be edited again.
        leptos::task::spawn_local(async move {
            let renamed = rename_project(id, wanted).await;
            saving.try_set(false);
            match renamed {
                Ok(renamed) => {
                    projects.retitle(id, &renamed.title);
                    leave(id, renaming, refocus);
                }
                Err(error) => projects.failed(error),
            }
        });
    };
    let on_blur = {
        let save = save.clone();
        move |_| save(false)
    };
    let on_key = move |key: ev::KeyboardEvent| match key.key().as_str() {
        "Enter" if !key.is_composing() => {
            key.prevent_default();
            save(true);
        }
        "Escape" => {
            key.prevent_default();
            leave(id, renaming, true);
        }
        _ => {}
    };
    view! {
        <input
            node_ref=field
            aria-label="Project title"
            dir="auto"
            maxlength=TITLE_MAX_CHARS.to_string()
            readonly=move || saving.get()
            autocomplete="off"
            value=title
            class=format!("relative z-raised -ml-2 h-7! px-2! {INPUT}")
            on:keydown=on_key
            on:blur=on_blur
        />
    }
    .into_any()
}

fn leave(id: ProjectId, renaming: RwSignal<bool>, refocus: bool) {
    renaming.set(false);
    if refocus {
        request_animation_frame(move || browser::focus(&format!("open-{id}")));
    }
}
