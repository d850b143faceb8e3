//! Chat completion requests, adapted to each provider.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    config::{Provider, Reasoning},
    llm::{
        ChatMessage, ChatRequest, ModelRole, Thoughts, ToolCall,
        models::{Abilities, Caching, Thinking},
        quirk::Quirk,
        wire::history,
    },
};

/// Takes the place of a missing call signature (ai.google.dev/gemini-api/docs/thought-signatures).
const UNSIGNED: &str = "skip_thought_signature_validator";

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

/// The request's JSON. Parts that stay the same between turns come first, for the providers' prompt
/// caches.
pub fn body(request: &ChatRequest, settings: &Settings<'_>) -> Value {
    let (provider, model, quirks) = (settings.provider, settings.model, settings.quirks);
    let mut messages: Vec<Value> = request
        .messages
        .iter()
        .filter_map(|message| self::message(message, provider))
        .collect();
    fill_in_thoughts(&mut messages);
    // These providers move all system messages to the beginning of the chat.
    if matches!(provider, Provider::Gemini | Provider::OpenRouter)
        || quirks.contains(&Quirk::SystemFirst)
    {
        messages = system_first(messages);
    }
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
    });
    if !quirks.contains(&Quirk::NoUsageOption) {
        body["stream_options"] = json!({ "include_usage": true });
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter();
        body["tools"] = tools
            .map(|tool| json!({ "type": "function", "function": tool }))
            .collect();
        if !request.may_call {
            body["tool_choice"] = json!("none");
        }
        if quirks.contains(&Quirk::NoReasoning) {
            body["reasoning_effort"] = json!("none");
        }
        if !settings.abilities.parallel_calls {
            body["parallel_tool_calls"] = json!(false);
        }
    }
    if let Some(most) = settings.output_tokens {
        let name = match provider {
            Provider::OpenAi => "max_completion_tokens",
            _ => "max_tokens",
        };
        body[name] = json!(most);
    }
    add_effort(&mut body, request, settings);
    if provider == Provider::OpenRouter && settings.abilities.caching == Caching::Asked {
        cache(&mut body);
    }
    body
}

fn add_effort(body: &mut Value, request: &ChatRequest, settings: &Settings<'_>) {
    let may = request.role == ModelRole::Coder
        && settings.abilities.thinking != Thinking::None
        && !settings.quirks.contains(&Quirk::NoEffort)
        && body["reasoning_effort"].is_null();
    let Some(effort) = settings.reasoning.filter(|_| may) else {
        return;
    };
    match settings.provider {
        Provider::OpenRouter => body["reasoning"] = json!({ "effort": effort.as_str() }),
        _ => body["reasoning_effort"] = json!(effort.as_str()),
    }
}

/// Anthropic caches only what it is asked to: here the system prompt, and the chat so far, whose
/// breakpoint moves with it.
fn cache(body: &mut Value) {
    let point = json!({ "type": "ephemeral" });
    body["cache_control"] = point.clone();
    if let Some(first) = body["messages"].get_mut(0)
        && first["role"] == "system"
        && first["content"].is_string()
    {
        let text = first["content"].take();
        first["content"] = json!([{ "type": "text", "text": text, "cache_control": point }]);
    }
}

