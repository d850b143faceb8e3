//! Reads fields of a provider's JSON leniently: one of a wrong type counts as missing, and its name
//! is kept for the log.

use std::{borrow::Cow, cell::RefCell, collections::BTreeSet};

use serde_json::Value;

use crate::llm::json;

/// Reads fields, and collects the names of those that came in an unusual shape.
#[derive(Debug, Default)]
pub struct Fields(RefCell<BTreeSet<&'static str>>);

impl Fields {
    /// Records a field that came in an unusual shape.
    pub fn note(&self, what: &'static str) {
        self.0.borrow_mut().insert(what);
    }

    pub fn into_notes(self) -> BTreeSet<&'static str> {
        self.0.into_inner()
    }

    /// A text, or a number as text; empty if missing.
    pub fn name(&self, object: &Value, field: &'static str) -> String {
        match &object[field] {
            Value::String(text) => json::settled(text),
            Value::Number(number) => {
                self.note(field);
                number.to_string()
            }
            Value::Null => String::new(),
            _ => {
                self.note(field);
                String::new()
            }
        }
    }

    /// A non-negative integer, in any notation.
    pub fn index(&self, object: &Value, field: &'static str) -> Option<u64> {
        match &object[field] {
            Value::Null => None,
            value => value.as_u64().or_else(|| {
                self.note(field);
                count(value)
            }),
        }
    }

    /// The objects in a list; accepts an object with positions as its keys, JSON in a text, and a
    /// single element.
    pub fn objects<'a>(&self, object: &'a Value, field: &'static str) -> Vec<Cow<'a, Value>> {
        let value = &object[field];
        if !matches!(value, Value::Array(_) | Value::Null) {
            self.note(field);
        }
        match value {
            Value::Array(values) => {
                if values.iter().any(|value| !value.is_object()) {
                    self.note(field);
                }
                let objects = values.iter().filter(|value| value.is_object());
                objects.map(Cow::Borrowed).collect()
            }
            Value::Object(fields) if fields.is_empty() => Vec::new(),
            Value::Object(fields) => {
                let position = |(key, value): (&String, &'a Value)| {
                    Some((key.parse::<u64>().ok()?, value)).filter(|(_, value)| value.is_object())
                };
                let positions: Option<Vec<_>> = fields.iter().map(position).collect();
                let mut positions = positions.unwrap_or_else(|| vec![(0, value)]);
                positions.sort_by_key(|(position, _)| *position);
                let objects = positions.into_iter().map(|(_, value)| value);
                objects.map(Cow::Borrowed).collect()
            }
            Value::String(text) if text.trim_start().starts_with(['[', '{']) => {
                let values = match json::parse(text) {
                    Some(Value::Array(values)) => values,
                    Some(value) => vec![value],
                    None => Vec::new(),
                };
                let objects = values.into_iter().filter(Value::is_object);
                objects.map(Cow::Owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A text, or the text of its parts without reasoning. The caller joins surrogates in it.
    pub fn text(&self, object: &Value, field: &'static str) -> String {
        let value = &object[field];
        if !matches!(value, Value::String(_) | Value::Array(_) | Value::Null) {
            self.note(field);
        }
        let is_thought = |part: &&Value| {
            part["type"].as_str().is_some_and(|kind| {
                ["thinking", "reasoning", "redacted"]
                    .iter()
                    .any(|thought| kind.starts_with(thought))
            })
        };
        parts(value)
            .into_iter()
            .filter(|part| !is_thought(part))
            .filter_map(text_of)
            .collect()
    }

    /// The text of reasoning, or of all its parts.
    pub fn thought(&self, object: &Value, field: &'static str) -> String {
        let value = &object[field];
        if !matches!(value, Value::String(_) | Value::Null) {
            self.note(field);
        }
        let words = parts(value).into_iter();
        words
            .filter_map(|part| {
                text_of(part)
                    .or(part["thinking"].as_str())
                    .or(part["reasoning"].as_str())
            })
            .collect()
    }
}

/// The reasoning shown in a piece of an answer, wherever the provider puts it: DeepSeek and
/// similar, OpenRouter, Ollama; else in details (OpenRouter) or among the parts of the content
/// (Mistral). Some repeat it in several of these places.
pub fn shown_thought(delta: &Value) -> String {
    let texts = |value: &Value| -> String {
        let words = parts(value).into_iter();
        let text = |part| {
            ["thinking", "reasoning", "summary"]
                .iter()
                .fold(text_of(part), |text, field| text.or(part[*field].as_str()))
                .map(str::to_owned)
        };
        words.filter_map(text).collect()
    };
    let of_content = || {
        let thoughts = parts(&delta["content"]).into_iter();
        let thoughts = thoughts.filter(|part| part["type"] == "thinking");
        thoughts.map(|part| texts(&part["thinking"])).collect()
    };
    [
        "reasoning_content",
        "reasoning",
        "thinking",
        "reasoning_details",
    ]
    .into_iter()
    .map(|field| texts(&delta[field]))
    .find(|thought| !thought.is_empty())
    .unwrap_or_else(of_content)
}

/// The parts of a content; a single part needs no list.
pub fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(parts) => parts.iter().collect(),
        value => vec![value],
    }
}

fn text_of(part: &Value) -> Option<&str> {
    let text = &part["text"];
    part.as_str().or(text.as_str()).or(text["value"].as_str())
}

/// A count, as a number of any kind or as text.
pub fn count(value: &Value) -> Option<u64> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.fract() == 0.0 && (0.0..1e15).contains(&number)).then_some(number as u64)
}

