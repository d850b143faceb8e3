//! Files in an answer's code blocks, for models without tool calls: a block that names a file is
//! that file's complete text.

mod names;

use std::sync::LazyLock;

use names::{in_comment, in_heading, in_info};
use regex::Regex;

use crate::protocol::first_chars;

/// Languages of blocks with commands, commands' output, or changes. Such a block is not a file's
/// text, unless the file's extension matches.
const COMMANDS: [&str; 8] = [
    "bash",
    "sh",
    "shell",
    "zsh",
    "console",
    "terminal",
    "shell-session",
    "powershell",
];
const PRINTED: [&str; 7] = [
    "text",
    "txt",
    "plaintext",
    "plain",
    "output",
    "log",
    "stdout",
];
const CHANGES: [&str; 2] = ["diff", "patch"];

/// Extensions of prose files, in which code fences and the like may be intended.
const TEXTS: [&str; 6] = ["md", "mdx", "markdown", "txt", "rst", "adoc"];

/// Lines in place of omitted code: `// ... existing code ...`, `{/* rest of the form */}`, `…`.
#[expect(clippy::expect_used, reason = "a literal that the tests below compile")]
static LEFT_OUT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?mix)
        ^[\ \t]*(?:…|\.{3})[\ \t]*$
        | (?: ^[\ \t]*(?://+|\#+[\ \t]|\*[\ \t]) | /\*+ | <!-- ) [\ \t]*
          (?:
            (?:…|\.{3}) (?:[\ \t]|\*/|-->|$)
            | [(\[….\ \t]* (?:the\ )? rest\ of\ (?:the|your|this|my)\b
            | [(\[….\ \t]* (?:(?:the|your|all|keep|other)\ )* (?:existing|remaining|previous|unchanged|other) [\ ]
              (?:code|content|imports?|styles?|components?|functions?|logic|markup|jsx|css|rules|layout|props|state|methods|routes)\b
              [\ \t]* (?:here|goes\ here|remains?.*|stays?.*|unchanged)? [)\]….\ \t]* (?:\*/|-->|$)
            | [^*\n]* \b(?:remains?|stays?)\ (?:the\ same|unchanged|as\ before) [)\]….\ \t]* (?:\*/|-->|$)
          )",
    )
    .expect("a valid pattern")
});

/// The files in an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Each path once.
    pub whole: Vec<FileBlock>,
    pub refused: Vec<Refused>,
}

/// A file with its complete text.
#[derive(Debug, PartialEq, Eq)]
pub struct FileBlock {
    pub path: String,
    pub content: String,
    /// Whether the block's own fence names it, as the instructions demand; otherwise the line
    /// before the block does, or a comment in it.
    pub named_on_fence: bool,
}

/// A block that names a file but is not its complete text.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, for the model.
    pub why: String,
    /// As in [`FileBlock`].
    pub named_on_fence: bool,
}

impl Files {
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.refused.is_empty()
    }

    /// Adds a block if it is a file. Of two blocks for the same file the later one counts, unless
    /// only the earlier one is named on its fence.
    fn take(&mut self, path: String, content: String, language: &str, named_on_fence: bool) {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is_other = |languages: &[&str], own: &[&str]| {
            languages.contains(&language) && !own.contains(&extension)
        };
        if !named_on_fence && (is_other(&COMMANDS, &["sh"]) || is_other(&PRINTED, &["txt"])) {
            return;
        }
        let why = if is_other(&CHANGES, &CHANGES) {
            Some("is a list of changes".to_owned())
        } else {
            left_out(&content, extension)
                .map(|line| format!("leaves parts of the file out (“{line}”)"))
        };
        if let Some(why) = why {
            let why = format!(
                "{path} was not written: the block {why}. Write the file whole, every line of it."
            );
            self.refused.push(Refused {
                why,
                named_on_fence,
            });
            return;
        }
        if let Some(at) = self.whole.iter().position(|known| known.path == path) {
            if self.whole[at].named_on_fence && !named_on_fence {
                return;
            }
            self.whole.remove(at);
        }
        self.whole.push(FileBlock {
            path,
            content,
            named_on_fence,
        });
    }
}

/// The line in place of omitted code, if there is one. Prose may quote such lines.
fn left_out<'a>(content: &'a str, extension: &str) -> Option<&'a str> {
    if TEXTS.contains(&extension) {
        return None;
    }
    let found = LEFT_OUT.find(content)?;
    let begin = content[..found.end()].rfind('\n').map_or(0, |at| at + 1);
    let line = content[begin..].lines().next().unwrap_or_default().trim();
    Some(first_chars(line, 80))
}

