//! The panel of a picked element: its place in the source, and its text and classes, to be changed
//! there without the model.

use leptos::{ev, html, prelude::*};

use super::state::Picker;
use crate::{
    api::preview::{change_element, find_element_sources},
    protocol::{ApiError, ElementPart, ElementSource, ElementSources, PickedElement, ProjectId},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
        erased::part,
        pane::panes,
    },
};

/// A new value for a part.
#[derive(Debug, Clone)]
struct Change {
    to: String,
    is_undone: bool,
}

/// The outcome of the last change.
#[derive(Debug, Clone)]
enum Outcome {
    None,
    Saved {
        before: String,
    },
    Undone,
    /// It failed, for this reason.
    Failed(String),
}

panes! {
    preview_tools:

    /// The panel; its code is fetched when something is first picked.
    pub fn picked_panel(picker: Picker, project: ProjectId) {
        panel(picker, project)
    }
}

fn panel(picker: Picker, project: ProjectId) -> AnyView {
    let close = move |_| picker.element.set(None);
    view! {
        <section aria-label="Picked element" class="picked-panel">
            {part(move || match picker.element.get() {
                Some(element) => content(element, project),
                None => ().into_any(),
            })}
            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm attr:aria-label="Close the picked element" on:click=close>
                <Icon name=IconName::X class="size-3.5"/>
            </Button>
        </section>
    }
    .into_any()
}

fn content(element: PickedElement, project: ProjectId) -> AnyView {
    let place = element.places.first().map(|place| {
        let text = format!("{}:{}", place.file, place.line);
        view! { <code dir="auto">{text}</code> }
    });
    let label = element.label();
    let sources = RwSignal::new(None::<Result<ElementSources, ApiError>>);
    leptos::task::spawn_local_scoped_with_cancellation(async move {
        let answer = find_element_sources(project, element).await;
        sources.try_set(Some(answer));
    });
    view! {
        <div class="picked-content">
            <p class="picked-title"><strong dir="auto">{label}</strong>{place}</p>
            {part(move || match sources.get() {
                None => view! { <p class="picked-note" aria-busy="true">"Looking for its source…"</p> }.into_any(),
                Some(Err(error)) => view! { <p class="picked-note" role="alert">{error.message}</p> }.into_any(),
                Some(Ok(ElementSources { text, classes })) => {
                    let text = field("Text", ElementPart::Text, text, project);
                    let classes = field("Classes", ElementPart::Classes, classes, project);
                    view! { {text}{classes} }.into_any()
                }
            })}
        </div>
    }
    .into_any()
}

/// A part to change, or why it can't be changed.
fn field(
    label: &'static str,
    what: ElementPart,
    source: Result<ElementSource, String>,
    project: ProjectId,
) -> AnyView {
    let source = match source {
        Ok(source) => source,
        Err(why) => {
            return view! { <p class="picked-note">{why}</p> }.into_any();
        }
    };
    let saved = RwSignal::new(source.value.clone());
    let outcome = RwSignal::new(Outcome::None);
    let input = NodeRef::<html::Input>::new();
    let is_changed = RwSignal::new(false);
    // In both directions: undoing a change is another change.
    let change = Action::new_unsync(move |change: &Change| {
        let Change { to, is_undone } = change.clone();
        let (from, place) = (saved.get_untracked(), source.place.clone());
        async move {
            let made = change_element(project, place, what, from.clone(), to.clone()).await;
            // The panel may show another element by then.
            outcome.try_set(match made {
                Ok(()) => {
                    saved.try_set(to);
                    is_changed.try_set(false);
                    match is_undone {
                        true => Outcome::Undone,
                        false => Outcome::Saved { before: from },
                    }
                }
                Err(error) => Outcome::Failed(error.message),
            });
        }
    });
    let pending = change.pending();
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked() {
            let value = input.value();
            if value != saved.get_untracked() && !pending.get_untracked() {
                change.dispatch(Change {
                    to: value,
                    is_undone: false,
                });
            }
        }
    };
    let on_input = move |event| is_changed.set(event_target_value(&event) != saved.get_untracked());
    let disabled = Signal::derive(move || !is_changed.get() || pending.get());
    view! {
        <form class="picked-field" on:submit=submit>
            <label>
                <span>{label}</span>
                <input
                    node_ref=input
                    type="text"
                    dir="auto"
                    autocomplete="off"
                    spellcheck="false"
                    aria-invalid=move || outcome.with(|outcome| matches!(outcome, Outcome::Failed(_))).to_string()
                    prop:value=move || saved.get()
                    on:input=on_input
                />
            </label>
            <Button submit=true size=ButtonSize::Sm disabled attr:aria-label=format!("Save {}", label.to_lowercase())>"Save"</Button>
            <div aria-live="polite" class="picked-outcome">
                {part(move || match outcome.get() {
                    Outcome::None => ().into_any(),
                    Outcome::Undone => view! { <p>"The change is undone."</p> }.into_any(),
                    Outcome::Failed(why) => view! { <p role="alert" class="text-destructive">{why}</p> }.into_any(),
                    Outcome::Saved { before } => {
                        let undo = move |_| {
                            change.dispatch(Change { to: before.clone(), is_undone: true });
                        };
                        view! {
                            <p>"Saved in the source. It becomes a version."</p>
                            <Button variant=ButtonVariant::Outline size=ButtonSize::Sm disabled=pending on:click=undo>"Undo"</Button>
                        }
                        .into_any()
                    }
                })}
            </div>
        </form>
    }
    .into_any()
}
