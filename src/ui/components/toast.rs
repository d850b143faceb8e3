//! Short messages at the window's edge, with at most one button. Each stays as long as its bar's
//! animation, which pauses while the pointer or the focus is on it, unless the message expires.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Button, ButtonSize, ButtonVariant, Icon, IconName};
use crate::ui::erased::rows;

/// How long a message stays, without and with a button, in seconds.
const SHORT_SECONDS: u32 = 5;
const LONG_SECONDS: u32 = 10;
/// The maximum number of messages at a time, so that they don't cover the page; the oldest is
/// removed.
const MAX_TOASTS: usize = 4;

/// Not a `Callback`, which would be disposed with the part of the page that created it.
type Act = Arc<dyn Fn() + Send + Sync>;

/// A message: `Toast::new("Saved")`, `Toast::error("…")`, `.with_action("Undo", move || …)`.
#[derive(Clone)]
pub struct Toast {
    text: String,
    is_error: bool,
    action: Option<(&'static str, Act)>,
    expires: bool,
}

impl Toast {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: false,
            action: None,
            expires: false,
        }
    }

    /// Something went wrong.
    pub fn error(text: impl Into<String>) -> Self {
        Self {
            is_error: true,
            ..Self::new(text)
        }
    }

    /// Adds a button, for ten seconds. Its action may outlive the part of the page that shows the
    /// message.
    pub fn with_action(
        mut self,
        label: &'static str,
        action: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        self.action = Some((label, Arc::new(action)));
        self
    }

    /// Disappears when its time is over, even while somebody looks, because its button would no
    /// longer work.
    pub fn expiring(mut self) -> Self {
        self.expires = true;
        self
    }
}

/// Shows messages on all pages: `Toaster::expect().show(Toast::new("Saved"))`.
#[derive(Debug, Clone, Copy)]
pub struct Toaster {
    toasts: RwSignal<Vec<(u32, Toast)>>,
    count: StoredValue<u32>,
}

impl Toaster {
    /// Called once, by the app, which also renders [`Toasts`].
    pub fn provide() {
        provide_context(Self {
            toasts: RwSignal::new(Vec::new()),
            count: StoredValue::new(0),
        });
    }

    pub fn expect() -> Self {
        expect_context()
    }

    pub fn show(self, toast: Toast) {
        let number = self.count.get_value() + 1;
        self.count.set_value(number);
        self.toasts.update(|toasts| {
            toasts.push((number, toast));
            if toasts.len() > MAX_TOASTS {
                toasts.remove(0);
            }
        });
    }

    fn close(self, number: u32) {
        self.toasts
            .update(|toasts| toasts.retain(|toast| toast.0 != number));
    }
}

/// The place where messages appear; assistive technology announces them.
#[component]
pub fn Toasts() -> impl IntoView {
    let toaster = Toaster::expect();
    let numbers = move || {
        toaster
            .toasts
            .with(|toasts| toasts.iter().map(|toast| toast.0.to_string()).collect())
    };
    let row = move |number: String| {
        let found = toaster.toasts.with_untracked(|toasts| {
            let mut toasts = toasts.iter();
            toasts.find(|toast| toast.0.to_string() == number).cloned()
        });
        found.map_or_else(
            || ().into_any(),
            |(number, toast)| show(toaster, number, toast),
        )
    };
    view! { <div class="toasts z-toast" aria-live="polite">{rows(numbers, row)}</div> }
}

fn show(toaster: Toaster, number: u32, toast: Toast) -> AnyView {
    let seconds = if toast.action.is_some() {
        LONG_SECONDS
    } else {
        SHORT_SECONDS
    };
    let life = format!("{seconds}s");
    let action = toast.action.map(|(label, action)| {
        let run = move |_| {
            toaster.close(number);
            action();
        };
        view! { <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=run>{label}</Button> }
    });
    let icon = toast
        .is_error
        .then(|| view! { <Icon name=IconName::CircleAlert class="size-4 text-destructive"/> });
    view! {
        <div role="status" class="toast" data-expires=toast.expires.then_some("")>
            {icon}
            <p class="min-w-0 flex-1 wrap-anywhere" dir="auto">{toast.text}</p>
            {action}
            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm attr:aria-label="Dismiss" on:click=move |_| toaster.close(number)>
                <Icon name=IconName::X class="size-3.5"/>
            </Button>
            <span aria-hidden="true" class="toast-life" style:animation-duration=life on:animationend=move |_| toaster.close(number)></span>
        </div>
    }
    .into_any()
}
