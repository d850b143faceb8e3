//! What the tests share: a data folder with a small template, the real server, its feed, a scripted model, a sandbox host, and a scripted
//! E2B service.

pub mod e2b;
mod feed;
mod host;
mod host_process;
mod model;
mod server;
mod template;

use std::time::{Duration, Instant};

pub use feed::{Feed, FeedEnd};
pub use host::{ControlPlane, Host, options, run, settings, traces};
pub use host_process::HostProcess;
pub use model::{Model, Reply};
pub use server::Server;
pub use template::data_dir;

/// The longest that anything here may take, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `check` returns something, and returns it.
pub async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// An HTTP client that follows no redirects and uses no proxy.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}
