//! Where Markdown becomes HTML: the store keeps Markdown, and an event, a message or a growing text
//! is rendered here, on its way to the page.

use std::collections::HashMap;

use super::ProjectError;
use crate::{
    protocol::{
        BLOCK_BOUNDARY, Event, EventKind, GrowingText, HtmlPiece, Message, Role, RunId, TextPiece,
        journeys_note,
    },
    render::{self, Beginning, CODE_END, Fence},
    runs::{OpenCode, Shown},
};

/// How much of a text is shown, in bytes: about eighty printed pages. A longer text makes the page
/// slow for everybody who opens it.
const SHOWN: usize = 256 << 10;
/// The page's note in place of the rest.
const CUT: &str = "<p><em>The rest is not shown: this text is longer than 256 kB.</em></p>\n";

/// The HTML of a complete text, in blocks.
fn whole(text: &str) -> String {
    let shown = &text[..text.floor_char_boundary(SHOWN)];
    let mut blocks = render::markdown_blocks(shown);
    if shown.len() < text.len() {
        blocks.push(CUT.to_owned());
    }
    blocks.join(BLOCK_BOUNDARY)
}

/// Renders on a blocking thread, because highlighting long code takes time.
pub async fn rendered<T: Send + 'static>(
    render: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ProjectError> {
    tokio::task::spawn_blocking(render)
        .await
        .map_err(|error| ProjectError::Internal(error.into()))
}

/// Whether the event contains text to render.
pub fn has_text(kind: &EventKind) -> bool {
    let is_whole = matches!(
        kind,
        EventKind::Message { .. } | EventKind::Text { .. } | EventKind::Thinking { .. }
    );
    is_whole || kind.piece().is_some()
}

/// The message with its HTML. User messages have none. The journeys that passed are left out of it:
/// they have a list of their own, with pictures.
pub fn message(message: Message) -> Message {
    let html = match message.role {
        Role::Assistant if !message.journeys.is_empty() => {
            let titles = message.journeys.iter().map(|journey| &*journey.title);
            whole(&message.content.replacen(&journeys_note(titles), "", 1))
        }
        Role::Assistant => whole(&message.content),
        Role::User => String::new(),
    };
    Message { html, ..message }
}

/// The event with its HTML rendered; a piece of a text is left as it is.
pub fn event(event: Event) -> Event {
    let kind = match event.kind {
        EventKind::Message { message: said } => EventKind::Message {
            message: message(said),
        },
        EventKind::Text { turn, text, .. } => EventKind::Text {
            turn,
            html: whole(&text),
            text,
        },
        EventKind::Thinking {
            turn, text, took, ..
        } => EventKind::Thinking {
            turn,
            html: whole(&text),
            text,
            took,
        },
        kind => kind,
    };
    Event { kind, ..event }
}

/// The events of runs, rendered. The last piece of a growing text carries the complete HTML.
pub fn events(events: Vec<Event>) -> Vec<Event> {
    let mut texts = HashMap::<(Option<RunId>, GrowingText), (String, i64)>::new();
    for event in &events {
        if let Some((of, piece)) = event.kind.piece() {
            let (text, last) = texts.entry((event.run, of)).or_default();
            piece.apply(text);
            *last = event.seq;
        }
    }
    let handed_out = events.into_iter().filter_map(|saved| {
        let Some((of, _)) = saved.kind.piece() else {
            return Some(event(saved));
        };
        let (text, last) = texts.get_mut(&(saved.run, of))?;
        (*last == saved.seq).then(|| Event {
            kind: of.grown(whole_so_far(std::mem::take(text))),
            ..saved
        })
    });
    handed_out.collect()
}

/// A piece that carries the whole text so far.
pub fn whole_so_far(text: String) -> TextPiece {
    let html = grow(&text, &mut Shown::default());
    let offset = 0;
    TextPiece { offset, text, html }
}

/// The piece with its changes to the HTML. `text` returns the text from an offset to the piece's
/// end, and `shown` is the state after the pieces before.
pub fn piece(
    piece: &TextPiece,
    text: impl FnOnce(usize) -> String,
    shown: &mut Shown,
) -> TextPiece {
    if shown.end != piece.offset {
        *shown = Shown::default();
    }
    let (is_cut, is_shown) = (shown.is_cut, piece.end() <= SHOWN);
    let html = match is_shown.then(|| grow_code(&piece.text, shown)).flatten() {
        Some(html) => html,
        None if is_cut => Vec::new(),
        None => grow(&text(shown.finished), shown),
    };
    shown.end = piece.end();
    TextPiece {
        html,
        ..piece.clone()
    }
}

