//! The scripted server's protocols other than chat completions: how an answer is streamed, how a
//! request maps to a chat, and what a real server would refuse.

use std::collections::BTreeSet;

use axum::extract::{Request, State};
use serde_json::{Value, json};

use super::{
    Shared,
    chunks::{chunk, pieces},
};

/// What the system says where it may not say it itself.
const NOTE: [&str; 2] = ["<system_note>\n", "\n</system_note>"];
/// What the server seals its reasoning with: it knows its own by that.
const SEAL: &str = "sealed by the scripted server";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Chat,
    Responses,
    Messages,
}

impl Wire {
    /// What makes a server use the address over this protocol: the provider's name goes into
    /// `variable`, with the first of `more` behind it, and the model's into the second.
    pub fn env(
        self,
        url: &str,
        variable: &'static str,
        more: &[&'static str],
    ) -> Vec<(&'static str, String)> {
        let root = url.trim_end_matches("/v1").to_owned();
        let (name, own) = match self {
            Self::Chat => ("ollama", vec![("OLLAMA_BASE_URL", root)]),
            Self::Responses => (
                "custom",
                vec![
                    ("OPENAI_BASE_URL", url.to_owned()),
                    ("AI_API", "responses".to_owned()),
                ],
            ),
            Self::Messages => (
                "anthropic",
                vec![
                    ("ANTHROPIC_BASE_URL", root),
                    ("ANTHROPIC_API_KEY", "test".to_owned()),
                ],
            ),
        };
        let model = more
            .get(1)
            .map(|variable| (*variable, "scripted".to_owned()));
        [(variable, format!("{name}{}", more[0]))]
            .into_iter()
            .chain(model)
            .chain(own)
            .collect()
    }

    /// How many chunks end an answer.
    pub fn end_chunks(self) -> usize {
        match self {
            Self::Chat => 3,
            Self::Responses => 1,
            Self::Messages => 2,
        }
    }

    /// An answer with reasoning that has to come back, an item of an unknown kind, words, and
    /// calls.
    pub fn answer(self, words: &str, calls: &[(&str, String)]) -> Vec<String> {
        match self {
            Self::Chat => panic!("chat completions have chunks of their own"),
            Self::Responses => responses(words, calls),
            Self::Messages => messages(words, calls),
        }
    }

    /// The answer's chunks, with this thought shown before it.
    pub fn think(self, thought: &str, answer: Vec<String>) -> Vec<String> {
        let thoughts = pieces(thought).into_iter();
        let (at, thoughts): (usize, Vec<String>) = match self {
            Self::Chat => {
                let thoughts = thoughts.map(|piece| json!({ "reasoning_content": piece }));
                (0, thoughts.map(|delta| chunk(delta, None)).collect())
            }
            // Behind the beginning of the reasoning, whose end has all of it.
            Self::Responses => {
                let thoughts = thoughts.map(|piece| json!({ "type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": piece }));
                (2, thoughts.map(|piece| event(&piece)).collect())
            }
            Self::Messages => {
                let thoughts = thoughts.map(|piece| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": piece } }));
                (3, thoughts.map(|piece| event(&piece)).collect())
            }
        };
        let whole = json!([{ "type": "summary_text", "text": thought }]);
        let mut answer: Vec<String> = answer
            .into_iter()
            .filter(|chunk| !chunk.contains("\"Hm.\""))
            .collect();
        for chunk in answer.iter_mut().skip(at) {
            *chunk = chunk.replace("\"summary\":[]", &format!("\"summary\":{whole}"));
        }
        answer.splice(at..at, thoughts);
        answer
    }

    /// What a real server refuses of the request, if anything.
    pub fn check(self, request: &Value) -> Result<(), String> {
        match self {
            Self::Chat => Ok(()),
            Self::Responses => check_responses(request),
            Self::Messages => check_messages(request),
        }
    }

    /// The request as one for chat completions; `sent` has it as it came.
    pub fn as_chat(self, request: Value) -> Value {
        let messages = match self {
            Self::Chat => return request,
            Self::Responses => chat_of_responses(&request),
            Self::Messages => chat_of_messages(&request),
        };
        let mut chat = json!({ "messages": messages, "sent": request });
        if request["tools"].is_array() {
            chat["tools"] = request["tools"].clone();
        }
        chat
    }
}

fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap()
    )
}

