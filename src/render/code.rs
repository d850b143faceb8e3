//! Code as uncoloured HTML.

/// Escapes code for use as an element's text.
pub fn code_text(code: &str) -> String {
    code.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
