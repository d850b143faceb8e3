//! Finds where a growing Markdown text can be cut: the part before the cut is rendered once, and
//! only the rest is rendered again with each piece. In growing fenced code, only the new part is
//! rendered.

/// How a growing text begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Beginning {
    /// The first part, of this length in bytes, is finished: nothing after it can change it.
    Finished(usize),
    /// Nothing is finished; no fenced code ends after this byte.
    Open(usize),
    /// Nothing is finished; the text ends inside fenced code that begins at this byte.
    Code(Fence, usize),
}

/// A code fence: this many of the mark, at the beginning of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    pub mark: char,
    pub length: usize,
}

impl Fence {
    /// Whether the line closes the code.
    pub fn is_closed_by(&self, line: &str) -> bool {
        let marks = self.marks(line);
        marks.is_some_and(|marks| marks >= self.length)
    }

    /// Whether the incomplete line may still become a closing fence.
    pub fn may_be_closed_by(&self, line: &str) -> bool {
        self.marks(line).is_some()
    }

    /// The number of marks on a line that consists only of marks with space around them. A line
    /// with deeper indentation is code.
    fn marks(&self, line: &str) -> Option<usize> {
        let marks = line.trim_start_matches(' ');
        let after = marks.trim_start_matches(self.mark);
        let is_fence = line.len() - marks.len() < 4 && after.trim().is_empty();
        is_fence.then(|| marks.chars().count() - after.chars().count())
    }
}

/// Classifies the beginning of the text. A first part is finished before a line that follows an
/// empty one, is neither indented nor a list item, and lies outside fenced code. It then stays the
/// same for every longer text.
pub fn beginning(text: &str) -> Beginning {
    let (mut at, mut after_empty, mut after_code) = (0, false, 0);
    let mut fence = None::<(Fence, Option<usize>)>;
    for line in text.split_inclusive('\n') {
        let (whole, whole_line) = (line.ends_with('\n'), line.len());
        let words = line.trim();
        if let Some((open, code)) = fence {
            // Within a list, the line is indented like its item.
            let line = if code.is_some() { line } else { words };
            if whole && open.is_closed_by(line) {
                fence = None;
                after_code = at + whole_line;
            }
        } else if words.is_empty() {
            after_empty = at > 0;
        } else {
            if after_empty && begins_block(line, whole) {
                return Beginning::Finished(at);
            }
            after_empty = false;
            fence = opened_fence(words).map(|fence| {
                let is_outermost = whole && line.starts_with(fence.mark);
                (fence, is_outermost.then_some(at + line.len()))
            });
        }
        at += line.len();
    }
    match fence {
        Some((fence, Some(code))) => Beginning::Code(fence, code),
        Some((_, None)) | None => Beginning::Open(after_code),
    }
}

/// Whether the line, as far as it is known, certainly begins a new block.
fn begins_block(line: &str, whole: bool) -> bool {
    if line.starts_with(char::is_alphabetic) {
        return true;
    }
    let number = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_item = line.starts_with(['-', '*', '+'])
        || (number.len() < line.len() && number.starts_with(['.', ')']));
    whole && !is_item && !line.starts_with([' ', '\t'])
}

/// The fence that a line opens.
fn opened_fence(line: &str) -> Option<Fence> {
    let mark = line
        .chars()
        .next()
        .filter(|mark| ['`', '~'].contains(mark))?;
    let length = line.chars().take_while(|letter| *letter == mark).count();
    // Inline code has backticks at both ends.
    let is_code = mark == '`' && line[length..].contains('`');
    (length >= 3 && !is_code).then_some(Fence { mark, length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::markdown;

    const TEXT: &str = "# Title\n\nWords **and**\nmore.\n\n- one\n\n- two\n\n  more of two\n\n\
        ```tsx\nlet a = 1;\n\nlet b = `2`;\n```\n\n1. first\n\n2. second\n\n> quoted\n\n\
        | a | b |\n|---|---|\n| 1 | 2 |\n\n~~~\nnot ```\n\nclosed\n~~~\n\nEnd with `code`.";

    fn blocks(mut text: &str) -> Vec<&str> {
        let mut blocks = Vec::new();
        while let Beginning::Finished(end) = beginning(text) {
            let (block, rest) = text.split_at(end);
            blocks.push(block);
            text = rest;
        }
        blocks.push(text);
        blocks
    }

    #[test]
    fn blocks_rendered_one_by_one_are_the_text_rendered_whole() {
        let blocks = blocks(TEXT);
        assert!(blocks.len() > 5, "{blocks:#?}");
        let html: Vec<String> = blocks.iter().map(|block| markdown(block)).collect();
        assert_eq!(html.concat(), markdown(TEXT));
    }

    #[test]
    fn a_cut_that_was_found_stays_however_the_text_goes_on() {
        let whole = blocks(TEXT);
        for end in 0..TEXT.len() {
            let so_far = blocks(&TEXT[..end]);
            let finished = &so_far[..so_far.len() - 1];
            assert_eq!(finished, &whole[..finished.len()], "{end}");
        }
    }

    #[test]
    fn code_at_the_end_of_a_text_is_open_until_a_line_of_its_marks() {
        let code = |text: &str| match beginning(text) {
            Beginning::Code(_, code) => Some(text[code..].to_owned()),
            _ => None,
        };
        for (text, open) in [
            ("```tsx\nlet a;\n\nlet b;", Some("let a;\n\nlet b;")),
            ("Then:\n~~~~\n~~~\n    ~~~~\n", Some("~~~\n    ~~~~\n")),
            ("```\n`` `\n```x\n", Some("`` `\n```x\n")),
            ("```", None),
            ("```a`\n", None),
            ("- a\n  ```\n  b\n", None),
            ("```\na\n```\n", None),
            ("```\na\n   ````  \n", None),
        ] {
            assert_eq!(code(text).as_deref(), open, "{text}");
        }
    }
}