/// The messages, with later system messages turned into notes from the user, merged into one
/// message per user turn.
fn system_first(messages: Vec<Value>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::with_capacity(messages.len());
    for mut message in messages {
        if message["role"] == "system" && !all.is_empty() {
            let note = history::note(message["content"].as_str().unwrap_or_default());
            message = json!({ "role": "user", "content": note });
        }
        if message["role"] == "user"
            && let Some(last) = all.last_mut().filter(|last| last["role"] == "user")
            && let (Some(before), Some(said)) =
                (last["content"].as_str(), message["content"].as_str())
        {
            last["content"] = json!(format!("{before}\n\n{said}"));
            continue;
        }
        all.push(message);
    }
    all
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The message's JSON; `None` for an empty one, which some providers refuse.
fn message(message: &ChatMessage, provider: Provider) -> Option<Value> {
    Some(match message {
        ChatMessage::System { content } => json!({ "role": "system", "content": content }),
        ChatMessage::User { content } => json!({ "role": "user", "content": content }),
        ChatMessage::UserImages { content, images } => {
            let mut parts = vec![json!({ "type": "text", "text": content })];
            parts.extend(images.iter().map(
                |image| json!({ "type": "image_url", "image_url": { "url": image.data_url() } }),
            ));
            json!({ "role": "user", "content": parts })
        }
        ChatMessage::Tool {
            tool_call_id,
            content,
        } => json!({ "role": "tool", "tool_call_id": tool_call_id, "content": content }),
        ChatMessage::Assistant {
            content,
            tool_calls,
            ..
        } if content.is_empty() && tool_calls.is_empty() => return None,
        ChatMessage::Assistant {
            content,
            tool_calls,
            thoughts,
        } => {
            let own = thoughts.as_ref().filter(|thoughts| {
                thoughts.provider == provider.as_str() && thoughts.wire.is_empty()
            });
            let mut said = json!({ "role": "assistant", "content": content });
            if !tool_calls.is_empty() {
                let calls = tool_calls.iter().map(|call| tool_call(call, own.is_some()));
                let mut calls: Vec<Value> = calls.collect();
                if provider == Provider::Gemini && calls[0]["extra_content"].is_null() {
                    // It refuses calls without its signature, such as another provider's, unless
                    // they declare it.
                    calls[0]["extra_content"] =
                        json!({ "google": { "thought_signature": UNSIGNED } });
                }
                said["tool_calls"] = calls.into();
            }
            if let Some(own) = own {
                add_thoughts(&mut said, own);
            }
            said
        }
    })
}

fn tool_call(call: &ToolCall, is_own: bool) -> Value {
    let (name, arguments) = (&*history::name(call), history::arguments(call));
    let mut json =
        json!({ "id": call.id, "type": "function", "function": Function { name, arguments } });
    if is_own && !call.extra_content.is_null() {
        json["extra_content"] = call.extra_content.clone();
    }
    json
}

/// A provider that wants reasoning back as text wants it with every call, even if it is empty.
fn fill_in_thoughts(messages: &mut [Value]) {
    if messages
        .iter()
        .all(|message| message["reasoning_content"].is_null())
    {
        return;
    }
    let calling = messages
        .iter_mut()
        .filter(|message| message["tool_calls"].is_array());
    for message in calling.filter(|message| message["reasoning_content"].is_null()) {
        message["reasoning_content"] = json!("");
    }
}

fn add_thoughts(said: &mut Value, thoughts: &Thoughts) {
    if !thoughts.reasoning_content.is_empty() {
        said["reasoning_content"] = json!(thoughts.reasoning_content);
    }
    if !thoughts.reasoning_details.is_empty() {
        said["reasoning_details"] = json!(thoughts.reasoning_details);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::llm::ToolSpec;

    fn body(model: &str, request: &ChatRequest, provider: Provider, quirks: &[Quirk]) -> Value {
        let abilities = Abilities {
            caching: if model.starts_with("anthropic/") {
                Caching::Asked
            } else {
                Caching::Automatic
            },
            ..Abilities::default()
        };
        let settings = Settings {
            provider,
            model,
            abilities: &abilities,
            reasoning: None,
            output_tokens: None,
            quirks,
        };
        super::body(request, &settings)
    }

    fn system(content: &str) -> ChatMessage {
        ChatMessage::System {
            content: content.to_owned(),
        }
    }

    fn user(content: &str) -> ChatMessage {
        ChatMessage::User {
            content: content.to_owned(),
        }
    }

    /// An answer of this provider's with a call and all that may come beside it.
    fn answer(provider: &str, call: &str) -> ChatMessage {
        ChatMessage::Assistant {
            content: String::new(),
            tool_calls: vec![ToolCall {
                id: call.to_owned(),
                name: "functions.readFiles".to_owned(),
                arguments: "[]".to_owned(),
                extra_content: json!({ "google": { "thought_signature": call } }),
            }],
            thoughts: Some(Thoughts {
                provider: provider.to_owned(),
                reasoning_content: "Hm.".to_owned(),
                reasoning_details: vec![json!({ "type": "reasoning.text", "text": "Hm." })],
                ..Thoughts::default()
            }),
        }
    }

    fn request(messages: Vec<ChatMessage>) -> ChatRequest {
        ChatRequest {
            messages,
            tools: vec![ToolSpec {
                name: "readFiles".into(),
                description: "Reads files.".into(),
                parameters: json!({}),
            }],
            may_call: true,
            in_words: "",
            takes_unfinished: false,
            role: ModelRole::Coder,
            cache_key: String::new(),
        }
    }

    fn messages(body: &Value) -> &[Value] {
        body["messages"].as_array().unwrap()
    }

    #[test]
    fn who_lets_the_system_speak_first_only_hears_the_rest_as_notes_of_the_user() {
        let chat = vec![
            system("Rules"),
            user("Old"),
            system("Files"),
            user("New"),
            answer("x", "a"),
            system("Checked"),
        ];
        for (provider, quirks) in [
            (Provider::Gemini, vec![]),
            (Provider::OpenRouter, vec![]),
            (Provider::Custom, vec![Quirk::SystemFirst]),
        ] {
            let body = body("m", &request(chat.clone()), provider, &quirks);
            let said: Vec<[&str; 2]> = messages(&body)
                .iter()
                .map(|message| ["role", "content"].map(|field| message[field].as_str().unwrap()))
                .collect();
            let expected = [
                ["system", "Rules"],
                ["user", "Old\n\n<system_note>\nFiles\n</system_note>\n\nNew"],
                ["assistant", ""],
                ["user", "<system_note>\nChecked\n</system_note>"],
            ];
            assert_eq!(said, expected, "{provider:?}");
        }
        let body = body("m", &request(chat), Provider::OpenAi, &[]);
        assert_eq!(messages(&body).len(), 6);
        assert_eq!(messages(&body)[5]["role"], "system");
    }

    #[test]
    fn what_a_provider_wants_back_goes_back_to_it_and_to_no_other() {
        let chat = || {
            request(vec![
                user("Build"),
                answer("gemini", "a"),
                answer("openrouter", "b"),
            ])
        };
        let signature = |call: &Value| {
            call["tool_calls"][0]["extra_content"]["google"]["thought_signature"].clone()
        };
        let to = |provider| body("m", &chat(), provider, &[]);
        let gemini = to(Provider::Gemini);
        let [_, own, other] = messages(&gemini) else {
            panic!("{gemini}")
        };
        assert_eq!(
            [signature(own), signature(other)],
            [json!("a"), json!(UNSIGNED)]
        );
        assert!(own["reasoning_details"].is_array() && other["reasoning_details"].is_null());
        assert_eq!(
            [&own["reasoning_content"], &other["reasoning_content"]],
            ["Hm.", ""]
        );
        let openai = to(Provider::OpenAi);
        for message in &messages(&openai)[1..] {
            assert!(
                message["reasoning_content"].is_null() && message["reasoning_details"].is_null(),
                "{message}"
            );
            assert!(signature(message).is_null());
            // Invalid parts are made harmless.
            let function = &message["tool_calls"][0]["function"];
            assert_eq!(
                [&function["name"], &function["arguments"]],
                ["functionsreadFiles", "{}"]
            );
        }
    }

    #[test]
    fn tools_stay_in_an_answer_that_may_not_call_them_and_reasoning_is_forbidden_where_it_forbids_them()
     {
        let mut last = request(vec![
            user("Build"),
            ChatMessage::Assistant {
                content: String::new(),
                tool_calls: Vec::new(),
                thoughts: None,
            },
        ]);
        last.may_call = false;
        let sent = body("m", &last, Provider::OpenAi, &[Quirk::NoReasoning]);
        assert_eq!(
            (sent["tools"].as_array().map(Vec::len), &sent["tool_choice"]),
            (Some(1), &json!("none"))
        );
        assert_eq!(sent["reasoning_effort"], "none");
        assert_eq!(messages(&sent).len(), 1, "an empty answer is none");
        last.tools.clear();
        let sent = body(
            "anthropic/claude",
            &last,
            Provider::OpenRouter,
            &[Quirk::NoReasoning],
        );
        assert!(
            sent["tools"].is_null()
                && sent["tool_choice"].is_null()
                && sent["reasoning_effort"].is_null()
        );
        assert_eq!(sent["cache_control"]["type"], "ephemeral");
        assert_eq!(sent["stream_options"]["include_usage"], true);
        let sent = body("m", &last, Provider::Custom, &[Quirk::NoUsageOption]);
        assert!(sent["stream_options"].is_null());
    }
}
