//! Paths in the places where an answer names a code block's file: the fence's own line, the line
//! before it, and a comment that opens the block.

use crate::agent::AppPath;

/// The path in a fence's own line: `tsx app/page.tsx`, `tsx filename="app/page.tsx"`,
/// `tsx:app/page.tsx`, `app/page.tsx`.
pub fn in_info(info: &str) -> Option<String> {
    info.split([' ', '\t', ':', '{', '}', ','])
        .map(|word| word.rsplit_once('=').map_or(word, |(_, value)| value))
        .find_map(path)
}

/// The path in a line that has nothing else: `**app/page.tsx**`, `### app/page.tsx`,
/// ``File: `app/page.tsx` ``, `1. app/page.tsx:`.
pub fn in_heading(line: &str) -> Option<String> {
    let says_something = |word: &&str| word.contains(char::is_alphanumeric);
    let mut words = line
        .split([' ', '\t', ':'])
        .filter(says_something)
        .peekable();
    let is_number = |word: &&str| {
        let word = word.trim_start_matches(['#', '*']);
        word.strip_suffix(['.', ')'])
            .unwrap_or(word)
            .bytes()
            .all(|letter| letter.is_ascii_digit())
    };
    words.next_if(is_number);
    words.next_if(|word| {
        let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        ["file", "filename", "path"]
            .iter()
            .any(|label| word.eq_ignore_ascii_case(label))
    });
    let path = path(words.next()?)?;
    words.next().is_none().then_some(path)
}

/// The path in a comment: `// app/page.tsx`, `/* app/globals.css */`, `# x.py`,
/// `<!-- index.html -->`.
pub fn in_comment(line: &str) -> Option<String> {
    let line = line.trim();
    // Without a space `#` begins a selector in a style sheet.
    let inside = ["//", "/*", "# ", "<!--"]
        .iter()
        .find_map(|sign| line.strip_prefix(sign))?;
    let inside = inside.trim_end_matches("*/").trim_end_matches("-->").trim();
    let inside = inside
        .strip_prefix("File:")
        .or(inside.strip_prefix("file:"))
        .unwrap_or(inside)
        .trim();
    (!inside.contains(' ')).then(|| path(inside))?
}

/// The word as a path in the app: with a file extension, and without the Markdown around it.
fn path(word: &str) -> Option<String> {
    let word = word.trim_matches(['*', '`', '"', '\'', '_', '(', ')', '[', ']', ':', ',', '#']);
    let (stem, extension) = word.rsplit_once('.')?;
    let named = !extension.is_empty()
        && extension.len() <= 5
        && extension
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric());
    if !named
        || (stem.is_empty() && !word.starts_with('.'))
        || stem.ends_with('/')
        || word.contains("://")
    {
        return None;
    }
    // A version such as 1.5, or the name of a library such as Next.js.
    if !word.contains('/')
        && (extension.chars().all(|letter| letter.is_ascii_digit())
            || stem.starts_with(char::is_uppercase))
    {
        return None;
    }
    AppPath::new(word).ok().map(|path| path.as_str().to_owned())
}
