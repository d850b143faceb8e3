//! The command menu (Ctrl/Cmd+K) and the keyboard's shortcuts (`?`), on all pages. `popups.js`
//! presses the hidden buttons; what they open is fetched then.

mod help;
mod menu;

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    components::{
        Button, ButtonSize, ButtonVariant, Dialog, DialogSize, Icon, IconName, Kbd, modal,
    },
    pane::later,
};

use help::shortcuts;
use menu::command_menu;

/// No `Callback`, which would go with the menu before it is called.
type Act = Arc<dyn Fn() + Send + Sync>;

/// What a page adds to the menu.
#[derive(Clone)]
struct Command {
    number: u32,
    label: &'static str,
    icon: IconName,
    act: Act,
}

/// Which of both dialogs is open, and the commands of the page that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Commands {
    is_open: RwSignal<bool>,
    help_open: RwSignal<bool>,
    added: RwSignal<Vec<Command>>,
    count: StoredValue<u32>,
}

impl Commands {
    /// Made once, by the app, which also has [`CommandDialogs`].
    pub fn provide() {
        provide_context(Self {
            is_open: RwSignal::new(false),
            help_open: RwSignal::new(false),
            added: RwSignal::new(Vec::new()),
            count: StoredValue::new(0),
        });
    }

    pub fn expect() -> Self {
        expect_context()
    }

    /// Adds a command to the menu until the current owner, such as a page or an effect, is cleaned
    /// up. It runs when the menu has closed and returned the focus. Called in the browser only.
    pub fn add(self, label: &'static str, icon: IconName, act: impl Fn() + Send + Sync + 'static) {
        let number = self.count.get_value() + 1;
        self.count.set_value(number);
        self.added.update(|added| {
            added.push(Command {
                number,
                label,
                icon,
                act: Arc::new(act),
            });
        });
        on_cleanup(move || {
            self.added
                .try_update(|added| added.retain(|command| command.number != number));
        });
    }
}

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
