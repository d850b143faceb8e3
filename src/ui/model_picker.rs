//! The choice of the model that a message is for, where more than one is offered.

use leptos::{ev, html, prelude::*};

use super::components::{Icon, IconName, SELECT};
use crate::protocol::{ModelChoice, ModelId, ModelNotice, OfferedModel};

/// What a form sends for the model: its id, or [`ModelChoice::AUTO`] for the first one offered.
pub type ChosenModel = RwSignal<String>;

/// The value of this model, if it is still offered.
pub fn value_of(model: Option<&ModelId>, offered: &[OfferedModel]) -> String {
    let later = offered.iter().skip(1);
    let mut found = later.filter(|offered| Some(&offered.id) == model);
    let found = found.next().map(|found| found.id.as_str());
    found.unwrap_or(ModelChoice::AUTO).to_owned()
}

/// Whether the chosen model is asked with the visitor's own key.
pub fn own_key(about: &ModelNotice, chosen: ChosenModel) -> Signal<bool> {
    let (usual, offered) = (about.own_key, about.offered.clone());
    Signal::derive(move || {
        chosen.with(|chosen| {
            let found = offered.iter().find(|model| model.id.as_str() == chosen);
            found.map_or(usual, |model| model.own_key)
        })
    })
}

/// The choice as a part of a form; empty where there is none.
#[component]
pub fn ModelPicker(offered: Vec<OfferedModel>, chosen: ChosenModel) -> impl IntoView {
    if offered.is_empty() {
        return ().into_any();
    }
    let (select, initial) = (NodeRef::<html::Select>::new(), chosen.get_untracked());
    // A choice made before hydration counts; from then on, the signal does.
    let rendered = initial.clone();
    Effect::new(move |alive: Option<bool>| {
        let wanted = chosen.get();
        let Some(select) = select.get() else {
            return false;
        };
        match select.value() {
            before if alive != Some(true) && before != rendered => chosen.set(before),
            _ => select.set_value(&wanted),
        }
        true
    });
    let change = move |event: ev::Event| chosen.set(event_target_value(&event));
    let abouts = offered.clone();
    let about = move || {
        let chosen = chosen.get();
        let found = abouts.iter().find(|model| model.id.as_str() == chosen);
        found.or(abouts.first()).map(|model| model.about.clone())
    };
    let options = offered.into_iter().enumerate().map(|(index, model)| {
        let value = match index {
            0 => ModelChoice::AUTO.to_owned(),
            _ => model.id.as_str().to_owned(),
        };
        let own_key = model.own_key.then(|| "your own key".to_owned());
        let about = own_key.into_iter().chain([model.about]);
        let about: Vec<String> = about.filter(|about| !about.is_empty()).collect();
        let text = match about.is_empty() {
            true => model.label,
            false => format!("{} ({})", model.label, about.join(" · ")),
        };
        let selected = value == initial;
        view! { <option value=value selected=selected>{text}</option> }
    });
    let options = options.collect_view();
    view! {
        <span class="relative min-w-0 max-w-44">
            <select
                node_ref=select
                name="model"
                aria-label="Model"
                title=about
                class=format!("{SELECT} h-8! truncate pl-2.5! text-xs!")
                autocomplete="off"
                on:change=change
            >
                {options}
            </select>
            <span class="pointer-events-none absolute inset-y-0 right-2 flex items-center text-muted-foreground">
                <Icon name=IconName::ChevronRight class="size-4 rotate-90"/>
            </span>
        </span>
    }
    .into_any()
}