/// The changes to the HTML when open code continues with `more`. `None` if no code is open, or if
/// the block must be rendered again.
fn grow_code(more: &str, shown: &mut Shown) -> Option<Vec<HtmlPiece>> {
    let mut code = shown.code.take()?;
    let mut html = more_code(&mut code, more)?;
    shown.code = Some(code);
    if html.is_empty() {
        return Some(Vec::new());
    }
    html.push_str(CODE_END);
    let offset = shown.last_block.len() - CODE_END.len();
    shown.last_block.truncate(offset);
    shown.last_block.push_str(&html);
    Some(vec![HtmlPiece {
        block: shown.blocks,
        offset,
        html,
    }])
}

/// The HTML of `more` code. `None` if the code ends in it, or if it contains characters that
/// Markdown replaces.
fn more_code(code: &mut OpenCode, more: &str) -> Option<String> {
    if more.contains(['\r', '\0']) {
        return None;
    }
    let fence = Fence {
        mark: code.mark,
        length: code.length,
    };
    let (mut html, text) = (String::new(), std::mem::take(&mut code.held_back) + more);
    for line in text.split_inclusive('\n') {
        let is_whole = line.ends_with('\n');
        let begins = !std::mem::replace(&mut code.within_line, !is_whole);
        if begins && is_whole && fence.is_closed_by(line) {
            return None;
        }
        if begins && !is_whole && fence.may_be_closed_by(line) {
            line.clone_into(&mut code.held_back);
            code.within_line = false;
        } else {
            html.push_str(&render::code_text(line));
        }
    }
    Some(html)
}

/// The HTML of an unfinished block, or of the part worth rendering; and the open code at its end,
/// if any.
fn unfinished_block(text: &str, worth: &str, beginning: Beginning) -> (String, Option<OpenCode>) {
    if let Beginning::Code(Fence { mark, length }, start) = beginning
        && let Some(mut html) = render::open_code(&text[..start])
    {
        let mut code = OpenCode {
            mark,
            length,
            held_back: String::new(),
            within_line: false,
        };
        if let Some(more) = more_code(&mut code, &text[start..]) {
            html.push_str(&more);
            html.push_str(CODE_END);
            return (html, Some(code));
        }
    }
    (render::markdown(worth), None)
}

/// The maximum length, in bytes, of a block that is rendered again with each of its pieces.
const LONG_BLOCK: usize = 16 << 10;

/// The part of an unfinished block that is shown. A short block is shown in full. A long one, such
/// as a list without empty lines, is shown up to where it had last grown by an eighth, so that
/// rendering takes linear instead of quadratic time.
///
/// The text before `after_code` is always shown: it was already shown as code.
fn worth_rendering(block: &str, after_code: usize) -> &str {
    if block.len() - after_code <= LONG_BLOCK {
        return block;
    }
    let mut length = after_code + LONG_BLOCK;
    while length + length / 8 <= block.len() {
        length += length / 8;
    }
    let beginning = &block[..block.floor_char_boundary(length)];
    let whole_lines = beginning[after_code..]
        .rfind('\n')
        .map_or(beginning.len(), |end| after_code + end + 1);
    &beginning[..whole_lines]
}

/// The changes to the HTML when `text` follows the finished blocks. The result depends only on the
/// whole text, not on how it was cut into pieces, so a client that gets all of it at once can
/// continue with the same pieces as the others.
fn grow(text: &str, shown: &mut Shown) -> Vec<HtmlPiece> {
    let begins = &text[..text.floor_char_boundary(SHOWN - shown.finished)];
    let mut pieces = grow_shown(begins, shown);
    if begins.len() < text.len() {
        shown.is_cut = true;
        pieces.push(HtmlPiece {
            block: shown.blocks + usize::from(!shown.last_block.is_empty()),
            offset: 0,
            html: CUT.to_owned(),
        });
    }
    pieces
}

