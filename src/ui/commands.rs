//! The command menu (Ctrl/Cmd+K) and the keyboard's shortcuts (`?`), on all pages. `popups.js`
//! presses the hidden buttons; what they open is fetched then.

mod command;
mod help;
mod menu;

use leptos::prelude::*;

use super::{
    components::{Dialog, DialogSize, Kbd, modal},
    erased::later,
};

pub use command::Command;
use help::help;
use menu::menu;

/// The commands of the page in view, and the dialogs.
#[derive(Debug, Clone, Copy)]
pub struct Commands {
    own: RwSignal<Vec<Command>>,
    is_open: RwSignal<bool>,
}

impl Commands {
    /// Made once, by the app, which also has [`CommandDialogs`].
    pub fn provide() {
        provide_context(Self {
            own: RwSignal::new(Vec::new()),
            is_open: RwSignal::new(false),
        });
    }

    pub fn expect() -> Self {
        expect_context()
    }

    /// Adds commands for as long as the current owner lives: a page's, or a pane's.
    pub fn add(self, commands: Vec<Command>) {
        let labels: Vec<String> = commands.iter().map(|one| one.label.clone()).collect();
        self.own.update(|own| own.extend(commands));
        on_cleanup(move || {
            self.own
                .try_update(|own| own.retain(|one| !labels.contains(&one.label)));
        });
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
            later(menu(commands.own.get_untracked(), commands.is_open, help_open))
        })}
        <Dialog open=help_open title="Keyboard shortcuts".to_owned()>{later(help())}</Dialog>
    }
}
