//! What concerns the whole page: no connection, or a fault of the page's own code. `boot.js` marks
//! it on `<html>`, so that it works when nothing else does; the style sheet shows it.

use leptos::prelude::*;

use super::components::{Icon, IconName};

#[component]
pub fn ConnectionBanners() -> impl IntoView {
    view! {
        <div role="alert" class="banner" data-when="offline">
            <Icon name=IconName::WifiOff/>
            "You are offline. The page goes on by itself when the connection is back."
        </div>
        <div role="alert" class="banner" data-when="broken">
            <Icon name=IconName::CircleAlert/>
            <span>"Something went wrong on this page. " <a href="" class="underline underline-offset-3 focus-ring">"Reload it"</a> " to go on; nothing that was sent is lost."</span>
        </div>
    }
}