fn grow_shown(text: &str, shown: &mut Shown) -> Vec<HtmlPiece> {
    let (mut rest, mut pieces) = (text, Vec::new());
    loop {
        let (end, html) = match render::beginning(rest) {
            Beginning::Finished(end) => (Some(end), render::markdown(&rest[..end])),
            beginning => {
                let worth = match beginning {
                    Beginning::Open(after_code) => worth_rendering(rest, after_code),
                    Beginning::Code(..) | Beginning::Finished(_) => rest,
                };
                if worth.len() < rest.len() && worth.len() == shown.rendered {
                    shown.code = None;
                    return pieces;
                }
                shown.rendered = worth.len();
                let (html, code) = unfinished_block(rest, worth, beginning);
                shown.code = code;
                (None, html)
            }
        };
        let offset = common_prefix(&shown.last_block, &html);
        let is_new = shown.last_block.is_empty();
        if offset < html.len() || offset < shown.last_block.len() || (is_new && end.is_some()) {
            pieces.push(HtmlPiece {
                block: shown.blocks,
                offset,
                html: html[offset..].to_owned(),
            });
        }
        match end {
            Some(end) => {
                rest = &rest[end..];
                shown.finished += end;
                shown.blocks += 1;
                shown.rendered = 0;
                shown.last_block.clear();
            }
            None => {
                shown.last_block = html;
                return pieces;
            }
        }
    }
}

