//! Reads an answer from a response's bytes: events, chunks of JSON, and whatever else comes between
//! or instead of them.

use super::assembly::{Assembly, Complete};
use crate::{
    llm::{
        ModelError, Piece, json,
        sse::{Event, EventReader, MAX_EVENT, TooLong},
    },
    protocol::first_chars,
};

/// Events that keep a connection open or don't concern the answer, whatever their data.
const IGNORED: [&str; 10] = [
    "ping",
    "pong",
    "keepalive",
    "keep-alive",
    "keep_alive",
    "heartbeat",
    "comment",
    "done",
    "end",
    "close",
];
/// How much of a page is read before it is considered something other than an answer, in bytes.
const MAX_PAGE: usize = 2 << 10;
/// How much of it the error quotes, in characters.
const MAX_QUOTE: usize = 200;

/// Reads a response as its bytes arrive.
#[derive(Default)]
pub struct AnswerReader<A> {
    events: EventReader,
    answer: A,
    /// Without parameters, such as `text/html`; empty if missing.
    content_type: String,
    bytes: usize,
    /// The first bytes, for the error about a response that is not an answer.
    head: Vec<u8>,
}

impl<A: Assembly> AnswerReader<A> {
    /// `content_type`: the response's header.
    pub fn new(content_type: Option<&str>) -> Self {
        let content_type = content_type.unwrap_or_default();
        Self {
            content_type: content_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
            ..Self::default()
        }
    }

    /// Takes the next bytes. Returns whether there is nothing more to wait for.
    pub fn take(
        &mut self,
        bytes: &[u8],
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<bool, ModelError> {
        self.bytes += bytes.len();
        let missing = MAX_PAGE - self.head.len();
        self.head
            .extend_from_slice(&bytes[..bytes.len().min(missing)]);
        let mut events = Vec::new();
        let taken = self.events.take(bytes, &mut events);
        self.take_events(&events, on_piece)?;
        taken.map_err(|TooLong| {
            ModelError::Invalid(format!(
                "an event of its answer is longer than {} MiB",
                MAX_EVENT >> 20
            ))
        })?;
        let is_page = !self.events.is_event_stream()
            && self.events.body().trim_ascii_start().starts_with(b"<");
        if is_page && self.bytes >= MAX_PAGE {
            return Err(self.not_a_model());
        }
        Ok(self.answer.is_complete())
    }

    /// Whether the answer is complete, so that a broken connection loses nothing.
    pub fn is_finished(&self) -> bool {
        self.answer.is_finished()
    }

    /// The answer, at the end of the response or of the answer; see [`Assembly::complete`].
    pub fn end(
        mut self,
        unfinished: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<Complete, ModelError> {
        let mut events = Vec::new();
        self.events.end(&mut events);
        self.take_events(&events, on_piece)?;
        if !self.events.is_event_stream() {
            let body = String::from_utf8_lossy(self.events.body()).into_owned();
            for value in json::parse_all(&body) {
                self.take_value(&value, false, on_piece)?;
            }
        }
        let is_whole = !self.events.is_event_stream();
        if self.answer.is_untouched() && (is_whole || self.content_type == "application/json") {
            return Err(self.not_a_model());
        }
        if is_whole {
            self.answer.note("an answer that is no event stream");
            // A response that came at once is complete.
            self.answer.set_done();
        }
        self.answer.complete(unfinished)
    }

    fn take_events(
        &mut self,
        events: &[Event],
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        events
            .iter()
            .try_for_each(|event| self.take_event(event, on_piece))
    }

    fn take_event(
        &mut self,
        event: &Event,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        let name = event.name.trim().to_ascii_lowercase();
        let data = event.data.trim();
        if IGNORED.contains(&name.as_str()) || data.is_empty() {
            return Ok(());
        }
        if is_end(data) {
            self.answer.set_done();
            return Ok(());
        }
        let is_error = name.contains("error") || name.contains("exception");
        let (values, ends) = match json::parse(data) {
            Some(value) => (vec![value], false),
            None => loose_values(data),
        };
        if values.is_empty() && is_error {
            return self
                .answer
                .take(&serde_json::json!({ "error": data }), true, on_piece);
        }
        if values.is_empty() {
            self.answer.note("lines of data that are no JSON");
        }
        if ends {
            self.answer.set_done();
        }
        for mut value in values {
            if A::TYPED
                && !name.is_empty()
                && let Some(fields) = value.as_object_mut()
            {
                fields
                    .entry("type")
                    .or_insert_with(|| serde_json::Value::String(name.clone()));
            }
            self.take_value(&value, is_error, on_piece)?;
        }
        Ok(())
    }

    /// Takes a chunk, or a list of them.
    fn take_value(
        &mut self,
        value: &serde_json::Value,
        is_error: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        match value.as_array() {
            Some(values) => values
                .iter()
                .try_for_each(|value| self.answer.take(value, is_error, on_piece)),
            None if value.is_object() => self.answer.take(value, is_error, on_piece),
            None if is_error => {
                self.answer
                    .take(&serde_json::json!({ "error": value }), true, on_piece)
            }
            None => {
                self.answer.note("data that is no object");
                Ok(())
            }
        }
    }

    /// The error for a response that is not an answer, with its type and first words.
    fn not_a_model(&self) -> ModelError {
        let content_type = match self.content_type.as_str() {
            "" => "an answer without a content type",
            content_type => content_type,
        };
        let words = String::from_utf8_lossy(&self.head);
        let words = words.trim_start_matches('\u{feff}').split_whitespace();
        let words = words.collect::<Vec<_>>().join(" ");
        let words = words.replace(char::is_control, "");
        let words = first_chars(&words, MAX_QUOTE);
        ModelError::NotAModel(if words.is_empty() {
            format!("it sent {content_type} that is empty")
        } else {
            format!("it sent {content_type} that begins with “{words}”")
        })
    }
}

/// The values in data that is not a single one: events without the empty line or even the line
/// break between them. Also whether the stream's end is among them.
fn loose_values(data: &str) -> (Vec<serde_json::Value>, bool) {
    let (mut values, mut ends) = (Vec::new(), false);
    for line in data.lines() {
        let (glued, rest) = json::parse_concatenated(line, "data:");
        values.extend(glued);
        ends |= is_end(&rest);
    }
    (values, ends)
}

/// `[DONE]` in any spelling.
fn is_end(data: &str) -> bool {
    let word = data.trim_matches(|letter: char| {
        letter.is_whitespace()
            || matches!(
                letter,
                '"' | '\'' | '[' | ']' | '<' | '>' | '|' | '.' | '\u{feff}'
            )
    });
    ["done", "end", "eof", "eos"]
        .iter()
        .any(|end| word.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests;
