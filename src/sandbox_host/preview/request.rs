//! The parts of a browser's request that reach an app: the headers that browsers and apps'
//! libraries send. If previews have a domain, a proxy in front of us may add headers that identify
//! the visitor; there, only listed names pass.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, header},
};

use crate::config;

/// Browsers' request headers (developer.mozilla.org/docs/Web/HTTP/Reference/Headers), and those
/// that web libraries send to their own server. A trailing `*` matches any rest.
const ALLOWED: [&str; 76] = [
    "accept",
    "accept-*",
    "access-control-request-*",
    "apollo-*",
    "authorization",
    "available-dictionary",
    "cache-control",
    "connect-*",
    "connection",
    "content-*",
    "cookie",
    "csrf-token",
    "date",
    "device-memory",
    "dictionary-id",
    "digest",
    "dnt",
    "downlink",
    "dpr",
    "early-data",
    "ect",
    "expect",
    "graphql-*",
    "grpc-*",
    "host",
    "hx-*",
    "idempotency-key",
    "if-*",
    "last-event-id",
    "next-*",
    "origin",
    "ping-from",
    "ping-to",
    "pragma",
    "prefer",
    "priority",
    "purpose",
    "range",
    "referer",
    "rsc",
    "rtt",
    "save-data",
    "sec-ch-*",
    "sec-fetch-*",
    "sec-gpc",
    "sec-purpose",
    "sec-websocket-*",
    "service-worker",
    "service-worker-navigation-preload",
    "tracestate",
    "traceparent",
    "transfer-encoding",
    "trpc-*",
    "tus-*",
    "turbo-frame",
    "upgrade",
    "upgrade-insecure-requests",
    "upload-*",
    "user-agent",
    "viewport-width",
    "want-content-digest",
    "want-digest",
    "width",
    "x-action-*",
    "x-api-key",
    "x-csrf-*",
    "x-csrftoken",
    "x-deployment-id",
    "x-grpc-web",
    "x-http-method-override",
    "x-inertia*",
    "x-nextjs-*",
    "x-requested-with",
    "x-trpc-*",
    "x-user-agent",
    "x-xsrf-token",
];
/// Authentication between a browser and a proxy (RFC 7617, 7616, 4559); an app's own authentication
/// uses tokens.
const SIGN_INS_OF_PROXIES: [&str; 4] = ["basic", "digest", "negotiate", "ntlm"];

/// Paths that Next.js' dev server reserves, for hot reload and sources of errors, for
/// example.
const NEXTJS_PATHS: [&str; 2] = ["/_next", "/__nextjs"];

