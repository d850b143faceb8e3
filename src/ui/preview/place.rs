//! Places in the app: path, query and fragment, as shown in the address field.

/// The maximum length of a typed place, in bytes.
const MAX_PLACE_BYTES: usize = 2000;

/// The address of a place in the app at `url`.
pub fn address(url: &str, place: &str) -> String {
    format!("{}{place}", origin(url))
}

/// The origin of an absolute address.
pub fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..]
        .find(['/', '?', '#'])
        .map_or(url, |end| &url[..host + end])
}

/// The typed place, given as a path or as a whole address of the app at `url`; otherwise why it is
/// invalid.
pub fn typed(text: &str, url: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.len() > MAX_PLACE_BYTES {
        return Err("This address is too long. Type a shorter one.");
    }
    let own = text.strip_prefix(origin(url));
    let rest = match own {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '?', '#']) => rest,
        _ if has_scheme(text) => {
            return Err("Only pages of this app open here. Type a path, such as /settings.");
        }
        _ => text,
    };
    Ok(match rest.strip_prefix('/') {
        Some(_) => rest.to_owned(),
        None => format!("/{rest}"),
    })
}

/// Whether it begins as `https:` and `javascript:` do.
fn has_scheme(text: &str) -> bool {
    let is_of_scheme = |sign: char| sign.is_ascii_alphanumeric() || "+-.".contains(sign);
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|sign: char| sign.is_ascii_alphabetic())
            && scheme.chars().all(is_of_scheme)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://3000-a.localhost:3000/";

    #[test]
    fn a_message_is_judged_by_the_address_up_to_its_path() {
        assert_eq!(
            origin("http://3000-a.localhost:3000/x?y"),
            "http://3000-a.localhost:3000"
        );
        assert_eq!(origin("https://a.example"), "https://a.example");
    }

    #[test]
    fn a_place_is_one_of_the_app_s_whatever_it_says() {
        for place in [
            "/",
            "/settings?a=b#c",
            "//evil.example/",
            "/@evil.example",
            "/\\evil.example",
        ] {
            let found = address(URL, place);
            assert_eq!(found, format!("http://3000-a.localhost:3000{place}"));
            assert_eq!(origin(&found), "http://3000-a.localhost:3000");
        }
    }

    #[test]
    fn what_is_typed_is_a_path_of_the_app_or_refused() {
        for (text, place) in [
            ("", "/"),
            (" /settings ", "/settings"),
            ("settings", "/settings"),
            ("?tab=2", "/?tab=2"),
            ("#top", "/#top"),
            ("a/b:c", "/a/b:c"),
            ("//evil.example", "//evil.example"),
            ("http://3000-a.localhost:3000", "/"),
            ("http://3000-a.localhost:3000/x?y#z", "/x?y#z"),
        ] {
            assert_eq!(typed(text, URL).as_deref(), Ok(place), "{text}");
        }
        for text in [
            "https://evil.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://3000-a.localhost:3000.evil.example/",
            "localhost:3000/x",
            &"x".repeat(3000),
        ] {
            assert!(typed(text, URL).is_err(), "{text}");
        }
    }
}
