//! The panel of a picked element: where it was written, and its text and classes to change there
//! without the model.

use leptos::{ev, html, prelude::*};

use super::state::Picker;
use crate::{
    api::preview::{change_element, find_element_sources},
    protocol::{ApiError, ElementPart, ElementSource, ElementSources, PickedElement, ProjectId},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Toast, Toaster},
        erased::part,
    },
};

/// A change that was made: what it takes to undo it.
#[derive(Debug, Clone)]
struct Change {
    source: ElementSource,
    part: ElementPart,
    before: String,
}

#[cfg_attr(lazy_parts, lazy)]
pub async fn picked_panel(picker: Picker, project: ProjectId) -> AnyView {
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

/// A part to change, or why it can't be.
fn field(
    label: &'static str,
    part: ElementPart,
    source: Result<ElementSource, String>,
    project: ProjectId,
) -> AnyView {
    let source = match source {
        Ok(source) => source,
        Err(why) => {
            return view! { <p class="picked-note">{why}</p> }.into_any();
        }
    };
    let toaster = Toaster::expect();
    let saved = RwSignal::new(source.value.clone());
    let failure = RwSignal::new(None::<String>);
    let input = NodeRef::<html::Input>::new();
    let is_changed = RwSignal::new(false);
    let undo = Action::new_unsync(move |change: &Change| {
        let Change {
            source,
            part,
            before,
        } = change.clone();
        async move {
            let now = source.value.clone();
            match change_element(project, source.place, part, now, before.clone()).await {
                Ok(()) => {
                    // The panel may show another element by then.
                    saved.try_set(before);
                    toaster.show(Toast::new("The change is undone."));
                }
                Err(error) => toaster.show(Toast::error(error.message)),
            }
        }
    });
    let save = Action::new_unsync(move |value: &String| {
        let (value, before, place) = (value.clone(), saved.get_untracked(), source.place.clone());
        async move {
            let made = change_element(project, place.clone(), part, before.clone(), value.clone());
            match made.await {
                Ok(()) => {
                    let change = Change {
                        source: ElementSource {
                            place,
                            value: value.clone(),
                        },
                        part,
                        before,
                    };
                    saved.try_set(value);
                    is_changed.try_set(false);
                    failure.try_set(None);
                    let undo_it = move || {
                        undo.dispatch(change.clone());
                    };
                    toaster.show(
                        Toast::new("Saved. It becomes a version.").with_action("Undo", undo_it),
                    );
                }
                Err(error) => {
                    failure.try_set(Some(error.message));
                }
            }
        }
    });
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked() {
            let value = input.value();
            if value != saved.get_untracked() && !save.pending().get_untracked() {
                save.dispatch(value);
            }
        }
    };
    let on_input = move |event| is_changed.set(event_target_value(&event) != saved.get_untracked());
    let disabled = Signal::derive(move || !is_changed.get() || save.pending().get());
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
                    aria-invalid=move || failure.with(Option::is_some).to_string()
                    prop:value=move || saved.get()
                    on:input=on_input
                />
            </label>
            <Button submit=true size=ButtonSize::Sm disabled attr:aria-label=format!("Save {}", label.to_lowercase())>"Save"</Button>
            <p role="alert" class="picked-note text-destructive empty:hidden">{move || failure.get()}</p>
        </form>
    }
    .into_any()
}
