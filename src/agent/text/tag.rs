//! Tags around text that the model must treat as data.

/// The text without the tag's name, so that nothing in it can close the tag.
pub fn without(text: &str, tag: &str) -> String {
    let plain = tag.replace('_', " ");
    let mut safe = text.to_owned();
    // ASCII lower case keeps every byte in its place.
    for (at, _) in text.to_ascii_lowercase().match_indices(tag) {
        safe.replace_range(at..at + tag.len(), &plain);
    }
    safe
}
