//! What a browser gets to see of an app's answer: whom it may be framed by is ours to say, its
//! cookies stay its own, it settles nothing beyond itself, and where it leads to its own address as
//! it sees that from inside, it leads to the preview.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::texts;
use crate::config;

/// What an app can't settle: how browsers reach the host name from here on (HTTP Strict Transport
/// Security, alternative services), and whether it is framed. The last is said by a policy of ours
/// in its place.
const NOT_FOR_BROWSERS: [HeaderName; 4] = [
    header::STRICT_TRANSPORT_SECURITY,
    header::ALT_SVC,
    header::PUBLIC_KEY_PINS,
    header::X_FRAME_OPTIONS,
];
/// An app's own machine, as it sees that.
const INSIDE: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"];

const FRAME_ANCESTORS: &str = "frame-ancestors";

/// Changes the headers of an app's answer that comes from this port.
pub(super) fn show(headers: &mut HeaderMap, port: u16, public_url: &str) {
    let ancestors = ancestors(public_url);
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
        if policies
            .iter()
            .any(|policy| policy.to_ascii_lowercase().contains(FRAME_ANCESTORS))
        {
            is_limited |= name == header::CONTENT_SECURITY_POLICY;
            replace(
                headers,
                &name,
                policies.iter().map(|policy| framed_by(policy, &ancestors)),
            );
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
        cookies.iter().map(|cookie| host_only(cookie)),
    );
    let places = texts(headers, &header::LOCATION);
    replace(
        headers,
        &header::LOCATION,
        places.iter().map(|place| from_outside(place, port)),
    );
}

/// Puts these values in place of the header's.
pub(super) fn replace(
    headers: &mut HeaderMap,
    name: &HeaderName,
    values: impl Iterator<Item = String>,
) {
    headers.remove(name);
    for value in values {
        // One character stands for each byte; what is not one was added by nobody.
        let bytes: Vec<u8> = value
            .chars()
            .filter_map(|character| u8::try_from(character).ok())
            .collect();
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            headers.append(name.clone(), value);
        }
    }
}

/// The directive by which the builder's page may frame the app's, and the app's own pages each
/// other.
fn ancestors(public_url: &str) -> String {
    if config::is_loopback_url(public_url) {
        // By its loopback names the builder is reached on whatever port it listens.
        return format!(
            "{FRAME_ANCESTORS} 'self' http://localhost:* http://127.0.0.1:* {public_url}"
        );
    }
    format!("{FRAME_ANCESTORS} 'self' {public_url}")
}

/// A list of policies (w3.org/TR/CSP3, 2.2) with this directive in the place of what limits
/// framing.
fn framed_by(policies: &str, ancestors: &str) -> String {
    let directive = |directive: &str| {
        let name = directive
            .split_ascii_whitespace()
            .next()
            .unwrap_or_default();
        if name.eq_ignore_ascii_case(FRAME_ANCESTORS) {
            format!(" {ancestors}")
        } else {
            directive.to_owned()
        }
    };
    let policy = |policy: &str| {
        policy
            .split(';')
            .map(directive)
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

/// A cookie for the app's own host name alone.
fn host_only(cookie: &str) -> String {
    let of_domain = |attribute: &&str| {
        attribute
            .split('=')
            .next()
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("domain"))
    };
    let mut parts = cookie.split(';');
    let pair = parts.next().unwrap_or_default();
    let kept = parts.filter(|part| !of_domain(part));
    std::iter::once(pair)
        .chain(kept)
        .collect::<Vec<_>>()
        .join(";")
}

/// An address of the app's own, as it is written from inside, without scheme, host and port.
fn from_outside(place: &str, port: u16) -> String {
    let inside = |place: &str| {
        let (scheme, rest) = place.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, at) = authority.rsplit_once(':')?;
        let is_own =
            at.parse() == Ok(port) && INSIDE.iter().any(|name| host.eq_ignore_ascii_case(name));
        // Two slashes would begin with another host's name.
        (is_own && matches!(scheme, "http" | "https") && !path.starts_with("//"))
            .then(|| format!("/{}", path.strip_prefix('/').unwrap_or(path)))
    };
    inside(place).unwrap_or_else(|| place.to_owned())
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
        show(&mut headers, 3000, BUILDER);
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
    fn an_app_settles_nothing_beyond_itself() {
        let headers = shown(&[
            (
                header::STRICT_TRANSPORT_SECURITY,
                "max-age=31536000; includeSubDomains",
            ),
            (header::ALT_SVC, "h3=\":443\""),
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
            show(&mut headers, 3000, BUILDER);
            assert_eq!(texts(&headers, &header::SET_COOKIE), [kept, "c=d"]);
        }
    }

    #[test]
    fn a_redirect_to_the_app_s_own_address_stays_in_the_preview() {
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
        ] {
            assert_eq!(from_outside(sent, 3000), expected, "{sent}");
        }
    }
}