fn responses(words: &str, calls: &[(&str, String)]) -> Vec<String> {
    let mut events =
        vec![json!({ "type": "response.created", "response": { "status": "in_progress" } })];
    let mut items = vec![
        json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SEAL }),
        json!({ "type": "hologram", "id": "h_1", "light": { "of": [1, null] } }),
        json!({ "type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary", "content": [{ "type": "output_text", "text": words, "annotations": [] }] }),
    ];
    items.extend(calls.iter().enumerate().map(|(at, (name, arguments))| {
        json!({ "type": "function_call", "id": format!("fc_{at}"), "call_id": format!("call_{at}"), "name": name, "arguments": arguments })
    }));
    for (index, item) in items.iter().enumerate() {
        let mut begun = item.clone();
        let (kind, grows) = match item["type"].as_str().unwrap() {
            "message" => {
                begun["content"] = json!([]);
                ("output_text", words)
            }
            "function_call" => {
                begun["arguments"] = json!("");
                (
                    "function_call_arguments",
                    item["arguments"].as_str().unwrap(),
                )
            }
            _ => ("", ""),
        };
        events.push(
            json!({ "type": "response.output_item.added", "output_index": index, "item": begun }),
        );
        events.extend(pieces(grows).into_iter().map(|piece| {
            json!({ "type": format!("response.{kind}.delta"), "output_index": index, "content_index": 0, "item_id": item["id"], "delta": piece })
        }));
        events.push(
            json!({ "type": "response.output_item.done", "output_index": index, "item": item }),
        );
    }
    let usage = json!({ "input_tokens": 7, "output_tokens": 3, "input_tokens_details": { "cached_tokens": 4 } });
    let response =
        json!({ "object": "response", "status": "completed", "output": items, "usage": usage });
    events.push(json!({ "type": "response.completed", "response": response }));
    events.iter().map(event).collect()
}

