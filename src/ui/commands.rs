//! The command menu (Ctrl/Cmd+K) and the keyboard's shortcuts (`?`), on all pages. `popups.js`
//! presses the hidden buttons; what they open is fetched then.

mod help;
mod menu;

use leptos::prelude::*;

use super::{
    components::{Dialog, DialogSize, Kbd, modal},
    pane::later,
};

use help::shortcuts;
use menu::command_menu;

/// Whether the command menu is open.
#[derive(Debug, Clone, Copy)]
pub struct Commands {
    is_open: RwSignal<bool>,
}

impl Commands {
    /// Made once, by the app, which also has [`CommandDialogs`].
    pub fn provide() {
        provide_context(Self {
            is_open: RwSignal::new(false),
        });
    }

    pub fn expect() -> Self {
        expect_context()
    }
}

/// Opens the command menu.
#[component]
pub fn CommandsButton() -> impl IntoView {
    let commands = Commands::expect();
    view! {
        <button
            type="button"
            aria-label="Commands"
            aria-haspopup="dialog"
            class="inline-flex h-8 cursor-pointer items-center gap-2 rounded-lg px-2 text-xs text-muted-foreground transition-colors hover:bg-accent hover:text-accent-foreground focus-ring max-sm:hidden"
            on:click=move |_| commands.is_open.set(true)
        >
            <Kbd keys="Ctrl K"/>
        </button>
    }
}

#[component]
pub fn CommandDialogs() -> impl IntoView {
    let commands = Commands::expect();
    let help_open = RwSignal::new(false);
    let title = Signal::stored("Commands".to_owned());
    view! {
        <button type="button" hidden id="open-commands" on:click=move |_| commands.is_open.set(true)></button>
        <button type="button" hidden id="open-help" on:click=move |_| help_open.set(true)></button>
        {modal(commands.is_open, title, DialogSize::Command, move || {
            later("the commands", move || command_menu(commands.is_open, help_open))
        })}
        <Dialog open=help_open title="Keyboard shortcuts".to_owned()>{later("the shortcuts", shortcuts)}</Dialog>
    }
}
