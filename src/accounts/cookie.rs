//! The cookies with the token of a session or of an unfinished sign-in, and the page to open after
//! a sign-in.

use std::time::Duration;

use cookie::{Cookie, SameSite, time};

use super::{LIFETIME, STEP_LIFETIME, SignedIn, Token};

/// The purpose of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A session.
    Session,
    /// An unfinished sign-in.
    Step,
    /// A sign-in with another service.
    Outside,
    /// A passkey challenge.
    Passkey,
}

/// The cookie's name. Where the site has TLS, a prefix makes the browser refuse such a cookie from
/// another host of the same domain.
fn name(public_url: &str, kind: Kind) -> &'static str {
    match (kind, is_encrypted(public_url)) {
        (Kind::Session, true) => "__Host-codeflow-session",
        (Kind::Session, false) => "codeflow-session",
        (Kind::Step, true) => "__Host-codeflow-step",
        (Kind::Step, false) => "codeflow-step",
        (Kind::Passkey, true) => "__Host-codeflow-passkey",
        (Kind::Passkey, false) => "codeflow-passkey",
        (Kind::Outside, true) => "__Host-codeflow-outside",
        (Kind::Outside, false) => "codeflow-outside",
    }
}

fn is_encrypted(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

/// The `Set-Cookie` value that gives the browser its session.
pub(super) fn session(public_url: &str, signed_in: &SignedIn) -> String {
    let token = signed_in.token.expose();
    cookie(public_url, Kind::Session, token, LIFETIME)
}

/// The `Set-Cookie` value for the sign-in's next step.
pub(super) fn step(public_url: &str, kind: Kind, token: &Token) -> String {
    cookie(public_url, kind, token.expose(), STEP_LIFETIME)
}

/// The `Set-Cookie` value that removes the cookie.
pub(super) fn expired(public_url: &str, kind: Kind) -> String {
    cookie(public_url, kind, "", Duration::ZERO)
}

fn cookie(public_url: &str, kind: Kind, value: &str, lifetime: Duration) -> String {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    Cookie::build((name(public_url, kind), value))
        .path("/")
        .http_only(true)
        .secure(is_encrypted(public_url))
        .same_site(SameSite::Lax)
        .max_age(time::Duration::seconds(seconds))
        .build()
        .to_string()
}

/// The token among a request's cookies (the values of its `Cookie` headers).
pub(super) fn token<'a>(
    public_url: &str,
    kind: Kind,
    mut headers: impl Iterator<Item = &'a str>,
) -> Option<Token> {
    let name = name(public_url, kind);
    headers.find_map(|header| {
        Cookie::split_parse(header)
            .flatten()
            .find(|cookie| cookie.name() == name)
            .and_then(|cookie| Token::sent(cookie.value()))
    })
}

/// The path to go to, if it is one of this site; otherwise the home page.
pub fn own_path(to: Option<&str>) -> &str {
    to.filter(|to| is_own_path(to)).unwrap_or("/")
}

/// Whether a browser reads the text as a path of the same site, and not as the name of another host
/// (`//`, or `/\`, which browsers treat alike).
fn is_own_path(to: &str) -> bool {
    to.len() <= 2000
        && to.starts_with('/')
        && !to[1..].starts_with(['/', '\\'])
        && to.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_the_hosts_own_and_no_script_reads_it() {
        let signed_in = SignedIn {
            token: Token::new(),
        };
        let secret = signed_in.token.expose();
        let set = session("https://build.example.com", &signed_in);
        assert_eq!(
            set,
            format!(
                "__Host-codeflow-session={secret}; HttpOnly; SameSite=Lax; Secure; Path=/; \
                 Max-Age=2592000"
            )
        );
        let set = session("http://localhost:3000", &signed_in);
        assert!(
            set.starts_with("codeflow-session=") && !set.contains("Secure"),
            "{set}"
        );
        let sent = format!("a=b; __Host-codeflow-session={secret}; c=\"");
        let read = |public_url| token(public_url, Kind::Session, ["x=y", &*sent].into_iter());
        let other = token(
            "https://build.example.com",
            Kind::Step,
            [&*sent].into_iter(),
        );
        assert!(other.is_none());
        let found = read("https://build.example.com").unwrap();
        assert_eq!(found.hash(), signed_in.token.hash());
        assert!(read("http://localhost:3000").is_none());
    }

    #[test]
    fn a_sign_in_leads_to_paths_of_this_site_alone() {
        for own in ["/", "/projects/1?a=b#c", "/settings"] {
            assert_eq!(own_path(Some(own)), own);
        }
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "projects",
            "/\t/evil.example",
            "/a b",
            "javascript:alert(1)",
        ] {
            assert_eq!(own_path(Some(other)), "/", "{other}");
        }
        assert_eq!(own_path(None), "/");
    }
}
