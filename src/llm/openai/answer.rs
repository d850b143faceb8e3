//! Assembles a streamed answer: text, tool calls and usage from chunks that few providers send
//! exactly as OpenAI does.

use std::borrow::Cow;

use serde_json::Value;

use crate::llm::{
    ModelError, ModelReply, Piece, Thoughts, Usage,
    json::{self, Joiner},
    wire::{
        assembly::{self, Assembly, Complete},
        calls::{CallDelta, Calls, Origin},
        failure,
        fields::{Fields, parts, shown_thought},
        reasons::{CUT, FAILED, FILTERED},
        thinking::{self, ThinkingSplitter},
        usage,
    },
};

/// A message that repeats at least this many bytes of the earlier ones restarts from the beginning;
/// a shorter match may be a coincidence.
const MIN_REPEATED: usize = 16;
/// The fields of a thought that arrive in pieces.
const GROWING: [&str; 3] = ["text", "summary", "data"];
/// The fields in which a choice gives its end's reason: OpenAI's, Ollama's, Gemini's.
const REASON_FIELDS: [&str; 3] = ["finish_reason", "done_reason", "finishReason"];
/// The values of those fields, as text, that end nothing.
const NO_REASON: [&str; 6] = ["", "null", "none", "nil", "undefined", "unspecified"];
/// A partial answer.
#[derive(Default)]
pub struct Answer {
    text: String,
    joiner: Joiner,
    thinking: ThinkingSplitter,
    thoughts: Thoughts,
    thought_joiner: Joiner,
    /// For the shown reasoning.
    shown_joiner: Joiner,
    calls: Calls,
    usage: Option<Usage>,
    /// The provider's reason for its end, normalized.
    finished: Option<String>,
    /// Whether deltas brought text or calls.
    has_deltas: bool,
    /// The text of whole messages, if an answer arrives as those.
    message_text: String,
    /// Whether the stream has announced its end.
    done: bool,
    /// A message beside the answer, such as why there is none.
    remark: Option<String>,
    bytes: usize,
    fields: Fields,
}

impl Assembly for Answer {
    const TYPED: bool = false;

    fn set_done(&mut self) {
        self.done = true;
    }

    fn is_untouched(&self) -> bool {
        self.bytes == 0
            && self.finished.is_none()
            && self.remark.is_none()
            && self.usage.is_none()
            && self.calls.is_empty()
    }

    fn is_complete(&self) -> bool {
        self.done && self.finished.is_some()
    }

    fn is_finished(&self) -> bool {
        self.finished.is_some()
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
        let choices = self.fields.objects(chunk, "choices");
        if choices.is_empty() {
            if chunk["message"].is_object() || chunk["delta"].is_object() {
                self.take_choice(0, chunk, on_piece)?;
            } else if let Some(remark) = failure::remark(chunk) {
                self.remark = Some(remark);
            }
        }
        for (choice, content) in choices.into_iter().enumerate() {
            self.take_choice(choice, &content, on_piece)?;
        }
        // A complete answer is finished, and so is one that Ollama's own protocol marks as done.
        if self.finished.is_none()
            && (chunk["object"] == "chat.completion" || chunk["done"] == true)
        {
            self.finish("stop");
        }
        assembly::check_size(self.bytes)
    }

