//! Anthropic requests, with cache breakpoints.

use serde_json::{Value, json};

use crate::{
    config::{Provider, Reasoning},
    llm::{
        ChatImage, ChatMessage, ChatRequest, ModelRole, Thoughts, ToolCall,
        models::{Abilities, Thinking},
        quirk::Quirk,
        wire::history::{self, CallIds},
    },
};

/// The maximum length of an answer, in tokens, for a model missing from the table.
const USUAL_OUTPUT: usize = 32_000;
/// The same for an answer in words, such as a title; thinking counts too.
const SHORT_OUTPUT: usize = 16_000;
/// The user's message for a chat that would otherwise begin with an answer.
const BEGINNING: &str = "The conversation so far follows.";

/// The settings that are the same for every request.
pub struct Settings<'a> {
    pub model: &'a str,
    pub abilities: &'a Abilities,
    pub reasoning: Option<Reasoning>,
    /// In tokens.
    pub context: usize,
    pub quirks: &'a [Quirk],
}

/// The request's JSON. Parts that stay the same between turns come first, for the provider's cache:
/// tools, then the system prompt, then the chat.
pub fn body(request: &ChatRequest, settings: &Settings<'_>) -> Value {
    let (system, mut messages) = conversation(request, settings.model);
    let most = settings
        .abilities
        .max_output
        .unwrap_or(USUAL_OUTPUT)
        .min((settings.context / 4).max(1));
    let is_coder = request.role == ModelRole::Coder;
    let most = if is_coder {
        most
    } else {
        most.min(SHORT_OUTPUT)
    };
    let mut body = json!({
        "model": settings.model,
        "max_tokens": most,
        "stream": true,
    });
    // The chat grows at its end, and the breakpoint moves with it.
    if is_coder {
        if settings.quirks.contains(&Quirk::NoChatCache) {
            mark_last(&mut messages);
        } else {
            body["cache_control"] = point();
        }
    }
    body["messages"] = messages.into();
    if !system.is_empty() {
        let mut block = json!({ "type": "text", "text": system });
        if is_coder {
            block["cache_control"] = point();
        }
        body["system"] = json!([block]);
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({
                "name": tool.name, "description": tool.description, "input_schema": tool.parameters,
            })
        });
        body["tools"] = tools.collect();
        let mut choice = json!({ "type": if request.may_call { "auto" } else { "none" } });
        if request.may_call && !settings.abilities.parallel_calls {
            choice["disable_parallel_tool_use"] = json!(true);
        }
        body["tool_choice"] = choice;
    }
    if is_coder {
        add_thinking(&mut body, settings, most);
    }
    body
}

fn point() -> Value {
    json!({ "type": "ephemeral" })
}

/// Puts the moving breakpoint into the last block, for servers that don't move it themselves.
fn mark_last(messages: &mut [Value]) {
    let last = messages.last_mut().map(|message| &mut message["content"]);
    if let Some(block) = last.and_then(|content| content.as_array_mut()?.last_mut()) {
        block["cache_control"] = point();
    }
}

fn add_thinking(body: &mut Value, settings: &Settings<'_>, most: usize) {
    let reasoning = settings.reasoning;
    match settings.abilities.thinking {
        Thinking::None => {}
        Thinking::Budget => {
            // Thinking counts as part of the answer's tokens; half of them are left for the rest.
            let budget = match reasoning {
                None | Some(Reasoning::None) => return,
                Some(Reasoning::Minimal | Reasoning::Low) => 4_000,
                Some(Reasoning::Medium) => 10_000,
                Some(Reasoning::High | Reasoning::XHigh | Reasoning::Max) => 24_000,
            };
            let budget = budget.min(most / 2);
            if budget >= 1024 {
                body["thinking"] = json!({ "type": "enabled", "budget_tokens": budget });
            }
        }
        Thinking::Adaptive | Thinking::Effort => {
            if reasoning != Some(Reasoning::None) && !settings.quirks.contains(&Quirk::NoAdaptive) {
                body["thinking"] = json!({ "type": "adaptive" });
                // Some models omit the text of their thinking unless asked for it.
                if !settings.quirks.contains(&Quirk::NoDisplay) {
                    body["thinking"]["display"] = json!("summarized");
                }
            }
            let effort = match reasoning {
                None => return,
                // Thinking can't be turned off for every model.
                Some(Reasoning::None | Reasoning::Minimal) => Reasoning::Low,
                Some(other) => other,
            };
            if !settings.quirks.contains(&Quirk::NoEffort) {
                body["output_config"] = json!({ "effort": effort.as_str() });
            }
        }
    }
}

