//! The app's HTTP server: pages, server functions, the feed and the health checks on one listener.

mod billing;
mod bundle;
mod download;
mod feed;
mod files;
mod health;
mod identity;
mod images;
mod mcp;
mod measures;
mod metrics;
mod orders;
mod origin;
mod outside;
mod preferences;
mod preview_hosts;
mod preview_names;
mod previews;
mod refused_body;
mod security;
mod shares;
mod site_files;
mod slow_refusals;
mod terminal;
mod tls_ask;
mod traced;
mod v1;

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, Request},
    http::{header, request::Parts},
    middleware::{self, Next},
    response::Response,
    routing::{MethodRouter, any, get, post},
};
use leptos::{
    config::{LeptosOptions, get_configuration},
    nonce::use_nonce,
    prelude::{Owner, provide_context, use_context},
    server_fn::axum::server_fn_paths,
};
use leptos_axum::{AxumRouteListing, LeptosRoutes, ResponseOptions, generate_route_list};
use tokio_util::sync::CancellationToken;
use tower_http::{
    compression::{
        CompressionLayer, DefaultPredicate, Predicate as _, predicate::NotForContentType,
    },
    trace::TraceLayer,
};

use crate::{
    accounts::{Accounts, Requester},
    app::{App, SiteUrl, shell},
    projects::Projects,
    protocol::{IMAGE_MAX_BYTES, MAX_UPLOAD, Preferences, Visitor},
};
pub use bundle::{Bundle, pack};
pub use measures::{Measures, SandboxCounts};
pub use metrics::{names as metrics_names, start as start_measuring, text as metrics_text};
pub use preview_hosts::PreviewHosts;
pub use preview_names::{FindPreview, PreviewNames};
pub use previews::{Admission, PreviewGate};
use security::Security;

/// The locations of the page's files, and the app's address.
pub type Site = LeptosOptions;

/// The site as `Leptos.toml` in the working directory and `LEPTOS_*` variables describe it.
pub fn site() -> anyhow::Result<Site> {
    let file = std::path::Path::new("Leptos.toml")
        .exists()
        .then_some("Leptos.toml");
    let site = get_configuration(file).map_err(|error| {
        anyhow::anyhow!("LEPTOS_SITE_ADDR or Leptos.toml can't be read: {error}")
    })?;
    Ok(site.leptos_options)
}

/// The state that every request can access.
#[derive(Clone)]
pub struct AppState {
    /// Projects and their runs.
    pub projects: Projects,
    /// Accounts and sessions.
    pub accounts: Accounts,
    /// Cancelled when the server stops, which closes feeds.
    pub shutdown: CancellationToken,
    /// Why this machine can't create sandboxes; `None` if it can.
    pub sandbox_fault: Option<Arc<str>>,
    /// The sandbox limits that this machine can't enforce, and why.
    pub unenforced: Arc<[String]>,
    pub leptos: Site,
    /// The page's files, if they are part of the executable.
    pub bundle: Option<Arc<Bundle>>,
    /// The app's public origin, such as `http://localhost:3000`.
    pub public_url: Arc<str>,
    /// Where browsers find previews.
    pub previews: PreviewHosts,
    /// The preview names that may get certificates; `None` where another machine hosts the
    /// sandboxes.
    pub preview_names: Option<Arc<PreviewNames>>,
    /// Whether every page is marked as a staging server's.
    pub is_staging: bool,
    /// The figures for `/metrics`.
    pub measures: Arc<Measures>,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

/// The pages. Listed once per process: while Leptos lists them, resources of a page that is being
/// rendered never resolve.
static PAGES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| generate_route_list(App));