    fn complete(mut self, unfinished: bool) -> Result<Complete, ModelError> {
        let finished = self.finished.take().unwrap_or_default();
        let reason = finished.as_str();
        match reason {
            _ if FILTERED.contains(&reason) => {
                return Err(ModelError::Filtered(
                    "its content filter stopped the answer".to_owned(),
                ));
            }
            _ if FAILED.contains(&reason) => {
                let message = self
                    .remark
                    .unwrap_or_else(|| format!("its provider ended the answer with “{reason}”"));
                return Err(failure::from_message(&message));
            }
            _ => {}
        }
        let ended = !reason.is_empty();
        let mut cut = CUT.contains(&reason);
        let rest: String = self.joiner.end().into_iter().collect();
        let rest = self.thinking.take(&rest).said + &self.thinking.end();
        self.text.push_str(&rest);
        self.thoughts
            .reasoning_content
            .extend(self.thought_joiner.end());
        let assembled = self.calls.end(cut)?;
        // Complete calls need no reason; text may end anywhere.
        let has_end = ended
            || (self.done
                && (unfinished || (!assembled.calls.is_empty() && assembled.cut_off.is_empty())));
        if !has_end {
            return Err(match self.remark {
                Some(message) if self.bytes == 0 => failure::from_message(&message),
                _ => assembly::ended_early(),
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
        Ok(Complete {
            reply,
            usage: self.usage,
            bytes: self.bytes,
            deviations: self.fields.into_notes(),
        })
    }
}

impl Answer {
    fn take_choice(
        &mut self,
        position: usize,
        choice: &Value,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        let number = self
            .fields
            .index(choice, "index")
            .and_then(|index| usize::try_from(index).ok())
            .unwrap_or(position);
        let before = self.bytes;
        let (delta, message) = (&choice["delta"], &choice["message"]);
        if delta.is_object() {
            self.take_delta(number, delta, on_piece)?;
            self.has_deltas |= self.bytes > before;
        } else if message.is_object() {
            let message = self.unseen_part(message);
            self.take_delta(number, &message, on_piece)?;
        } else if delta.is_string() {
            self.note("delta");
            self.take_text(&self.fields.text(choice, "delta"), on_piece);
        } else if choice["text"].is_string() {
            self.take_text(&self.fields.text(choice, "text"), on_piece);
        }
        for field in REASON_FIELDS {
            for place in [choice, delta] {
                self.take_reason(place, field);
            }
        }
        Ok(())
    }

    /// The part of a message that has not arrived before. After deltas, nothing of it is new; after
    /// other messages, it brings the next piece, or all pieces so far.
    fn unseen_part(&mut self, message: &Value) -> Value {
        let mut news = message.clone();
        let Value::Object(fields) = &mut news else {
            return news;
        };
        let (had_text, had_calls) = (!self.text.is_empty(), !self.calls.is_empty());
        if self.has_deltas {
            fields.retain(|name, _| match name.as_str() {
                "tool_calls" | "function_call" => !had_calls,
                _ => !had_text,
            });
            return news;
        }
        let text = self.fields.text(message, "content");
        let repeated = Some(self.message_text.len())
            .filter(|length| *length >= MIN_REPEATED && text.starts_with(&self.message_text))
            .unwrap_or_default();
        if repeated > 0 {
            fields.insert("content".to_owned(), text[repeated..].into());
        }
        self.message_text.push_str(&text[repeated..]);
        news
    }

    fn take_reason(&mut self, place: &Value, field: &'static str) {
        let reason = match &place[field] {
            Value::Null => return,
            Value::String(reason) => reason,
            Value::Object(reason) => {
                self.note(field);
                let names = ["type", "reason", "value"];
                match names.iter().find_map(|name| reason.get(*name)?.as_str()) {
                    Some(reason) => reason,
                    None => return,
                }
            }
            _ => return self.note(field),
        };
        let reason = reason.trim().to_lowercase().replace('-', "_");
        let reason = reason.strip_prefix("finish_reason_").unwrap_or(&reason);
        if !NO_REASON.contains(&reason) {
            self.finish(reason);
        }
    }

    /// An answer that was cut stays cut, whatever follows.
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
        let shown = self.shown_joiner.take(&shown_thought(delta));
        if !shown.is_empty() {
            on_piece(Piece::Thinking(&shown));
        }
        let text = self.fields.text(delta, "content");
        let text = if text.is_empty() {
            self.fields.text(delta, "refusal")
        } else {
            text
        };
        self.take_text(&text, on_piece);
        let mut calls = self.fields.objects(delta, "tool_calls");
        // Calls among the parts of the content, as Anthropic sends them.
        let is_call = |part: &&Value| {
            matches!(
                part["type"].as_str(),
                Some("tool_use" | "tool_call" | "function_call")
            )
        };
        let parts = parts(&delta["content"]).into_iter();
        calls.extend(parts.filter(is_call).map(Cow::Borrowed));
        // The field from when an answer had only one call.
        if delta["function_call"].is_object() {
            calls.push(Cow::Borrowed(&delta["function_call"]));
        }
        let alone = calls.len() < 2;
        for (position, call) in calls.into_iter().enumerate() {
            let origin = Origin {
                choice,
                position,
                alone,
            };
            let call = self.call(&call);
            self.bytes += self.calls.take(origin, call, on_piece)?;
        }
        let thought = self
            .thought_joiner
            .take(&self.fields.thought(delta, "reasoning_content"));
        self.bytes += thought.len();
        self.thoughts.reasoning_content.push_str(&thought);
        for detail in self.fields.objects(delta, "reasoning_details") {
            self.take_detail(detail.into_owned());
        }
        Ok(())
    }

    fn take_text(&mut self, piece: &str, on_piece: &mut impl FnMut(Piece<'_>)) {
        let said = self.joiner.take(piece);
        self.bytes += said.len();
        let parted = self.thinking.take(&said);
        if !parted.thought.is_empty() {
            on_piece(Piece::Thinking(&parted.thought));
        }
        if !parted.said.is_empty() {
            on_piece(Piece::Text(&parted.said));
            self.text.push_str(&parted.said);
        }
    }

    /// A piece of a call: its function is in a field of its own, is only named, or is spread over
    /// the call's own fields.
    fn call(&self, call: &Value) -> CallDelta {
        let (function, name) = match &call["function"] {
            function @ Value::Object(_) => (function, "name"),
            Value::String(_) => (call, "function"),
            _ => (call, "name"),
        };
        let arguments = ["arguments", "input", "parameters", "args"]
            .into_iter()
            .map(|field| &function[field])
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
            index: self.fields.index(call, "index"),
            id: self.fields.name(call, "id"),
            name: self.fields.name(function, name),
            arguments,
            at_once,
            extra_content: call["extra_content"].clone(),
        }
    }

    /// Appends a piece to the thought with its index, or adds a new thought.
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
}

#[cfg(test)]
mod tests;