/// The system prompt, and the messages, with user and model alternating as this provider requires.
fn conversation(request: &ChatRequest, model: &str) -> (String, Vec<Value>) {
    let mut system = String::new();
    let mut chat = Chat::default();
    let mut ids = CallIds::default();
    for message in &request.messages {
        match message {
            ChatMessage::System { content } if chat.is_empty() && system.is_empty() => {
                system.clone_from(content);
            }
            ChatMessage::System { content } => chat.user(text(&history::note(content))),
            ChatMessage::User { content } => chat.user(text(content)),
            ChatMessage::UserImages { content, images } => {
                for ChatImage { media_type, data } in images {
                    let source =
                        json!({ "type": "base64", "media_type": media_type, "data": data });
                    chat.user(Some(json!({ "type": "image", "source": source })));
                }
                chat.user(text(content));
            }
            ChatMessage::Tool {
                tool_call_id,
                content,
            } => match ids.result(tool_call_id) {
                Some(id) => chat.user(Some(json!({
                    "type": "tool_result", "tool_use_id": id, "content": content,
                }))),
                None => chat.user(text(&history::note(content))),
            },
            ChatMessage::Assistant {
                content,
                tool_calls,
                thoughts,
            } => {
                ids.begin_answer();
                let blocks = answer(content, tool_calls, thoughts.as_ref(), model, &mut ids);
                chat.add("assistant", blocks);
            }
        }
    }
    (system, chat.messages)
}

fn text(content: &str) -> Option<Value> {
    // Empty texts are refused.
    (!content.trim().is_empty()).then(|| json!({ "type": "text", "text": content }))
}

/// Messages with alternating authors.
#[derive(Default)]
struct Chat {
    messages: Vec<Value>,
}

impl Chat {
    fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn user(&mut self, block: Option<Value>) {
        self.add("user", block.into_iter().collect());
    }

    fn add(&mut self, role: &str, blocks: Vec<Value>) {
        if blocks.is_empty() {
            return;
        }
        if self.messages.is_empty() && role != "user" {
            self.user(text(&history::note(BEGINNING)));
        }
        if let Some(last) = self.messages.last_mut()
            && last["role"] == role
            && let Some(content) = last["content"].as_array_mut()
        {
            content.extend(blocks);
            return;
        }
        self.messages
            .push(json!({ "role": role, "content": blocks }));
    }
}

/// An answer's blocks: as received from this model, with later changes applied; for another model's
/// answer, built from its text and calls.
fn answer(
    content: &str,
    tool_calls: &[ToolCall],
    thoughts: Option<&Thoughts>,
    model: &str,
    ids: &mut CallIds,
) -> Vec<Value> {
    let own = history::own_items(thoughts, Provider::Anthropic.as_str(), super::WIRE, model);
    let mut left: Vec<&ToolCall> = tool_calls.iter().collect();
    let mut blocks = Vec::new();
    let said: String = own
        .into_iter()
        .flatten()
        .filter(|block| block["type"] == "text")
        .filter_map(|block| block["text"].as_str())
        .collect();
    // A text that was shortened or redacted later replaces the first text; thinking before it
    // stays.
    let is_unchanged = said == content;
    let mut has_text = is_unchanged;
    let mut say = |blocks: &mut Vec<Value>| {
        if !std::mem::replace(&mut has_text, true) {
            blocks.extend(text(content));
        }
    };
    for block in own.into_iter().flatten() {
        match block["type"].as_str() {
            Some("text") if is_unchanged => blocks.extend(block["text"].as_str().and_then(text)),
            Some("text") => say(&mut blocks),
            Some("tool_use") => {
                say(&mut blocks);
                let at = left.iter().position(|call| block["id"] == call.id.as_str());
                blocks.extend(at.map(|at| tool_use(left.remove(at), ids)));
            }
            _ => blocks.push(block.clone()),
        }
    }
    say(&mut blocks);
    blocks.extend(left.into_iter().map(|call| tool_use(call, ids)));
    // Thinking alone, as before a call that was cut off, is not an answer.
    let is_thought = |block: &Value| {
        matches!(
            block["type"].as_str(),
            Some("thinking" | "redacted_thinking")
        )
    };
    if blocks.iter().all(is_thought) {
        blocks.clear();
    }
    blocks
}

fn tool_use(call: &ToolCall, ids: &mut CallIds) -> Value {
    let input: Value = serde_json::from_str(history::arguments(call)).unwrap_or_else(|_| json!({}));
    json!({
        "type": "tool_use", "id": ids.call(&call.id), "name": history::name(call), "input": input,
    })
}

#[cfg(test)]
mod tests;
