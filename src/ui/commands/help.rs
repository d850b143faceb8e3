//! The keyboard's shortcuts.

use leptos::prelude::*;

use crate::ui::{components::Kbd, pane::panes};

/// The shortcuts, grouped by where they apply.
const SHORTCUTS: [(&str, &[(&str, &str)]); 7] = [
    (
        "Everywhere",
        &[
            (
                "Ctrl K",
                "Commands: what the page can do, pages, projects (⌘ K on a Mac)",
            ),
            ("?", "This list"),
            ("Esc", "Close what is open"),
        ],
    ),
    (
        "Messages",
        &[
            ("Enter", "Send"),
            ("Ctrl Enter", "Send, too"),
            ("Shift Enter", "New line"),
        ],
    ),
    (
        "Menus, tabs and lists",
        &[
            ("↑ ↓", "Move in menus and in the file tree"),
            ("← →", "Move between tabs; close and open folders"),
            ("Home End", "First and last"),
        ],
    ),
    (
        "Code",
        &[
            ("Ctrl S", "Save the file"),
            ("Ctrl F", "Search in the file"),
            ("Esc Tab", "Leave the editor"),
            ("F2", "Rename a file in the tree"),
            ("Delete", "Delete it"),
        ],
    ),
    (
        "Terminal",
        &[
            ("Ctrl F6", "Leave the terminal"),
            ("Ctrl Shift C", "Copy what is selected"),
            ("Ctrl Shift V", "Paste"),
            ("Delete", "Close the shell of the tab"),
        ],
    ),
    (
        "Picking an element in the preview",
        &[
            ("↑ ↓", "What is around it, and what is in it"),
            ("← →", "What stands beside it"),
            ("Enter", "Pick it"),
            ("Esc", "Pick nothing"),
        ],
    ),
    (
        "The border between chat and app",
        &[("← →", "Move it"), ("Home End", "Narrowest and widest")],
    ),
];

panes! {
    commands:

    /// The shortcuts; their code is fetched when they are first opened.
    pub fn shortcuts() {
        help()
    }
}

fn help() -> AnyView {
    let groups = SHORTCUTS.map(|(place, keys)| {
        let rows = keys.iter().map(|(keys, what)| {
            view! {
                <div class="flex items-center gap-4 py-1.5">
                    <dt class="w-28 shrink-0"><Kbd keys/></dt>
                    <dd class="text-sm text-muted-foreground">{*what}</dd>
                </div>
            }
        });
        view! {
            <section class="not-first:mt-4">
                <h3 class="text-xs font-medium">{place}</h3>
                <dl class="mt-1 divide-y divide-border">{rows.collect_view()}</dl>
            </section>
        }
    });
    groups.into_any()
}
