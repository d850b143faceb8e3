//! A streamed answer in the making: text, tool calls and usage out of chunks that few providers send quite as OpenAI does.

use serde::Deserialize;
use serde_json::Value;

use super::{
    thinking::{self, Thinking},
    told_error,
};
use crate::llm::{ModelError, ModelReply, Piece, Thoughts, ToolCall, Usage};

/// An answer has no more tool calls than this.
const MAX_TOOL_CALLS: usize = 64;
/// An answer is no longer than this, in bytes of text and arguments: a model that never ends is cut.
const MAX_ANSWER: usize = 16 << 20;

/// What of a thought comes in pieces.
const GROWING: [&str; 3] = ["text", "summary", "data"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Value,
    /// Some providers report a failure within the stream.
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delta {
    /// Text, or a list of parts, of which some are text.
    content: Value,
    tool_calls: Option<Vec<ToolCallDelta>>,
    /// Thoughts in words, of which some providers want those back that they send under this name.
    reasoning_content: Option<String>,
    /// Thoughts in pieces of several kinds.
    reasoning_details: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToolCallDelta {
    index: Option<usize>,
    id: Option<String>,
    function: Option<FunctionDelta>,
    extra_content: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionDelta {
    name: Option<String>,
    /// Text by the specification; some send an object at once.
    arguments: Value,
}

/// What there is of an answer.
#[derive(Default)]
pub struct Answer {
    text: String,
    thinking: Thinking,
    thoughts: Thoughts,
    /// The calls in the order in which they began, each with the index that its provider gave it.
    calls: Vec<(Option<usize>, ToolCall)>,
    usage: Option<Usage>,
    finished: Option<String>,
    bytes: usize,
}

impl Answer {
    /// Takes the next chunk.
    pub fn take(&mut self, chunk: Chunk, on_piece: &mut impl FnMut(Piece<'_>)) -> Result<(), ModelError> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let status = error["code"]
                .as_u64()
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| *code >= 400);
            return Err(told_error(&error, status.unwrap_or(500), None, None));
        }
        self.usage = usage(&chunk.usage).or(self.usage);
        let Some(choice) = chunk.choices.into_iter().flatten().next() else {
            return Ok(());
        };
        let delta = choice.delta.unwrap_or_default();
        let text = self.thinking.take(&text(&delta.content));
        if !text.is_empty() {
            on_piece(Piece::Text(&text));
            self.bytes += text.len();
            self.text.push_str(&text);
        }
        for delta in delta.tool_calls.unwrap_or_default() {
            self.take_call(delta, on_piece)?;
        }
        if let Some(thought) = delta.reasoning_content {
            self.bytes += thought.len();
            self.thoughts.reasoning_content.push_str(&thought);
        }
        for detail in delta.reasoning_details.unwrap_or_default() {
            self.take_detail(detail);
        }
        if self.bytes > MAX_ANSWER {
            return Err(ModelError::Invalid(format!("its answer is longer than {} MiB", MAX_ANSWER >> 20)));
        }
        let finished = choice.finish_reason.filter(|reason| !reason.is_empty());
        self.finished = finished.or(self.finished.take());
        Ok(())
    }

    fn take_call(&mut self, delta: ToolCallDelta, on_piece: &mut impl FnMut(Piece<'_>)) -> Result<(), ModelError> {
        let function = delta.function.unwrap_or_default();
        let id = delta.id.unwrap_or_default();
        let name = function.name.unwrap_or_default();
        let (arguments, at_once) = match function.arguments {
            Value::Null => (String::new(), false),
            Value::String(piece) => (piece, false),
            object => (object.to_string(), true),
        };
        // Without an index, it goes on with the last call.
        let begun = match delta.index {
            Some(index) => self.calls.iter().rposition(|(other, _)| *other == Some(index)),
            None => self.calls.len().checked_sub(1),
        };
        let goes_on = |at: &usize| !is_another(&self.calls[*at].1, delta.index, &id, &name, &arguments);
        let at = begun.filter(goes_on).unwrap_or_else(|| {
            self.calls.push((delta.index, ToolCall::default()));
            self.calls.len() - 1
        });
        if self.calls.len() > MAX_TOOL_CALLS {
            return Err(ModelError::Invalid(format!("more than {MAX_TOOL_CALLS} tool calls in one answer")));
        }
        let call = &mut self.calls[at].1;
        if !id.is_empty() {
            call.id = id;
        }
        if !delta.extra_content.is_null() {
            call.extra_content = delta.extra_content;
        }
        // Some providers repeat the whole name in every piece.
        if call.name != name {
            call.name.push_str(&name);
        }
        if !arguments.is_empty() {
            let (name, arguments) = (&call.name, arguments.as_str());
            on_piece(Piece::Call {
                index: at,
                name,
                arguments,
            });
            self.bytes += arguments.len();
            if at_once {
                call.arguments.clear();
            }
            call.arguments.push_str(arguments);
        }
        Ok(())
    }

    /// Adds a piece of a thought to the one with its index, or as one more.
    fn take_detail(&mut self, detail: Value) {
        let details = &mut self.thoughts.reasoning_details;
        self.bytes += detail.to_string().len();
        let is_same = |other: &Value| detail["index"].is_u64() && ["index", "type"].iter().all(|field| detail[field] == other[field]);
        match (details.iter_mut().find(|other| is_same(other)), detail) {
            (Some(Value::Object(known)), Value::Object(more)) => {
                for (name, value) in more.into_iter().filter(|(_, value)| !value.is_null()) {
                    match (known.get_mut(&name), value) {
                        (Some(Value::String(text)), Value::String(piece)) if GROWING.contains(&name.as_str()) => text.push_str(&piece),
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

    /// The answer, when it came to its end, and what it used where its provider tells.
    pub fn whole(mut self) -> Result<(ModelReply, Option<Usage>), ModelError> {
        let finished = self.finished.as_deref();
        match finished {
            None => return Err(ModelError::Cut("the connection ended early".to_owned())),
            Some("content_filter") => return Err(ModelError::Invalid("its content filter stopped the answer".to_owned())),
            Some("error") => return Err(ModelError::unavailable("its provider ended the answer with an error")),
            Some(_) => {}
        }
        let cut = finished == Some("length");
        let rest = self.thinking.end();
        self.text.push_str(&rest);
        let mut tool_calls: Vec<ToolCall> = Vec::new();
        for (index, (_, mut call)) in self.calls.into_iter().enumerate() {
            // The results are told apart by it.
            if call.id.is_empty() || tool_calls.iter().any(|other| other.id == call.id) {
                call.id = format!("call_{index}");
            }
            tool_calls.push(call);
        }
        if cut {
            tool_calls.retain(|call| serde_json::from_str::<Value>(&call.arguments).is_ok_and(|arguments| arguments.is_object()));
        }
        let has_thoughts = self.thoughts != Thoughts::default() || tool_calls.iter().any(|call| !call.extra_content.is_null());
        let reply = ModelReply {
            text: thinking::without_begun(&self.text).to_owned(),
            tool_calls,
            thoughts: has_thoughts.then_some(self.thoughts),
            cut,
            ..ModelReply::default()
        };
        Ok((reply, self.usage))
    }
}

/// Whether a piece that was meant for a call, or for none, begins another one: some providers give all calls of an answer the same index,
/// or neither indexes nor ids.
fn is_another(call: &ToolCall, index: Option<usize>, id: &str, name: &str, arguments: &str) -> bool {
    if !id.is_empty() && !call.id.is_empty() && id != call.id {
        // An id that changes from piece to piece comes without the name.
        return index.is_none() || !name.is_empty();
    }
    let is_whole = || serde_json::from_str::<Value>(&call.arguments).is_ok();
    id.is_empty() && !name.is_empty() && !arguments.is_empty() && is_whole()
}

fn text(content: &Value) -> String {
    let of_part = |part: &Value| part["text"].as_str().map(str::to_owned);
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(of_part).collect(),
        _ => String::new(),
    }
}

fn usage(told: &Value) -> Option<Usage> {
    let count = |names: [&str; 2]| names.iter().find_map(|name| told[name].as_u64());
    let input = count(["prompt_tokens", "input_tokens"]);
    let output = count(["completion_tokens", "output_tokens"]);
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or_default(), output.unwrap_or_default());
    // Gemini counts what it thinks in the total alone.
    let thought = told["total_tokens"].as_u64().unwrap_or_default().saturating_sub(input);
    Some(Usage {
        input_tokens: input,
        cached_tokens: told["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or_default(),
        output_tokens: output.max(thought),
        cost_micros: told["cost"]
            .as_f64()
            .filter(|cost| *cost >= 0.0)
            .map(|cost| (cost * 1e6).round() as u64),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(chunks: &[Value]) -> Result<(ModelReply, Option<Usage>), ModelError> {
        let mut answer = Answer::default();
        for chunk in chunks {
            answer.take(serde_json::from_value(chunk.clone()).unwrap(), &mut |_| {})?;
        }
        answer.whole()
    }

    /// The calls of an answer whose pieces are these: name and arguments of each, and its id.
    fn calls(pieces: &[Value]) -> Vec<(String, String, String)> {
        let mut chunks: Vec<Value> = pieces.iter().cloned().map(call).collect();
        chunks.push(json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] }));
        let calls = answer(&chunks).unwrap().0.tool_calls.into_iter();
        calls.map(|call| (call.name, call.arguments, call.id)).collect()
    }

    fn call(delta: Value) -> Value {
        json!({ "choices": [{ "delta": { "tool_calls": [delta] } }] })
    }

    #[test]
    fn tool_calls_are_put_together_whatever_indexes_and_ids_their_pieces_have() {
        let function = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
        let list = || function("listFiles", json!("{}"));
        let expected = |first: &str, second: &str| {
            [("terminal", "{\"command\":\"ls\"}", first), ("listFiles", "{}", second)]
                .map(|(name, arguments, id)| (name.to_owned(), arguments.to_owned(), id.to_owned()))
        };
        let ways = [
            // As specified, the calls' pieces mixed.
            [
                json!({ "index": 0, "id": "a", "function": function("terminal", json!("{\"comm")) }),
                json!({ "index": 1, "id": "b", "function": list() }),
                json!({ "index": 0, "function": { "arguments": "and\":\"ls\"}" } }),
            ],
            // Without indexes, and arguments that are an object.
            [
                json!({ "id": "a", "function": function("terminal", json!("{\"comm")) }),
                json!({ "function": { "arguments": "and\":\"ls\"}" } }),
                json!({ "id": "b", "function": function("listFiles", json!({})) }),
            ],
            // The same index for all.
            [
                json!({ "index": 0, "id": "a", "function": function("terminal", json!("{\"comm")) }),
                json!({ "index": 0, "function": { "arguments": "and\":\"ls\"}" } }),
                json!({ "index": 0, "id": "b", "function": list() }),
            ],
            // Name and id again in each piece.
            [
                json!({ "index": 0, "id": "a", "function": function("terminal", json!("{\"comm")) }),
                json!({ "index": 0, "id": "a", "function": function("terminal", json!("and\":\"ls\"}")) }),
                json!({ "index": 1, "id": "b", "function": list() }),
            ],
        ];
        for pieces in ways {
            assert_eq!(calls(&pieces), expected("a", "b"), "{pieces:?}");
        }
        // Neither ids nor indexes, or the same id for all.
        let whole = function("terminal", json!("{\"command\":\"ls\"}"));
        let nameless = [
            json!({ "function": whole }),
            json!({ "id": "", "function": list() }),
            json!({ "function": null }),
        ];
        assert_eq!(calls(&nameless), expected("call_0", "call_1"));
        let same = [
            json!({ "index": 0, "id": "x", "function": whole }),
            json!({ "index": 1, "id": "x", "function": list() }),
        ];
        assert_eq!(calls(&same), expected("x", "call_1"));
    }

    #[test]
    fn an_answer_without_an_end_is_an_error_and_never_half_a_tool_call() {
        let whole = call(json!({ "index": 0, "id": "a", "function": { "name": "terminal", "arguments": "{\"command\":\"ls\"}" } }));
        let open = json!({ "choices": [{ "delta": {}, "finish_reason": "" }] });
        let cut = answer(&[whole.clone(), open]);
        assert!(matches!(cut, Err(ModelError::Cut(_))), "{cut:?}");
        let failed = answer(&[whole, json!({ "choices": [{ "delta": null, "finish_reason": "error" }] })]);
        assert!(failed.is_err(), "{failed:?}");
    }

    #[test]
    fn an_answer_that_reached_its_limit_keeps_what_is_whole() {
        let whole = json!({ "index": 0, "id": "a", "function": { "name": "terminal", "arguments": "{\"command\":\"ls\"}" } });
        let half = json!({ "index": 1, "id": "b", "function": { "name": "createOrUpdateFiles", "arguments": "{\"files\":[{\"path" } });
        let end = json!({ "choices": [{ "delta": { "content": "Next" }, "finish_reason": "length" }], "usage": { "prompt_tokens": 1 } });
        let (reply, usage) = answer(&[call(whole), call(half), end]).unwrap();
        let calls: Vec<&str> = reply.tool_calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!((reply.cut, reply.text.as_str(), calls), (true, "Next", vec!["a"]));
        assert_eq!(usage.map(|usage| usage.input_tokens), Some(1), "it is paid for");
    }

    #[test]
    fn what_a_provider_wants_back_is_put_together_from_its_pieces() {
        let detail = |fields: Value| json!({ "choices": [{ "delta": { "reasoning_details": [fields], "reasoning_content": "H" } }] });
        let signed =
            json!({ "function": { "name": "listFiles", "arguments": "{}" }, "extra_content": { "google": { "thought_signature": "s" } } });
        let (reply, _) = answer(&[
            detail(json!({ "type": "reasoning.text", "text": "Let", "format": "f", "index": 0 })),
            detail(json!({ "type": "reasoning.text", "text": " me", "format": "f", "index": 0, "signature": null })),
            detail(json!({ "type": "reasoning.text", "signature": "Et", "index": 0 })),
            detail(json!({ "type": "reasoning.encrypted", "data": "x", "index": 1 })),
            call(signed),
            json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }),
        ])
        .unwrap();
        let thoughts = reply.thoughts.unwrap();
        assert_eq!(
            thoughts.reasoning_details,
            [
                json!({ "type": "reasoning.text", "text": "Let me", "format": "f", "index": 0, "signature": "Et" }),
                json!({ "type": "reasoning.encrypted", "data": "x", "index": 1 }),
            ]
        );
        assert_eq!(thoughts.reasoning_content, "HHHH");
        assert_eq!(reply.tool_calls[0].extra_content["google"]["thought_signature"], "s");
    }

    #[test]
    fn thoughts_that_are_counted_apart_and_costs_that_are_told_are_taken() {
        let of = |told: Value| usage(&told).unwrap();
        let gemini = of(
            json!({ "completion_tokens": 25, "prompt_tokens": 11, "total_tokens": 727, "prompt_tokens_details": { "cached_tokens": 8 } }),
        );
        assert_eq!((gemini.output_tokens, gemini.cached_tokens, gemini.cost_micros), (716, 8, None));
        let openrouter = of(json!({ "completion_tokens": 2, "prompt_tokens": 194, "total_tokens": 196, "cost": 0.95 }));
        assert_eq!((openrouter.output_tokens, openrouter.cost_micros), (2, Some(950_000)));
    }

    #[test]
    fn what_providers_leave_out_or_add_is_taken() {
        let (reply, usage) = answer(&[
            json!({ "choices": [] }),
            json!({ "choices": null, "usage": null }),
            json!({ "choices": [{ "delta": { "role": "assistant", "content": null, "reasoning": "hm", "reasoning_content": "hm" } }] }),
            json!({ "choices": [{ "delta": { "content": [{ "type": "thinking", "thinking": [] }, { "type": "text", "text": "Hi" }] } }] }),
            json!({ "choices": [{ "delta": { "content": "!" }, "finish_reason": "stop" }], "usage": { "prompt_tokens": 7, "input_tokens": 7 } }),
            json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 2, "cost": 0.1 } }),
        ])
        .unwrap();
        assert_eq!((reply.text.as_str(), reply.tool_calls.len()), ("Hi!", 0));
        assert_eq!(usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((7, 2)));
        let (_, none) = answer(&[json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] })]).unwrap();
        assert_eq!(none, None);
    }
}
