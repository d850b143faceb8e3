//! The command menu (Ctrl/Cmd+K) and the list of keyboard shortcuts (`?`), on all pages.
//! `popups.js` clicks the hidden buttons; the dialogs' code is fetched then.

mod help;
mod list;
mod menu;

use leptos::prelude::*;

use super::{
    components::{
        Button, ButtonSize, ButtonVariant, Dialog, DialogSize, Icon, IconName, Kbd, modal,
    },
    pane::later,
};

use help::shortcuts;
pub use list::Commands;
use menu::command_menu;

/// Opens the command menu: by its keys where there is room, by an icon on a phone.
#[component]
pub fn CommandsButton() -> impl IntoView {
    let commands = Commands::expect();
    view! {
        <button
            type="button"
            aria-label="Commands"
            aria-haspopup="dialog"
            title="Commands (Ctrl or Cmd and K)"
            class="inline-flex h-8 shrink-0 cursor-pointer items-center rounded-lg px-2 text-xs text-muted-foreground transition-colors hover:bg-accent hover:text-accent-foreground focus-ring"
            on:click=move |_| commands.is_open.set(true)
        >
            <span class="sm:hidden"><Icon name=IconName::Search/></span>
            <span class="max-sm:hidden"><Kbd keys="Ctrl K"/></span>
        </button>
    }
}

/// Opens the list of shortcuts. A phone, which has no keyboard, finds it among the commands.
#[component]
pub fn HelpButton() -> impl IntoView {
    let commands = Commands::expect();
    view! {
        <span class="max-sm:hidden">
            <Button
                variant=ButtonVariant::Ghost
                size=ButtonSize::Icon
                attr:aria-label="Keyboard shortcuts"
                attr:aria-haspopup="dialog"
                attr:title="Keyboard shortcuts (?)"
                on:click=move |_| commands.help_open.set(true)
            >
                <Icon name=IconName::Keyboard/>
            </Button>
        </span>
    }
}

#[component]
pub fn CommandDialogs() -> impl IntoView {
    let commands = Commands::expect();
    let help_open = commands.help_open;
    let title = Signal::stored("Commands".to_owned());
    view! {
        <button type="button" hidden id="open-commands" on:click=move |_| commands.is_open.set(true)></button>
        <button type="button" hidden id="open-help" on:click=move |_| help_open.set(true)></button>
        {modal(commands.is_open, title, DialogSize::Command, move || {
            later("the commands", move || command_menu(commands))
        })}
        <Dialog open=help_open title="Keyboard shortcuts".to_owned()>{later("the shortcuts", shortcuts)}</Dialog>
    }
}
