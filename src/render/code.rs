//! Code as it stands in HTML without colours.

/// Code as the text of an element.
pub fn code_text(code: &str) -> String {
    code.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
