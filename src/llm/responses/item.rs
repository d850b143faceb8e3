//! One item of a response's output, as it comes, and as it goes back with later requests.

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
    /// As the server has it; null before that is known.
    pub raw: Value,
    /// The item came whole.
    pub is_whole: bool,
    /// Texts of a message by their index.
    texts: Vec<Text>,
    /// Of a call.
    pub arguments: Text,
}

/// A text that comes in pieces.
#[derive(Default)]
pub struct Text {
    index: u64,
    pub text: String,
    /// Where in it the pieces begin in which it came.
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

    /// Puts the whole text in the place of its pieces; returns what of it they did not bring.
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

    /// Gives an item that only came in pieces its kind.
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

    /// What a message says.
    pub fn said(&self) -> String {
        self.texts.iter().map(|text| text.text.as_str()).collect()
    }

    /// The call that the item is, if it is one, and where the pieces of its arguments begin.
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

    /// The item as it goes back to its provider with later requests: a call's arguments are in the
    /// call. Reasoning that did not come whole can't go back.
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
