//! A growing answer's text, shared by the events that announce its pieces, so that whoever hands
//! out a piece knows the text before it.

use std::{ops::Range, sync::Arc};

use parking_lot::{Mutex, MutexGuard};

use crate::protocol::TextPiece;

/// The text of a turn's answer, as far as it was announced. It only grows: an answer that starts
/// over is a new one.
#[derive(Debug, Default)]
pub struct Answer {
    text: Mutex<String>,
    shown: Mutex<Shown>,
}

/// How much of an answer was handed out as HTML, and the state needed to continue from there.
#[derive(Debug, Default)]
pub struct Shown {
    /// The length of that text, in bytes.
    pub end: usize,
    /// The number of finished blocks, and the length of their text.
    pub blocks: usize,
    pub finished: usize,
    /// How much of the block that may still change was rendered, in bytes.
    pub rendered: usize,
    /// The HTML of that block.
    pub last_block: String,
    /// The open fenced code at the end of this block.
    pub code: Option<OpenCode>,
    /// Whether the text exceeds what is shown of it: nothing more is added.
    pub is_cut: bool,
}

/// Fenced code that has not ended yet.
#[derive(Debug)]
pub struct OpenCode {
    /// The fence's character, and how many of it.
    pub mark: char,
    pub length: usize,
    /// The last line, if it may turn out to be the closing fence: it is not in the HTML yet.
    pub held_back: String,
    /// Whether the HTML ends in the middle of a line.
    pub within_line: bool,
}

impl Answer {
    /// The answer with the piece added: `before` itself, if the piece continues it. `None` if the
    /// text before the piece is unknown.
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

    /// The rendering state, locked by whoever hands out more.
    pub fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock()
    }
}
