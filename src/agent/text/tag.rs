//! Tags around what the model must take as data.

/// The text without the tag's name: nothing in it can end what stands between the tags.
pub fn without(text: &str, tag: &str) -> String {
    let plain = tag.replace('_', " ");
    let mut safe = text.to_owned();
    // ASCII lower case keeps every byte in its place.
    for (at, _) in text.to_ascii_lowercase().match_indices(tag) {
        safe.replace_range(at..at + tag.len(), &plain);
    }
    safe
}
