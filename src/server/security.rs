//! The security headers of the builder's pages: which scripts and styles count, what may be framed
//! and by whom, and what other sites learn. A page's scripts carry a nonce, new for each response;
//! nothing inline runs or styles without it.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

use leptos::config::LeptosOptions;

use super::preview_hosts::PreviewHosts;
use crate::app::FRAME_PERMISSIONS;

/// The site's policies, as a cheap handle.
#[derive(Debug, Clone)]
pub struct Security {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The content security policy of a page, but for its scripts and styles.
    page: String,
    powers: HeaderValue,
    is_encrypted: bool,
}

impl Security {
    pub fn new(
        public_url: &str,
        hosts: &PreviewHosts,
        site: &LeptosOptions,
    ) -> anyhow::Result<Self> {
        let previews = hosts.origins();
        // The address of leptos' script that reloads the page during development
        // (leptos::hydration).
        let reload = match std::env::var_os("LEPTOS_WATCH") {
            Some(_) => format!(" ws://localhost:{0} ws://127.0.0.1:{0}", site.reload_port),
            None => String::new(),
        };
        // Apps may follow links anywhere within the preview's frame, whose sandbox confines them.
        let page = format!(
            "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; \
             connect-src 'self'{reload}; frame-src 'self' http: https:; worker-src 'self' blob:; \
             object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        // The preview's frame may use these features; nothing else may. Browsers accept no such
        // pattern below `localhost`, which is not a registrable domain.
        let allowed = match hosts.scheme {
            "https" => format!("(self \"{previews}\")"),
            _ => "*".to_owned(),
        };
        let powers = FRAME_PERMISSIONS.split(';').map(str::trim);
        let powers: Vec<String> = powers.map(|power| format!("{power}={allowed}")).collect();
        Ok(Self {
            inner: Arc::new(Inner {
                page,
                powers: HeaderValue::try_from(powers.join(", "))?,
                is_encrypted: public_url.starts_with("https://"),
            }),
        })
    }

    /// The policy of a page whose scripts, and the style elements that they add, carry this nonce.
    /// Style attributes are refused; scripts set an element's `style` instead (CSP Level 3, 6.7.3).
    pub fn of_page(&self, nonce: &str) -> Option<HeaderValue> {
        let policy = format!(
            "script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; style-src 'self' \
             'nonce-{nonce}'; {}",
            self.inner.page
        );
        HeaderValue::try_from(policy).ok()
    }
}

/// Adds the security headers to every response, unless it already sets them.
pub async fn harden(State(security): State<Security>, mut response: Response) -> Response {
    let is_redirect = response.status().is_redirection();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    // Generated apps are other origins, even if on the same site.
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    if security.inner.is_encrypted {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    // The builder must never be framed, least of all by a preview. Redirects show nothing, and lead
    // frames to previews.
    if !is_redirect {
        set(header::X_FRAME_OPTIONS, "DENY");
        set(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        );
    }
    headers
        .entry(HeaderName::from_static("permissions-policy"))
        .or_insert(security.inner.powers.clone());
    response
}
