//! Where a growing Markdown text can be cut: what stands before the cut is rendered once, and only
//! the rest again with each piece.

/// The length in bytes of the text's first part that nothing after it can change, however the text
/// goes on; `None` while there is none. It ends before a line that follows an empty one and is
/// neither indented nor an item of a list, outside of fenced code. The same for every longer text.
pub fn first_block(text: &str) -> Option<usize> {
    let (mut at, mut after_empty, mut fence) = (0, false, None::<(char, usize)>);
    for line in text.split_inclusive('\n') {
        let whole = line.ends_with('\n');
        let words = line.trim();
        if let Some((mark, length)) = fence {
            let marks = words.chars().take_while(|letter| *letter == mark).count();
            if whole && marks >= length && words[marks..].is_empty() {
                fence = None;
            }
        } else if words.is_empty() {
            after_empty = at > 0;
        } else {
            if after_empty && begins_block(line, whole) {
                return Some(at);
            }
            after_empty = false;
            fence = opened_fence(words);
        }
        at += line.len();
    }
    None
}

/// Whether the line, as far as it has come, certainly begins a block of its own.
fn begins_block(line: &str, whole: bool) -> bool {
    if line.starts_with(char::is_alphabetic) {
        return true;
    }
    let number = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_item = line.starts_with(['-', '*', '+'])
        || (number.len() < line.len() && number.starts_with(['.', ')']));
    whole && !is_item && !line.starts_with([' ', '\t'])
}

/// The fence that a line begins: its mark, and how many of it.
fn opened_fence(line: &str) -> Option<(char, usize)> {
    let mark = line
        .chars()
        .next()
        .filter(|mark| ['`', '~'].contains(mark))?;
    let length = line.chars().take_while(|letter| *letter == mark).count();
    // Code within a line has its backticks at both ends.
    let is_code = mark == '`' && line[length..].contains('`');
    (length >= 3 && !is_code).then_some((mark, length))
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
        while let Some(end) = first_block(text) {
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
}