/// The files in an answer. A file is named in the fence's own line, alone in the line before, or in
/// a comment that opens the block.
///
/// ````text
/// ```tsx app/page.tsx            ```tsx filename="app/page.tsx"            **app/page.tsx**
///                                                                         ```tsx
/// ````
pub fn files(answer: &str) -> Files {
    let mut found = Files::default();
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
        let on_fence = in_info(info);
        let named_on_fence = on_fence.is_some();
        let comment = content.first().and_then(|line| in_comment(line));
        let path = on_fence
            .or_else(|| in_heading(before))
            .or_else(|| comment.clone());
        if let Some(path) = path.filter(|_| closed) {
            // A comment that only names the file is not part of it.
            let skipped = usize::from(comment.as_deref() == Some(path.as_str()));
            let mut text = content[skipped..].join("\n");
            text.push('\n');
            found.take(path, text, &language(info), named_on_fence);
        }
        before = "";
    }
    found
}

/// The text within a code fence around a whole file; `None` if there is none, or if the file is
/// prose and may contain fences of its own.
pub fn without_fence<'a>(path: &str, content: &'a str) -> Option<&'a str> {
    let name = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if extension.is_empty() || TEXTS.contains(&extension) {
        return None;
    }
    let (first, inside) = content.trim_start().split_once('\n')?;
    let (fence, _) = opening(first)?;
    let inside = inside.trim_end();
    match inside.rsplit_once('\n') {
        Some((_, last)) if is_closing(last, fence) => Some(&inside[..inside.len() - last.len()]),
        None if is_closing(inside, fence) => Some(""),
        _ => None,
    }
}

/// The fence (its character and length) and what follows it on its line.
fn opening(line: &str) -> Option<((char, usize), &str)> {
    let line = line.trim_start();
    let letter = line
        .chars()
        .next()
        .filter(|letter| matches!(letter, '`' | '~'))?;
    let length = line.chars().take_while(|found| *found == letter).count();
    let info = &line[length..];
    (length >= 3 && !info.contains('`')).then_some(((letter, length), info.trim()))
}

fn is_closing(line: &str, (letter, length): (char, usize)) -> bool {
    let line = line.trim();
    line.len() >= length && line.chars().all(|found| found == letter)
}

