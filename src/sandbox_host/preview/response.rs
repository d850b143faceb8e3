//! The parts of an app's response that reach a browser: we decide who may frame it, its cookies and
//! settings stay its own, and links to its internal address lead to the preview.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::Url;
use url::Host;

use super::headers::{replace, texts};
use crate::config;

/// Headers that an app must not set: how browsers reach its host name in future (HTTP Strict
/// Transport Security, alternative services, error reports), and who may frame it, which our own
/// policy says.
const NOT_FOR_BROWSERS: [HeaderName; 5] = [
    header::STRICT_TRANSPORT_SECURITY,
    header::ALT_SVC,
    header::PUBLIC_KEY_PINS,
    header::X_FRAME_OPTIONS,
    HeaderName::from_static("nel"),
];

const FRAME_ANCESTORS: &str = "frame-ancestors";
/// Without TLS there is nothing to upgrade to, and the page would load none of its files.
const UPGRADE: &str = "upgrade-insecure-requests";

/// The source and destination of a response.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    pub port: u16,
    /// The preview's host name.
    pub host: Option<String>,
    /// Whether the browser shows the app in the builder's frame.
    pub is_framed: bool,
}

/// Changes the headers of an app's answer.
pub(super) fn show(headers: &mut HeaderMap, route: &Route, public_url: &str) {
    let ancestors = ancestors(public_url);
    let has_tls = public_url.starts_with("https://");
    let was_refused = headers.contains_key(header::X_FRAME_OPTIONS);
    for name in NOT_FOR_BROWSERS {
        headers.remove(name);
    }
    let mut is_limited = false;
    for name in [
        header::CONTENT_SECURITY_POLICY,
        header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
    ] {
        let policies = texts(headers, &name);
        let names = |directive: &str| {
            let mut lists = policies.iter();
            lists.any(|list| list.to_ascii_lowercase().contains(directive))
        };
        let is_framing = names(FRAME_ANCESTORS);
        if is_framing || (names(UPGRADE) && !has_tls) {
            is_limited |= is_framing && name == header::CONTENT_SECURITY_POLICY;
            let ours = policies.iter();
            let ours = ours.map(|list| with_ours(list, &ancestors, has_tls));
            replace(headers, &name, ours.filter(|list| !list.is_empty()));
        }
    }
    if was_refused
        && !is_limited
        && let Ok(policy) = HeaderValue::try_from(ancestors)
    {
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    }
    let cookies = texts(headers, &header::SET_COOKIE);
    replace(
        headers,
        &header::SET_COOKIE,
        cookies.iter().map(|cookie| own(cookie, route.is_framed)),
    );
    let places = texts(headers, &header::LOCATION);
    replace(
        headers,
        &header::LOCATION,
        places.iter().map(|place| route.translate(place)),
    );
    let refreshes = texts(headers, &header::REFRESH);
    replace(
        headers,
        &header::REFRESH,
        refreshes.iter().map(|refresh| route.refreshed(refresh)),
    );
}

/// The directive that allows framing by the builder's page, and among the app's own pages.
fn ancestors(public_url: &str) -> String {
    if config::is_loopback_url(public_url) {
        // On its loopback names, the builder may listen on any port.
        return format!(
            "{FRAME_ANCESTORS} 'self' http://localhost:* http://127.0.0.1:* {public_url}"
        );
    }
    format!("{FRAME_ANCESTORS} 'self' {public_url}")
}

/// A list of policies (w3.org/TR/CSP3, 2.2) with its framing limits replaced by this directive, and
/// without upgrades if there is no TLS.
fn with_ours(policies: &str, ancestors: &str, has_tls: bool) -> String {
    let directive = |directive: &str| {
        let name = directive
            .split_ascii_whitespace()
            .next()
            .unwrap_or_default();
        if name.eq_ignore_ascii_case(FRAME_ANCESTORS) {
            Some(format!(" {ancestors}"))
        } else if name.eq_ignore_ascii_case(UPGRADE) && !has_tls {
            None
        } else {
            Some(directive.to_owned())
        }
    };
    let policy = |policy: &str| {
        policy
            .split(';')
            .filter_map(directive)
            .collect::<Vec<_>>()
            .join(";")
    };
    policies
        .split(',')
        .map(policy)
        .collect::<Vec<_>>()
        .join(",")
        .trim_start()
        .to_owned()
}

/// Marks requests of apps in the builder's frame: browsers keep the cookie for that frame alone.
pub(super) const FRAME_COOKIE: &str = "codeflow_frame=1";
/// The attributes that browsers require for a cookie in a cross-site frame, which has its own
/// cookie jar
/// (<https://developer.mozilla.org/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies>).
const FOR_FRAMES: &str = "; SameSite=None; Secure; Partitioned";

/// The cookie that marks the builder's frame.
pub(super) fn frame_cookie() -> String {
    format!("{FRAME_COOKIE}; Path=/; HttpOnly{FOR_FRAMES}")
}

