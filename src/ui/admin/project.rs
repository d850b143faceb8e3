//! `/admin/projects/{id}`: the contents of another user's project, read-only.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::frame::{LINK, address, loaded, loading, page, parameter, size};
use crate::{
    api::admin::look_into_project,
    protocol::{ApiError, ErrorCode, Fragment, Message, ProjectInside, Role},
    ui::{components::CARD, runs::state_word, time::Moment},
};

const LEAD: &str =
    "Somebody else's project, to be read only. That you opened it is in the audit log.";

#[component]
pub fn ProjectPage() -> impl IntoView {
    let params = use_params_map();
    page("Project", "/admin/projects", LEAD, move || {
        let wanted = move || {
            let id = params.with(|params| params.get("id"));
            (id.and_then(|id| id.parse().ok()), parameter("file"))
        };
        let found = Resource::new_blocking(wanted, |(id, file)| async move {
            let file = Some(file).filter(|file| !file.is_empty());
            match id {
                Some(id) => look_into_project(id, file).await,
                None => Err(ApiError::new(
                    ErrorCode::NotFound,
                    "There is no such project.",
                )),
            }
        });
        view! {
            <Transition fallback=loading>
                {move || Suspend::new(async move {
                    let found = found.await;
                    if found.as_ref().is_err_and(|error| error.code == ErrorCode::NotFound) {
                        crate::respond_not_found();
                    }
                    loaded(found, inside)
                })}
            </Transition>
        }
        .into_any()
    })
}

fn section(id: &'static str, heading: &'static str, content: AnyView) -> AnyView {
    view! {
        <section aria-labelledby=id class=format!("flex flex-col gap-3 p-5 {CARD}")>
            <h2 id=id class="text-base font-semibold tracking-tight">{heading}</h2>
            {content}
        </section>
    }
    .into_any()
}

fn inside(project: ProjectInside) -> AnyView {
    let overview = project.overview;
    let id = overview.id.to_string();
    let path = format!("/admin/projects/{id}");
    let runs = address("/admin/runs", &[("search", &id)]);
    let owner = address(
        "/admin/users",
        &[("search", &overview.owner_id.to_string())],
    );
    let last = overview
        .last_run
        .map_or("None", |(_, state)| state_word(state));
    let file = |file: &String| {
        let there = address(&path, &[("file", file)]);
        view! { <li><a href=there rel="external" class=format!("{LINK} font-mono text-xs wrap-anywhere")>{file.clone()}</a></li> }
    };
    let files = project.files.iter().map(file).collect_view();
    let shown = parameter("file");
    let content = project.content.map(|content| {
        let text = view! {
            <p class="font-mono text-xs text-muted-foreground wrap-anywhere">{shown}</p>
            <pre tabindex="0" class="max-h-[70dvh] overflow-auto rounded-lg bg-muted p-3 text-xs leading-5 focus-ring">{content}</pre>
        };
        section("file", "File", text.into_any())
    });
    let messages = project.messages.into_iter().map(message).collect_view();
    let versions = project.versions.into_iter().map(version).collect_view();
    view! {
        <dl class="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
            <dt class="text-muted-foreground">"Title"</dt>
            <dd dir="auto" class="font-medium wrap-anywhere">{overview.title}</dd>
            <dt class="text-muted-foreground">"Owner"</dt>
            <dd class="wrap-anywhere"><a href=owner class=LINK>{overview.owner}</a></dd>
            <dt class="text-muted-foreground">"Size"</dt>
            <dd>{size(overview.bytes)}</dd>
            <dt class="text-muted-foreground">"Last run"</dt>
            <dd>{last}" · "<a href=runs class=LINK>"All runs"</a></dd>
            <dt class="text-muted-foreground">"Made"</dt>
            <dd><Moment at=overview.created_at/></dd>
            <dt class="text-muted-foreground">"Changed"</dt>
            <dd><Moment at=overview.updated_at/></dd>
        </dl>
        {content}
        {section("conversation", "Conversation", view! { <ol class="flex flex-col divide-y divide-border">{messages}</ol> }.into_any())}
        {section("versions", "Versions", view! { <ul class="flex flex-col gap-1 text-sm">{versions}</ul> }.into_any())}
        {section("files", "Files of the latest version", view! { <ul class="columns-1 gap-6 sm:columns-2">{files}</ul> }.into_any())}
    }
    .into_any()
}

fn message(message: Message) -> AnyView {
    let author = match message.role {
        Role::User => "Owner",
        Role::Assistant => "CodeFlow",
    };
    view! {
        <li class="py-3 first:pt-0 last:pb-0">
            <p class="text-xs text-muted-foreground">{author}", "<Moment at=message.created_at/></p>
            <p dir="auto" class="mt-1 text-sm leading-6 whitespace-pre-wrap wrap-anywhere">{message.content}</p>
        </li>
    }
    .into_any()
}

fn version(version: Fragment) -> AnyView {
    let name = match version.draft {
        true => "Draft".to_owned(),
        false => format!("Version {}", version.number),
    };
    view! { <li class="wrap-anywhere">{name}": "{version.title}", "<Moment at=version.created_at/></li> }.into_any()
}
