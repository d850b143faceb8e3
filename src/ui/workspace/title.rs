//! The project's title in the workspace's bar, which the user can change.

use leptos::{ev, html, prelude::*};

use crate::{
    api::projects::rename_project,
    protocol::{ProjectId, ProjectTitle},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
        team,
    },
};

/// The id of the button that opens the field.
pub const RENAME_ID: &str = "rename-project";

/// The title, or a field to change it: Enter saves, Escape cancels. The page follows through the
/// feed, like every other page of the project.
#[component]
pub fn TitleField(project: ProjectId, title: Memo<String>) -> impl IntoView {
    let can_edit = team::can_edit();
    let editing = RwSignal::new(false);
    let refusal = RwSignal::new(None::<String>);
    let field = NodeRef::<html::Input>::new();
    let close = move || {
        editing.set(false);
        refusal.set(None);
        // Once the button is there again.
        request_animation_frame(|| browser::focus(RENAME_ID));
    };
    let save = Action::new(move |text: &String| {
        let text = text.clone();
        async move {
            match rename_project(project, text).await {
                Ok(_) => close(),
                Err(error) => refusal.set(Some(error.message)),
            }
        }
    });
    let saving = save.pending();
    let submit = move || {
        let text = field
            .get_untracked()
            .map(|field| field.value())
            .unwrap_or_default();
        match ProjectTitle::new(&text) {
            Err(error) => refusal.set(Some(error.to_string())),
            Ok(new) if title.with_untracked(|old| old == new.as_str()) => close(),
            Ok(_) if saving.get_untracked() => {}
            Ok(new) => {
                refusal.set(None);
                save.dispatch(new.as_str().to_owned());
            }
        }
    };
    let on_key = move |key: ev::KeyboardEvent| match key.key().as_str() {
        "Enter" if !key.is_composing() => {
            key.prevent_default();
            submit();
        }
        "Escape" => {
            key.prevent_default();
            close();
        }
        _ => {}
    };
    Effect::new(move || {
        if editing.get()
            && let Some(field) = field.get()
        {
            let _ = field.focus();
            field.select();
        }
    });
    view! {
        <div class="relative flex min-w-0 flex-1 items-center gap-1">
            <h1 dir="auto" class="min-w-0 truncate text-sm text-muted-foreground" class=("sr-only", move || editing.get())>
                {move || title.get()}
            </h1>
            <Show
                when=move || editing.get()
                fallback=move || {
                    can_edit.then(|| view! {
                        <span class="shrink-0">
                            <Button
                                variant=ButtonVariant::Ghost
                                size=ButtonSize::Sm
                                attr:id=RENAME_ID
                                attr:aria-label="Rename project"
                                attr:title="Rename project"
                                on:click=move |_| editing.set(true)
                            >
                                <Icon name=IconName::Pencil class="size-3.5"/>
                            </Button>
                        </span>
                    })
                }
            >
                <input
                    node_ref=field
                    type="text"
                    dir="auto"
                    aria-label="Project title"
                    aria-describedby="title-refusal"
                    aria-invalid=move || refusal.get().is_some().to_string()
                    autocomplete="off"
                    class="h-8 w-full min-w-0 max-w-md rounded-md border border-border bg-card px-2 text-sm text-foreground focus-ring"
                    prop:value=title.get_untracked()
                    disabled=saving
                    on:keydown=on_key
                />
            </Show>
            <p
                id="title-refusal"
                role="alert"
                class="absolute top-full left-0 z-30 mt-1 rounded-md border border-destructive/40 bg-card px-2 py-1 text-xs shadow-sm empty:hidden"
            >
                {move || refusal.get()}
            </p>
        </div>
    }
}
