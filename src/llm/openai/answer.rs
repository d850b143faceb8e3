//! A streamed answer in the making: text, tool calls and usage out of chunks that few providers
//! send quite as OpenAI does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    calls::{CallDelta, Calls, Place},
    failure,
    fields::Odd,
    thinking::{self, Thinking},
    usage,
};
use crate::llm::{
    ModelError, ModelReply, Piece, Thoughts, Usage,
    json::{self, Joiner},
};

/// An answer is no longer than this, in bytes of text and arguments: a model that never ends is
/// cut.
const MAX_ANSWER: usize = 16 << 20;
/// What of a thought comes in pieces.
const GROWING: [&str; 3] = ["text", "summary", "data"];
/// How providers say that an answer reached its limit of tokens, in lower case.
const CUT: [&str; 8] = [
    "length",
    "max_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "model_length",
    "token_limit",
    "incomplete",
    "model_context_window_exceeded",
];
/// That their rules forbid it.
const FILTERED: [&str; 10] = [
    "content_filter",
    "content-filter",
    "filtered",
    "safety",
    "sensitive",
    "refusal",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
];
/// That they failed.
const FAILED: [&str; 7] = [
    "error",
    "abort",
    "aborted",
    "network_error",
    "insufficient_system_resource",
    "engine_overloaded",
    "malformed_function_call",
];

/// What there is of an answer.
#[derive(Default)]
pub struct Answer {
    text: String,
    joiner: Joiner,
    thinking: Thinking,
    thoughts: Thoughts,
    thought_joiner: Joiner,
    calls: Calls,
    usage: Option<Usage>,
    /// Why it ended, as the provider says, in lower case.
    finished: Option<String>,
    /// The stream said that it is at its end.
    done: bool,
    /// What was said beside the answer, such as why there is none.
    remark: Option<String>,
    bytes: usize,
    odd: Odd,
}

/// An answer at its end.
#[derive(Debug)]
pub struct Whole {
    pub reply: ModelReply,
    /// As far as its provider reports it.
    pub usage: Option<Usage>,
    /// How long it is, in bytes.
    pub bytes: usize,
    /// The fields that came in a shape of their own.
    pub odd: BTreeSet<&'static str>,
}

impl Answer {
    /// The stream said that it is at its end.
    pub fn set_done(&mut self) {
        self.done = true;
    }

    /// Whether there is nothing more to wait for.
    pub fn is_whole(&self) -> bool {
        self.done && self.finished.is_some()
    }

    /// Whether the provider said that the answer is at its end.
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Takes note of something that came otherwise than it should.
    pub fn note(&self, what: &'static str) {
        self.odd.note(what);
    }

    /// Takes the next chunk, or a whole answer that came at once. `is_error`: its event is called
    /// one.
    pub fn take(
        &mut self,
        chunk: &Value,
        is_error: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        if let Some(error) = failure::in_chunk(chunk, is_error) {
            if self
                .finished
                .as_deref()
                .is_some_and(|reason| !FAILED.contains(&reason))
            {
                self.note("an error after the answer's end");
                return Ok(());
            }
            return Err(error);
        }
        usage::take(&mut self.usage, chunk);
        let choices = self.odd.objects(chunk, "choices");
        if choices.is_empty() {
            if chunk["message"].is_object() || chunk["delta"].is_object() {
                self.take_choice(0, chunk, on_piece)?;
            } else if let Some(remark) = failure::remark(chunk) {
                self.remark = Some(remark);
            }
        }
        for (choice, content) in choices.into_iter().enumerate() {
            self.take_choice(choice, content, on_piece)?;
        }
        // What comes as a whole is at its end, and Ollama's own protocol says so.
        if self.finished.is_none()
            && (chunk["object"] == "chat.completion" || chunk["done"] == true)
        {
            self.finish("stop");
        }
        if self.bytes > MAX_ANSWER {
            return Err(ModelError::Invalid(format!(
                "its answer is longer than {} MiB",
                MAX_ANSWER >> 20
            )));
        }
        Ok(())
    }

    fn take_choice(
        &mut self,
        position: usize,
        choice: &Value,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        let number = self
            .odd
            .index(choice, "index")
            .and_then(|index| usize::try_from(index).ok())
            .unwrap_or(position);
        if choice["delta"].is_object() {
            self.take_delta(number, &choice["delta"], on_piece)?;
        } else if choice["message"].is_object() {
            // All at once, or all of it again.
            let (had_text, had_calls) = (!self.text.is_empty(), !self.calls.is_empty());
            let mut message = choice["message"].clone();
            if let Value::Object(fields) = &mut message {
                fields.retain(|name, _| match name.as_str() {
                    "tool_calls" | "function_call" => !had_calls,
                    _ => !had_text,
                });
            }
            self.take_delta(number, &message, on_piece)?;
        } else if choice["text"].is_string() {
            self.take_text(&self.odd.text(choice, "text"), on_piece);
        }
        for field in ["finish_reason", "done_reason"] {
            match &choice[field] {
                Value::String(reason) if !reason.trim().is_empty() => {
                    self.finish(&reason.trim().to_lowercase())
                }
                Value::String(_) | Value::Null => {}
                _ => self.note(field),
            }
        }
        Ok(())
    }

    /// An answer that was cut stays cut, whatever is said of it later.
    fn finish(&mut self, reason: &str) {
        if !self
            .finished
            .as_deref()
            .is_some_and(|known| CUT.contains(&known))
        {
            self.finished = Some(reason.to_owned());
        }
    }

