//! The document's shell and the routes: both targets.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    Lazy, SsrMode,
    components::{FlatRoutes, Route, Router},
    hooks::use_location,
    path,
};

use crate::protocol::Preferences;
use crate::ui::{
    account::{
        CodeRoute, ConfirmRoute, InviteRoute, PricingRoute, ResetRoute, SettingsRoute, SignInRoute,
        SignUpRoute, UsageRoute,
    },
    admin::{
        AuditRoute, DataRoute, ModelsRoute, ProjectRoute, ProjectsRoute, SandboxesRoute, UsersRoute,
    },
    banners::{ConnectionBanners, StagingBanner},
    commands::{CommandDialogs, Commands},
    components::{POPUPS, Toaster, Toasts},
    conversation,
    home::HomePage,
    link_card::LinkCard,
    not_found::NotFound,
    runs::{RunRoute, RunsRoute},
    shared::{SharedRoute, SharedSourceRoute},
    theme,
    time::Clock,
    visitor::{self, ActingBanner},
    workspace::{self, WorkspaceRoute},
};
pub use crate::ui::{link_card::SiteUrl, preview::FRAME_PERMISSIONS};

/// The description for search engines and shared links.
const DESCRIPTION: &str =
    "Describe a web app; CodeFlow builds it in a sandbox where it really runs.";

/// The whole HTML document around the app, for the server.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let preferences = use_context::<Preferences>().unwrap_or_default();
    let preferences = serde_json::to_string(&preferences).unwrap_or_default();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-preferences=preferences>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="theme-color" content="#fcfcfd"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="apple-touch-icon" href="/icon-192.png"/>
                <link rel="manifest" href="/manifest.webmanifest"/>
                <script nonce=use_nonce() inner_html=theme::BOOT></script>
                <script nonce=use_nonce() inner_html=POPUPS></script>
                <script nonce=use_nonce() inner_html=conversation::SCRIPT></script>
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

/// The app: pages by route. Data is loaded before the response starts, so that every page works,
/// with the right status, without scripts.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Clock::provide();
    visitor::provide();
    Toaster::provide();
    Commands::provide();
    workspace::fetch_when_wanted();
    view! {
        <Title formatter=|title: String| if title.is_empty() { "CodeFlow".to_owned() } else { format!("{title} · CodeFlow") }/>
        <StagingBanner/>
        <ActingBanner/>
        <Router>
            <SiteCard/>
            <FlatRoutes fallback=NotFound>
                <Route path=path!("/") view=HomePage ssr=SsrMode::Async/>
                <Route path=path!("/projects/:id") view={Lazy::<WorkspaceRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/s/:slug") view={Lazy::<SharedRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/s/:slug/source") view={Lazy::<SharedSourceRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/invite/:token") view={Lazy::<InviteRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/sign-in") view={Lazy::<SignInRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/sign-in/code") view={Lazy::<CodeRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/confirm") view={Lazy::<ConfirmRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/sign-up") view={Lazy::<SignUpRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/reset") view={Lazy::<ResetRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/settings") view={Lazy::<SettingsRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/pricing") view={Lazy::<PricingRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/usage") view={Lazy::<UsageRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/runs") view={Lazy::<RunsRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/runs/:id") view={Lazy::<RunRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/users") view={Lazy::<UsersRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/projects") view={Lazy::<ProjectsRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/projects/:id") view={Lazy::<ProjectRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/models") view={Lazy::<ModelsRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/sandboxes") view={Lazy::<SandboxesRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/data") view={Lazy::<DataRoute>::new()} ssr=SsrMode::Async/>
                <Route path=path!("/admin/audit") view={Lazy::<AuditRoute>::new()} ssr=SsrMode::Async/>
            </FlatRoutes>
            <CommandDialogs/>
        </Router>
        <Toasts/>
        <ConnectionBanners/>
    }
}

/// The card for links to the site. Shared apps have a card of their own.
#[component]
fn SiteCard() -> impl IntoView {
    let is_shared = use_location()
        .pathname
        .with_untracked(|path| path.starts_with("/s/"));
    (!is_shared).then(|| {
        view! { <LinkCard title="CodeFlow: what it calls done, runs" description=DESCRIPTION path=None picture="/social.png"/> }
    })
}