/// The app's routes.
pub fn router(state: AppState) -> anyhow::Result<Router> {
    let routes = PAGES.clone();
    let security = Security::new(&state.public_url, &state.previews, &state.leptos)?;
    let context = {
        let security = security.clone();
        let (projects, site) = (state.projects.clone(), SiteUrl(state.public_url.clone()));
        let (accounts, is_staging) = (state.accounts.clone(), state.is_staging);
        move || {
            provide_context(accounts.clone());
            provide_context(site.clone());
            // A page being rendered has a nonce; a server function has none.
            if let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>())
                && let Some(policy) = security.of_page(&nonce)
            {
                response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
            }
            let parts = use_context::<Parts>();
            let extensions = parts.as_ref().map(|parts| &parts.extensions);
            let preferences = extensions.and_then(|found| found.get::<Preferences>().cloned());
            provide_context(preferences.unwrap_or_default());
            let requester = extensions.and_then(|found| found.get::<Requester>().cloned());
            let identity = requester.as_ref().and_then(|found| found.identity.clone());
            let credits = requester.as_ref().and_then(|found| found.credits);
            provide_context(Visitor {
                staging: is_staging,
                ..accounts.visitor(identity.as_ref(), credits)
            });
            provide_context(projects.seen_by(identity));
            if let Some(requester) = requester {
                provide_context(requester);
            }
        }
    };
    let shell = {
        let options = state.leptos.clone();
        move || shell(options.clone())
    };
    let missing = leptos_axum::render_app_async_with_context(context.clone(), shell.clone());
    let files = leptos_axum::site_pkg_dir_service(&state.leptos)
        .append_index_html_on_directories(false)
        .call_fallback_on_method_not_allowed(true)
        .fallback(any(missing));
    let router = plain_routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods)
        })
        .leptos_routes_with_context(&state, routes, context, shell)
        .fallback_service(files)
        .layer(middleware::from_fn(apart_from_pages))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            site_files::serve,
        ))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            preferences::with_page,
        ))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            identity::identify,
        ))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            origin::same_origin_only,
        ))
        .layer(middleware::map_response_with_state(
            security,
            security::harden,
        ))
        .layer(CompressionLayer::new().compress_when(
            // Downloads are compressed already.
            DefaultPredicate::new().and(NotForContentType::new("application/zip")),
        ))
        // Inside the library's layer: a run belongs to the innermost span.
        .layer(middleware::from_fn(traced::trace))
        .layer(TraceLayer::new_for_http())
        .layer(middleware::from_fn(metrics::count))
        .layer(middleware::from_fn(slow_refusals::delay))
        .with_state(state);
    Ok(router)
}

/// Leptos keeps a thread's last rendered page as the context of what runs there next. Without this,
/// a server function could see that page's user, headers and cookies.
async fn apart_from_pages(request: Request, next: Next) -> Response {
    if let Some(page) = Owner::current() {
        page.unset();
    }
    next.run(request).await
}

/// The routes besides pages and server functions.
fn plain_routes() -> [(&'static str, MethodRouter<AppState>); 30] {
    let limited = |upload: MethodRouter<AppState>, bytes| {
        upload
            .layer(DefaultBodyLimit::max(bytes))
            .layer(middleware::from_fn(refused_body::read_to_its_end))
    };
    let image = limited(post(images::upload), IMAGE_MAX_BYTES);
    let file = limited(post(files::upload), MAX_UPLOAD);
    let mcp = limited(post(mcp::serve), mcp::MAX_REQUEST);
    let preferences = get(preferences::list).post(preferences::set);
    [
        ("/healthz", get(health::healthz)),
        ("/readyz", get(health::readyz)),
        ("/metrics", get(metrics::show)),
        ("/internal/tls-ask", get(tls_ask::ask)),
        ("/ws/projects/{id}", get(feed::follow)),
        ("/ws/projects/{id}/terminal", get(terminal::open)),
        ("/projects/{id}/download.zip", get(download::zip)),
        ("/sign-in/with/{provider}", get(outside::begin)),
        ("/sign-in/with/{provider}/back", get(outside::finish)),
        ("/api/account/export.zip", get(download::export)),
        ("/api/images", image),
        ("/api/images/{id}", get(images::show)),
        ("/api/files/upload", file),
        ("/api/files/raw", get(files::raw)),
        ("/api/pictures/{id}", get(images::show_picture)),
        ("/api/preferences", preferences),
        ("/api/billing/checkout", get(billing::checkout)),
        ("/api/billing/portal", get(billing::portal)),
        ("/api/billing/webhook", post(billing::webhook)),
        ("/preview/{name}", get(previews::lead)),
        ("/s/{slug}/picture", get(shares::picture)),
        ("/mcp", mcp),
        ("/api/v1/projects", get(v1::list).post(v1::create)),
        ("/api/v1/projects/{id}", get(v1::get)),
        ("/api/v1/projects/{id}/messages", post(v1::send)),
        ("/api/v1/projects/{id}/wait", get(v1::wait)),
        ("/api/v1/projects/{id}/files", get(v1::files)),
        ("/api/v1/projects/{id}/files/{*path}", get(v1::file)),
        ("/api/v1/projects/{id}/versions", get(v1::versions)),
        ("/api/v1/projects/{id}/stop", post(v1::stop)),
    ]
}

/// Every path with a route: plain routes, server functions and pages.
pub fn paths() -> BTreeSet<String> {
    let plain = plain_routes().map(|(path, _)| path.to_owned());
    let functions = server_fn_paths().map(|(path, _)| path.to_owned());
    let pages = PAGES.iter().map(|page| page.path().to_owned());
    plain.into_iter().chain(functions).chain(pages).collect()
}
