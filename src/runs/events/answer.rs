//! An answer's text while it grows, shared by the events that announce its pieces, so that whoever
//! hands one out knows what comes before it.

use std::{ops::Range, sync::Arc};

use parking_lot::{Mutex, MutexGuard};

use crate::protocol::TextPiece;

/// The text of a turn's answer as far as it was announced. It only grows: an answer that starts
/// over is another one.
#[derive(Debug, Default)]
pub struct Answer {
    text: Mutex<String>,
    shown: Mutex<Shown>,
}

/// How much of an answer was handed out as HTML, and what is needed to go on from there.
#[derive(Debug, Default)]
pub struct Shown {
    /// How much of the text, in bytes.
    pub end: usize,
    /// How many blocks of it are finished, and how much of the text they are.
    pub blocks: usize,
    pub finished: usize,
    /// How much of the block that may still change was rendered, in bytes.
    pub rendered: usize,
    /// The HTML of that block.
    pub last_block: String,
    /// The fenced code that this block ends with, while it is open.
    pub code: Option<OpenCode>,
    /// Whether the text is longer than what is shown of it: nothing more is added.
    pub is_cut: bool,
}

/// Fenced code that has not ended.
#[derive(Debug)]
pub struct OpenCode {
    /// The fence: its mark, and how many of it.
    pub mark: char,
    pub length: usize,
    /// The last line, where it may turn out to be the closing fence: it is in no HTML yet.
    pub held_back: String,
    /// Whether the HTML ends within a line.
    pub within_line: bool,
}

impl Answer {
    /// The answer with the piece added: `before` itself, if the piece continues at its end. `None`
    /// when what comes before the piece is not known.
    pub(super) fn with_piece(before: Option<Arc<Self>>, piece: &TextPiece) -> Option<Arc<Self>> {
        let mut text = String::new();
        if let Some(before) = before {
            let mut so_far = before.text.lock();
            if so_far.len() == piece.offset {
                so_far.push_str(&piece.text);
                drop(so_far);
                return Some(before);
            }
            text.push_str(so_far.get(..piece.offset)?);
        }
        piece.apply(&mut text).then(|| {
            Arc::new(Self {
                text: Mutex::new(text),
                shown: Mutex::default(),
            })
        })
    }

    /// A part of the text, in bytes.
    pub fn text(&self, part: Range<usize>) -> String {
        self.text.lock().get(part).unwrap_or_default().to_owned()
    }

    /// How much of it was handed out, locked for whoever hands out more.
    pub fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock()
    }
}
