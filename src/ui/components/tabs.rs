//! Tabs: a list with one stop for the Tab key and arrow keys inside, and panels that stay in the
//! page when another is shown.

use leptos::{ev::KeyboardEvent, html, prelude::*};

use super::{Icon, IconName};

/// One tab: its id (of the tab; the panel's is `<id>-panel`), its name and its icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tab {
    pub id: &'static str,
    pub label: &'static str,
    pub icon: IconName,
}

#[component]
pub fn TabsList(
    label: &'static str,
    tabs: &'static [Tab],
    selected: RwSignal<&'static str>,
) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    let on_key = move |key: KeyboardEvent| {
        let at = tabs
            .iter()
            .position(|tab| tab.id == selected.get_untracked())
            .unwrap_or(0);
        let to = match key.key().as_str() {
            "ArrowRight" => (at + 1) % tabs.len(),
            "ArrowLeft" => (at + tabs.len() - 1) % tabs.len(),
            "Home" => 0,
            "End" => tabs.len() - 1,
            _ => return,
        };
        key.prevent_default();
        selected.set(tabs[to].id);
        super::focus_child(list, to);
    };
    view! {
        <div node_ref=list role="tablist" aria-label=label class="inline-flex items-center gap-0.5 rounded-lg bg-muted p-0.5" on:keydown=on_key>
            {tabs
                .iter()
                .map(|tab| {
                    let is_selected = move || selected.get() == tab.id;
                    view! {
                        <button
                            type="button"
                            role="tab"
                            id=tab.id
                            aria-controls=format!("{}-panel", tab.id)
                            aria-selected=move || is_selected().to_string()
                            tabindex=move || if is_selected() { "0" } else { "-1" }
                            class="inline-flex h-7 cursor-pointer items-center gap-1.5 rounded-md px-3 text-xs font-medium text-muted-foreground hover:text-foreground aria-selected:bg-card aria-selected:text-foreground aria-selected:shadow-xs focus-ring"
                            on:click=move |_| selected.set(tab.id)
                        >
                            <Icon name=tab.icon class="size-3.5"/>
                            {tab.label}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

/// The panel of the tab with this id; hidden, not removed, while another tab is selected.
#[component]
pub fn TabsPanel(
    id: &'static str,
    selected: RwSignal<&'static str>,
    children: Children,
) -> impl IntoView {
    view! {
        <div
            role="tabpanel"
            id=format!("{id}-panel")
            aria-labelledby=id
            hidden=move || selected.get() != id
            class="flex min-h-0 flex-1 flex-col"
        >
            {children()}
        </div>
    }
}
