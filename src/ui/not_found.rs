//! The page for an unknown address.

use leptos::prelude::*;

use super::{
    components::{ButtonSize, ButtonVariant, button_class},
    home::SiteHeader,
    page_title::PageTitle,
};

/// The 404 page; on the server the response gets that status.
#[component]
pub fn NotFound() -> impl IntoView {
    crate::respond_not_found();
    view! {
        <PageTitle text="Not found"/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-xl flex-col items-center px-6 py-24 text-center">
            <p class="font-mono text-sm text-muted-foreground">"404"</p>
            <h1 class="mt-3 text-2xl font-semibold tracking-tight">"Page not found"</h1>
            <p class="mt-3 text-muted-foreground">"The project may have been deleted, or the address has a typo."</p>
            <a href="/" class=format!("mt-8 {}", button_class(ButtonVariant::Default, ButtonSize::Default))>"Back to your projects"</a>
        </main>
    }
}
