//! Light, dark or the system's theme: a class on `<html>`, which `boot.js` sets before the first
//! paint and when the preference changes.

use leptos::prelude::*;

use super::{
    browser,
    components::{DropdownMenuContent, DropdownMenuItem, DropdownMenuTrigger, Icon, IconName},
};

/// The script that applies preferences before the first paint; belongs into the head.
pub const BOOT: &str = include_str!("boot.js");

/// The themes: the preference's value, its name, its icon.
pub const THEMES: [(&str, &str, IconName); 3] = [
    ("light", "Light", IconName::Sun),
    ("dark", "Dark", IconName::Moon),
    ("system", "System", IconName::Monitor),
];

/// Selects the theme with this value.
pub fn choose(theme: &'static str) {
    browser::remember("theme", &theme);
}

/// The menu of themes. Both icons are in the page: the style sheet shows the right one.
#[component]
pub fn ThemeToggle() -> impl IntoView {
    const MENU: &str = "theme-menu";
    view! {
        <DropdownMenuTrigger menu=MENU attr:aria-label="Theme" attr:data-tooltip="Theme">
            <span class="dark:hidden"><Icon name=IconName::Sun/></span>
            <span class="hidden dark:inline"><Icon name=IconName::Moon/></span>
        </DropdownMenuTrigger>
        <DropdownMenuContent id=MENU label="Theme">
            {THEMES
                .map(|(value, name, icon)| {
                    view! { <DropdownMenuItem icon=Some(icon) on_select=move || choose(value)>{name}</DropdownMenuItem> }
                })
                .into_any()}
        </DropdownMenuContent>
    }
}
