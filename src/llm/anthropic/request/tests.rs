//! Requests with histories of this and of other providers.

use super::*;
use crate::llm::ToolSpec;

fn call(id: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "listFiles".to_owned(),
        arguments: r#"{"path":"."}"#.to_owned(),
        extra_content: json!({ "google": { "thought_signature": "other" } }),
    }
}

fn thinking() -> Value {
    json!({ "type": "thinking", "thinking": "Hm.", "signature": "EqQB" })
}

fn own(content: &str, calls: Vec<ToolCall>, items: Vec<Value>) -> ChatMessage {
    ChatMessage::Assistant {
        content: content.to_owned(),
        tool_calls: calls,
        thoughts: Some(Thoughts {
            provider: "anthropic".to_owned(),
            wire: "messages".to_owned(),
            model: "claude".to_owned(),
            items,
            ..Thoughts::default()
        }),
    }
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

fn result(id: &str) -> ChatMessage {
    ChatMessage::Tool {
        tool_call_id: id.to_owned(),
        content: "app".to_owned(),
    }
}

fn sent(
    messages: Vec<ChatMessage>,
    model: &str,
    reasoning: Option<Reasoning>,
    quirks: &[Quirk],
) -> Value {
    let request = ChatRequest {
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
        cache_key: String::new(),
    };
    let abilities = Abilities {
        thinking: Thinking::Adaptive,
        max_output: Some(64_000),
        ..Abilities::default()
    };
    let settings = Settings {
        model,
        abilities: &abilities,
        reasoning,
        context: 200_000,
        quirks,
    };
    body(&request, &settings)
}

fn chat() -> Vec<ChatMessage> {
    let items = vec![
        thinking(),
        json!({ "type": "redacted_thinking", "data": "sealed" }),
        json!({ "type": "text", "text": "I look." }),
        json!({ "type": "tool_use", "id": "toolu_a", "name": "listFiles" }),
    ];
    vec![
        system("Rules"),
        user("Old"),
        system("Files"),
        user("New"),
        own("I look.", vec![call("toolu_a")], items),
        result("toolu_a"),
        system("Checked"),
    ]
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

#[test]
fn the_chat_alternates_and_signed_thinking_goes_back_before_the_results() {
    let body = sent(chat(), "claude", None, &[]);
    let tool_use = json!({ "type": "tool_use", "id": "toolu_a", "name": "listFiles", "input": { "path": "." } });
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [text("Old"), text("<system_note>\nFiles\n</system_note>"), text("New")] },
            { "role": "assistant", "content": [thinking(), { "type": "redacted_thinking", "data": "sealed" }, text("I look."), tool_use] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_a", "content": "app" },
                text("<system_note>\nChecked\n</system_note>"),
            ] },
        ])
    );
    let point = json!({ "type": "ephemeral" });
    assert_eq!(
        body["system"],
        json!([{ "type": "text", "text": "Rules", "cache_control": point }])
    );
    assert_eq!(
        (&body["cache_control"], &body["max_tokens"]),
        (&point, &json!(50_000))
    );
    // Another model can't read the thinking.
    let body = sent(chat(), "claude-next", None, &[]);
    assert_eq!(
        body["messages"][1]["content"],
        json!([text("I look."), tool_use])
    );
}

#[test]
fn another_provider_s_answers_are_translated_and_ids_are_made_unique() {
    let foreign = |content: &str| ChatMessage::Assistant {
        content: content.to_owned(),
        tool_calls: vec![call("call:0")],
        thoughts: Some(Thoughts {
            provider: "openai".to_owned(),
            wire: "responses".to_owned(),
            items: vec![json!({ "type": "reasoning", "encrypted_content": "sealed" })],
            ..Thoughts::default()
        }),
    };
    let chat = vec![
        system("Rules"),
        foreign(" \n"),
        result("call:0"),
        foreign("Again."),
        result("call:0"),
    ];
    let body = sent(chat, "claude", None, &[]);
    let used = |id: &str| json!({ "type": "tool_use", "id": id, "name": "listFiles", "input": { "path": "." } });
    let result = |id: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": "app" });
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [text("<system_note>\nThe conversation so far follows.\n</system_note>")] },
            { "role": "assistant", "content": [used("call0")] },
            { "role": "user", "content": [result("call0")] },
            { "role": "assistant", "content": [text("Again."), used("call0_2")] },
            { "role": "user", "content": [result("call0_2")] },
        ])
    );
}

#[test]
fn thinking_stays_before_words_that_took_the_place_of_a_call_and_is_no_answer_alone() {
    let items = vec![
        thinking(),
        json!({ "type": "tool_use", "id": "a", "name": "x" }),
    ];
    let chat = vec![
        user("Build"),
        own("[cut off]", Vec::new(), items.clone()),
        user("Go on"),
    ];
    let body = sent(chat, "claude", None, &[]);
    assert_eq!(
        body["messages"][1]["content"],
        json!([thinking(), text("[cut off]")])
    );
    let chat = vec![user("Build"), own("", Vec::new(), items), user("Go on")];
    let body = sent(chat, "claude", None, &[]);
    assert_eq!(
        body["messages"],
        json!([{ "role": "user", "content": [text("Build"), text("Go on")] }])
    );
}

#[test]
fn efforts_and_points_are_sent_as_the_settings_and_the_provider_want_them() {
    let body = sent(chat(), "claude", Some(Reasoning::XHigh), &[]);
    assert_eq!(
        body["thinking"],
        json!({ "type": "adaptive", "display": "summarized" })
    );
    assert_eq!(body["output_config"], json!({ "effort": "xhigh" }));
    let body = sent(chat(), "claude", Some(Reasoning::None), &[]);
    assert!(body["thinking"].is_null() && body["output_config"]["effort"] == "low");
    let quirks = [Quirk::NoAdaptive, Quirk::NoEffort, Quirk::NoChatCache];
    let body = sent(chat(), "claude", Some(Reasoning::High), &quirks);
    for field in ["thinking", "output_config", "cache_control"] {
        assert!(body[field].is_null(), "{field}");
    }
    let last = &body["messages"][2]["content"][1];
    assert_eq!(last["cache_control"], json!({ "type": "ephemeral" }));
}
