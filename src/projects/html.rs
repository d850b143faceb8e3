//! Where Markdown becomes HTML: what the store has is Markdown, and an event, a message or a growing
//! text gets its HTML here, on its way to the page.

use std::collections::HashMap;

use crate::{
    protocol::{Event, EventKind, HtmlPiece, Message, Role, RunId, TextPiece},
    render,
    runs::Shown,
};

/// The message with its HTML; a user's has none.
pub fn message(message: Message) -> Message {
    let html = match message.role {
        Role::Assistant => render::markdown(&message.content),
        Role::User => String::new(),
    };
    Message { html, ..message }
}

/// The event with the HTML of what it says; a piece of a text is left as it is.
pub fn event(event: Event) -> Event {
    let kind = match event.kind {
        EventKind::Message { message: said } => EventKind::Message {
            message: message(said),
        },
        EventKind::Text { turn, text, .. } => EventKind::Text {
            turn,
            html: render::markdown(&text),
            text,
        },
        kind => kind,
    };
    Event { kind, ..event }
}

/// The events of runs with their HTML. Of a text that grows the last piece has all of it.
pub fn events(events: Vec<Event>) -> Vec<Event> {
    let mut texts = HashMap::<(Option<RunId>, u32), (String, i64)>::new();
    for event in &events {
        if let EventKind::TextPiece { turn, piece } = &event.kind {
            let (text, last) = texts.entry((event.run, *turn)).or_default();
            piece.apply(text);
            *last = event.seq;
        }
    }
    let handed_out = events.into_iter().filter_map(|saved| {
        let EventKind::TextPiece { turn, .. } = saved.kind else {
            return Some(event(saved));
        };
        let (text, last) = texts.get_mut(&(saved.run, turn))?;
        (*last == saved.seq).then(|| Event {
            kind: whole_so_far(turn, std::mem::take(text)),
            ..saved
        })
    });
    handed_out.collect()
}

/// A piece that has the whole text so far.
pub fn whole_so_far(turn: u32, text: String) -> EventKind {
    let html = grow(&text, &mut Shown::default());
    let offset = 0;
    EventKind::TextPiece {
        turn,
        piece: TextPiece { offset, text, html },
    }
}

/// The piece with what it changes of the HTML. `text` gives the text from a position to the piece's
/// end, and `shown` is what was handed out before.
pub fn piece(
    piece: &TextPiece,
    text: impl FnOnce(usize) -> String,
    shown: &mut Shown,
) -> TextPiece {
    if shown.end != piece.offset {
        *shown = Shown::default();
    }
    TextPiece {
        html: grow(&text(shown.finished), shown),
        ..piece.clone()
    }
}

/// What changes of the HTML when the text goes on like this after its finished blocks. It depends
/// on the whole text alone and not on its pieces, so whoever is given all of it at once goes on
/// with the same pieces as everybody else.
fn grow(text: &str, shown: &mut Shown) -> Vec<HtmlPiece> {
    shown.end = shown.finished + text.len();
    let (mut rest, mut pieces) = (text, Vec::new());
    loop {
        let end = render::first_block(rest);
        let html = render::markdown(&rest[..end.unwrap_or(rest.len())]);
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
                shown.last_block.clear();
            }
            None => {
                shown.last_block = html;
                return pieces;
            }
        }
    }
}

/// How many bytes both texts begin with, in whole characters.
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
    use std::sync::Arc;

    use super::*;

    const TEXT: &str = "# Käse\n\nSome **bold words**, and\na [link](https://a.test).\n\n- one\n\
        - two\n\nThen:\n\n```tsx\n<Käse a=\"1\" />\n\n// more\n```\n\nThe *end* & more 🧀.";

    /// What a page shows after these pieces.
    fn shown_by(pieces: &[HtmlPiece], blocks: &mut Vec<Arc<str>>) -> String {
        for piece in pieces {
            piece.apply(blocks);
        }
        blocks.concat()
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
                // Somebody joins with what there is so far.
                if index % 5 == 0
                    && let EventKind::TextPiece { piece, .. } = whole_so_far(1, text.clone())
                {
                    let mut blocks = vec!["what was there before".into()];
                    assert_eq!(shown_by(&piece.html, &mut blocks), html, "{text:?}");
                    joined = Some(blocks);
                }
            }
            assert_eq!(first.concat(), render::markdown(TEXT));
        }
    }

    #[test]
    fn a_long_answer_costs_about_its_length() {
        let paragraph = "Words and **more words** of an answer that goes on and on.\n\n";
        let code = format!("```\n{}```\n\n", "let line = 1;\n".repeat(500));
        let (mut text, mut shown, mut sent) = (String::new(), Shown::default(), 0);
        for part in [paragraph.repeat(200), code, paragraph.repeat(200)] {
            for bytes in part.as_bytes().chunks(20) {
                let grown = TextPiece {
                    offset: text.len(),
                    text: String::from_utf8_lossy(bytes).into_owned(),
                    html: Vec::new(),
                };
                grown.apply(&mut text);
                let rest = |from: usize| text[from..].to_owned();
                let pieces = piece(&grown, rest, &mut shown).html;
                sent += pieces.iter().map(|piece| piece.html.len()).sum::<usize>();
            }
        }
        assert!(sent < 4 * text.len(), "{sent} for {}", text.len());
    }
}