/// The length of the common prefix in bytes, at a character boundary.
fn common_prefix(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    let mut length = same.count();
    while !one.is_char_boundary(length) {
        length -= 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Arc};

    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    const TEXT: &str = "# Käse\n\nSome **bold words**, and\na [link](https://a.test).\n\n- one\n\
        - two\n\nThen:\n\n```tsx\n<Käse a=\"1\" />\n\n// more\n```\n\nThe *end* & more 🧀.";

    /// The page's text after these pieces.
    fn shown_by(pieces: &[HtmlPiece], blocks: &mut Vec<Arc<str>>) -> String {
        for piece in pieces {
            piece.apply(blocks);
        }
        blocks.concat()
    }

    /// The page's text after it has arrived in pieces of `size` letters. `each` gets the text so
    /// far and what is shown then.
    fn shown_in_pieces(text: &str, size: usize, each: impl Fn(&str, &str)) -> String {
        let letters: Vec<char> = text.chars().collect();
        let (mut text, mut html) = (String::new(), String::new());
        let (mut shown, mut blocks) = (Shown::default(), Vec::new());
        for letters in letters.chunks(size) {
            let grown = TextPiece {
                offset: text.len(),
                text: letters.iter().collect(),
                html: Vec::new(),
            };
            grown.apply(&mut text);
            let grown = piece(&grown, |from| text[from..].to_owned(), &mut shown);
            html = shown_by(&grown.html, &mut blocks);
            each(&text, &html);
        }
        html
    }

    #[test]
    fn pieces_of_any_size_show_the_text_as_far_as_it_came_whenever_somebody_joins() {
        let letters: Vec<char> = TEXT.chars().collect();
        for size in [1, 3, 7, 40] {
            let (mut text, mut shown) = (String::new(), Shown::default());
            let (mut first, mut joined) = (Vec::new(), None::<Vec<Arc<str>>>);
            for (index, letters) in letters.chunks(size).enumerate() {
                let grown = TextPiece {
                    offset: text.len(),
                    text: letters.iter().collect(),
                    html: Vec::new(),
                };
                assert!(grown.apply(&mut text));
                let grown = piece(&grown, |from| text[from..].to_owned(), &mut shown);
                let html = shown_by(&grown.html, &mut first);
                if let Some(joined) = &mut joined {
                    assert_eq!(shown_by(&grown.html, joined), html);
                }
                // A client joins midway.
                if index % 5 == 0 {
                    let mut blocks = vec!["what was there before".into()];
                    let so_far = whole_so_far(text.clone()).html;
                    assert_eq!(shown_by(&so_far, &mut blocks), html, "{text:?}");
                    joined = Some(blocks);
                }
            }
            assert_eq!(first.concat(), render::markdown(TEXT));
        }
    }

    #[test]
    fn of_a_very_long_text_the_beginning_is_shown_and_nothing_more_is_sent() {
        for unit in ["Ä paragraph.\n\n", "- An item\n", "```\n", "ä"] {
            let text = unit.repeat((SHOWN + 100_000) / unit.len());
            let html = shown_in_pieces(&text, 50_000, |so_far, html| {
                let joined = whole_so_far(so_far.to_owned()).html;
                assert_eq!(shown_by(&joined, &mut Vec::new()), html, "{unit}");
                assert_eq!(html.ends_with(CUT), so_far.len() > SHOWN, "{unit}");
            });
            let once = render::markdown(&text[..text.floor_char_boundary(SHOWN)]);
            assert!(
                html.len() <= once.len() + CUT.len(),
                "{unit}: {}",
                html.len()
            );
            let whole = whole(&text);
            let blocks: Vec<&str> = whole.split(BLOCK_BOUNDARY).collect();
            assert_eq!(blocks.last(), Some(&CUT), "{unit}");
            if unit.starts_with('Ä') {
                assert_eq!(blocks.concat(), html);
            }
        }
        assert!(!whole("A paragraph.\n\nAnother.").contains(CUT));
    }

    #[test]
    fn a_long_answer_costs_about_its_length() {
        let paragraph = "Words and **more words** of an answer that goes on and on.\n\n";
        let code = format!("Then:\n```\n{}```\n\n", "let line = a < 1;\n".repeat(5000));
        let (mut text, mut shown, mut sent) = (String::new(), Shown::default(), 0);
        let rendered = Cell::new(0);
        for part in [paragraph.repeat(200), code, paragraph.repeat(200)] {
            for bytes in part.as_bytes().chunks(20) {
                let grown = TextPiece {
                    offset: text.len(),
                    text: String::from_utf8_lossy(bytes).into_owned(),
                    html: Vec::new(),
                };
                grown.apply(&mut text);
                let rest = |from: usize| {
                    rendered.set(rendered.get() + text.len() - from);
                    text[from..].to_owned()
                };
                let pieces = piece(&grown, rest, &mut shown).html;
                sent += pieces.iter().map(|piece| piece.html.len()).sum::<usize>();
            }
        }
        assert!(sent < 4 * text.len(), "{sent} for {}", text.len());
        let rendered = rendered.get();
        assert!(rendered < 8 * text.len(), "{rendered} for {}", text.len());
    }

    #[test]
    fn a_long_list_is_rendered_some_dozen_times_and_the_same_for_whoever_joins() {
        let item = "- An item of a list that has no empty line in it, and *goes on*\n";
        let (list, count) = (item.repeat(1000), Cell::new(0));
        let changes = Cell::new(0);
        let before = std::cell::RefCell::new(String::new());
        let shown = shown_in_pieces(&list, 100, |text, html| {
            count.set(count.get() + 1);
            if *before.borrow() != html {
                changes.set(changes.get() + 1);
                html.clone_into(&mut before.borrow_mut());
            }
            if count.get() % 150 == 0 {
                let so_far = whole_so_far(text.to_owned()).html;
                assert_eq!(shown_by(&so_far, &mut Vec::new()), html);
            }
        });
        assert!(shown.matches("<li>").count() > 850, "{}", shown.len());
        // One piece each while the block is short, then one for each eighth.
        let (pieces, short) = (count.get(), LONG_BLOCK / 100);
        assert!(changes.get() < short + 20, "{} of {pieces}", changes.get());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn code_in_any_pieces_is_shown_as_if_rendered_whole(
            parts in vec(
                select(vec![
                    "\n", "\n", "\n\n", "```\n", "```tsx\n", "````\n", "~~~\n", "```", "``", "   ```\n",
                    "    ```\n", "  ", "a < b && c > \"d\"", "Käse", "- one\n", "<div>", "\t", "x\n", "\r\n", "# ",
                ]),
                0..24,
            ),
            size in 1_usize..9,
        ) {
            let code = parts.concat();
            let whole_so_far = |text: &str, html: &str| {
                let so_far = whole_so_far(text.to_owned()).html;
                assert_eq!(shown_by(&so_far, &mut Vec::new()), html, "{text:?}");
            };
            shown_in_pieces(&format!("Words:\n```ts\n{code}"), size, whole_so_far);
            // Only the fence at its end ends the code.
            let code = code.replace('`', "");
            let text = format!("Words:\n```ts\n{code}\n```\n");
            prop_assert_eq!(shown_in_pieces(&text, size, |_, _| {}), render::markdown(&text));
        }
    }
}
