//! The document's shell and the routes: both targets.

use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, Meta, MetaTags, Title, provide_meta_context};
use leptos_router::{
    Lazy, SsrMode,
    components::{FlatRoutes, Route, Router},
    path,
};

use crate::ui::{
    browser::Hydrated,
    home::HomePage,
    not_found::NotFound,
    runs::{RunRoute, RunsRoute},
    theme,
    time::Clock,
    workspace::WorkspacePage,
};

/// The whole HTML document around the app, for the server.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <script inner_html=theme::BOOT></script>
                <AutoReload options=options.clone()/>
                <HydrationScripts options=options.clone()/>
                <HashedStylesheet options id="codeflow"/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The app: pages by route. Data is loaded before the response starts, so that every page works and
/// has its status without scripts.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Hydrated::provide();
    Clock::provide();
    view! {
        <Title formatter=|title: String| if title.is_empty() { "CodeFlow".to_owned() } else { format!("{title} · CodeFlow") }/>
        <Meta name="description" content="Describe a web app; CodeFlow builds it in a sandbox where it really runs."/>
        <Router>
            <FlatRoutes fallback=NotFound>
                <Route path=path!("/") view=HomePage ssr=SsrMode::Async/>
                <Route path=path!("/projects/:id") view=WorkspacePage ssr=SsrMode::Async/>
                <Route path=path!("/admin/runs") view={Lazy::<RunsRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/runs/:id") view={Lazy::<RunRoute>::new()} ssr=SsrMode::Async/>
            </FlatRoutes>
        </Router>
    }
}
