//! Header values as text, read and replaced: what apps and browsers send need not be UTF-8.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header's values as they are, one character for each byte.
pub(super) fn texts(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let text = |value: &HeaderValue| {
        value
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    };
    headers.get_all(name).iter().map(text).collect()
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
