//! Responses requests, with the whole chat.

use serde_json::{Value, json};

use crate::{
    config::{Provider, Reasoning},
    llm::{
        ChatMessage, ChatRequest, ModelRole, Thoughts, ToolCall,
        models::{Abilities, Thinking},
        quirk::Quirk,
        wire::history::{self, CallIds},
    },
};

/// The settings that are the same for every request.
pub struct Settings<'a> {
    pub provider: Provider,
    pub model: &'a str,
    pub abilities: &'a Abilities,
    pub reasoning: Option<Reasoning>,
    /// `AI_OUTPUT_TOKENS`.
    pub output_tokens: Option<usize>,
    pub quirks: &'a [Quirk],
}

/// The request's JSON. Parts that stay the same between turns come first, for the provider's cache.
pub fn body(request: &ChatRequest, settings: &Settings<'_>) -> Value {
    let has = |quirk| settings.quirks.contains(&quirk);
    let (instructions, input) = input(request, settings);
    let mut body = json!({
        "model": settings.model,
        "input": input,
        "store": false,
        "stream": true,
    });
    if !instructions.is_empty() {
        body["instructions"] = json!(instructions);
    }
    if !request.cache_key.is_empty() && !has(Quirk::NoCacheKey) {
        body["prompt_cache_key"] = json!(request.cache_key);
    }
    if let Some(most) = settings.output_tokens {
        body["max_output_tokens"] = json!(most);
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({
                "type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.parameters, "strict": false,
            })
        });
        body["tools"] = tools.collect();
        if !request.may_call {
            body["tool_choice"] = json!("none");
        }
        if !settings.abilities.parallel_calls {
            body["parallel_tool_calls"] = json!(false);
        }
    }
    // Titles and image descriptions need no reasoning, and are never sent back.
    if request.role == ModelRole::Coder && settings.abilities.thinking != Thinking::None {
        if !has(Quirk::NoEncryptedThoughts) {
            body["include"] = json!(["reasoning.encrypted_content"]);
        }
        let mut reasoning = json!({});
        if let Some(effort) = settings.reasoning.filter(|_| !has(Quirk::NoEffort)) {
            reasoning["effort"] = json!(effort.as_str());
        }
        if settings.reasoning != Some(Reasoning::None) && !has(Quirk::NoSummaries) {
            reasoning["summary"] = json!("auto");
        }
        if reasoning != json!({}) {
            body["reasoning"] = reasoning;
        }
    }
    body
}

/// The system prompt, and the items of the chat.
fn input(request: &ChatRequest, settings: &Settings<'_>) -> (String, Vec<Value>) {
    let mut instructions = String::new();
    let mut items = Vec::new();
    let mut ids = CallIds::default();
    for message in &request.messages {
        match message {
            ChatMessage::System { content } if items.is_empty() && instructions.is_empty() => {
                instructions.clone_from(content);
            }
            ChatMessage::System { content } => {
                if settings.quirks.contains(&Quirk::SystemFirst) {
                    items.push(said("user", &history::note(content)));
                } else {
                    items.push(said("system", content));
                }
            }
            ChatMessage::User { content } => items.push(said("user", content)),
            ChatMessage::UserImages { content, images } => {
                let mut parts = vec![json!({ "type": "input_text", "text": content })];
                parts.extend(images.iter().map(|image| {
                    json!({
                        "type": "input_image", "detail": "auto", "image_url": image.data_url(),
                    })
                }));
                items.push(json!({ "role": "user", "content": parts }));
            }
            ChatMessage::Tool {
                tool_call_id,
                content,
            } => items.push(match ids.result(tool_call_id) {
                Some(id) => {
                    json!({ "type": "function_call_output", "call_id": id, "output": content })
                }
                // Its call was left out.
                None => said("user", &history::note(content)),
            }),
            ChatMessage::Assistant {
                content,
                tool_calls,
                thoughts,
            } => {
                ids.begin_answer();
                items.extend(answer(
                    content,
                    tool_calls,
                    thoughts.as_ref(),
                    settings,
                    &mut ids,
                ));
            }
        }
    }
    (instructions, items)
}

fn said(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

/// An answer's items: as received from this model, with later changes applied; for another model's
/// answer, built from its text and calls.
fn answer(
    content: &str,
    tool_calls: &[ToolCall],
    thoughts: Option<&Thoughts>,
    settings: &Settings<'_>,
    ids: &mut CallIds,
) -> Vec<Value> {
    let provider = settings.provider;
    let own = history::own_items(thoughts, provider.as_str(), super::WIRE, settings.model);
    let mut left: Vec<&ToolCall> = tool_calls.iter().collect();
    let before: String = own.into_iter().flatten().map(text_of).collect();
    // A text that was shortened or redacted later replaces the first text.
    let is_unchanged = before == content;
    let mut has_text = is_unchanged;
    let mut items: Vec<Value> = Vec::new();
    for item in own.into_iter().flatten() {
        match item["type"].as_str() {
            Some("message") if is_unchanged => items.push(item.clone()),
            Some("message") => {
                if !std::mem::replace(&mut has_text, true) && !content.is_empty() {
                    let mut item = item.clone();
                    item["content"] =
                        json!([{ "type": "output_text", "text": content, "annotations": [] }]);
                    items.push(item);
                }
            }
            Some("function_call") => {
                let at = left
                    .iter()
                    .position(|call| item["call_id"] == call.id.as_str());
                items.extend(at.map(|at| function_call(item.clone(), left.remove(at), ids)));
            }
            // Without its encrypted content, OpenAI would look it up among its stored items.
            Some("reasoning")
                if provider == Provider::OpenAi && !item["encrypted_content"].is_string() => {}
            _ => items.push(item.clone()),
        }
    }
    // Reasoning is refused without the item that it led to, such as a call that was cut off.
    while items.last().is_some_and(|item| item["type"] == "reasoning") {
        items.pop();
    }
    if !has_text && !content.is_empty() {
        items.push(said("assistant", content));
    }
    let call = |call| function_call(json!({ "type": "function_call" }), call, ids);
    items.extend(left.into_iter().map(call));
    items
}

/// What a message says; empty for other items.
fn text_of(item: &Value) -> String {
    let parts = item["content"]
        .as_array()
        .filter(|_| item["type"] == "message");
    parts
        .into_iter()
        .flatten()
        .filter_map(|part| part["text"].as_str().or(part["refusal"].as_str()))
        .collect()
}

fn function_call(mut item: Value, call: &ToolCall, ids: &mut CallIds) -> Value {
    item["call_id"] = json!(ids.call(&call.id));
    item["name"] = json!(history::name(call));
    item["arguments"] = json!(history::arguments(call));
    item
}

#[cfg(test)]
mod tests;
