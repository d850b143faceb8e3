//! One of a few choices, side by side: the browser's radio buttons, which arrow keys move through.

use leptos::prelude::*;

use super::{Icon, IconName};

/// One choice: its value, its name and its icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub icon: Option<IconName>,
    /// What it means, where the label does not say it.
    pub title: Option<&'static str>,
}

/// The choices; `name` is the group's in the page, `label` its accessible name.
#[component]
pub fn RadioGroup(
    name: &'static str,
    label: &'static str,
    choices: &'static [Choice],
    selected: RwSignal<&'static str>,
    /// For narrow places.
    #[prop(optional)]
    compact: bool,
) -> impl IntoView {
    let class = if compact {
        "segments segments-compact"
    } else {
        "segments"
    };
    view! {
        <div role="radiogroup" aria-label=label class=class>
            {choices
                .iter()
                .map(|choice| {
                    view! {
                        <label class="segment">
                            <input
                                type="radio"
                                name=name
                                value=choice.value
                                title=choice.title
                                prop:checked=move || selected.get() == choice.value
                                checked=selected.get_untracked() == choice.value
                                on:change=move |_| selected.set(choice.value)
                            />
                            {choice.icon.map(|name| view! { <Icon name class="size-3.5"/> })}
                            {choice.label}
                        </label>
                    }
                })
                .collect_view()}
        </div>
    }
}
