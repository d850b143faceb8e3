//! Assembles a streamed answer: events become output items. An item's last event is authoritative;
//! if a server omits it, the pieces are used.

use serde_json::{Value, json};

use super::{item::Item, shown::ShownThoughts};
use crate::llm::{
    ModelError, ModelReply, Piece, Thoughts, Usage, json,
    wire::{
        assembly::{self, Assembly, Complete},
        calls::Calls,
        failure,
        fields::Fields,
        reasons::{CUT, FILTERED},
        thinking::{self, ThinkingSplitter},
        usage,
    },
};

/// The state of an incomplete response, besides `completed`.
const INCOMPLETE: &str = "incomplete";

/// A partial answer.
#[derive(Default)]
pub struct Output {
    items: Vec<Item>,
    /// Separates thinking from the growing text.
    thinking: ThinkingSplitter,
    shown: ShownThoughts,
    usage: Option<Usage>,
    ending: Option<Ending>,
    /// Whether the stream announced its end, which this protocol doesn't require.
    done: bool,
    bytes: usize,
    fields: Fields,
}

/// How the response ended, unless it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    Completed,
    /// With the reason, which may be empty.
    Incomplete(String),
}

impl Assembly for Output {
    const TYPED: bool = true;

    fn set_done(&mut self) {
        self.done = true;
    }

    fn is_untouched(&self) -> bool {
        self.items.is_empty() && self.usage.is_none() && self.ending.is_none()
    }

    fn is_complete(&self) -> bool {
        self.ending.is_some()
    }

    fn is_finished(&self) -> bool {
        self.ending.is_some()
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
        let Some(event) = kind.strip_prefix("response.") else {
            if chunk["object"] == "response" || chunk["output"].is_array() {
                return self.take_response(chunk, on_piece);
            }
            if let Some(error) = failure::in_chunk(chunk, is_error) {
                if self.ending.is_some() {
                    self.note("an error after the answer's end");
                    return Ok(());
                }
                return Err(error);
            }
            return Ok(());
        };
        match event {
            "output_item.added" => self.take_item(chunk, false, on_piece)?,
            "output_item.done" => self.take_item(chunk, true, on_piece)?,
            "output_text.delta" | "refusal.delta" => {
                let piece = self.fields.text(chunk, "delta");
                self.take_text(chunk, &piece, on_piece);
            }
            "output_text.done" | "refusal.done" => {
                let field = if event == "refusal.done" {
                    "refusal"
                } else {
                    "text"
                };
                let whole = self.fields.text(chunk, field);
                self.take_whole_text(chunk, &whole, on_piece);
            }
            "function_call_arguments.delta" => {
                let piece = self.fields.text(chunk, "delta");
                self.take_arguments(chunk, &piece, on_piece);
            }
            "function_call_arguments.done" => {
                let whole = self.fields.text(chunk, "arguments");
                let at = self.find(chunk, false);
                if self.items[at].raw["name"].is_null() && chunk["name"].is_string() {
                    self.items[at].raw["name"] = chunk["name"].clone();
                }
                self.take_whole_arguments(at, &whole, on_piece);
            }
            "reasoning_summary_text.delta" | "reasoning_text.delta" => {
                self.bytes += chunk["delta"].as_str().map_or(0, str::len);
                let is_summary = event.starts_with("reasoning_summary");
                self.shown.take_piece(chunk, is_summary, on_piece);
            }
            "completed" | INCOMPLETE | "failed" | "cancelled" | "done" => {
                let mut response = match &chunk["response"] {
                    response @ Value::Object(_) => response.clone(),
                    _ => json!({}),
                };
                if !response["status"].is_string() && event != "done" {
                    response["status"] = json!(event);
                }
                self.take_response(&response, on_piece)?;
            }
            "error" => return Err(failed(chunk)),
            // `created`, `in_progress`, `queued`, begins and ends of parts, and unknown events.
            _ => {}
        }
        assembly::check_size(self.bytes)
    }

