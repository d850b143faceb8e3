//! A page's events that wait to be read. The page controls their number and size, so few of each
//! kind are kept, and only the fields that the check reads.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

/// The kinds of events that are kept, how many of each, and which of their fields.
const KINDS: [(&str, usize, &[&str]); 12] = [
    ("Page.loadEventFired", 8, &[]),
    ("Page.frameNavigated", 64, &["frame"]),
    ("Inspector.targetCrashed", 1, &[]),
    (
        "Network.requestWillBeSent",
        1000,
        &["requestId", "type", "request", "redirectResponse"],
    ),
    ("Network.webSocketCreated", 64, &["url"]),
    (
        "Network.responseReceived",
        1000,
        &["type", "frameId", "response"],
    ),
    ("Network.loadingFinished", 1000, &["requestId"]),
    ("Network.loadingFailed", 1000, &["requestId", "canceled"]),
    ("Network.eventSourceMessageReceived", 64, &["requestId"]),
    ("Runtime.exceptionThrown", 100, &["exceptionDetails"]),
    ("Runtime.exceptionRevoked", 100, &["exceptionId"]),
    ("Runtime.consoleAPICalled", 300, &["type", "args"]),
];
/// The fields of these that are kept.
const PARTS: [(&str, &[&str]); 4] = [
    ("frame", &["parentId"]),
    ("request", &["url"]),
    ("response", &["status"]),
    ("redirectResponse", &["status"]),
];
/// The maximum length of a text and of a list in an event, in characters and entries; the maximum
/// number of an object's fields; the maximum nesting.
const MAX_TEXT: usize = 4096;
const MAX_LIST: usize = 16;
const MAX_FIELDS: usize = 32;
const MAX_DEPTH: usize = 8;
/// The size of all events of one kind, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// Something that happened in the page.
#[derive(Debug)]
pub struct PageEvent {
    pub method: &'static str,
    pub params: Value,
    bytes: usize,
}

/// Events in the order they came.
#[derive(Debug, Default)]
pub struct Events {
    waiting: VecDeque<PageEvent>,
    /// The count and the bytes of each kind.
    kept: HashMap<&'static str, (usize, usize)>,
}

impl Events {
    /// Keeps an event of a known kind, when there is room for it.
    pub fn keep(&mut self, mut message: Value) {
        let method = message["method"].as_str().unwrap_or_default();
        let Some((method, most, fields)) = KINDS.into_iter().find(|(kind, ..)| *kind == method)
        else {
            return;
        };
        // The page may create and remove frames at will.
        if method == "Page.frameNavigated" && message["params"]["frame"]["parentId"].is_string() {
            return;
        }
        let (count, kept) = self.kept.entry(method).or_default();
        if *count >= most {
            return;
        }
        let mut params = message["params"].take();
        pick(&mut params, fields);
        for (name, fields) in PARTS {
            if let Some(part) = params.get_mut(name) {
                pick(part, fields);
            }
        }
        shorten(&mut params, MAX_DEPTH);
        let bytes = size(&params);
        if *kept + bytes > MAX_BYTES {
            return;
        }
        *count += 1;
        *kept += bytes;
        self.waiting.push_back(PageEvent {
            method,
            params,
            bytes,
        });
    }

    pub fn next(&mut self) -> Option<PageEvent> {
        let event = self.waiting.pop_front()?;
        if let Some((count, bytes)) = self.kept.get_mut(event.method) {
            *count -= 1;
            *bytes -= event.bytes;
        }
        Some(event)
    }
}

/// Reduces an object to these fields, and any other value to null.
fn pick(value: &mut Value, fields: &[&str]) {
    let Value::Object(all) = value else {
        return *value = Value::Null;
    };
    let kept = fields.iter().filter_map(|field| all.remove_entry(*field));
    *value = Value::Object(kept.collect::<Map<String, Value>>());
}

/// Cuts what is too long or too deeply nested.
fn shorten(value: &mut Value, depth: usize) {
    match value {
        Value::Array(_) | Value::Object(_) if depth == 0 => *value = Value::Null,
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(end);
                text.shrink_to_fit();
            }
        }
        Value::Array(list) => {
            list.truncate(MAX_LIST);
            list.shrink_to_fit();
            list.iter_mut().for_each(|value| shorten(value, depth - 1));
        }
        Value::Object(fields) => {
            if fields.len() > MAX_FIELDS {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .take(MAX_FIELDS)
                    .collect();
            }
            fields
                .values_mut()
                .for_each(|value| shorten(value, depth - 1));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// About how many bytes a value takes.
fn size(value: &Value) -> usize {
    let own = size_of::<Value>();
    own + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(events: &mut Events) -> Vec<PageEvent> {
        std::iter::from_fn(|| events.next()).collect()
    }

    #[test]
    fn a_noisy_page_fills_the_room_of_one_kind_and_leaves_the_others_theirs() {
        let mut events = Events::default();
        let noise = json!({ "type": "error", "args": vec![json!({ "value": "x".repeat(2 * MAX_TEXT) }); 100] });
        for _ in 0..200 {
            events.keep(json!({ "method": "Runtime.consoleAPICalled", "params": noise }));
            events.keep(json!({ "method": "Page.frameNavigated", "params": { "frame": { "parentId": "a" } } }));
            events.keep(json!({ "method": "Page.frameResized", "params": {} }));
        }
        let (count, bytes) = events.kept["Runtime.consoleAPICalled"];
        assert!(count < 100 && bytes <= MAX_BYTES, "{count} {bytes}");
        assert!(
            events
                .waiting
                .iter()
                .all(|event| event.method == "Runtime.consoleAPICalled")
        );
        kept(&mut events);
        assert_eq!(events.kept["Runtime.consoleAPICalled"], (0, 0));
        for _ in 0..2000 {
            events.keep(json!({ "method": "Runtime.consoleAPICalled", "params": { "type": "error", "args": [{ "value": "noise" }] } }));
        }
        events.keep(json!({ "method": "Runtime.exceptionThrown", "params": { "exceptionDetails": { "text": "in the noise" } } }));
        events.keep(json!({ "method": "Page.loadEventFired", "params": { "timestamp": 1 } }));
        let events = kept(&mut events);
        assert_eq!(events.len(), 302);
        assert_eq!(
            events[300].params["exceptionDetails"]["text"],
            "in the noise"
        );
    }

    #[test]
    fn only_the_fields_that_the_check_reads_are_kept() {
        let mut events = Events::default();
        let headers: Map<String, Value> = (0..1000)
            .map(|number| (number.to_string(), json!("x")))
            .collect();
        let request =
            json!({ "url": "http://a/", "headers": headers, "postData": "x".repeat(100) });
        let params = json!({ "requestId": "1", "type": "Document", "request": request, "initiator": { "stack": [] } });
        events.keep(json!({ "method": "Network.requestWillBeSent", "params": params }));
        events.keep(json!({ "method": "Runtime.exceptionThrown", "params": { "exceptionDetails": { "a": { "b": { "c": { "d": { "e": { "f": { "g": {} } } } } } } } } }));
        events.keep(json!({ "method": "Page.loadEventFired", "params": [1, 2] }));
        events.keep(json!({ "method": 7 }));
        let events = kept(&mut events);
        assert_eq!(
            events[0].params,
            json!({ "requestId": "1", "type": "Document", "request": { "url": "http://a/" } })
        );
        let deep = &events[1].params["exceptionDetails"]["a"]["b"]["c"]["d"]["e"];
        assert_eq!(*deep, json!({ "f": { "g": null } }));
        assert_eq!(events.len(), 3);
    }
}
