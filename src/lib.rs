//! CodeFlow: you describe a web app in a chat, an agent writes it in a sandbox where it really
//! runs.
//!
//! The flow, and where each stage lives: prompt (`ui` → `api` → `projects`) → run
//! (`runs::supervisor`) → steps (`runs::journal`) → turn (`agent::turn`) → model (`llm`) → tool
//! call (`agent::tools`) → sandbox (`sandbox`, served by `sandbox_host` or E2B) → event
//! (`runs::events`) → feed (`server::feed`) → signal (`ui::feed`) → view (`ui`). `boot` starts it
//! all.

// Leptos views are deeply nested types.
#![recursion_limit = "512"]

pub mod api;
pub mod app;
pub mod protocol;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod accounts;
#[cfg(feature = "ssr")]
pub mod agent;
#[cfg(feature = "ssr")]
pub mod alerts;
#[cfg(feature = "ssr")]
pub mod allocator;
#[cfg(feature = "ssr")]
pub mod boot;
#[cfg(feature = "ssr")]
pub mod cgroup;
#[cfg(feature = "ssr")]
pub mod config;
#[cfg(feature = "ssr")]
pub mod e2b;
#[cfg(feature = "ssr")]
pub mod http_client;
#[cfg(feature = "ssr")]
pub mod listener;
#[cfg(feature = "ssr")]
pub mod llm;
#[cfg(feature = "ssr")]
pub mod log;
#[cfg(feature = "ssr")]
pub mod projects;
#[cfg(feature = "ssr")]
pub mod render;
#[cfg(feature = "ssr")]
pub mod retry_after;
#[cfg(feature = "ssr")]
pub mod runs;
#[cfg(feature = "ssr")]
pub mod sandbox;
#[cfg(feature = "ssr")]
pub mod sandbox_host;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
pub mod setup;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod traces;

/// Hydrates the page that the server rendered. Returns when the whole page is hydrated, including
/// the parts whose code is fetched on demand.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn hydrate() {
    use leptos::prelude::*;

    console_error_panic_hook::set_once();
    let hydrated = ui::browser::Hydrated::default();
    let app = {
        let hydrated = hydrated.clone();
        move || {
            provide_context(hydrated);
            view! { <app::App/> }
        }
    };
    if let Some(body) = document().body() {
        leptos::mount::hydrate_from_async(body, app).await.forget();
        hydrated.complete();
    }
}

/// Sets the status 404 for the page being rendered; in the browser there is no response any more.
#[cfg(feature = "ssr")]
fn respond_not_found() {
    if let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
}

#[cfg(not(feature = "ssr"))]
fn respond_not_found() {}

/// Sets the status 400 for a server function whose arguments can't be read; in the browser there is
/// none.
#[cfg(feature = "ssr")]
fn respond_invalid() {
    api::answer::respond_invalid();
}

#[cfg(not(feature = "ssr"))]
fn respond_invalid() {}
