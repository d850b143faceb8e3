//! Paths in the notations of envd's clients: absolute, relative to the home, or with `~`.

use std::path::{Path, PathBuf};

use axum::{extract::Query, http::Uri};

use crate::sandbox_host::bundle::HOME;

/// The absolute path; resolves no links.
pub(super) fn resolve(path: &str) -> PathBuf {
    match path {
        "" | "~" => PathBuf::from(HOME),
        path => match path.strip_prefix("~/") {
            Some(rest) => Path::new(HOME).join(rest),
            None => Path::new(HOME).join(path),
        },
    }
}

/// A parameter of the query, decoded.
pub(super) fn query(uri: &Uri, name: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    pairs
        .into_iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_start_at_the_home() {
        for (written, meant) in [
            ("a.txt", "/home/user/a.txt"),
            ("~/a.txt", "/home/user/a.txt"),
            ("~", "/home/user"),
            ("", "/home/user"),
            ("/tmp/a", "/tmp/a"),
        ] {
            assert_eq!(resolve(written), Path::new(meant));
        }
    }

    #[test]
    fn a_parameter_is_decoded() {
        let uri = Uri::from_static("/files?path=%2Ftmp%2Fa%20b+c&username=user");
        assert_eq!(query(&uri, "path").as_deref(), Some("/tmp/a b c"));
        assert_eq!(query(&uri, "other"), None);
    }
}