/// Headers that make a response partial, or empty because the browser has the page cached.
const CONDITIONS: [HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

/// Keeps the parts of the request that are for the app. A page that we modify is requested whole
/// and uncompressed.
pub(super) fn admit(
    request: &mut Request<Body>,
    port: u16,
    is_changed: bool,
    settings: &config::SandboxHost,
) {
    let is_of_dev_server = NEXTJS_PATHS
        .iter()
        .any(|part| request.uri().path().contains(part));
    let headers = request.headers_mut();
    if settings.has_proxy() {
        retain(headers, &settings.preview_headers);
    }
    if is_of_dev_server && comes_from_itself(headers) {
        // The dev server rejects origins that the app's configuration doesn't list, and the model
        // may rewrite that. This origin is the app's own page.
        if let Ok(own) = HeaderValue::try_from(format!("http://localhost:{port}")) {
            headers.insert(header::ORIGIN, own);
        }
    }
    if is_changed {
        for name in CONDITIONS {
            headers.remove(name);
        }
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
    if settings.public_url.starts_with("https://") && settings.has_proxy() {
        // Apps build the addresses of their own pages from it.
        headers.insert(
            HeaderName::from_static("x-forwarded-proto"),
            HeaderValue::from_static("https"),
        );
    }
}

/// Removes headers that are not listed; `more` adds names to the list.
fn retain(headers: &mut HeaderMap, more: &[String]) {
    let listed = |name: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    let is_allowed = |name: &HeaderName| {
        let mut list = ALLOWED
            .iter()
            .copied()
            .chain(more.iter().map(String::as_str));
        list.any(|pattern| listed(name.as_str(), pattern))
    };
    let strange: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !is_allowed(name))
        .cloned()
        .collect();
    for name in strange {
        tracing::debug!(
            http.header = name.as_str(),
            "not passed on to the app; SANDBOX_PREVIEW_HEADERS names more"
        );
        headers.remove(name);
    }
    let of_proxy = |value: &HeaderValue| {
        let scheme = value
            .to_str()
            .unwrap_or_default()
            .split_whitespace()
            .next()
            .unwrap_or_default();
        SIGN_INS_OF_PROXIES
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    };
    if !more.iter().any(|name| name == "authorization")
        && headers.get_all(header::AUTHORIZATION).iter().any(of_proxy)
    {
        headers.remove(header::AUTHORIZATION);
    }
}

/// Whether the request comes from one of the app's own pages, according to the browser.
fn comes_from_itself(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let without_port = |authority: &str| {
        authority
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    match (origin, text(header::HOST)) {
        (Some((_, origin)), Some(host)) => without_port(origin) == without_port(host),
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn settings(domain: &str, url: &str) -> config::SandboxHost {
        let mut settings = config::SandboxHost::from_env(&config::Env::of_process()).unwrap();
        (settings.domain, settings.public_url) = (domain.to_owned(), url.to_owned());
        settings
    }

    fn request(path: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    fn names(request: &Request<Body>) -> Vec<&str> {
        let mut names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn on_a_domain_an_app_gets_what_browsers_send_and_nothing_that_a_proxy_adds() {
        let of_browsers = [
            ("accept", "*/*"),
            ("accept-language", "de"),
            ("authorization", "Bearer own"),
            ("content-type", "text/plain"),
            ("cookie", "a=b"),
            ("host", "3000-iabc.preview.dev"),
            ("if-none-match", "x"),
            ("next-action", "x"),
            ("origin", "https://3000-iabc.preview.dev"),
            ("referer", "https://3000-iabc.preview.dev/"),
            ("rsc", "1"),
            ("sec-ch-ua", "x"),
            ("sec-fetch-mode", "cors"),
            ("sec-websocket-key", "x"),
            ("user-agent", "Mozilla/5.0"),
            ("x-nextjs-data", "1"),
            ("x-requested-with", "x"),
            ("x-tenant", "t"),
        ];
        let of_proxies = [
            "x-forwarded-for",
            "x-forwarded-user",
            "x-forwarded-email",
            "forwarded",
            "remote-user",
            "x-remote-user",
            "x-user",
            "x-email",
            "x-webauth-user",
            "x-authentik-username",
            "x-vouch-user",
            "x-pomerium-jwt-assertion",
            "cf-access-jwt-assertion",
            "x-goog-iap-jwt-assertion",
            "x-amzn-oidc-data",
            "x-ms-client-principal-name",
            "tailscale-user-login",
            "ssl-client-s-dn",
            "x-ssl-client-cert",
            "oidc_claim_email",
            "x-invented-tomorrow",
        ];
        let mut sent = of_browsers.to_vec();
        sent.extend(of_proxies.map(|name| (name, "alice")));
        let mut settings = settings("preview.dev", "https://build.example.com");
        settings.preview_headers = vec!["x-ten*".to_owned()];
        let mut on_domain = request("/", &sent);
        admit(&mut on_domain, 3000, false, &settings);
        let mut expected = of_browsers.map(|(name, _)| name).to_vec();
        expected.insert(expected.len() - 3, "x-forwarded-proto");
        assert_eq!(names(&on_domain), expected);
        assert_eq!(on_domain.headers()["x-forwarded-proto"], "https");
    }

    #[test]
    fn a_page_that_is_changed_is_asked_for_whole_and_as_plain_text() {
        let sent = [
            ("accept-encoding", "gzip, br"),
            ("if-modified-since", "x"),
            ("if-none-match", "x"),
            ("if-range", "x"),
            ("range", "bytes=0-9"),
        ];
        let settings = settings("localhost:3000", "http://localhost:3000");
        for (is_changed, expected) in [
            (true, &["accept-encoding"][..]),
            (false, &sent.map(|(name, _)| name)),
        ] {
            let mut request = request("/", &sent);
            admit(&mut request, 3000, is_changed, &settings);
            assert_eq!(names(&request), expected);
            let encoding = &request.headers()["accept-encoding"];
            assert_eq!(encoding == "identity", is_changed);
        }
    }

    #[test]
    fn the_sign_in_of_a_proxy_is_not_the_app_s() {
        let settings = settings("preview.dev", "https://build.example.com");
        for (value, kept) in [
            ("Bearer x", true),
            ("Basic YTpi", false),
            ("negotiate x", false),
            ("DPoP x", true),
        ] {
            let mut request = request("/", &[("authorization", value)]);
            admit(&mut request, 3000, false, &settings);
            assert_eq!(
                request.headers().contains_key("authorization"),
                kept,
                "{value}"
            );
        }
    }

    #[test]
    fn below_localhost_no_proxy_stands_in_front_and_an_app_s_own_headers_stay() {
        let mut local = request("/", &[("x-own", "1"), ("authorization", "Basic x")]);
        admit(
            &mut local,
            3000,
            false,
            &settings("localhost:3000", "http://localhost:3000"),
        );
        assert_eq!(names(&local), ["authorization", "x-own"]);
    }

    #[test]
    fn the_dev_server_s_own_paths_take_the_app_s_own_pages_for_local_and_no_others() {
        let settings = settings("preview.dev", "https://build.example.com");
        let origin_of = |path: &str, origin: &str| {
            let mut request = request(
                path,
                &[("host", "3000-iabc.preview.dev"), ("origin", origin)],
            );
            admit(&mut request, 3000, false, &settings);
            request.headers()["origin"].to_str().unwrap().to_owned()
        };
        let own = "https://3000-iabc.preview.dev";
        for path in [
            "/_next/webpack-hmr?id=1",
            "/base/_next/webpack-hmr",
            "/__nextjs_original-stack-frames",
        ] {
            assert_eq!(origin_of(path, own), "http://localhost:3000");
            for other in [
                "https://evil.example",
                "null",
                "https://3000-ixyz.preview.dev",
                "https://build.example.com",
            ] {
                assert_eq!(origin_of(path, other), other);
            }
        }
        // A server action compares it with the host.
        assert_eq!(origin_of("/", own), own);
    }
}
