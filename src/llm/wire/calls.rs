//! Assembles tool calls from streamed pieces. A piece is matched to its call by its index, else by
//! its id, else by its position. Whether pieces continue or repeat each other is decided at the end
//! of the answer, when all of them are known.

mod resolve;

use serde_json::Value;

use self::resolve::{PieceStart, Resolved, is_beginning, is_empty_object, is_same, resolve};
use crate::llm::{
    ModelError, Piece, ToolCall,
    json::{self, Joiner, Shape},
};

/// The maximum number of tool calls in an answer.
const MAX_TOOL_CALLS: usize = 64;

/// A piece of a call.
#[derive(Debug, Default)]
pub struct CallDelta {
    pub index: Option<u64>,
    pub id: String,
    pub name: String,
    /// More of the JSON text of the arguments.
    pub arguments: String,
    /// The arguments came as an object, so they are complete.
    pub at_once: bool,
    pub extra_content: Value,
}

/// The position of a piece in its chunk.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The index of the choice.
    pub choice: usize,
    /// The position in the list of calls.
    pub position: usize,
    /// Whether it was alone in the list, so that its position says nothing.
    pub alone: bool,
}

/// An answer's calls, in the order of their beginnings.
#[derive(Debug, Default)]
pub struct Calls(Vec<PartialCall>);

#[derive(Debug)]
struct PartialCall {
    origin: Origin,
    index: Option<u64>,
    call: ToolCall,
    joiner: Joiner,
    /// The offsets at which the arguments' pieces begin.
    pieces: Vec<PieceStart>,
    /// The part of the arguments that was published.
    published: String,
}

/// An answer's calls, once it has ended.
#[derive(Debug, Default)]
pub struct Assembled {
    pub calls: Vec<ToolCall>,
    /// The names of calls that were cut off within their arguments, and are not included.
    pub cut_off: Vec<String>,
}

impl Calls {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next piece of a call; returns the number of bytes it adds.
    pub fn take(
        &mut self,
        origin: Origin,
        delta: CallDelta,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<usize, ModelError> {
        let at = match self.find(origin, &delta) {
            Some(at) => at,
            None => {
                self.0.push(PartialCall::new(origin, delta.index));
                self.0.len() - 1
            }
        };
        if self.0.len() > MAX_TOOL_CALLS {
            return Err(too_many());
        }
        let partial = &mut self.0[at];
        let added = partial.take(delta);
        let partial = &self.0[at];
        if let Some(more) = added.published {
            on_piece(Piece::Call {
                index: at,
                name: &partial.call.name,
                arguments: &partial.published[more..],
            });
        }
        Ok(added.bytes)
    }

    /// Takes the call at this position, whose arguments were kept until the answer's end; `starts`:
    /// the offsets of its pieces.
    pub fn take_kept(
        &mut self,
        position: usize,
        call: &ToolCall,
        starts: &[usize],
    ) -> Result<(), ModelError> {
        let origin = Origin {
            choice: 0,
            position,
            alone: false,
        };
        let mut name = call.name.as_str();
        let starts: &[usize] = if starts.is_empty() { &[0] } else { starts };
        let ends = starts[1..].iter().copied().chain([call.arguments.len()]);
        for (from, to) in starts.iter().zip(ends) {
            let piece = CallDelta {
                index: Some(position as u64),
                id: call.id.clone(),
                name: std::mem::take(&mut name).to_owned(),
                arguments: call.arguments[*from..to].to_owned(),
                ..CallDelta::default()
            };
            self.take(origin, piece, &mut |_| {})?;
        }
        Ok(())
    }

    /// The call that the piece belongs to; `None` if it begins a new call.
    fn find(&self, origin: Origin, delta: &CallDelta) -> Option<usize> {
        let find = |is: &dyn Fn(&PartialCall) -> bool| {
            self.0
                .iter()
                .rposition(|partial| partial.origin.choice == origin.choice && is(partial))
        };
        let last = find(&|_| true);
        let by_id = if delta.id.is_empty() {
            None
        } else {
            find(&|partial| partial.call.id == delta.id)
        };
        // Whether the piece continues a call with incomplete arguments.
        let is_rest = |at: &usize| {
            let partial = &self.0[*at];
            !delta.arguments.is_empty()
                && !is_beginning(&delta.arguments)
                && partial.continues_under(&delta.name)
                && !partial.is_whole()
        };
        match delta.index {
            Some(index) => {
                let same_id = by_id.and_then(|_| {
                    find(&|partial| partial.index == Some(index) && partial.call.id == delta.id)
                });
                match find(&|partial| partial.index == Some(index)) {
                    Some(at) => {
                        let at = same_id.unwrap_or(at);
                        let other_id = !delta.id.is_empty()
                            && !self.0[at].call.id.is_empty()
                            && self.0[at].call.id != delta.id;
                        // An id that changes from piece to piece comes without the name.
                        let is_another = if other_id {
                            !delta.name.is_empty()
                        } else {
                            self.0[at].is_followed_by(delta)
                        };
                        (!is_another).then_some(at)
                    }
                    None if delta.id.is_empty() && delta.name.is_empty() => last.filter(is_rest),
                    None => by_id.filter(is_rest),
                }
            }
            None if by_id.is_some() => by_id.filter(|at| !self.0[*at].is_followed_by(delta)),
            None if !delta.id.is_empty() => {
                let unnamed =
                    last.filter(|at| delta.name.is_empty() || self.0[*at].call.id.is_empty());
                unnamed.filter(|at| {
                    is_rest(at)
                        || (self.0[*at].call.id.is_empty() && !self.0[*at].is_followed_by(delta))
                })
            }
            None => {
                let at = if origin.alone {
                    last
                } else {
                    find(&|partial| {
                        partial.origin.position == origin.position && !partial.origin.alone
                    })
                };
                at.filter(|at| !self.0[*at].is_followed_by(delta))
            }
        }
    }

    /// The complete calls. `cut`: the answer reached its limit, so nothing may be guessed about its
    /// last call. A call that others follow was not cut off: its arguments are invalid, which the
    /// model learns as the call's result.
    pub fn end(self, cut: bool) -> Result<Assembled, ModelError> {
        let mut assembled = Assembled::default();
        let last = self.0.len().saturating_sub(1);
        for (at, mut partial) in self.0.into_iter().enumerate() {
            let half = partial.joiner.end();
            partial.call.arguments.extend(half);
            let resolved = partial.resolve();
            let name = &partial.call.name;
            assembled
                .cut_off
                .extend((0..resolved.cut_off).map(|_| name.clone()));
            for arguments in resolved.whole {
                match json::shape(&arguments) {
                    Shape::CutOff if cut || at == last => assembled.cut_off.push(name.clone()),
                    Shape::Other if cut => assembled.cut_off.push(name.clone()),
                    Shape::Whole | Shape::Other | Shape::CutOff => assembled.calls.push(ToolCall {
                        arguments,
                        ..partial.call.clone()
                    }),
                }
            }
        }
        if assembled.calls.len() > MAX_TOOL_CALLS {
            return Err(too_many());
        }
        give_ids(&mut assembled.calls);
        Ok(assembled)
    }
}

fn too_many() -> ModelError {
    ModelError::Invalid(format!(
        "more than {MAX_TOOL_CALLS} tool calls in one answer"
    ))
}

/// Makes the calls' ids unique, because results refer to them.
fn give_ids(calls: &mut [ToolCall]) {
    for at in 0..calls.len() {
        let is_taken = |id: &str, others: &[ToolCall]| others.iter().any(|other| other.id == id);
        if !calls[at].id.is_empty() && !is_taken(&calls[at].id, &calls[..at]) {
            continue;
        }
        let mut id = format!("call_{at}");
        while is_taken(&id, &calls[..at]) || is_taken(&id, &calls[at + 1..]) {
            id.push('_');
        }
        calls[at].id = id;
    }
}

struct Added {
    bytes: usize,
    /// The piece's offset in the published arguments.
    published: Option<usize>,
}

impl PartialCall {
    fn new(origin: Origin, index: Option<u64>) -> Self {
        Self {
            origin,
            index,
            call: ToolCall::default(),
            joiner: Joiner::default(),
            pieces: Vec::new(),
            published: String::new(),
        }
    }

