//! What the reader of a response asks of an answer in the making, whatever the protocol.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::llm::{ModelError, ModelReply, Piece, Usage};

/// The longest answer, in bytes of text and arguments: a model that never ends is cut.
pub const MAX_ANSWER: usize = 16 << 20;

/// An answer as far as it has come.
pub trait Assembly: Default {
    /// Whether each chunk names its kind in `type`. Where one doesn't, its event's name is put
    /// there.
    const TYPED: bool;

    /// Takes the next chunk, or a whole answer that came at once. `is_error`: its event is called
    /// one.
    fn take(
        &mut self,
        chunk: &Value,
        is_error: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError>;

    /// The stream said that it is at its end.
    fn set_done(&mut self);

    /// Whether no part of an answer has come.
    fn is_untouched(&self) -> bool;

    /// Whether there is nothing more to wait for.
    fn is_complete(&self) -> bool;

    /// Whether the provider said that the answer is at its end.
    fn is_finished(&self) -> bool;

    /// Records a field that came in an unusual shape.
    fn note(&self, what: &'static str);

    /// The answer, if it came to its end. With `unfinished`, an answer that ended without a reason
    /// counts as well.
    fn complete(self, unfinished: bool) -> Result<Complete, ModelError>;
}

/// A complete answer.
#[derive(Debug)]
pub struct Complete {
    pub reply: ModelReply,
    /// As far as its provider reports it.
    pub usage: Option<Usage>,
    /// How long it is, in bytes.
    pub bytes: usize,
    /// Which fields came in an unusual shape.
    pub deviations: BTreeSet<&'static str>,
}

/// The error for an answer of more than [`MAX_ANSWER`] bytes.
pub fn check_size(bytes: usize) -> Result<(), ModelError> {
    if bytes > MAX_ANSWER {
        return Err(ModelError::Invalid(format!(
            "its answer is longer than {} MiB",
            MAX_ANSWER >> 20
        )));
    }
    Ok(())
}

/// The error for an answer whose end never came.
pub fn ended_early() -> ModelError {
    ModelError::Cut("the connection ended early".to_owned())
}
