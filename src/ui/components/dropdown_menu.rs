//! Menus behind a button: popovers of the browser, with the keys of `popups.js`. A menu's items
//! are rendered when it first opens.

use leptos::{ev::Event, prelude::*};

use super::{ButtonSize, ButtonVariant, Icon, IconName, button_class};
use crate::ui::erased::part_when;

/// The script of menus, tooltips and dialogs; belongs into the head.
pub const POPUPS: &str = include_str!("popups.js");

/// The button that opens the menu with the id `menu`. Its accessible name is an attribute
/// `aria-label`, or its content.
#[component]
pub fn DropdownMenuTrigger(
    #[prop(into)] menu: String,
    #[prop(default = ButtonVariant::Ghost)] variant: ButtonVariant,
    #[prop(default = ButtonSize::Icon)] size: ButtonSize,
    children: Children,
) -> impl IntoView {
    view! {
        <button type="button" popovertarget=menu aria-haspopup="menu" class=button_class(variant, size)>
            {children()}
        </button>
    }
}

/// The menu, with `label` as its accessible name. Belongs beside its button; the id is unique in
/// the page.
#[component]
pub fn DropdownMenuContent(
    #[prop(into)] id: String,
    #[prop(into)] label: String,
    children: ChildrenFn,
) -> impl IntoView {
    let seen = RwSignal::new(false);
    view! {
        <div id=id role="menu" aria-label=label popover="auto" tabindex="-1" class="menu" on:beforetoggle=move |_: Event| seen.set(true)>
            {part_when(move || seen.get(), move || children().into_any())}
        </div>
    }
}

/// One choice of a menu.
#[component]
pub fn DropdownMenuItem(
    #[prop(default = None)] icon: Option<IconName>,
    #[prop(optional)] destructive: bool,
    #[prop(optional, into)] disabled: Signal<bool>,
    #[prop(into)] on_select: Callback<()>,
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type="button"
            role="menuitem"
            tabindex="-1"
            class="menu-item"
            data-destructive=destructive.then_some("")
            aria-disabled=move || disabled.get().then_some("true")
            on:click=move |_| on_select.run(())
        >
            {icon.map(|name| view! { <Icon name class="size-3.5"/> })}
            {children()}
        </button>
    }
}

/// A line between groups of choices.
#[component]
pub fn DropdownMenuSeparator() -> impl IntoView {
    view! { <div role="separator" class="-mx-1 my-1 h-px bg-border"></div> }
}
