//! Assembles a streamed answer: events become content blocks.

use serde_json::{Value, json};

use crate::llm::{
    ModelError, ModelReply, Piece, Thoughts, ToolCall, Usage,
    json::{self, Joiner},
    wire::{
        assembly::{self, Assembly, Complete},
        calls::Calls,
        failure,
        fields::{Fields, count},
        reasons::{CUT, FAILED, FILTERED},
    },
};

/// The events of a successful answer.
const EVENTS: [&str; 7] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
];

/// A partial answer.
#[derive(Default)]
pub struct Blocks {
    blocks: Vec<Block>,
    usage: Option<Usage>,
    /// The provider's reason for its end.
    stop_reason: Option<String>,
    done: bool,
    /// The block whose thinking was last shown.
    shown: Option<usize>,
    bytes: usize,
    fields: Fields,
}

/// One block of the answer's content.
#[derive(Default)]
struct Block {
    index: u64,
    /// As it began, or the whole block if it came at once.
    raw: Value,
    /// The text, the thinking, or the call's input, as JSON text.
    text: String,
    /// The offsets at which its pieces begin.
    starts: Vec<usize>,
    signature: String,
    joiner: Joiner,
    /// It contains pieces of an unknown shape, so it can't be assembled.
    has_unknown: bool,
}

impl Assembly for Blocks {
    const TYPED: bool = true;

    fn set_done(&mut self) {
        self.done = true;
    }

    fn is_untouched(&self) -> bool {
        self.blocks.is_empty() && self.usage.is_none() && self.stop_reason.is_none()
    }

    fn is_complete(&self) -> bool {
        self.done && self.stop_reason.is_some()
    }

    fn is_finished(&self) -> bool {
        self.stop_reason.is_some()
    }

    fn note(&self, what: &'static str) {
        self.fields.note(what);
    }

    fn take(
        &mut self,
        chunk: &Value,
        is_error: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        let kind = chunk["type"].as_str().unwrap_or_default();
        if !EVENTS.contains(&kind)
            && kind != "message"
            && let Some(error) = failure::in_chunk(chunk, is_error)
        {
            if self.stop_reason.is_some() {
                self.note("an error after the answer's end");
                return Ok(());
            }
            return Err(error);
        }
        match kind {
            "message_start" => self.take_usage(&chunk["message"]["usage"]),
            "content_block_start" => self.begin(chunk, &chunk["content_block"], on_piece),
            "content_block_delta" => self.take_delta(chunk, on_piece),
            "message_delta" => {
                self.take_usage(&chunk["usage"]);
                self.take_reason(&chunk["delta"]);
            }
            "message_stop" => self.done = true,
            // A complete answer.
            "message" => {
                self.take_usage(&chunk["usage"]);
                for (index, block) in self.fields.objects(chunk, "content").iter().enumerate() {
                    self.begin(&json!({ "index": index }), block, on_piece);
                }
                self.take_reason(chunk);
            }
            // `ping`, `content_block_stop`, and whatever is new.
            _ => {}
        }
        assembly::check_size(self.bytes)
    }

    fn complete(mut self, unfinished: bool) -> Result<Complete, ModelError> {
        let reason = self.stop_reason.take().unwrap_or_default();
        let reason = reason.as_str();
        if FILTERED.contains(&reason) {
            return Err(ModelError::Filtered(
                "the model refused, or its provider's rules forbid the answer".to_owned(),
            ));
        }
        if FAILED.contains(&reason) {
            return Err(failure::from_message(&format!(
                "its provider ended the answer with “{reason}”"
            )));
        }
        // `end_turn`, `tool_use`, `stop_sequence`, `pause_turn` (the model continues when asked
        // again) and unknown reasons end a complete answer.
        let mut cut = CUT.contains(&reason);
        self.blocks.sort_by_key(|block| block.index);
        let (mut text, mut items, mut calls) = (String::new(), Vec::new(), Calls::default());
        let mut position = 0;
        for mut block in std::mem::take(&mut self.blocks) {
            let half = block.joiner.end();
            block.text.extend(half);
            match block.raw["type"].as_str() {
                Some("text") => text.push_str(&block.text),
                Some("tool_use") => {
                    let call = block.call(position);
                    calls.take_kept(position, &call, &block.starts)?;
                    block.raw["id"] = call.id.into();
                    position += 1;
                }
                _ => {}
            }
            items.extend(block.kept());
        }
        let assembled = calls.end(cut)?;
        let has_end = !reason.is_empty()
            || (self.done
                && (unfinished || (!assembled.calls.is_empty() && assembled.cut_off.is_empty())));
        if !has_end {
            return Err(assembly::ended_early());
        }
        cut |= !assembled.cut_off.is_empty();
        let thoughts = (!items.is_empty()).then(|| Thoughts {
            wire: super::WIRE.to_owned(),
            items,
            ..Thoughts::default()
        });
        Ok(Complete {
            reply: ModelReply {
                text,
                tool_calls: assembled.calls,
                thoughts,
                cut,
                half_calls: assembled.cut_off,
                ..ModelReply::default()
            },
            usage: self.usage,
            bytes: self.bytes,
            deviations: self.fields.into_notes(),
        })
    }
}

impl Blocks {
    fn find(&mut self, event: &Value) -> usize {
        let index = self.fields.index(event, "index");
        let known = match index {
            Some(index) => self.blocks.iter().rposition(|block| block.index == index),
            None => self.blocks.len().checked_sub(1),
        };
        known.unwrap_or_else(|| {
            self.blocks.push(Block {
                index: index.unwrap_or(self.blocks.len() as u64),
                ..Block::default()
            });
            self.blocks.len() - 1
        })
    }

