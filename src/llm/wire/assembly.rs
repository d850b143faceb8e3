//! The interface between the reader of a response and the assembly of an answer, for all protocols.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::llm::{ModelError, ModelReply, Piece, Usage};

/// The maximum size of an answer, in bytes of text and arguments: a model that never stops is cut
/// off.
pub const MAX_ANSWER: usize = 16 << 20;

/// A partial answer.
pub trait Assembly: Default {
    /// Whether each chunk gives its kind in `type`. If one doesn't, the name of its event is
    /// inserted.
    const TYPED: bool;

    /// Takes the next chunk, or a whole answer at once. `is_error`: its event is named an error.
    fn take(
        &mut self,
        chunk: &Value,
        is_error: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError>;

    /// Notes that the stream announced its end.
    fn set_done(&mut self);

    /// Whether no part of an answer has arrived.
    fn is_untouched(&self) -> bool;

    /// Whether there is nothing more to wait for.
    fn is_complete(&self) -> bool;

    /// Whether the provider ended the answer.
    fn is_finished(&self) -> bool;

    /// Records a field of an unusual shape.
    fn note(&self, what: &'static str);

    /// The answer, if it is complete. With `unfinished`, an answer that ended without a reason
    /// counts as well.
    fn complete(self, unfinished: bool) -> Result<Complete, ModelError>;
}

/// A complete answer.
#[derive(Debug)]
pub struct Complete {
    pub reply: ModelReply,
    /// As far as the provider reports it.
    pub usage: Option<Usage>,
    /// Its size in bytes.
    pub bytes: usize,
    /// The fields of unusual shapes.
    pub deviations: BTreeSet<&'static str>,
}

/// Fails for an answer of more than [`MAX_ANSWER`] bytes.
pub fn check_size(bytes: usize) -> Result<(), ModelError> {
    if bytes > MAX_ANSWER {
        return Err(ModelError::Invalid(format!(
            "its answer is longer than {} MiB",
            MAX_ANSWER >> 20
        )));
    }
    Ok(())
}

/// The error for an answer whose end never arrived.
pub fn ended_early() -> ModelError {
    ModelError::Cut("the connection ended early".to_owned())
}
