//! The available commands, and which of the two dialogs is open.

use std::sync::Arc;

use leptos::prelude::*;

use crate::ui::components::IconName;

/// Not a `Callback`, which would be disposed with the menu before it is called.
pub type CommandAction = Arc<dyn Fn() + Send + Sync>;

/// A command that a page adds to the menu.
#[derive(Clone)]
pub struct Command {
    pub number: u32,
    pub label: &'static str,
    pub icon: IconName,
    pub act: CommandAction,
}

/// Which of the two dialogs is open, and the commands of the current page.
#[derive(Debug, Clone, Copy)]
pub struct Commands {
    pub is_open: RwSignal<bool>,
    pub help_open: RwSignal<bool>,
    pub added: RwSignal<Vec<Command>>,
    count: StoredValue<u32>,
}

impl Commands {
    /// Called once, by the app, which also renders [`CommandDialogs`](super::CommandDialogs).
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
    /// up. It runs after the menu has closed and restored the focus. Only called in the browser.
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
