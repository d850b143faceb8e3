//! Requests with histories of this and of other providers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::llm::ToolSpec;

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "listFiles".to_owned(),
        arguments: arguments.to_owned(),
        extra_content: json!({ "google": { "thought_signature": "other" } }),
    }
}

fn reasoning() -> Value {
    json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed" })
}

fn raw_call() -> Value {
    json!({ "type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "listFiles", "status": "completed" })
}

fn message(text: &str) -> Value {
    let part = json!({ "type": "output_text", "text": text, "annotations": [] });
    json!({ "type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary", "content": [part] })
}

fn answered(wire: &str, content: &str, calls: Vec<ToolCall>, items: Vec<Value>) -> ChatMessage {
    ChatMessage::Assistant {
        content: content.to_owned(),
        tool_calls: calls,
        thoughts: Some(Thoughts {
            provider: "openai".to_owned(),
            wire: wire.to_owned(),
            model: "m".to_owned(),
            items,
            reasoning_content: "Hm.".to_owned(),
            ..Thoughts::default()
        }),
    }
}

fn request(messages: Vec<ChatMessage>) -> ChatRequest {
    ChatRequest {
        messages,
        tools: vec![ToolSpec {
            name: "listFiles".into(),
            description: "Lists files.".into(),
            parameters: json!({}),
        }],
        may_call: true,
        in_words: "",
        takes_unfinished: false,
        role: ModelRole::Coder,
        cache_key: "codeflow-p".to_owned(),
    }
}

fn sent(request: &ChatRequest, reasoning: Option<Reasoning>, quirks: &[Quirk]) -> Value {
    let settings = Settings {
        provider: Provider::OpenAi,
        model: "m",
        abilities: &Abilities::default(),
        reasoning,
        output_tokens: None,
        quirks,
    };
    body(request, &settings)
}

fn system(content: &str) -> ChatMessage {
    ChatMessage::System {
        content: content.to_owned(),
    }
}

fn result(id: &str) -> ChatMessage {
    ChatMessage::Tool {
        tool_call_id: id.to_owned(),
        content: "app".to_owned(),
    }
}

#[test]
fn own_items_go_back_as_they_came_and_an_item_of_an_unknown_kind_among_them() {
    let odd = json!({ "type": "hologram", "light": 3 });
    let items = vec![reasoning(), odd.clone(), message("I look."), raw_call()];
    let chat = vec![
        system("Rules"),
        ChatMessage::User {
            content: "Build".to_owned(),
        },
        answered(
            "responses",
            "I look.",
            vec![call("call_a", r#"{"path":"."}"#)],
            items.clone(),
        ),
        result("call_a"),
        system("Checked"),
    ];
    // As it is after a restart.
    let chat: Vec<ChatMessage> =
        serde_json::from_str(&serde_json::to_string(&chat).unwrap()).unwrap();
    let body = sent(&request(chat.clone()), None, &[]);
    let mut whole_call = raw_call();
    whole_call["arguments"] = json!(r#"{"path":"."}"#);
    assert_eq!(
        body["input"],
        json!([
            { "role": "user", "content": "Build" },
            reasoning(), odd, message("I look."), whole_call,
            { "type": "function_call_output", "call_id": "call_a", "output": "app" },
            { "role": "system", "content": "Checked" },
        ])
    );
    assert_eq!(body["instructions"], "Rules");
    assert_eq!(
        (&body["store"], &body["stream"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body["prompt_cache_key"], "codeflow-p");
    assert_eq!(body["reasoning"], json!({ "summary": "auto" }));
    assert_eq!(body["tools"][0]["name"], "listFiles");
    // Shortened since, the text and the arguments are what they became.
    let mut less = chat;
    less[2] = answered(
        "responses",
        "I…",
        vec![call("call_a", r#"{"path":"x"}"#)],
        items,
    );
    let body = sent(&request(less), None, &[]);
    assert_eq!(body["input"][3]["content"][0]["text"], "I…");
    assert_eq!(body["input"][3]["phase"], "commentary");
    assert_eq!(body["input"][4]["arguments"], r#"{"path":"x"}"#);
}

#[test]
fn other_protocols_answers_are_translated_without_what_is_theirs() {
    let chat = vec![
        system("Rules"),
        answered(
            "messages",
            "I look.",
            vec![call("call_0", "[]")],
            vec![reasoning()],
        ),
        result("call_0"),
        answered("", "", vec![call("call_0", "{}")], Vec::new()),
        result("call_0"),
        result("gone"),
    ];
    let body = sent(&request(chat), None, &[]);
    let expected = json!([
        { "role": "assistant", "content": "I look." },
        { "type": "function_call", "call_id": "call_0", "name": "listFiles", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "call_0", "output": "app" },
        { "type": "function_call", "call_id": "call_0_2", "name": "listFiles", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "call_0_2", "output": "app" },
        { "role": "user", "content": "<system_note>\napp\n</system_note>" },
    ]);
    assert_eq!(body["input"], expected);
}

#[test]
fn reasoning_goes_back_only_with_what_it_led_to() {
    let half = "[I called listFiles, and was cut off.]";
    let unsealed = json!({ "type": "reasoning", "id": "rs_2", "summary": [] });
    let items = vec![unsealed, reasoning(), raw_call()];
    let chat = vec![answered("responses", half, Vec::new(), items)];
    let body = sent(&request(chat), None, &[]);
    assert_eq!(
        body["input"],
        json!([{ "role": "assistant", "content": half }])
    );
}

#[test]
fn what_is_refused_is_left_out_and_the_effort_is_what_the_settings_say() {
    let chat = vec![
        system("Rules"),
        ChatMessage::User {
            content: "Build".to_owned(),
        },
        system("Note"),
    ];
    let mut request = request(chat);
    let body = sent(&request, Some(Reasoning::High), &[]);
    assert_eq!(
        body["reasoning"],
        json!({ "effort": "high", "summary": "auto" })
    );
    let body = sent(&request, Some(Reasoning::None), &[]);
    assert_eq!(body["reasoning"], json!({ "effort": "none" }));
    let all = [
        Quirk::NoEncryptedThoughts,
        Quirk::NoSummaries,
        Quirk::NoEffort,
        Quirk::NoCacheKey,
        Quirk::SystemFirst,
    ];
    let body = sent(&request, Some(Reasoning::High), &all);
    for field in ["reasoning", "include", "prompt_cache_key"] {
        assert!(body[field].is_null(), "{field}");
    }
    assert_eq!(body["input"][1]["role"], "user");
    // A title takes no effort.
    request.role = ModelRole::Naming;
    let body = sent(&request, Some(Reasoning::High), &[]);
    assert!(body["reasoning"].is_null() && body["include"].is_null());
    request.may_call = false;
    assert_eq!(sent(&request, None, &[])["tool_choice"], "none");
}
