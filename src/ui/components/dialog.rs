//! Dialogs, based on the browser's own `<dialog>`, which traps the focus, closes on Escape and
//! restores the focus. A dialog's content is rendered only while it is open.

use std::sync::Arc;

use leptos::{ev, html, prelude::*};

use super::{Button, ButtonSize, ButtonVariant, Icon, IconName};
use crate::ui::erased::part_when;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DialogSize {
    #[default]
    Default,
    /// Nearly fills the window.
    Full,
    /// For a picture of a page.
    Picture,
    /// For a list of commands: without a heading.
    Command,
}

impl DialogSize {
    fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Full => "full",
            Self::Picture => "picture",
            Self::Command => "command",
        }
    }
}

/// A modal dialog while `open` is true; Escape, the button "Close" and a press beside it set it
/// to false. `title` is its heading and its accessible name.
#[component]
pub fn Dialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    #[prop(optional, into)] description: String,
    #[prop(optional)] size: DialogSize,
    children: ChildrenFn,
) -> impl IntoView {
    modal(open, title, size, move || {
        let description = description.clone();
        view! {
            <div class="flex items-start gap-4 px-5 pt-5">
                <div class="min-w-0 flex-1">
                    <h2 class="text-base font-semibold tracking-tight wrap-anywhere">{move || title.get()}</h2>
                    <p class="mt-1 text-sm leading-6 text-pretty text-muted-foreground empty:hidden">{description}</p>
                </div>
                <div class="-mt-1 -mr-2">
                    <Button
                        variant=ButtonVariant::Ghost
                        size=ButtonSize::Icon
                        attr:aria-label="Close"
                        on:click=move |_| open.set(false)
                    >
                        <Icon name=IconName::X/>
                    </Button>
                </div>
            </div>
            <div class="px-5 pt-4 pb-5">{children()}</div>
        }
        .into_any()
    })
}

/// The bare dialog, for one with a frame of its own: `label` is its accessible name.
pub fn modal(
    open: RwSignal<bool>,
    label: Signal<String>,
    size: DialogSize,
    content: impl Fn() -> AnyView + Send + Sync + 'static,
) -> AnyView {
    make_modal(open, label, size, Arc::new(content))
}

fn make_modal(
    open: RwSignal<bool>,
    label: Signal<String>,
    size: DialogSize,
    content: Arc<dyn Fn() -> AnyView + Send + Sync>,
) -> AnyView {
    let dialog = NodeRef::<html::Dialog>::new();
    // Its `close` event comes later, when `open` may be true again.
    let closed_here = StoredValue::new(false);
    Effect::new(move || {
        let (wanted, Some(dialog)) = (open.get(), dialog.get()) else {
            return;
        };
        if !wanted {
            if dialog.open() {
                closed_here.set_value(true);
                dialog.close();
            }
        } else if !dialog.open() {
            // After its content is rendered, which gets the focus.
            request_animation_frame(move || {
                if open.try_get_untracked() == Some(true) && !dialog.open() {
                    let _ = dialog.show_modal();
                }
            });
        }
    });
    view! {
        <dialog
            node_ref=dialog
            class="dialog"
            closedby="any"
            data-size=size.as_str()
            aria-label=move || label.get()
            on:cancel=move |cancel: ev::Event| {
                cancel.prevent_default();
                open.set(false);
            }
            on:close=move |_| {
                if closed_here.get_value() {
                    closed_here.set_value(false);
                } else {
                    open.set(false);
                }
            }
        >
            {part_when(move || open.get(), move || content())}
        </dialog>
    }
    .into_any()
}

/// Asks for confirmation of something that can't be undone. `action` is the button's label.
#[component]
pub fn ConfirmDialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    #[prop(into)] description: String,
    action: &'static str,
    #[prop(default = ButtonVariant::Destructive)] variant: ButtonVariant,
    on_confirm: Callback<()>,
) -> impl IntoView {
    let confirm = move |_| {
        open.set(false);
        on_confirm.run(());
    };
    view! {
        <Dialog open title description>
            <div class="flex justify-end gap-2">
                <Button variant=ButtonVariant::Outline on:click=move |_| open.set(false)>"Cancel"</Button>
                <Button variant on:click=confirm>{action}</Button>
            </div>
        </Dialog>
    }
}
