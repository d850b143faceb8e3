//! Generated apps run on other origins of the same site, so browsers let their requests through.
//! Requests to the API and the sockets, and all that change something, are refused here unless they
//! come from the app's own pages, according to the browser (`Origin`, `Sec-Fetch-Site`). A foreign
//! name that points at this machine (DNS rebinding) is always refused.
//!
//! The routes for programs (`/mcp`, `/api/v1`) take no cookies, so no other page can use them on a
//! user's behalf. But without accounts they need no token either, and are guarded like the rest.

use axum::{
    extract::{Request, State},
    http::{HeaderName, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::AppState;
use crate::protocol::{ApiError, ErrorCode};

/// Refuses (403) requests that the browser attributes to another origin. Other clients send no
/// `Origin` and pass.
pub async fn same_origin_only(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    if !is_own_name(&request, &state.public_url) {
        return ApiError::new(
            ErrorCode::Misdirected,
            "CodeFlow does not answer to this name. Set PUBLIC_URL to the address that people use.",
        )
        .into_response();
    }
    let path = request.uri().path();
    let is_read = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let is_api = ["/api/", "/ws/"].iter().any(|api| path.starts_with(api)) || path == "/mcp";
    let guarded = !is_read || is_api;
    if guarded && !comes_from_here(&request, &state.public_url) {
        return ApiError::new(
            ErrorCode::Forbidden,
            "This request comes from another site and was refused.",
        )
        .into_response();
    }
    next.run(request).await
}

/// Whether the request addresses the app by its public address, a loopback name or an IP address,
/// none of which DNS rebinding can imitate.
fn is_own_name(request: &Request, public_url: &str) -> bool {
    let Some(host) = request.headers().get(header::HOST) else {
        return true;
    };
    let host = name(host.to_str().unwrap_or_default());
    host.eq_ignore_ascii_case("localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok()
        || host.eq_ignore_ascii_case(self::host(public_url))
}

/// The host of an origin, without scheme and port.
pub(super) fn host(origin: &str) -> &str {
    name(
        origin
            .split_once("://")
            .map_or(origin, |(_, authority)| authority),
    )
}

/// An authority without its port.
fn name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

fn comes_from_here(request: &Request, public_url: &str) -> bool {
    let text = |name| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    // Links from elsewhere to read-only pages are allowed; an address typed by the user counts as
    // `none`.
    let is_link = *request.method() == Method::GET
        && text(HeaderName::from_static("sec-fetch-mode")) == Some("navigate");
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if !is_link && !matches!(site, None | Some("same-origin" | "none")) {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else {
        return true;
    };
    if origin.eq_ignore_ascii_case(public_url) {
        return true;
    }
    // On a loopback name, any port is the app's. Any other name must be the public address, because
    // its owner could point it at this machine.
    let authority = origin
        .strip_prefix("http://")
        .filter(|authority| Some(*authority) == text(header::HOST));
    let host = authority.map(|authority| {
        authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host)
    });
    matches!(host, Some("localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn request(host: &str, origin: Option<&str>) -> Request {
        let mut builder = Request::builder().uri("/api/x").header(header::HOST, host);
        if let Some(origin) = origin {
            builder = builder.header(header::ORIGIN, origin);
        }
        builder.body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn what_a_browser_says_comes_from_another_site_is_refused_even_without_an_origin() {
        let allowed = |method: Method, site: &str, mode: &str| {
            let mut request = request("localhost:3000", None);
            *request.method_mut() = method;
            for (name, value) in [("sec-fetch-site", site), ("sec-fetch-mode", mode)] {
                let value = value.parse().unwrap();
                request.headers_mut().insert(name, value);
            }
            comes_from_here(&request, "http://localhost:3000")
        };
        for site in ["same-origin", "none"] {
            assert!(allowed(Method::POST, site, "navigate"), "{site}");
            assert!(allowed(Method::GET, site, "cors"), "{site}");
        }
        for site in ["same-site", "cross-site", "invented-tomorrow"] {
            assert!(!allowed(Method::POST, site, "navigate"), "{site}");
            assert!(!allowed(Method::GET, site, "no-cors"), "{site}");
            assert!(!allowed(Method::GET, site, "websocket"), "{site}");
            assert!(allowed(Method::GET, site, "navigate"), "{site}");
        }
    }

    #[test]
    fn a_preview_is_another_origin_and_the_app_and_plain_clients_are_not() {
        let allowed = |origin| {
            comes_from_here(
                &request("localhost:3000", origin),
                "https://build.example.com",
            )
        };
        assert!(allowed(None));
        assert!(allowed(Some("http://localhost:3000")));
        assert!(allowed(Some("https://build.example.com")));
        assert!(!allowed(Some("http://3000-iabc.localhost:3000")));
        assert!(!allowed(Some("null")));
        for own in [
            "localhost:3000",
            "127.0.0.1:3000",
            "[::1]:3000",
            "192.168.1.5",
            "Build.example.com",
        ] {
            assert!(
                is_own_name(&request(own, None), "https://build.example.com"),
                "{own}"
            );
        }
        for other in [
            "evil.example:3000",
            "3000-iabc.localhost:3000",
            "example.com",
            "",
        ] {
            assert!(
                !is_own_name(&request(other, None), "https://build.example.com"),
                "{other}"
            );
        }
        let rebound = request("evil.example:3000", Some("http://evil.example:3000"));
        assert!(!comes_from_here(&rebound, "https://build.example.com"));
    }
}
