//! What clients store with a file: E2B's `X-Metadata-*` headers, kept as extended attributes
//! `user.e2b.*`, so that they move with the file.

use std::{collections::BTreeMap, io, path::Path};

use axum::http::HeaderMap;
use rustix::{
    fs::{XattrFlags, getxattr, listxattr, listxattr_query, setxattr},
    io::Errno,
};

use crate::sandbox_host::bundle::HOME;

const HEADER: &str = "x-metadata-";
const ATTRIBUTE: &str = "user.e2b.";
/// The maximum length of a key: with its prefix, the kernel's of an attribute's name (xattr(7)).
const MAX_KEY: usize = 255 - ATTRIBUTE.len();
/// What fits into ext4's single block of attributes, in bytes: keys, values, and an entry each.
const MAX_SIZE: usize = 3500;
const ENTRY_SIZE: usize = 32;

/// Values by key.
pub(super) type Metadata = BTreeMap<String, String>;

/// The metadata in an upload's headers. The error says what is wrong with it.
pub(super) fn of_headers(headers: &HeaderMap) -> Result<Metadata, String> {
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(HEADER) else {
            continue;
        };
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(format!(
                "a metadata key has 1 to {MAX_KEY} characters, and '{key}' has {}",
                key.len()
            ));
        }
        let value = value
            .to_str()
            .map_err(|_| format!("the metadata '{key}' takes printable ASCII characters only"))?;
        metadata.insert(key.to_owned(), value.to_owned());
    }
    let size: usize = metadata
        .iter()
        .map(|(key, value)| ATTRIBUTE.len() + key.len() + value.len() + ENTRY_SIZE)
        .sum();
    if size > MAX_SIZE {
        return Err(format!(
            "a file's metadata takes up to {MAX_SIZE} bytes, and this takes {size}; store less of it"
        ));
    }
    Ok(metadata)
}

/// Stores the metadata with a file that has none.
pub(super) fn write(path: &Path, metadata: &Metadata) -> io::Result<()> {
    for (key, value) in metadata {
        let name = format!("{ATTRIBUTE}{key}");
        setxattr(path, name, value.as_bytes(), XattrFlags::empty()).map_err(
            |error| match error {
                Errno::OPNOTSUPP => io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("no metadata can be stored there; write the file below {HOME}"),
                ),
                error => error.into(),
            },
        )?;
    }
    Ok(())
}

/// The metadata of a file, or of a link's target; empty if its file system stores none. Values that
/// are no text, which only programs inside can have stored, are left out.
pub(super) fn read(path: &Path) -> Metadata {
    let mut metadata = Metadata::new();
    let Ok(length @ 1..) = listxattr_query(path) else {
        return metadata;
    };
    let mut names = vec![0; length];
    // Fails if there are more of them meanwhile.
    let Ok(length) = listxattr(path, &mut names[..]) else {
        return metadata;
    };
    let mut value = [0; MAX_SIZE];
    for name in names[..length].split(|byte| *byte == 0) {
        let Some(key) = std::str::from_utf8(name)
            .ok()
            .and_then(|name| name.strip_prefix(ATTRIBUTE))
        else {
            continue;
        };
        if let Ok(length) = getxattr(path, name, &mut value[..])
            && let Ok(value) = std::str::from_utf8(&value[..length])
        {
            metadata.insert(key.to_owned(), value.to_owned());
        }
    }
    metadata
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn metadata_is_what_the_headers_say_and_too_much_is_refused() {
        let given = headers(&[("X-Metadata-Author", "mish"), ("accept", "*/*")]);
        let expected = Metadata::from([("author".to_owned(), "mish".to_owned())]);
        assert_eq!(of_headers(&given).unwrap(), expected);
        let long = "a".repeat(MAX_SIZE);
        assert!(
            of_headers(&headers(&[("x-metadata-a", &long)]))
                .unwrap_err()
                .contains("store less of it")
        );
        for key in [String::new(), "k".repeat(MAX_KEY + 1)] {
            let refused = of_headers(&headers(&[(&format!("x-metadata-{key}"), "v")]));
            assert!(refused.unwrap_err().contains("key has 1 to"), "{key}");
        }
        let mut odd = HeaderMap::new();
        odd.insert("x-metadata-a", HeaderValue::from_bytes(&[0xff]).unwrap());
        assert!(of_headers(&odd).unwrap_err().contains("ASCII"));
    }
}
