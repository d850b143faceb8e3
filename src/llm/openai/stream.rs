//! An answer out of the bytes of a response: events, chunks of JSON, and what else comes between
//! and instead of them.

use super::answer::{Answer, Whole};
use crate::{
    llm::{
        ModelError, Piece, json,
        sse::{Event, EventReader, MAX_EVENT, TooLong},
    },
    protocol::first_chars,
};

/// Events that keep a connection open or tell of something else than the answer, whatever their
/// data is.
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
/// How much of what is no answer is read before it is told, in bytes.
const FIRST_WORDS: usize = 2 << 10;
/// How much of it is told, in characters.
const SHOWN_WORDS: usize = 200;

/// Reads a response as its bytes come.
#[derive(Default)]
pub struct AnswerReader {
    events: EventReader,
    answer: Answer,
    /// Without its parameters, such as `text/html`; empty where there is none.
    content_type: String,
    bytes: usize,
}

impl AnswerReader {
    /// `content_type`: as the response has it.
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

    /// Takes the next bytes; whether there is nothing more to wait for.
    pub fn take(
        &mut self,
        bytes: &[u8],
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<bool, ModelError> {
        self.bytes += bytes.len();
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
        if is_page && self.bytes >= FIRST_WORDS {
            return Err(self.foreign());
        }
        Ok(self.answer.is_whole())
    }

    /// Whether the answer came to its end, so that nothing is lost when the connection breaks.
    pub fn is_finished(&self) -> bool {
        self.answer.is_finished()
    }

    /// The answer, when the response is at its end or the answer is whole; see [`Answer::whole`].
    pub fn end(
        mut self,
        unfinished: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<Whole, ModelError> {
        let mut events = Vec::new();
        self.events.end(&mut events);
        self.take_events(&events, on_piece)?;
        if !self.events.is_event_stream() {
            let body = String::from_utf8_lossy(self.events.body()).into_owned();
            let values = json::parse_all(&body);
            let is_answer = |value: &&serde_json::Value| value.is_object() || value.is_array();
            if values.iter().filter(is_answer).count() == 0 {
                return Err(self.foreign());
            }
            self.answer.note("an answer that is no event stream");
            for value in values {
                self.take_value(&value, false, on_piece)?;
            }
            // What came at once is at its end.
            self.answer.set_done();
        }
        self.answer.whole(unfinished)
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
        let values = match json::parse(data) {
            Some(value) => vec![value],
            // Events without the empty line between them.
            None => data.lines().filter_map(json::parse).collect(),
        };
        if values.is_empty() && is_error {
            return self
                .answer
                .take(&serde_json::json!({ "error": data }), true, on_piece);
        }
        if values.is_empty() {
            self.answer.note("lines of data that are no JSON");
        }
        if data.lines().any(|line| is_end(line.trim())) {
            self.answer.set_done();
        }
        values
            .iter()
            .try_for_each(|value| self.take_value(value, is_error, on_piece))
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

    /// What is no answer, with its type and first words.
    fn foreign(&self) -> ModelError {
        let content_type = match self.content_type.as_str() {
            "" => "an answer without a content type",
            content_type => content_type,
        };
        let body = self.events.body();
        let words = String::from_utf8_lossy(&body[..body.len().min(FIRST_WORDS)]).into_owned();
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = words.replace(char::is_control, "");
        let words = first_chars(&words, SHOWN_WORDS);
        ModelError::NotAModel(if words.is_empty() {
            format!("it sent {content_type} that is empty")
        } else {
            format!("it sent {content_type} that begins with “{words}”")
        })
    }
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