/// A cookie limited to the app's own host name; in the builder's frame, a partitioned one.
fn own(cookie: &str, is_framed: bool) -> String {
    let is_kept = |attribute: &&str| {
        let name = attribute.split('=').next().unwrap_or_default().trim();
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        !is("domain") && !(is_framed && ["samesite", "secure", "partitioned"].into_iter().any(is))
    };
    let mut parts = cookie.split(';');
    let pair = parts.next().unwrap_or_default();
    let kept = parts.filter(is_kept);
    let mut own = std::iter::once(pair)
        .chain(kept)
        .collect::<Vec<_>>()
        .join(";");
    if is_framed {
        own.push_str(FOR_FRAMES);
    }
    own
}

impl Route {
    /// An address of the app itself without scheme, host and port; any other address unchanged.
    fn translate(&self, place: &str) -> String {
        self.path(place).unwrap_or_else(|| place.to_owned())
    }

    fn path(&self, place: &str) -> Option<String> {
        let place = place.trim();
        let (scheme, rest) = place.split_once("//")?;
        // Relative to `http:`, an address may omit its scheme (RFC 3986, 4.2).
        let is_http = ["", "http:", "https:"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
        let url = Url::parse("http://relative.invalid").ok()?.join(place);
        if !is_http || !url.is_ok_and(|url| self.is_of(&url)) {
            return None;
        }
        // A slice of the original text, so that its bytes stay as the app wrote them.
        let path = &rest[rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())..];
        // Two slashes would begin another host's name.
        let path = path.strip_prefix('/').unwrap_or(path);
        (!path.starts_with(['/', '\\'])).then(|| format!("/{path}"))
    }

    fn is_of(&self, url: &Url) -> bool {
        let is_inside = match url.host() {
            Some(Host::Domain(name)) => {
                if self
                    .host
                    .as_ref()
                    .is_some_and(|host| host.eq_ignore_ascii_case(name))
                {
                    return url.username().is_empty();
                }
                name == "localhost"
            }
            Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
            Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
            None => false,
        };
        is_inside && url.username().is_empty() && url.port_or_known_default() == Some(self.port)
    }

    /// The value of a `Refresh` header: seconds, and optionally an address.
    fn refreshed(&self, value: &str) -> String {
        let Some(at) = value.to_ascii_lowercase().find("url=") else {
            return value.to_owned();
        };
        let (head, place) = value.split_at(at + 4);
        let unquoted = place.trim().trim_matches(['"', '\'']);
        format!("{head}{}", self.translate(unquoted))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const BUILDER: &str = "https://build.example.com";

    fn shown(sent: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        show(&mut headers, &Route::default(), BUILDER);
        headers
    }

    #[test]
    fn the_builder_frames_an_app_whatever_that_says_and_nobody_else_does() {
        let csp = header::CONTENT_SECURITY_POLICY;
        let ours = "frame-ancestors 'self' https://build.example.com";
        for (sent, expected) in [
            ("frame-ancestors 'none'", vec![ours.to_owned()]),
            ("Frame-Ancestors\t'none'", vec![ours.to_owned()]),
            (
                "default-src 'self'; frame-ancestors 'none'; img-src *",
                vec![format!("default-src 'self'; {ours}; img-src *")],
            ),
            (
                "frame-ancestors 'none', default-src 'self';frame-ancestors https://a.example",
                vec![format!("{ours}, default-src 'self'; {ours}")],
            ),
            ("default-src 'self'", vec!["default-src 'self'".to_owned()]),
            (
                "default-src 'self'; report-uri /frame-ancestors",
                vec!["default-src 'self'; report-uri /frame-ancestors".to_owned()],
            ),
        ] {
            for name in [csp.clone(), header::CONTENT_SECURITY_POLICY_REPORT_ONLY] {
                assert_eq!(
                    texts(&shown(&[(name.clone(), sent)]), &name),
                    expected,
                    "{name}: {sent}"
                );
            }
        }
        let two = shown(&[
            (csp.clone(), "frame-ancestors 'none'"),
            (csp.clone(), "frame-ancestors 'self'"),
        ]);
        assert_eq!(texts(&two, &csp), [ours, ours]);
        for refusal in ["DENY", "sameorigin", "ALLOW-FROM https://a.example"] {
            let headers = shown(&[(header::X_FRAME_OPTIONS, refusal)]);
            assert!(!headers.contains_key(header::X_FRAME_OPTIONS));
            assert_eq!(texts(&headers, &csp), [ours]);
        }
        let both = shown(&[
            (header::X_FRAME_OPTIONS, "DENY"),
            (csp.clone(), "frame-ancestors 'none'"),
        ]);
        assert_eq!(texts(&both, &csp), [ours]);
    }

    #[test]
    fn without_tls_a_page_s_requests_are_not_upgraded() {
        let csp = header::CONTENT_SECURITY_POLICY;
        for (sent, kept) in [
            ("img-src *; upgrade-insecure-requests", &["img-src *"][..]),
            ("Upgrade-Insecure-Requests", &[]),
            ("upgrade-insecure-requests;img-src *", &["img-src *"]),
        ] {
            for (builder, expected) in [("http://build.test:3000", kept), (BUILDER, &[sent])] {
                let mut headers = HeaderMap::new();
                headers.append(csp.clone(), HeaderValue::from_str(sent).unwrap());
                show(&mut headers, &Route::default(), builder);
                assert_eq!(texts(&headers, &csp), expected, "{builder}: {sent}");
            }
        }
    }

    #[test]
    fn an_app_settles_nothing_beyond_itself() {
        let headers = shown(&[
            (
                header::STRICT_TRANSPORT_SECURITY,
                "max-age=31536000; includeSubDomains",
            ),
            (header::ALT_SVC, "h3=\":443\""),
            (HeaderName::from_static("nel"), "{}"),
            (header::CACHE_CONTROL, "no-store"),
        ]);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["cache-control"]
        );
    }

