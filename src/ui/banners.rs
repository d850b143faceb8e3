//! Banners about the whole page: no connection, or an error in the page's own code (`boot.js` marks
//! them on `<html>` and the style sheet shows them, so they work when nothing else does); and the
//! banner of a staging server.

use leptos::prelude::*;

use super::{
    components::{Icon, IconName},
    visitor,
};

#[component]
pub fn ConnectionBanners() -> impl IntoView {
    view! {
        <div role="alert" class="banner" data-when="offline">
            <Icon name=IconName::WifiOff/>
            "You are offline. The page resumes when the connection is back."
        </div>
        <div role="alert" class="banner" data-when="broken">
            <Icon name=IconName::CircleAlert/>
            <span>"Something went wrong on this page. " <a href="" class="underline underline-offset-3 focus-ring">"Reload it"</a> " to go on; nothing that was sent is lost."</span>
        </div>
    }
}

/// Says on every page of a staging server what it is.
#[component]
pub fn StagingBanner() -> impl IntoView {
    visitor::expect().staging.then(|| {
        view! {
            <aside aria-label="Staging" class="bg-foreground px-4 py-1 text-center text-xs text-background">
                <p>"Staging: this server is for trying things out. What is here may be deleted at any time."</p>
            </aside>
        }
    })
}
