//! Light or dark: a class on `<html>`, set before the first paint by `boot.js`, remembered in the
//! browser.

use leptos::prelude::*;

use super::{
    browser,
    components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
};

/// The script that applies remembered preferences before the first paint; belongs into the head.
pub const BOOT: &str = include_str!("boot.js");

/// Changes between light and dark. Both icons are in the page: the style sheet shows the right one.
#[component]
pub fn ThemeToggle() -> impl IntoView {
    let toggle = move |_| {
        let Some(root) = document().document_element() else {
            return;
        };
        if let Ok(dark) = root.class_list().toggle("dark") {
            browser::remember("theme", &if dark { "dark" } else { "light" });
        }
    };
    view! {
        <Button variant=ButtonVariant::Ghost size=ButtonSize::Icon on:click=toggle attr:aria-label="Switch between light and dark" attr:title="Light or dark">
            <span class="dark:hidden"><Icon name=IconName::Moon/></span>
            <span class="hidden dark:inline"><Icon name=IconName::Sun/></span>
        </Button>
    }
}
