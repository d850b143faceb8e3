//! Header values as text: what apps and browsers send need not be UTF-8.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header's values, one character per byte.
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

/// Replaces the header's values.
pub(super) fn replace(
    headers: &mut HeaderMap,
    name: &HeaderName,
    values: impl Iterator<Item = String>,
) {
    headers.remove(name);
    for value in values {
        // Each character stands for a byte; no code adds any other.
        let bytes: Vec<u8> = value
            .chars()
            .filter_map(|character| u8::try_from(character).ok())
            .collect();
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            headers.append(name.clone(), value);
        }
    }
}