    fn take(&mut self, delta: CallDelta) -> Added {
        let call = &mut self.call;
        if !delta.id.is_empty() {
            call.id = delta.id;
        }
        if !delta.extra_content.is_null() {
            call.extra_content = delta.extra_content;
        }
        // Some providers repeat the name in every piece, completely or as far as it has come.
        if delta.name.starts_with(&call.name) {
            call.name = delta.name.clone();
        } else {
            call.name.push_str(&delta.name);
        }
        if delta.arguments.is_empty() {
            return Added {
                bytes: 0,
                published: None,
            };
        }
        let arguments = self.joiner.take(&delta.arguments);
        self.pieces.push(PieceStart {
            at: call.arguments.len(),
            named: !delta.name.is_empty(),
            at_once: delta.at_once,
        });
        call.arguments.push_str(&arguments);
        // A repetition of everything so far adds only what follows it.
        let known = if !self.published.is_empty() && arguments.starts_with(&self.published) {
            self.published.len()
        } else {
            0
        };
        let from = self.published.len();
        self.published.push_str(&arguments[known..]);
        Added {
            bytes: arguments.len(),
            published: (self.published.len() > from).then_some(from),
        }
    }

    /// Whether more of a call with this name may belong to this one.
    fn continues_under(&self, name: &str) -> bool {
        name.is_empty() || self.call.name == name
    }

    fn is_whole(&self) -> bool {
        self.call.arguments.trim_end().ends_with('}')
            && json::shape(&json::repaired(&self.call.arguments)) == Shape::Whole
    }

    /// Whether a piece that matches this call by its number begins another one: some providers give
    /// all calls the same number.
    fn is_followed_by(&self, delta: &CallDelta) -> bool {
        if delta.name.is_empty() || self.call.name.is_empty() {
            return false;
        }
        if delta.name != self.call.name {
            return !self.call.arguments.is_empty();
        }
        let begins_with_none = is_empty_object(&self.call.arguments)
            && json::shape(&json::repaired(&delta.arguments)) != Shape::Whole;
        is_beginning(&delta.arguments)
            && self.is_whole()
            && !begins_with_none
            && !is_same(&self.call.arguments, &json::settled(&delta.arguments))
    }

    /// The arguments of the calls that the pieces form, usually one.
    fn resolve(&self) -> Resolved {
        resolve(&self.call.arguments, &self.pieces)
    }
}

#[cfg(test)]
mod tests;