    #[test]
    fn a_cookie_is_the_app_s_host_s_alone() {
        for (sent, kept) in [
            ("a=b", "a=b"),
            (
                "a=b; Domain=example.com; Path=/; Secure",
                "a=b; Path=/; Secure",
            ),
            (
                "a=domain=x;dOmAiN = .example.com;HttpOnly",
                "a=domain=x;HttpOnly",
            ),
            ("a=b; Domain", "a=b"),
            ("a=\u{e4}; domain=x; Path=/", "a=\u{e4}; Path=/"),
        ] {
            let mut headers = HeaderMap::new();
            replace(
                &mut headers,
                &header::SET_COOKIE,
                [sent.to_owned(), "c=d".to_owned()].into_iter(),
            );
            show(&mut headers, &Route::default(), BUILDER);
            assert_eq!(texts(&headers, &header::SET_COOKIE), [kept, "c=d"]);
        }
    }

    #[test]
    fn in_the_builder_s_frame_a_cookie_is_one_of_that_frame() {
        for (sent, kept) in [
            ("a=b", "a=b"),
            ("a=secure; HttpOnly", "a=secure; HttpOnly"),
            ("a=b; Path=/; SameSite=Lax; Domain=x", "a=b; Path=/"),
            (
                "a=b;samesite = strict;SECURE;partitioned;Max-Age=9",
                "a=b;Max-Age=9",
            ),
        ] {
            assert_eq!(own(sent, true), format!("{kept}{FOR_FRAMES}"));
        }
    }

    #[test]
    fn a_redirect_to_the_app_s_own_address_stays_in_the_preview() {
        let route = Route {
            port: 3000,
            host: Some("3000-iabc.preview.dev".to_owned()),
            is_framed: true,
        };
        for (sent, expected) in [
            ("http://localhost:3000/login?next=/a#b", "/login?next=/a#b"),
            ("http://127.0.0.1:3000/x", "/x"),
            ("https://LocalHost:3000", "/"),
            ("http://localhost:3000?a", "/?a"),
            ("http://[::1]:3000/x", "/x"),
            ("http://0.0.0.0:3000/x", "/x"),
            (
                "http://localhost:3000//evil.example",
                "http://localhost:3000//evil.example",
            ),
            ("http://localhost:4000/x", "http://localhost:4000/x"),
            (
                "http://localhost.evil.example:3000/x",
                "http://localhost.evil.example:3000/x",
            ),
            (
                "https://accounts.example/?to=http://localhost:3000/",
                "https://accounts.example/?to=http://localhost:3000/",
            ),
            ("/relative", "/relative"),
            ("relative//x", "relative//x"),
            ("//localhost:3000/x", "/x"),
            ("HTTP://LOCALHOST:3000/X", "/X"),
            ("http://127.1:3000/x", "/x"),
            ("http://localhost:3000/\u{c3}\u{a4}", "/\u{c3}\u{a4}"),
            (
                "http://localhost:3000\\\\evil.example",
                "http://localhost:3000\\\\evil.example",
            ),
            (
                "http://localhost:3000/\\evil.example",
                "http://localhost:3000/\\evil.example",
            ),
            ("http://a@localhost:3000/x", "http://a@localhost:3000/x"),
            ("//evil.example/x", "//evil.example/x"),
            ("app://localhost:3000/x", "app://localhost:3000/x"),
            ("http://3000-iabc.preview.dev/x", "/x"),
            ("https://3000-iabc.preview.dev:3000/x?y", "/x?y"),
            (
                "https://3000-other.preview.dev/x",
                "https://3000-other.preview.dev/x",
            ),
        ] {
            assert_eq!(route.translate(sent), expected, "{sent}");
        }
        for (sent, expected) in [
            ("5", "5"),
            ("0;url=http://localhost:3000/x", "0;url=/x"),
            ("0; URL='http://localhost:3000/x'", "0; URL=/x"),
            ("0;url=https://evil.example/", "0;url=https://evil.example/"),
        ] {
            assert_eq!(route.refreshed(sent), expected, "{sent}");
        }
    }
}