    fn begin(&mut self, event: &Value, block: &Value, on_piece: &mut impl FnMut(Piece<'_>)) {
        let index = self.fields.index(event, "index");
        let index = index.unwrap_or(self.blocks.len() as u64);
        let mut raw = block.clone();
        json::settle(&mut raw);
        let at = match self
            .blocks
            .iter()
            // A piece of it came first.
            .position(|known| known.index == index && known.raw.is_null())
        {
            Some(at) => at,
            None => {
                self.blocks.push(Block {
                    index,
                    ..Block::default()
                });
                self.blocks.len() - 1
            }
        };
        self.blocks[at].raw = raw;
        match block["type"].as_str() {
            Some("text") => self.push(at, &self.fields.text(block, "text"), on_piece),
            Some("thinking") => {
                self.push(at, &self.fields.text(block, "thinking"), on_piece);
                self.blocks[at]
                    .signature
                    .push_str(&self.fields.name(block, "signature"));
            }
            Some("tool_use") => {
                let input = &block["input"];
                let is_given = input.as_object().is_some_and(|input| !input.is_empty());
                if is_given {
                    let mut input = input.clone();
                    json::settle(&mut input);
                    self.push(at, &input.to_string(), on_piece);
                }
            }
            _ => self.bytes += block.to_string().len(),
        }
    }

    fn take_delta(&mut self, event: &Value, on_piece: &mut impl FnMut(Piece<'_>)) {
        let at = self.find(event);
        let delta = &event["delta"];
        let (kind, field) = match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => ("text", "text"),
            "thinking_delta" => ("thinking", "thinking"),
            "input_json_delta" => ("tool_use", "partial_json"),
            "signature_delta" => {
                let piece = self.fields.name(delta, "signature");
                self.bytes += piece.len();
                self.blocks[at].signature.push_str(&piece);
                return;
            }
            // Quotes within a text are not sent back.
            "citations_delta" => return,
            _ => {
                self.note("a piece of an unknown kind");
                self.blocks[at].has_unknown = true;
                return;
            }
        };
        if self.blocks[at].raw.is_null() {
            self.note("a block without its beginning");
            self.blocks[at].raw = json!({ "type": kind });
        }
        let piece = self.fields.text(delta, field);
        self.push(at, &piece, on_piece);
    }

    fn push(&mut self, at: usize, piece: &str, on_piece: &mut impl FnMut(Piece<'_>)) {
        let block = &mut self.blocks[at];
        let piece = block.joiner.take(piece);
        if piece.is_empty() {
            return;
        }
        self.bytes += piece.len();
        block.starts.push(block.text.len());
        block.text.push_str(&piece);
        match block.raw["type"].as_str() {
            Some("text") => on_piece(Piece::Text(&piece)),
            Some("thinking") => {
                if self.shown.replace(at).is_some_and(|shown| shown != at) {
                    on_piece(Piece::Thinking("\n\n"));
                }
                on_piece(Piece::Thinking(&piece));
            }
            Some("tool_use") => on_piece(Piece::Call {
                index: at,
                name: block.raw["name"].as_str().unwrap_or_default(),
                arguments: &piece,
            }),
            _ => {}
        }
    }

    /// Tokens read from and written to a cache are counted besides the input.
    fn take_usage(&mut self, reported: &Value) {
        let field = |name: &str| count(&reported[name]);
        if field("input_tokens").is_none() && field("output_tokens").is_none() {
            return;
        }
        let number = |name: &str| field(name).unwrap_or_default();
        let (read, written) = (
            number("cache_read_input_tokens"),
            number("cache_creation_input_tokens"),
        );
        let known = self.usage.get_or_insert_default();
        // The last event repeats what the first one said, or omits it.
        known.input_tokens = known
            .input_tokens
            .max(number("input_tokens") + read + written);
        known.cached_tokens = known.cached_tokens.max(read);
        known.cache_write_tokens = known.cache_write_tokens.max(written);
        known.output_tokens = known.output_tokens.max(number("output_tokens"));
        let thought = count(&reported["output_tokens_details"]["thinking_tokens"]);
        known.reasoning_tokens = known.reasoning_tokens.max(thought.unwrap_or_default());
    }

    fn take_reason(&mut self, place: &Value) {
        if let Some(reason) = place["stop_reason"]
            .as_str()
            .filter(|reason| !reason.is_empty())
        {
            self.stop_reason = Some(reason.to_lowercase());
        }
    }
}

impl Block {
    fn call(&self, position: usize) -> ToolCall {
        let id = self.raw["id"].as_str().filter(|id| !id.is_empty());
        ToolCall {
            id: id.map_or_else(|| format!("toolu_{position}"), str::to_owned),
            name: self.raw["name"].as_str().unwrap_or_default().to_owned(),
            // A tool without arguments has no pieces.
            arguments: if self.text.is_empty() {
                "{}".to_owned()
            } else {
                self.text.clone()
            },
            ..ToolCall::default()
        }
    }

    /// The block as later requests send it back; a call's input is kept in the call. Thinking
    /// without a signature would be refused, so it is dropped.
    fn kept(self) -> Option<Value> {
        let mut raw = self.raw;
        match raw["type"].as_str()? {
            "text" => Some(json!({ "type": "text", "text": self.text })),
            "thinking" if self.signature.is_empty() => None,
            "thinking" => Some(json!({
                "type": "thinking", "thinking": self.text, "signature": self.signature,
            })),
            "tool_use" => {
                raw.as_object_mut()?.remove("input");
                Some(raw)
            }
            _ if self.has_unknown => None,
            _ => Some(raw),
        }
    }
}

#[cfg(test)]
mod tests;
