//! Which sandbox and port a request is for: by the Host's first label (`<port>-<id>.<domain>`),
//! else by E2B's headers.

use axum::http::{HeaderMap, HeaderName, header};

use crate::e2b::{SANDBOX_ID, SANDBOX_PORT};

/// The sandbox and port that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox_host) struct Target {
    pub id: String,
    pub port: u16,
    /// Whether the Host header named it, so that the header means something to the app.
    pub by_host: bool,
}

/// The domain under which browsers on this machine always find sandboxes, whatever the previews'
/// domain.
const LOCALHOST: &str = "localhost";

/// The target of a request to the data plane; `None` if it is not one. The error is the text of a
/// refusal. A host name with a port takes precedence, as in E2B: a page can set headers, and must
/// not reach another origin than its own.
pub(in crate::sandbox_host) fn target(
    headers: &HeaderMap,
    domain: &str,
) -> Result<Option<Target>, &'static str> {
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let named = text(&header::HOST)
        .and_then(|host| by_host(host, domain).or_else(|| by_host(host, LOCALHOST)));
    match (named, text(&SANDBOX_ID), text(&SANDBOX_PORT)) {
        (Some(target), ..) => Ok(Some(target)),
        (None, None, None) => Ok(None),
        (None, Some(id), Some(port)) => match port.parse() {
            Ok(port) if is_id(id) => Ok(Some(Target {
                id: id.to_owned(),
                port,
                by_host: false,
            })),
            _ => Err("the headers E2b-Sandbox-Id and E2b-Sandbox-Port name no sandbox's port"),
        },
        _ => Err("missing header: E2b-Sandbox-Id and E2b-Sandbox-Port belong together"),
    }
}

/// The target of a host name below the domain, ignoring both ports.
pub(in crate::sandbox_host) fn by_host(host: &str, domain: &str) -> Option<Target> {
    let without_port = |name: &str| {
        name.rsplit_once(':')
            .map_or(name, |(name, _)| name)
            .to_ascii_lowercase()
    };
    let host = without_port(host);
    let label = host
        .strip_suffix(&without_port(domain))?
        .strip_suffix('.')?;
    let (port, id) = label.split_once('-')?;
    // E2B's older names have more after a second dash.
    let id = id.split('-').next()?;
    if !is_id(id) || port.starts_with(['0', '+']) {
        return None;
    }
    Some(Target {
        id: id.to_owned(),
        port: port.parse().ok()?,
        by_host: true,
    })
}

fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use axum::http::HeaderValue;

    use super::*;
    use crate::e2b::ENVD_PORT;

    /// The text with capitals at the positions that the pattern marks.
    fn in_odd_case(text: &str, capitals: &[bool]) -> String {
        let capitals = capitals.iter().cycle();
        text.chars()
            .zip(capitals)
            .map(|(letter, capital)| {
                if *capital {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            })
            .collect()
    }

    fn with_port(name: String, port: Option<u16>) -> String {
        port.map_or(name.clone(), |port| format!("{name}:{port}"))
    }

    proptest! {
        #[test]
        fn a_host_name_tells_port_and_sandbox_in_any_case(
            port in 1_u16..,
            id in "[a-z0-9]{1,64}",
            more in "(-[a-z0-9]{0,8}){0,2}",
            domain in "[a-z0-9]{1,9}(\\.[a-z0-9-]{1,9}){0,3}",
            ports in (option::of(any::<u16>()), option::of(any::<u16>())),
            capitals in vec(any::<bool>(), 1..20),
        ) {
            let host = with_port(in_odd_case(&format!("{port}-{id}{more}.{domain}"), &capitals), ports.0);
            let domain = with_port(in_odd_case(&domain, &capitals), ports.1);
            prop_assert_eq!(by_host(&host, &domain), Some(Target { id, port, by_host: true }));
        }

        #[test]
        fn any_text_is_a_host_name_or_none(host in any::<String>(), domain in any::<String>()) {
            let _ = by_host(&host, &domain);
        }

        #[test]
        fn nothing_but_one_label_below_the_domain_names_a_sandbox(
            host in prop_oneof![
                "[+0a]?\\.?[0-9]{1,6}-[a-zA-Z0-9_-]{0,8}\\.?localhost(:[0-9]{0,5})?",
                "[0-9]{1,5}-[a-z0-9]{0,8}\\.(evil\\.com|localhost\\.evil\\.com|evillocalhost|localhost\\.|127\\.0\\.0\\.1)(:3000)?",
            ],
        ) {
            if let Some(target) = by_host(&host, "localhost:3000") {
                let lower = host.to_ascii_lowercase();
                let name = lower.split(':').next().unwrap_or_default();
                let label = name.strip_suffix(".localhost");
                prop_assert!(label.is_some_and(|label| !label.contains('.')), "{host}");
                let name_of_target = format!("{}-{}", target.port, target.id);
                prop_assert!(label == Some(&name_of_target) || name.starts_with(&format!("{name_of_target}-")), "{host}");
                prop_assert!(is_id(&target.id), "{host}");
            }
        }
    }

    #[test]
    fn headers_name_a_port_where_the_host_name_does_not_and_need_both() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:4000"));
        headers.insert(SANDBOX_ID, HeaderValue::from_static("ixyz"));
        assert!(target(&headers, "localhost").is_err());
        headers.insert(SANDBOX_PORT, HeaderValue::from_static("70000"));
        assert!(target(&headers, "localhost").is_err());
        headers.insert(SANDBOX_PORT, HeaderValue::from_static("49983"));
        let found = target(&headers, "localhost").unwrap_or_default();
        assert_eq!(
            found.map(|target| (target.id, target.port)),
            Some(("ixyz".to_owned(), ENVD_PORT))
        );
    }

    #[test]
    fn a_page_can_t_reach_another_port_than_its_own_by_a_header() {
        for host in [
            "3000-iabc.preview.dev",
            "3000-iabc.localhost",
            "3000-iabc.localhost:4000",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            headers.insert(SANDBOX_ID, HeaderValue::from_static("ixyz"));
            headers.insert(SANDBOX_PORT, HeaderValue::from_static("49983"));
            let found = target(&headers, "preview.dev").unwrap_or_default();
            assert_eq!(
                found.map(|target| (target.id, target.port)),
                Some(("iabc".to_owned(), 3000)),
                "{host}"
            );
        }
    }
}