    fn take_delta(
        &mut self,
        choice: usize,
        delta: &Value,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        let text = self.odd.text(delta, "content");
        let text = if text.is_empty() {
            self.odd.text(delta, "refusal")
        } else {
            text
        };
        self.take_text(&text, on_piece);
        let calls = self.odd.objects(delta, "tool_calls");
        let alone = calls.len() < 2;
        for (position, call) in calls.into_iter().enumerate() {
            let place = Place {
                choice,
                position,
                alone,
            };
            let call = self.call(call);
            self.bytes += self.calls.take(place, call, on_piece)?;
        }
        // What there was before there were tools.
        if delta["function_call"].is_object() {
            let place = Place {
                choice,
                position: 0,
                alone: true,
            };
            let call = self.call(&delta["function_call"]);
            self.bytes += self.calls.take(place, call, on_piece)?;
        }
        let thought = self
            .thought_joiner
            .take(&self.odd.thought(delta, "reasoning_content"));
        self.bytes += thought.len();
        self.thoughts.reasoning_content.push_str(&thought);
        for detail in self.odd.objects(delta, "reasoning_details") {
            self.take_detail(detail.clone());
        }
        Ok(())
    }

    fn take_text(&mut self, piece: &str, on_piece: &mut impl FnMut(Piece<'_>)) {
        let said = self.joiner.take(piece);
        self.bytes += said.len();
        let text = self.thinking.take(&said);
        if !text.is_empty() {
            on_piece(Piece::Text(&text));
            self.text.push_str(&text);
        }
    }

    /// A piece of a call, with its function in a field of its own or not.
    fn call(&self, call: &Value) -> CallDelta {
        let function = if call["function"].is_object() {
            &call["function"]
        } else {
            call
        };
        let arguments = [
            &function["arguments"],
            &function["input"],
            &function["parameters"],
        ]
        .into_iter()
        .find(|value| !value.is_null());
        let (arguments, at_once) = match arguments {
            Some(Value::String(piece)) => (piece.clone(), false),
            Some(object @ Value::Object(_)) => {
                let mut object = object.clone();
                json::settle(&mut object);
                (object.to_string(), true)
            }
            Some(_) => {
                self.note("arguments");
                (String::new(), false)
            }
            None => (String::new(), false),
        };
        CallDelta {
            index: self.odd.index(call, "index"),
            id: self.odd.name(call, "id"),
            name: self.odd.name(function, "name"),
            arguments,
            at_once,
            extra_content: call["extra_content"].clone(),
        }
    }

    /// Adds a piece of a thought to the one with its index, or as one more.
    fn take_detail(&mut self, mut detail: Value) {
        json::settle(&mut detail);
        let details = &mut self.thoughts.reasoning_details;
        self.bytes += detail.to_string().len();
        let is_same = |other: &Value| {
            detail["index"].is_u64()
                && ["index", "type"]
                    .iter()
                    .all(|field| detail[field] == other[field])
        };
        match (details.iter_mut().find(|other| is_same(other)), detail) {
            (Some(Value::Object(known)), Value::Object(more)) => {
                for (name, value) in more.into_iter().filter(|(_, value)| !value.is_null()) {
                    match (known.get_mut(&name), value) {
                        (Some(Value::String(text)), Value::String(piece))
                            if GROWING.contains(&name.as_str()) =>
                        {
                            text.push_str(&piece)
                        }
                        (Some(Value::Null) | None, value) => {
                            known.insert(name, value);
                        }
                        (Some(signature), value) if name == "signature" => *signature = value,
                        // What names things stays.
                        (Some(_), _) => {}
                    }
                }
            }
            (_, detail) => details.push(detail),
        }
    }

    /// The answer, when it came to its end. `unfinished`: one whose end was announced without a
    /// reason counts as well.
    pub fn whole(mut self, unfinished: bool) -> Result<Whole, ModelError> {
        let finished = self.finished.take().unwrap_or_default();
        let reason = finished.as_str();
        match reason {
            _ if FILTERED.contains(&reason) => {
                return Err(ModelError::Filtered(
                    "its content filter stopped the answer".to_owned(),
                ));
            }
            _ if FAILED.contains(&reason) => {
                let words = self
                    .remark
                    .unwrap_or_else(|| format!("its provider ended the answer with “{reason}”"));
                return Err(failure::of_words(&words));
            }
            _ => {}
        }
        let ended = !reason.is_empty();
        let mut cut = CUT.contains(&reason);
        let rest: String = self.joiner.end().into_iter().collect();
        let rest = self.thinking.take(&rest) + &self.thinking.end();
        self.text.push_str(&rest);
        self.thoughts
            .reasoning_content
            .extend(self.thought_joiner.end());
        let assembled = self.calls.end(cut)?;
        // The end of whole calls needs no reason; that of text may be anywhere.
        let has_end = ended
            || (self.done
                && (unfinished || (!assembled.calls.is_empty() && assembled.cut_off.is_empty())));
        if !has_end {
            return Err(match self.remark {
                Some(words) if self.bytes == 0 => failure::of_words(&words),
                _ => ModelError::Cut("the connection ended early".to_owned()),
            });
        }
        cut |= !assembled.cut_off.is_empty();
        let tool_calls = assembled.calls;
        let has_thoughts = self.thoughts != Thoughts::default()
            || tool_calls.iter().any(|call| !call.extra_content.is_null());
        let reply = ModelReply {
            text: thinking::without_begun(&self.text).to_owned(),
            tool_calls,
            thoughts: has_thoughts.then_some(self.thoughts),
            cut,
            half_calls: assembled.cut_off,
            ..ModelReply::default()
        };
        Ok(Whole {
            reply,
            usage: self.usage,
            bytes: self.bytes,
            odd: self.odd.into_notes(),
        })
    }
}

#[cfg(test)]
mod tests;
