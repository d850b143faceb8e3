//! The choice of two versions to compare, above the list.

use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::naming::{name, which};
use crate::{
    protocol::{Fragment, ProjectId},
    ui::components::{Button, ButtonSize, ButtonVariant},
};

/// Shown if there are at least two versions.
#[component]
pub fn ComparisonChoice(project: ProjectId, versions: Vec<Fragment>) -> impl IntoView {
    let [to, from, ..] = &*versions else {
        return ().into_any();
    };
    let (from, to) = (RwSignal::new(which(from)), RwSignal::new(which(to)));
    let navigate = use_navigate();
    let compare = move |_| {
        let address = format!(
            "/projects/{project}?version={}..{}",
            from.get_untracked(),
            to.get_untracked()
        );
        navigate(&address, Default::default());
    };
    let select = |label: &'static str, chosen: RwSignal<String>| {
        let options = versions.iter().map(|version| {
            let value = which(version);
            let selected = chosen.get_untracked() == value;
            view! { <option value=value selected=selected>{name(version)}</option> }
        });
        let options = options.collect_view();
        view! {
            <select aria-label=label class="h-8 min-w-0 flex-1 cursor-pointer rounded-lg border border-border bg-card px-2 text-xs text-foreground focus-ring" on:change:target=move |event| chosen.set(event.target().value())>
                {options}
            </select>
        }
    };
    let from_select = select("Compare", from);
    let to_select = select("With", to);
    view! {
        <div role="group" aria-label="Compare two versions" class="flex items-center gap-2 border-b border-border px-4 py-3 text-xs text-muted-foreground">
            {from_select}
            "with"
            {to_select}
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                disabled=Signal::derive(move || from.get() == to.get())
                attr:aria-label="Compare versions"
                on:click=compare
            >
                "Compare"
            </Button>
        </div>
    }
    .into_any()
}
