//! Addresses of the sandbox service, built from their parts: whatever a sandbox, its pages or the
//! service return, a path stays a path and the server stays the configured one.

use reqwest::Url;

use super::SandboxError;
use crate::{config, protocol::first_chars};

/// The maximum length of a path with its query, in bytes; servers accept no more
/// (nodejs.org/api/cli.html#--max-http-header-sizesize).
const MAX_PATH: usize = 8 << 10;
/// The maximum length of a link that is followed, in bytes.
const MAX_LINK: usize = 2 << 10;
/// How many characters of a refused path the error shows.
const SHOWN: usize = 80;

/// A service's address, as a base for paths. `name` is the variable that an error blames.
pub(super) fn service(name: &str, address: &str) -> Result<Url, SandboxError> {
    let url = Url::parse(address).ok().filter(config::is_service_address);
    url.ok_or_else(|| {
        SandboxError::Refused(format!("{name} is not an http or https address: {address}"))
    })
}

/// The address of a path, with an optional query, below the service's. `Refused` if it does not
/// begin with a slash, or would lead elsewhere.
pub(super) fn join(service: &Url, path: &str) -> Result<Url, SandboxError> {
    let refused = |why: &str| {
        let shown = first_chars(path, SHOWN);
        Err(SandboxError::Refused(format!("the path {shown:?} {why}")))
    };
    if !path.starts_with('/') {
        return refused("does not begin with a slash");
    }
    if path.len() > MAX_PATH {
        return refused("is too long");
    }
    if path.contains(char::is_control) {
        return refused("has control characters");
    }
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let above = service.path().trim_end_matches('/');
    let mut url = service.clone();
    url.set_path(&format!("{above}{path}"));
    url.set_query(query);
    if !has_authority_of(&url, service) || !url.path().starts_with(above) {
        return refused("leads elsewhere");
    }
    Ok(url)
}

/// The address of a sandbox's port below the domain of previews.
pub(super) fn preview(
    scheme: &str,
    port: u16,
    id: &str,
    domain: &str,
) -> Result<Url, SandboxError> {
    let host = format!("{port}-{id}.{domain}");
    let url = Url::parse(&format!("{scheme}://{host}/")).ok();
    let url = url.filter(|url| {
        is_id(id)
            && config::is_domain(domain)
            && config::is_service_address(url)
            && url.path() == "/"
    });
    url.ok_or_else(|| {
        SandboxError::Protocol(format!("a sandbox with the invalid host name {host:?}"))
    })
}

/// The host and the port of an address, as `host:port`.
pub(super) fn server(url: &Url) -> Result<String, SandboxError> {
    let authority = url.host_str().zip(url.port_or_known_default());
    let authority = authority.map(|(host, port)| format!("{host}:{port}"));
    authority.ok_or_else(|| SandboxError::Protocol(format!("an address without a server: {url}")))
}

/// The path of a link that stays within the app at this address, without query or trailing slash.
/// `None` for any other link.
pub(super) fn own_path(app: &Url, link: &str) -> Option<String> {
    if link.len() > MAX_LINK || link.contains(char::is_control) {
        return None;
    }
    let url = Url::parse(link)
        .ok()
        .filter(|url| has_authority_of(url, app))?;
    let path = url.path();
    if path.starts_with("//") {
        return None;
    }
    Some(
        path.strip_suffix('/')
            .filter(|path| !path.is_empty())
            .unwrap_or(path)
            .to_owned(),
    )
}

/// Whether the text is an id of a sandbox, safe in a path and in a host name.
pub(super) fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(is_part)
}

