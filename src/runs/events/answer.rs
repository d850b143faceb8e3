//! An answer's text while it grows, shared by the events that announce its pieces: who hands one out
//! knows what comes before it.

use std::{ops::Range, sync::Arc};

use parking_lot::{Mutex, MutexGuard};

use crate::protocol::TextPiece;

/// The text of a turn's answer as far as it was announced. It only grows: an answer that begins
/// anew is another one.
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
    /// The HTML of the block that may still change.
    pub last_block: String,
}

impl Answer {
    /// The answer that the piece belongs to, with the piece in it: the one before, where the piece
    /// goes on at its end. `None` where what comes before the piece is not known.
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

    /// How much of it was handed out, for who hands out more; others wait.
    pub fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock()
    }
}
