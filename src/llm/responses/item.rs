//! One output item of a response, as received, and as sent back with later requests.

use serde_json::{Value, json};

use crate::llm::{
    ToolCall,
    json::{self, Joiner},
};

/// One output item.
#[derive(Default)]
pub struct Item {
    pub index: Option<u64>,
    pub id: String,
    /// The server's version of it; null until that is known.
    pub raw: Value,
    /// Whether the item came at once.
    pub is_whole: bool,
    /// A message's texts, by index.
    texts: Vec<Text>,
    /// A call's arguments.
    pub arguments: Text,
}

/// A text that arrives in pieces.
#[derive(Default)]
pub struct Text {
    index: u64,
    pub text: String,
    /// The offsets at which its pieces begin.
    starts: Vec<usize>,
    joiner: Joiner,
}

impl Text {
    pub fn push(&mut self, piece: &str) -> String {
        let piece = self.joiner.take(piece);
        if !piece.is_empty() {
            self.starts.push(self.text.len());
        }
        self.text.push_str(&piece);
        piece
    }

    /// Replaces the pieces with the whole text; returns the part that they did not contain.
    pub fn replace(&mut self, whole: String) -> String {
        let news = whole.strip_prefix(self.text.as_str()).unwrap_or_default();
        let news = news.to_owned();
        self.starts.clear();
        self.text = whole;
        news
    }
}

impl Item {
    pub fn new(index: Option<u64>, id: &str) -> Self {
        Self {
            index,
            id: id.to_owned(),
            ..Self::default()
        }
    }

    pub fn text(&mut self, index: u64) -> &mut Text {
        let at = match self.texts.iter().position(|text| text.index == index) {
            Some(at) => at,
            None => {
                self.texts.push(Text {
                    index,
                    ..Text::default()
                });
                self.texts.len() - 1
            }
        };
        &mut self.texts[at]
    }

    /// Infers the kind of an item that came only in pieces.
    pub fn settle(&mut self) {
        for text in self.texts.iter_mut().chain([&mut self.arguments]) {
            let half = text.joiner.end();
            text.text.extend(half);
        }
        self.texts.sort_by_key(|text| text.index);
        json::settle(&mut self.raw);
        if self.raw["type"].is_string() {
            return;
        }
        let name = self.raw["name"].take();
        let has_call = !self.arguments.text.is_empty();
        if has_call {
            self.raw = json!({ "type": "function_call", "name": name });
        } else if !self.texts.is_empty() {
            self.raw = json!({ "type": "message", "role": "assistant" });
        }
    }

    /// A message's text.
    pub fn said(&self) -> String {
        self.texts.iter().map(|text| text.text.as_str()).collect()
    }

    /// The call that the item represents, if it is one, and the offsets of its arguments' pieces.
    pub fn call(&self, position: usize) -> Option<(ToolCall, &[usize])> {
        if self.raw["type"] != "function_call" {
            return None;
        }
        let id = ["call_id", "id"]
            .into_iter()
            .filter_map(|field| self.raw[field].as_str())
            .find(|id| !id.is_empty());
        let call = ToolCall {
            id: id.map_or_else(|| format!("call_{position}"), str::to_owned),
            name: self.raw["name"].as_str().unwrap_or_default().to_owned(),
            arguments: self.arguments.text.clone(),
            ..ToolCall::default()
        };
        Some((call, &self.arguments.starts))
    }

    /// The item as later requests send it back; a call's arguments are kept in the call. Incomplete
    /// reasoning can't be sent back.
    pub fn kept(self) -> Option<Value> {
        let mut raw = self.raw;
        match raw["type"].as_str()? {
            "function_call" => {
                raw.as_object_mut()?.remove("arguments");
            }
            "message" => {
                if !self.is_whole {
                    let said: Vec<Value> = self
                        .texts
                        .iter()
                        .map(|text| json!({ "type": "output_text", "text": text.text, "annotations": [] }))
                        .collect();
                    raw["content"] = said.into();
                }
            }
            _ if !self.is_whole => return None,
            _ => {}
        }
        Some(raw)
    }
}