/// A non-negative amount, as a number or as text.
pub fn amount(value: &Value) -> Option<f64> {
    let number: f64 = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    (number >= 0.0 && number.is_finite()).then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_read_in_every_shape_that_can_be_meant_in_one_way_only() {
        let fields = Fields::default();
        for (value, index) in [
            (json!(2), Some(2)),
            (json!("2"), Some(2)),
            (json!(2.0), Some(2)),
            (json!(-1), None),
            (json!(1.5), None),
            (json!([]), None),
            (json!(null), None),
        ] {
            assert_eq!(
                fields.index(&json!({ "index": value }), "index"),
                index,
                "{value}"
            );
        }
        for (value, name) in [
            (json!("a"), "a"),
            (json!(7), "7"),
            (json!(["a"]), ""),
            (json!(null), ""),
            (json!(true), ""),
        ] {
            assert_eq!(fields.name(&json!({ "id": value }), "id"), name, "{value}");
        }
        for (value, text) in [
            (json!("a"), "a"),
            (
                json!([{ "type": "text", "text": "a" }, "b", null, { "type": "thinking", "text": "no" }]),
                "ab",
            ),
            (json!({ "type": "text", "text": "a" }), "a"),
            (json!({ "text": { "value": "a" } }), "a"),
            (json!(5), ""),
            (json!({}), ""),
        ] {
            assert_eq!(
                fields.text(&json!({ "content": value }), "content"),
                text,
                "{value}"
            );
        }
        assert_eq!(
            fields.thought(&json!({ "t": [{ "thinking": "a" }, { "text": "b" }] }), "t"),
            "ab"
        );
        for (value, objects) in [
            (json!([null, {}]), 1),
            (json!({}), 0),
            (json!({ "a": 1 }), 1),
            (json!({ "0": { "a": 1 }, "1": { "a": 2 } }), 2),
            (json!("x"), 0),
            (json!("[{\"a\":1},{}]"), 2),
            (json!("{\"a\":1}"), 1),
            (json!("[{"), 0),
            (json!(null), 0),
        ] {
            assert_eq!(
                fields.objects(&json!({ "calls": value }), "calls").len(),
                objects,
                "{value}"
            );
        }
        assert_eq!(
            fields.into_notes().into_iter().collect::<Vec<_>>(),
            ["calls", "content", "id", "index", "t"]
        );
        assert_eq!(
            (
                amount(&json!("0.5")),
                amount(&json!(-1)),
                amount(&json!({}))
            ),
            (Some(0.5), None, None)
        );
    }
}