fn has_authority_of(url: &Url, other: &Url) -> bool {
    let of = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
        )
    };
    of(url) == of(other) && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(service: &str, path: &str) -> Result<String, SandboxError> {
        join(&self::service("E2B_SANDBOX_URL", service)?, path).map(String::from)
    }

    #[test]
    fn no_path_changes_the_server() -> Result<(), SandboxError> {
        for (path, address) in [
            ("/", "/"),
            ("/files?path=%2Fa%20b&x=1", "/files?path=%2Fa%20b&x=1"),
            ("//127.0.0.1:9/leak", "//127.0.0.1:9/leak"),
            ("/\\127.0.0.1:9/leak", "//127.0.0.1:9/leak"),
            ("/@127.0.0.1:9/leak", "/@127.0.0.1:9/leak"),
            ("/a#b", "/a%23b"),
            ("/a b/ä%2F", "/a%20b/%C3%A4%2F"),
            ("/../../x", "/x"),
            ("/http://127.0.0.1:9/", "/http://127.0.0.1:9/"),
        ] {
            assert_eq!(
                joined("http://127.0.0.1:4000", path)?,
                format!("http://127.0.0.1:4000{address}")
            );
        }
        assert_eq!(
            joined("https://proxy.dev/e2b/", "/files")?,
            "https://proxy.dev/e2b/files"
        );
        Ok(())
    }

    #[test]
    fn anything_but_a_path_is_refused() {
        let long = format!("/{}", "a".repeat(MAX_PATH));
        for path in [
            "",
            "x",
            "@127.0.0.1:9/leak?secret=1",
            ":9/leak",
            ".evil.dev/",
            "\\\\127.0.0.1:9",
            "http:127.0.0.1",
            "?x",
            "#x",
            " /x",
            "/x\r\nHost: evil.dev",
            "/x\0",
            "/\u{7f}",
            &long,
        ] {
            let refused = joined("http://127.0.0.1:4000", path);
            assert!(
                matches!(refused, Err(SandboxError::Refused(_))),
                "{path:?}: {refused:?}"
            );
        }
        assert!(joined("https://proxy.dev/e2b", "/../admin").is_err());
        for service in [
            "",
            "127.0.0.1:4000",
            "ftp://a.dev",
            "http://user@a.dev",
            "http://a.dev/?x",
            "http://a.dev/#x",
        ] {
            assert!(joined(service, "/").is_err(), "{service}");
        }
    }

    #[test]
    fn of_links_only_paths_of_the_app_are_followed() -> Result<(), SandboxError> {
        let app = service("app", "http://3000-i1.localhost")?;
        for (link, path) in [
            ("http://3000-i1.localhost/items/7?x=1#y", Some("/items/7")),
            ("http://3000-i1.localhost:80/items/", Some("/items")),
            ("http://3000-i1.localhost", Some("/")),
            ("http://3000-i1.localhost/a/../b@c", Some("/b@c")),
            ("http://3000-i1.localhost//127.0.0.1:9/x", None),
            ("http://3000-i1.localhost/\\127.0.0.1:9/x", None),
            ("http://3000-i1.localhost@127.0.0.1:9/x", None),
            ("http://user@3000-i1.localhost/x", None),
            ("http://3000-i1.localhost:81/x", None),
            ("https://3000-i1.localhost/x", None),
            ("http://3000-i1.localhost.evil.dev/x", None),
            ("http://127.0.0.1:9/x", None),
            ("http:127.0.0.1:9/x", None),
            ("@127.0.0.1:9/leak?secret=1", None),
            ("//127.0.0.1:9/x", None),
            ("\\\\127.0.0.1:9/x", None),
            ("/items/7", None),
            ("javascript:alert(1)", None),
            ("http://3000-i1.localhost/\r\nHost: evil", None),
            ("", None),
        ] {
            assert_eq!(own_path(&app, link).as_deref(), path, "{link:?}");
        }
        assert_eq!(
            own_path(
                &app,
                &format!("http://3000-i1.localhost/{}", "a".repeat(MAX_LINK))
            ),
            None
        );
        Ok(())
    }

    #[test]
    fn a_preview_s_host_is_made_of_a_port_an_id_and_a_domain() -> Result<(), SandboxError> {
        assert_eq!(
            preview("https", 3000, "i1-a", "e2b.app")?.as_str(),
            "https://3000-i1-a.e2b.app/"
        );
        assert_eq!(
            preview("http", 3000, "i1", "localhost:8000")?.as_str(),
            "http://3000-i1.localhost:8000/"
        );
        for (id, domain) in [
            ("i1", "evil.dev/"),
            ("i1", "user@evil.dev"),
            ("i1", "evil.dev:80:80"),
            ("i1", "evil.dev?x"),
            ("i1", ""),
            ("i1", ".evil.dev"),
            ("i1", "evil.dev\\x"),
            ("", "e2b.app"),
            ("i1.evil", "e2b.app"),
            ("i1@evil", "e2b.app"),
            ("../x", "e2b.app"),
        ] {
            assert!(preview("https", 3000, id, domain).is_err(), "{id} {domain}");
        }
        Ok(())
    }
}
