//! Models without tool calls: an answer whose code blocks name files writes those files.

use super::AppPath;

/// Where a file may be named: in the fence's own line, in the line before, or in a comment that opens the block.
///
/// ````text
/// ```tsx app/page.tsx            ```tsx filename="app/page.tsx"            **app/page.tsx**
///                                                                         ```tsx
/// ````
pub fn files(answer: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut before = "";
    let mut lines = answer.lines();
    while let Some(line) = lines.next() {
        let Some((fence, info)) = opening(line) else {
            if !line.trim().is_empty() {
                before = line;
            }
            continue;
        };
        let mut content: Vec<&str> = Vec::new();
        let mut closed = false;
        for line in lines.by_ref() {
            if is_closing(line, fence) {
                closed = true;
                break;
            }
            content.push(line);
        }
        let comment = content.first().and_then(|line| in_comment(line));
        let path = in_info(info).or_else(|| in_heading(before)).or_else(|| comment.clone());
        if let Some(path) = path.filter(|_| closed) {
            // A comment that only names the file is no part of it.
            let skipped = usize::from(comment.as_deref() == Some(path.as_str()));
            let mut text = content[skipped..].join("\n");
            text.push('\n');
            found.retain(|(known, _)| *known != path);
            found.push((path, text));
        }
        before = "";
    }
    found
}

/// The fence (its letter and length) and what stands behind it.
fn opening(line: &str) -> Option<((char, usize), &str)> {
    let line = line.trim_start();
    let letter = line.chars().next().filter(|letter| matches!(letter, '`' | '~'))?;
    let length = line.chars().take_while(|found| *found == letter).count();
    let info = &line[length..];
    (length >= 3 && !info.contains('`')).then_some(((letter, length), info.trim()))
}

fn is_closing(line: &str, (letter, length): (char, usize)) -> bool {
    let line = line.trim();
    line.len() >= length && line.chars().all(|found| found == letter)
}

/// `tsx app/page.tsx`, `tsx filename="app/page.tsx"`, `tsx:app/page.tsx`, `app/page.tsx`.
fn in_info(info: &str) -> Option<String> {
    info.split([' ', '\t', ':', '{', '}', ','])
        .map(|word| word.rsplit_once('=').map_or(word, |(_, value)| value))
        .find_map(path)
}

/// `**app/page.tsx**`, `### app/page.tsx`, ``File: `app/page.tsx` ``, `1. app/page.tsx:`.
fn in_heading(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    // More than a heading's worth of words is prose that happens to name a file.
    (words.len() <= 6).then(|| words.into_iter().find_map(path))?
}

/// `// app/page.tsx`, `/* app/globals.css */`, `# x.py`, `<!-- index.html -->`.
fn in_comment(line: &str) -> Option<String> {
    let line = line.trim();
    let inside = ["//", "/*", "#", "<!--"].iter().find_map(|sign| line.strip_prefix(sign))?;
    let inside = inside.trim_end_matches("*/").trim_end_matches("-->").trim();
    let inside = inside
        .strip_prefix("File:")
        .or(inside.strip_prefix("file:"))
        .unwrap_or(inside)
        .trim();
    (!inside.contains(' ')).then(|| path(inside))?
}

/// The word as a path of the app: with a file's extension, and without what Markdown puts around it.
fn path(word: &str) -> Option<String> {
    let word = word.trim_matches(['*', '`', '"', '\'', '_', '(', ')', '[', ']', ':', ',', '#']);
    let (stem, extension) = word.rsplit_once('.')?;
    let named = !extension.is_empty() && extension.len() <= 5 && extension.chars().all(|letter| letter.is_ascii_alphanumeric());
    if !named || (stem.is_empty() && !word.starts_with('.')) || stem.ends_with('/') || word.contains("://") {
        return None;
    }
    // A version such as 1.5, or the name of a library such as Next.js.
    if !word.contains('/') && (extension.chars().all(|letter| letter.is_ascii_digit()) || stem.starts_with(char::is_uppercase)) {
        return None;
    }
    AppPath::new(word).ok().map(|path| path.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_on_the_fence_before_it_or_in_the_first_line() {
        for answer in [
            "Here:\n```tsx app/page.tsx\nx\n```",
            "```tsx filename=\"app/page.tsx\"\nx\n```",
            "```tsx:app/page.tsx\nx\n```",
            "```tsx {title=app/page.tsx}\nx\n```",
            "**app/page.tsx**\n\n```tsx\nx\n```",
            "### `app/page.tsx`:\n~~~\nx\n~~~",
            "1. File: app/page.tsx\n```\nx\n```",
            "```tsx\n// app/page.tsx\nx\n```",
            "```tsx\n/* File: ./app/page.tsx */\nx\n```",
        ] {
            assert_eq!(files(answer), [("app/page.tsx".to_owned(), "x\n".to_owned())], "{answer}");
        }
    }

    #[test]
    fn a_file_written_twice_is_the_last_one_and_longer_fences_hold_shorter_ones() {
        let answer = "```a.txt\n1\n```\n````b.md\n```\ncode\n```\n````\n```a.txt\n2\n```";
        assert_eq!(
            files(answer),
            [
                ("b.md".to_owned(), "```\ncode\n```\n".to_owned()),
                ("a.txt".to_owned(), "2\n".to_owned())
            ]
        );
    }

    #[test]
    fn blocks_that_name_no_file_and_blocks_without_an_end_write_nothing() {
        for answer in [
            "```bash\nnpm install\n```",
            "This uses Next.js and Node 20.5:\n```tsx\nx\n```",
            "You should now open the file app/page.tsx and see what it says there:\n```tsx\nx\n```",
            "```tsx app/page.tsx\nhalf",
            "```tsx ../../etc/passwd.txt\nx\n```",
            "see https://a.example/x.html\n```\nx\n```",
        ] {
            assert_eq!(files(answer), [], "{answer}");
        }
    }
}
