//! "Improve my prompt": an improved wording, shown as a diff to accept.

use leptos::prelude::*;

use super::state::PromptField;
use crate::{
    api::messages::improve_message,
    protocol::{ImprovedPrompt, WordChange},
    ui::{
        components::{
            Button, ButtonSize, ButtonVariant, Dialog, Icon, IconName, Spinner, Toast, Toaster,
        },
        erased::part,
        pane::{later, panes},
    },
};

/// The button, if a model can improve a text.
#[component]
pub fn ImproveButton(field: PromptField) -> impl IntoView {
    view! { <div class="flex min-h-8 min-w-8 shrink-0 items-center">{later("improving prompts", move || improve_button(field))}</div> }
}

panes! {
    image:

    /// The button and its dialog; their code is fetched after the page's.
    pub fn improve_button(field: PromptField) {
        button(field)
    }
}

fn button(field: PromptField) -> AnyView {
    let toaster = Toaster::expect();
    let (open, improved) = (RwSignal::new(false), RwSignal::new(None::<ImprovedPrompt>));
    let improve = Action::new(move |text: &String| {
        let text = text.clone();
        async move {
            match improve_message(text.clone()).await {
                // Text typed in the meantime stays.
                Ok(_) if field.text.try_get_untracked() != Some(text) => {}
                Ok(better) => {
                    improved.set(Some(better));
                    open.set(true);
                }
                Err(error) => field.complain(error),
            }
        }
    });
    let pending = improve.pending();
    let is_blank = Memo::new(move |_| field.text.with(|text| text.trim().is_empty()));
    let start = move |_| {
        field.complaint.set(None);
        improve.dispatch(field.text.get_untracked());
    };
    let accept = move |_| {
        open.set(false);
        let Some(better) = improved.get_untracked() else {
            return;
        };
        let before = field.text.get_untracked();
        field.fill(&better.text);
        field.focus();
        let undo = move || {
            field.fill(&before);
            field.focus();
        };
        toaster.show(Toast::new("Your prompt was improved").with_action("Undo", undo));
    };
    view! {
        <Button
            variant=ButtonVariant::Ghost
            size=ButtonSize::Icon
            disabled=Signal::derive(move || pending.get() || is_blank.get())
            attr:aria-label="Improve my prompt"
            attr:title="Improve my prompt"
            on:click=start
        >
            {part(move || match pending.get() {
                true => view! { <Spinner/> }.into_any(),
                false => view! { <Icon name=IconName::WandSparkles/> }.into_any(),
            })}
        </Button>
        <Dialog open title="Improve my prompt" description="Nothing is sent yet. You can change the text afterwards.">
            <p dir="auto" class="max-h-[50dvh] overflow-y-auto rounded-lg border border-border bg-muted/40 p-3 text-sm leading-6 wrap-anywhere whitespace-pre-wrap">
                {move || improved.get().map(|improved| improved.changes.into_iter().map(words).collect_view())}
            </p>
            <div class="mt-4 flex flex-wrap justify-end gap-2">
                <Button variant=ButtonVariant::Outline on:click=move |_| open.set(false)>"Keep mine"</Button>
                <Button on:click=accept>"Use this"</Button>
            </div>
        </Dialog>
    }
    .into_any()
}

fn words(change: WordChange) -> AnyView {
    match change {
        WordChange::Kept(words) => view! { <span>{words}</span> }.into_any(),
        WordChange::Added(words) => {
            view! { <ins class="rounded-sm bg-success/20 no-underline">{words}</ins> }.into_any()
        }
        WordChange::Removed(words) => {
            view! { <del class="rounded-sm bg-destructive/15">{words}</del> }.into_any()
        }
    }
}