fn messages(words: &str, calls: &[(&str, String)]) -> Vec<String> {
    let usage = json!({ "input_tokens": 1, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1 });
    let mut events = vec![
        json!({ "type": "message_start", "message": { "type": "message", "role": "assistant", "content": [], "usage": usage } }),
        json!({ "type": "ping" }),
    ];
    let mut index = 0;
    let mut block = |begun: Value, deltas: Vec<Value>| {
        events
            .push(json!({ "type": "content_block_start", "index": index, "content_block": begun }));
        events.extend(
            deltas.into_iter().map(
                |delta| json!({ "type": "content_block_delta", "index": index, "delta": delta }),
            ),
        );
        events.push(json!({ "type": "content_block_stop", "index": index }));
        index += 1;
    };
    block(
        json!({ "type": "thinking", "thinking": "", "signature": "" }),
        vec![
            json!({ "type": "thinking_delta", "thinking": "Hm." }),
            json!({ "type": "signature_delta", "signature": SEAL }),
        ],
    );
    block(
        json!({ "type": "redacted_thinking", "data": SEAL }),
        Vec::new(),
    );
    let said = pieces(words).into_iter();
    block(
        json!({ "type": "text", "text": "" }),
        said.map(|piece| json!({ "type": "text_delta", "text": piece }))
            .collect(),
    );
    for (at, (name, arguments)) in calls.iter().enumerate() {
        let input = pieces(arguments).into_iter();
        block(
            json!({ "type": "tool_use", "id": format!("toolu_{at}"), "name": name, "input": {} }),
            input
                .map(|piece| json!({ "type": "input_json_delta", "partial_json": piece }))
                .collect(),
        );
    }
    let reason = if calls.is_empty() {
        "end_turn"
    } else {
        "tool_use"
    };
    events.push(json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": 3 } }));
    events.push(json!({ "type": "message_stop" }));
    events.iter().map(event).collect()
}

fn ensure(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

/// All objects in the list may have these fields only.
fn only(values: &[Value], fields: &[&str]) -> Result<(), String> {
    for value in values {
        let names = value
            .as_object()
            .ok_or("what should be an object is none")?;
        if let Some(odd) = names.keys().find(|name| !fields.contains(&name.as_str())) {
            return Err(format!("{odd}: Extra inputs are not permitted in {value}"));
        }
    }
    Ok(())
}

fn check_responses(request: &Value) -> Result<(), String> {
    only(
        std::slice::from_ref(request),
        &[
            "model",
            "instructions",
            "input",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "reasoning",
            "store",
            "include",
            "stream",
            "prompt_cache_key",
            "max_output_tokens",
        ],
    )?;
    ensure(
        request["store"] == false && request["stream"] == true,
        "it stores, or doesn't stream",
    )?;
    let input = request["input"].as_array().ok_or("input is no list")?;
    let (mut calls, mut results) = (BTreeSet::new(), BTreeSet::new());
    for (at, item) in input.iter().enumerate() {
        let this = std::slice::from_ref(item);
        match item["type"].as_str() {
            None => only(this, &["role", "content"])?,
            Some("message") => only(this, &["type", "id", "role", "phase", "status", "content"])?,
            Some("reasoning") => {
                only(this, &["type", "id", "summary", "encrypted_content"])?;
                ensure(
                    item["encrypted_content"] == SEAL,
                    "The encrypted content could not be verified",
                )?;
                let next = input.get(at + 1).and_then(|next| next["type"].as_str());
                ensure(
                    next.is_some(),
                    "reasoning was provided without its required following item",
                )?;
            }
            Some("function_call") => {
                only(
                    this,
                    &["type", "id", "call_id", "name", "arguments", "status"],
                )?;
                ensure(
                    calls.insert(item["call_id"].as_str().unwrap()),
                    "call ids repeat",
                )?;
            }
            Some("function_call_output") => {
                let id = item["call_id"].as_str().unwrap();
                ensure(
                    calls.contains(id) && results.insert(id),
                    "No tool call found for the output",
                )?;
            }
            Some("hologram") => ensure(
                item["light"]["of"] == json!([1, null]),
                "an item was changed",
            )?,
            Some(other) => return Err(format!("an item of the unknown kind {other}")),
        }
    }
    ensure(calls == results, "No tool output found for a call")
}

fn check_messages(request: &Value) -> Result<(), String> {
    only(
        std::slice::from_ref(request),
        &[
            "model",
            "max_tokens",
            "stream",
            "cache_control",
            "messages",
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "output_config",
        ],
    )?;
    ensure(
        request["max_tokens"].as_u64().is_some_and(|most| most > 0),
        "max_tokens: Field required",
    )?;
    let messages = request["messages"]
        .as_array()
        .ok_or("messages is no list")?;
    let (mut ids, mut open) = (BTreeSet::new(), Vec::new());
    for (at, message) in messages.iter().enumerate() {
        let role = ["user", "assistant"][at % 2];
        ensure(
            message["role"] == role,
            "roles must alternate, the user's first",
        )?;
        let content = message["content"].as_array().ok_or("content is no list")?;
        let mut results = Vec::new();
        for (position, block) in content.iter().enumerate() {
            let this = std::slice::from_ref(block);
            match block["type"].as_str().unwrap_or_default() {
                "text" => {
                    only(this, &["type", "text", "cache_control"])?;
                    let text = block["text"].as_str().unwrap_or_default();
                    ensure(
                        !text.trim().is_empty(),
                        "text content blocks must be non-empty",
                    )?;
                }
                "image" => only(this, &["type", "source"])?,
                "thinking" | "redacted_thinking" if role == "assistant" => {
                    let is_own = block["signature"] == SEAL || block["data"] == SEAL;
                    ensure(is_own, "Invalid signature in thinking block")?;
                    ensure(position < 2, "thinking must come first")?;
                }
                "tool_use" if role == "assistant" => {
                    only(this, &["type", "id", "name", "input"])?;
                    let id = block["id"].as_str().unwrap_or_default();
                    ensure(ids.insert(id), "`tool_use` ids must be unique")?;
                    open.push(id);
                }
                "tool_result" if role == "user" => {
                    ensure(results.len() == position, "results must come first")?;
                    results.push(block["tool_use_id"].as_str().unwrap_or_default());
                }
                other => return Err(format!("a block {other} of the {role}'s")),
            }
        }
        if role == "user" {
            ensure(
                results == std::mem::take(&mut open),
                "`tool_use` without its `tool_result`",
            )?;
        }
    }
    ensure(open.is_empty(), "`tool_use` without its `tool_result`")
}

fn said(role: &str, content: &str) -> Value {
    let note = content
        .strip_prefix(NOTE[0])
        .and_then(|note| note.strip_suffix(NOTE[1]));
    match note {
        Some(note) => json!({ "role": "system", "content": note }),
        None => json!({ "role": role, "content": content }),
    }
}

/// More of the answer that ends the chat, or the beginning of one.
fn answer(chat: &mut Vec<Value>) -> &mut Value {
    if chat.last().is_none_or(|last| last["role"] != "assistant") {
        chat.push(json!({ "role": "assistant", "content": "" }));
    }
    chat.last_mut().unwrap()
}

fn chat_of_responses(request: &Value) -> Vec<Value> {
    let mut chat = Vec::new();
    if let Some(rules) = request["instructions"].as_str() {
        chat.push(json!({ "role": "system", "content": rules }));
    }
    for item in request["input"].as_array().unwrap() {
        let role = item["role"].as_str();
        match (item["type"].as_str(), role) {
            (Some("function_call_output"), _) => chat.push(
                json!({ "role": "tool", "tool_call_id": item["call_id"], "content": item["output"] }),
            ),
            (None | Some("message"), Some("assistant")) => {
                let text = item["content"].as_str().or(item["content"][0]["text"].as_str());
                answer(&mut chat)["content"] = json!(text.unwrap_or_default());
            }
            (None, Some(role)) => match item["content"].as_str() {
                Some(content) => chat.push(said(role, content)),
                None => chat.push(json!({ "role": role, "content": item["content"] })),
            },
            _ => _ = answer(&mut chat),
        }
    }
    chat
}

/// Notes a request that names the trace it is of.
pub async fn refuse_trace(State(shared): State<Shared>, request: Request) -> Request {
    if request.headers().contains_key("traceparent") {
        let mut refused = shared.refused.lock().unwrap();
        refused.push("a traceparent".to_owned());
    }
    request
}

fn chat_of_messages(request: &Value) -> Vec<Value> {
    let mut chat = Vec::new();
    if let Some(rules) = request["system"][0]["text"].as_str() {
        chat.push(json!({ "role": "system", "content": rules }));
    }
    for message in request["messages"].as_array().unwrap() {
        let content = message["content"].as_array().unwrap();
        if content.iter().any(|block| block["type"] == "image") {
            chat.push(message.clone());
            continue;
        }
        for block in content {
            let text = block["text"].as_str().unwrap_or_default();
            match (block["type"].as_str().unwrap(), message["role"].as_str().unwrap()) {
                ("tool_result", _) => chat.push(
                    json!({ "role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"] }),
                ),
                ("text", "user") => chat.push(said("user", text)),
                ("text", _) => answer(&mut chat)["content"] = json!(text),
                _ => _ = answer(&mut chat),
            }
        }
    }
    chat
}
