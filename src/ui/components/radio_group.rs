//! One of a few choices, side by side: the browser's radio buttons, which arrow keys move through.

use leptos::{html, prelude::*, wasm_bindgen::JsCast, web_sys::HtmlInputElement};

use super::{Icon, IconName};

/// One choice: its value, its name and its icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub icon: Option<IconName>,
    /// Its meaning, if the label does not say it.
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
    let (group, initial) = (NodeRef::<html::Div>::new(), selected.get_untracked());
    // A choice made before hydration counts; from then on, the signal does.
    Effect::new(move |alive: Option<bool>| {
        let wanted = selected.get();
        let Some(group) = group.get() else {
            return false;
        };
        let find = |selector: &str| {
            let found = group.query_selector(selector).ok().flatten();
            found.and_then(|found| found.dyn_into::<HtmlInputElement>().ok())
        };
        let is_first = alive != Some(true);
        let before = find("input:checked").map(|input| input.value());
        let before = choices
            .iter()
            .find(|choice| before.as_deref() == Some(choice.value));
        match before.filter(|before| is_first && before.value != initial) {
            Some(before) => selected.set(before.value),
            None => {
                if let Some(input) = find(&format!("input[value='{wanted}']")) {
                    input.set_checked(true);
                }
            }
        }
        true
    });
    view! {
        <div node_ref=group role="radiogroup" aria-label=label class=class>
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
                                checked=initial == choice.value
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
