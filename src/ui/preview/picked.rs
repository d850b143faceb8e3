//! The picked element that accompanies the next message: a chip above the message's field, and a
//! reference appended to the text.

use leptos::prelude::*;

use crate::{
    protocol::PickedElement,
    ui::{
        components::{Icon, IconName},
        erased::part_when,
        pane::{later, panes},
    },
};

/// The element for the next message of this workspace.
#[derive(Clone, Copy)]
pub struct Picked {
    element: RwSignal<Option<PickedElement>>,
}

impl Picked {
    /// Called once, by the workspace.
    pub fn provide() {
        provide_context(Self {
            element: RwSignal::new(None),
        });
    }

    pub fn expect() -> Self {
        expect_context()
    }

    pub fn set(self, element: Option<PickedElement>) {
        self.element.try_set(element);
    }

    /// The text with the reference to the element, if one was picked.
    pub fn with(self, text: String) -> String {
        self.element.with_untracked(|element| match element {
            Some(element) => format!("{text}\n\n{}", element.reference()),
            None => text,
        })
    }
}

/// The chip, while there is an element.
#[component]
pub fn PickedChip() -> impl IntoView {
    let picked = Picked::expect();
    part_when(
        move || picked.element.with(Option::is_some),
        move || later("the picked element", move || picked_chip(picked)),
    )
}

panes! {
    preview_tools:

    /// The chip; its code is fetched when something is first picked.
    pub fn picked_chip(picked: Picked) {
        chip(picked)
    }
}

fn chip(picked: Picked) -> AnyView {
    let label = move || {
        picked.element.with(|element| {
            let label = element.as_ref().map(PickedElement::label);
            label.unwrap_or_default()
        })
    };
    view! {
        <div role="group" aria-label="Picked element" class="picked-chip">
            <Icon name=IconName::SquarePointer class="size-3.5"/>
            <span dir="auto">{label}</span>
            <button type="button" aria-label="Remove the picked element" class="focus-ring" on:click=move |_| picked.set(None)>
                <Icon name=IconName::X class="size-3.5"/>
            </button>
        </div>
    }
    .into_any()
}