    fn complete(mut self, unfinished: bool) -> Result<Complete, ModelError> {
        let mut cut = match &self.ending {
            Some(Ending::Incomplete(reason)) if FILTERED.contains(&reason.as_str()) => {
                return Err(ModelError::Filtered(
                    "its content filter stopped the answer".to_owned(),
                ));
            }
            Some(Ending::Incomplete(reason)) => {
                if !CUT.contains(&reason.as_str()) {
                    self.note("an unknown reason for an incomplete answer");
                }
                true
            }
            Some(Ending::Completed) | None => false,
        };
        // If a server numbers its items, the numbers give their order.
        self.items
            .sort_by_key(|item| item.index.unwrap_or(u64::MAX));
        let (mut text, mut items, mut calls) = (String::new(), Vec::new(), Calls::default());
        let mut position = 0;
        for mut item in std::mem::take(&mut self.items) {
            if !item.is_whole {
                self.note("an item without its end");
            }
            item.settle();
            text.push_str(&item.said());
            if let Some((call, starts)) = item.call(position) {
                calls.take_kept(position, &call, starts)?;
                item.raw["call_id"] = call.id.into();
                position += 1;
            }
            items.extend(item.kept());
        }
        let assembled = calls.end(cut)?;
        let has_end = self.ending.is_some()
            || (self.done
                && (unfinished || (!assembled.calls.is_empty() && assembled.cut_off.is_empty())));
        if !has_end {
            return Err(assembly::ended_early());
        }
        cut |= !assembled.cut_off.is_empty();
        let mut filter = ThinkingSplitter::default();
        let text = filter.take(&text).said + &filter.end();
        let thoughts = (!items.is_empty()).then(|| Thoughts {
            wire: super::WIRE.to_owned(),
            items,
            ..Thoughts::default()
        });
        Ok(Complete {
            reply: ModelReply {
                text: thinking::without_begun(&text).to_owned(),
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

impl Output {
    /// The item of an event: by its position, because some servers rename it in each event, else by
    /// its id; a new item if it is unknown. `begins`: the event begins an item.
    fn find(&mut self, event: &Value, begins: bool) -> usize {
        let index = self.fields.index(event, "output_index");
        let id = [&event["item_id"], &event["item"]["id"]]
            .into_iter()
            .find_map(Value::as_str)
            .unwrap_or_default();
        let last = |is_it: &dyn Fn(&Item) -> bool| {
            let mut items = self.items.iter();
            items.rposition(|item| !(begins && item.is_whole) && is_it(item))
        };
        let found = index
            .and_then(|index| last(&|item| item.index == Some(index)))
            .or_else(|| last(&|item| !id.is_empty() && item.id == id));
        // Without either, it is the latest item; but a complete item after a complete one is new.
        let is_nameless = index.is_none() && id.is_empty() && !begins;
        let is_item = event["item"].is_object();
        let found = found.or_else(|| {
            let latest = last(&|_| true).filter(|_| is_nameless)?;
            (!is_item || !self.items[latest].is_whole).then_some(latest)
        });
        found.unwrap_or_else(|| {
            self.items.push(Item::new(index, id));
            self.items.len() - 1
        })
    }

    fn take_item(
        &mut self,
        event: &Value,
        is_whole: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        if !event["item"].is_object() {
            self.note("item");
            return Ok(());
        }
        let at = self.find(event, !is_whole);
        self.take_raw(at, &event["item"], is_whole, on_piece);
        Ok(())
    }

    fn take_raw(
        &mut self,
        at: usize,
        raw: &Value,
        is_whole: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) {
        let name = self.items[at].raw["name"].take();
        self.items[at].raw = raw.clone();
        if raw["name"].is_null() && !name.is_null() {
            self.items[at].raw["name"] = name;
        }
        if let Some(id) = raw["id"].as_str() {
            id.clone_into(&mut self.items[at].id);
        }
        if is_whole && !self.items[at].is_whole && raw["type"] == "reasoning" {
            self.shown.take_item(raw, on_piece);
        }
        self.items[at].is_whole |= is_whole;
        match raw["type"].as_str() {
            Some("function_call") => {
                let whole = match &raw["arguments"] {
                    Value::Object(_) => raw["arguments"].to_string(),
                    _ => self.fields.text(raw, "arguments"),
                };
                self.take_whole_arguments(at, &whole, on_piece);
            }
            Some("message") => {
                for (index, part) in self.fields.objects(raw, "content").iter().enumerate() {
                    let field = if part["type"] == "refusal" {
                        "refusal"
                    } else {
                        "text"
                    };
                    let whole = self.fields.text(part, field);
                    self.take_whole_part(at, index as u64, &whole, on_piece);
                }
            }
            _ if is_whole => self.bytes += raw.to_string().len(),
            _ => {}
        }
    }

    fn take_text(&mut self, event: &Value, piece: &str, on_piece: &mut impl FnMut(Piece<'_>)) {
        let at = self.find(event, false);
        let index = self
            .fields
            .index(event, "content_index")
            .unwrap_or_default();
        let piece = self.items[at].text(index).push(piece);
        self.publish(&piece, on_piece);
    }

    fn publish(&mut self, piece: &str, on_piece: &mut impl FnMut(Piece<'_>)) {
        self.bytes += piece.len();
        let parted = self.thinking.take(piece);
        if !parted.thought.is_empty() {
            on_piece(Piece::Thinking(&parted.thought));
        }
        if !parted.said.is_empty() {
            on_piece(Piece::Text(&parted.said));
        }
    }

    fn take_whole_text(
        &mut self,
        event: &Value,
        whole: &str,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) {
        let at = self.find(event, false);
        let index = self
            .fields
            .index(event, "content_index")
            .unwrap_or_default();
        self.take_whole_part(at, index, whole, on_piece);
    }

    /// Handles a text that came at once: publishes what did not come in pieces before.
    fn take_whole_part(
        &mut self,
        at: usize,
        index: u64,
        whole: &str,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) {
        let whole = json::settled(whole);
        let text = self.items[at].text(index);
        if whole.is_empty() {
            return;
        }
        let news = text.replace(whole);
        if !news.is_empty() {
            self.publish(&news, on_piece);
        }
    }

    fn take_arguments(&mut self, event: &Value, piece: &str, on_piece: &mut impl FnMut(Piece<'_>)) {
        let at = self.find(event, false);
        let piece = self.items[at].arguments.push(piece);
        self.publish_arguments(at, &piece, on_piece);
    }

    fn take_whole_arguments(
        &mut self,
        at: usize,
        whole: &str,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) {
        let whole = json::settled(whole);
        // A new item has none yet, or a template's empty object.
        if whole.is_empty() || (whole == "{}" && !self.items[at].is_whole) {
            return;
        }
        let news = self.items[at].arguments.replace(whole);
        self.publish_arguments(at, &news, on_piece);
    }

    fn publish_arguments(&mut self, at: usize, piece: &str, on_piece: &mut impl FnMut(Piece<'_>)) {
        self.bytes += piece.len();
        if !piece.is_empty() {
            on_piece(Piece::Call {
                index: at,
                name: self.items[at].raw["name"].as_str().unwrap_or_default(),
                arguments: piece,
            });
        }
    }

    /// Takes the complete response: its state, its usage, and the items whose end did not arrive.
    fn take_response(
        &mut self,
        response: &Value,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), ModelError> {
        usage::take(&mut self.usage, response);
        let status = response["status"].as_str().unwrap_or("completed");
        if matches!(status, "failed" | "cancelled") || response["error"].is_object() {
            return Err(failed(response));
        }
        let output = self.fields.objects(response, "output");
        for (index, raw) in output.iter().enumerate() {
            // An item without number or id is matched by its position.
            let is_it = |item: &&Item| {
                item.index.is_none()
                    && item.id.is_empty()
                    && (item.raw["type"].is_null() || item.raw["type"] == raw["type"])
            };
            let at = match self.items.get(index).filter(is_it) {
                Some(_) => index,
                None => self.find(
                    &json!({ "output_index": index, "item_id": raw["id"] }),
                    false,
                ),
            };
            if !self.items[at].is_whole {
                self.take_raw(at, raw, true, on_piece);
            }
        }
        self.ending = match status {
            INCOMPLETE => {
                let reason = response["incomplete_details"]["reason"].as_str();
                Some(Ending::Incomplete(
                    reason.unwrap_or_default().to_lowercase(),
                ))
            }
            // A response that continues elsewhere is not an answer.
            "in_progress" | "queued" => None,
            _ => Some(Ending::Completed),
        };
        Ok(())
    }
}

/// The error of a failed response.
fn failed(response: &Value) -> ModelError {
    let report = json!({ "type": "error", "error": response["error"], "message": response["message"], "code": response["code"] });
    failure::in_chunk(&report, true).unwrap_or_else(|| {
        failure::from_message("its provider ended the answer without saying why")
    })
}

#[cfg(test)]
mod tests;
