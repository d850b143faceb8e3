//! The building blocks, with shadcn's names: variants are enums mapped to whole class names,
//! because Tailwind must see them whole.

mod alert;
mod badge;
mod button;
mod card;
mod dialog;
mod drag;
mod dropdown_menu;
mod empty_state;
mod icon;
mod input;
mod kbd;
mod radio_group;
mod size;
mod skeleton;
mod spinner;
mod tabs;
mod textarea;
mod toast;

pub use alert::Alert;
pub use badge::{Badge, BadgeVariant};
pub use button::{Button, ButtonSize, ButtonVariant, button_class};
pub use card::{CARD, Card};
pub use dialog::{ConfirmDialog, Dialog, DialogSize, modal};
pub use drag::Drag;
pub use dropdown_menu::{
    DropdownMenuContent, DropdownMenuItem, DropdownMenuSeparator, DropdownMenuTrigger, POPUPS,
};
pub use empty_state::EmptyState;
pub use icon::{Icon, IconName};
pub use input::{INPUT, SELECT, SearchInput};
pub use kbd::Kbd;
pub use radio_group::{Choice, RadioGroup};
pub use size::follow_size;
pub use skeleton::Skeleton;
pub use spinner::Spinner;
pub use tabs::{Tab, TabsList, TabsPanel};
pub use textarea::TEXTAREA;
pub use toast::{Toast, Toaster, Toasts};

use leptos::{html, prelude::*, wasm_bindgen::JsCast, web_sys::HtmlElement};

/// Moves the focus to the list's child at `index`, for lists that are one tab stop.
pub fn focus_child(list: NodeRef<html::Div>, index: usize) {
    let child = list
        .get_untracked()
        .and_then(|list| list.children().item(index as u32));
    if let Some(child) = child.and_then(|child| child.dyn_into::<HtmlElement>().ok()) {
        let _ = child.focus();
    }
}
