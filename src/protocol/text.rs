//! Shortening texts, by characters and never within one; and dividing HTML into blocks.

use std::borrow::Cow;

/// Separates the blocks of a text's HTML (paragraphs, lists, code), so that a page can show a long
/// text bit by bit. It is a comment, which no text that somebody wrote turns into.
pub const BLOCK_BOUNDARY: &str = "<!---->";

/// The text's first `chars` characters, or all of it.
pub fn first_chars(text: &str, chars: usize) -> &str {
    match text.char_indices().nth(chars) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// As [`first_chars`], with an ellipsis where something was left out.
pub fn shorten(text: &str, chars: usize) -> Cow<'_, str> {
    let kept = first_chars(text, chars);
    if kept.len() == text.len() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{kept}…"))
    }
}

/// The text's words on one line, with single spaces and without control characters.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_a_short_one_stays() {
        assert_eq!(first_chars("Käse", 2), "Kä");
        assert_eq!(first_chars("Käse", 4), "Käse");
        assert_eq!(shorten("Käse", 3), "Käs…");
        assert_eq!(shorten("Käse", 4), "Käse");
        assert_eq!(first_chars("Käse", 0), "");
    }
}