/// The block's language, in lower case.
fn language(info: &str) -> String {
    let word = info
        .split([' ', '\t', ':', '{', ','])
        .next()
        .unwrap_or_default();
    word.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths and contents.
    fn written(answer: &str) -> Vec<(String, String)> {
        let files = files(answer);
        assert_eq!(files.refused, [], "{answer}");
        files
            .whole
            .into_iter()
            .map(|file| (file.path, file.content))
            .collect()
    }

    #[test]
    fn files_are_named_on_the_fence_before_it_or_in_the_first_line() {
        for (answer, named_on_fence) in [
            ("Here:\n```tsx app/page.tsx\nx\n```", true),
            ("```tsx filename=\"app/page.tsx\"\nx\n```", true),
            ("```tsx:app/page.tsx\nx\n```", true),
            ("```tsx {title=app/page.tsx}\nx\n```", true),
            ("```bash app/page.tsx\nx\n```", true),
            ("**app/page.tsx**\n\n```tsx\nx\n```", false),
            ("### `app/page.tsx`:\n~~~\nx\n~~~", false),
            ("1. File: app/page.tsx\n```\nx\n```", false),
            ("### 2. **app/page.tsx**\n```\nx\n```", false),
            ("- **Filename:** `app/page.tsx` -\n```\nx\n```", false),
            ("File:app/page.tsx\n```\nx\n```", false),
            ("```tsx\n// app/page.tsx\nx\n```", false),
            ("```tsx\n/* File: ./app/page.tsx */\nx\n```", false),
        ] {
            let file = FileBlock {
                path: "app/page.tsx".to_owned(),
                content: "x\n".to_owned(),
                named_on_fence,
            };
            let whole = vec![file];
            assert_eq!(
                files(answer),
                Files {
                    whole,
                    ..Files::default()
                },
                "{answer}"
            );
        }
    }

    #[test]
    fn a_fence_around_a_whole_file_is_no_part_of_it_and_a_text_keeps_its_own() {
        for (path, content, inside) in [
            ("app/page.tsx", "```tsx\nx\n```", Some("x\n")),
            ("app/page.tsx", "\n```\nx\ny\n```\n\n", Some("x\ny\n")),
            (
                "app/page.tsx",
                "~~~tsx app/page.tsx\r\nx\r\n~~~",
                Some("x\r\n"),
            ),
            (
                "app/page.tsx",
                "````tsx\nconst a = `\n```\n`;\n````",
                Some("const a = `\n```\n`;\n"),
            ),
            ("styles.css", "```css\n```", Some("")),
            ("app/page.tsx", "```tsx\nx", None),
            ("app/page.tsx", "x\n```", None),
            ("app/page.tsx", "x", None),
            ("README.md", "```sh\nls\n```", None),
            ("docs/a.MDX", "```sh\nls\n```", None),
            ("LICENSE", "```\nx\n```", None),
        ] {
            assert_eq!(without_fence(path, content), inside, "{path}: {content:?}");
        }
    }

    #[test]
    fn a_file_written_twice_is_the_last_one_and_longer_fences_hold_shorter_ones() {
        let answer = "```a.txt\n1\n```\n````b.md\n```\ncode\n```\n````\n```a.txt\n2\n```\n```js\n// a.txt\n3\n```";
        assert_eq!(
            written(answer),
            [
                ("b.md".to_owned(), "```\ncode\n```\n".to_owned()),
                ("a.txt".to_owned(), "2\n".to_owned())
            ],
            "what the fence names is surer than what a comment does"
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
            "https://a.example/x.html\n```\nx\n```",
            // The sentence asks to change the file: the block is not the file.
            "Add this to app/globals.css:\n```css\n.a {}\n```",
            "Edit package.json, then run:\n```bash\nnpm install\n```",
            "Now update `app/page.tsx`:\n```tsx\nx\n```",
            "app/a.tsx and app/b.tsx\n```tsx\nx\n```",
            "```css\n#root.dark\n{ color: red; }\n```",
            // Commands and their output, under a file's name.
            "**package.json**\n```bash\nnpm install\n```",
            "**package.json**\n```Console\n$ npm install\n```",
            "**app/page.tsx**\n```text\n12 lines\n```",
        ] {
            assert_eq!(written(answer), [], "{answer}");
        }
        assert_eq!(written("**setup.sh**\n```bash\nls\n```").len(), 1);
        assert_eq!(written("**public/robots.txt**\n```text\nx\n```").len(), 1);
    }

    #[test]
    fn a_block_that_leaves_parts_of_its_file_out_is_refused_and_writes_nothing() {
        for line in [
            "// ... existing code ...",
            "  // ...existing code...",
            "{/* ... rest of the form */}",
            "      {/* Rest of your component remains the same */}",
            "/* existing styles */",
            "// … other imports",
            "// ...",
            "# ... existing code",
            "<!-- ... -->",
            "// (keep existing code here)",
            "// The rest of the file stays the same",
            "// handleSubmit remains unchanged",
            "…",
            "...",
        ] {
            let found = files(&format!(
                "**app/page.tsx**\n```tsx\nconst a = 1;\n{line}\nconst b = 2;\n```"
            ));
            assert_eq!(found.whole, [], "{line}");
            let [
                Refused {
                    why,
                    named_on_fence,
                },
            ] = &found.refused[..]
            else {
                panic!("{line} is not refused once");
            };
            assert!(
                !named_on_fence && why.starts_with("app/page.tsx was not written"),
                "{why}"
            );
            assert!(why.contains(line.trim()), "{why}");
        }
        let changes = files("```diff app/page.tsx\n-a\n+b\n```");
        assert!(changes.whole.is_empty() && changes.refused[0].named_on_fence);
        // The complete file before it is still written.
        let both = files(
            "```tsx app/page.tsx\nx\n```\nThen:\n```tsx app/page.tsx\n// ... existing code\ny\n```",
        );
        assert_eq!(
            (both.whole[0].content.as_str(), both.refused.len()),
            ("x\n", 1)
        );
    }

    #[test]
    fn code_that_spreads_or_speaks_of_the_rest_is_whole() {
        for line in [
            "const [first, ...rest] = items;",
            "<Button {...props} />",
            "// ...props are handed on",
            "const text = \"Loading...\";",
            "<p>The rest of the story …</p>",
            "// Existing users keep their name",
            "import a from 'https://a.example/... existing code';",
            "...(dark ? night : day),",
            "/* Other rules apply to buttons */",
            "// The header stays the same on every page",
        ] {
            assert_eq!(
                written(&format!("```tsx app/page.tsx\n{line}\n```")).len(),
                1,
                "{line}"
            );
        }
        assert_eq!(
            written("```md docs/notes.md\nand so on\n...\n```").len(),
            1,
            "a text is no code"
        );
    }
}
