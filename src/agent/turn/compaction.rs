//! Makes room in the model's context. When a chat nears its limit, the oldest tool outputs are
//! dropped first, then what the model wrote itself; if that is not enough, the latest outputs lose
//! their middle. The user's messages and the system prompt always stay.

use serde_json::Value;

use crate::{
    agent::tools::cut,
    llm::{ChatMessage, Thoughts},
    protocol::first_chars,
};

/// Bytes of source code per token, a conservative estimate.
const BYTES_PER_TOKEN: usize = 3;
/// A chat that fills more of the context than this, in percent, is shortened, because the answer
/// needs room too.
const FULL: usize = 70;
/// How much of the context it fills afterwards, in percent. It is well below [`FULL`], because each
/// time the provider loses its cache of the chat's beginning.
const ROOMY: usize = 45;
/// How many of the latest messages, and all results of the last calls, are never dropped: the model
/// is working with them.
const LATEST: usize = 6;
/// A chat with more bytes than this is large: about 5,000 tokens, enough for a tool output or two
/// besides the system prompt.
const LARGE: usize = 16 << 10;
/// Texts below this size, in bytes, are not worth dropping.
const SHORT: usize = 400;

/// Makes the chat smaller if it fills too much of a context of this many tokens.
pub fn make_room(messages: &mut [ChatMessage], context_tokens: usize) {
    let context = context_tokens.saturating_mul(BYTES_PER_TOKEN);
    let most = context / 100 * FULL;
    if bytes(messages) > most {
        shrink(messages, context / 100 * ROOMY, most);
    }
}

/// Halves the chat, for a model that refuses it as too long. Returns whether anything could be
/// dropped.
pub fn halve(messages: &mut [ChatMessage]) -> bool {
    let before = bytes(messages);
    shrink(messages, before / 2, before / 2);
    bytes(messages) < before
}

/// Whether the chat may be too long for a model that does not say so.
pub fn is_large(messages: &[ChatMessage]) -> bool {
    bytes(messages) > LARGE
}

fn bytes(messages: &[ChatMessage]) -> usize {
    messages.iter().map(size).sum()
}

fn size(message: &ChatMessage) -> usize {
    match message {
        ChatMessage::System { content }
        | ChatMessage::User { content }
        | ChatMessage::Tool { content, .. } => content.len(),
        ChatMessage::UserImages { content, images } => {
            content.len() + images.iter().map(|image| image.data.len()).sum::<usize>()
        }
        ChatMessage::Assistant {
            content,
            tool_calls,
            thoughts,
        } => {
            let calls = tool_calls
                .iter()
                .map(|call| call.name.len() + call.arguments.len());
            content.len() + calls.sum::<usize>() + thoughts.as_ref().map_or(0, Thoughts::size)
        }
    }
}

/// Drops the oldest first, until the chat is no larger than `goal` bytes or nothing is left to
/// drop. If it is still larger than `most` bytes, the latest outputs are cut, those of the last
/// calls last.
fn shrink(messages: &mut [ChatMessage], goal: usize, most: usize) {
    let mut total = bytes(messages);
    let is_answer = |message: &ChatMessage| matches!(message, ChatMessage::Assistant { .. });
    let last = messages
        .iter()
        .rposition(is_answer)
        .unwrap_or(messages.len());
    let old = messages.len().saturating_sub(LATEST).min(last);
    for rule in [leave_out_output, leave_out_arguments, leave_out_words] {
        for message in &mut messages[..old] {
            if total <= goal {
                return;
            }
            let before = size(message);
            rule(message);
            total -= before.saturating_sub(size(message));
        }
    }
    let (before, latest) = messages.split_at_mut(last);
    let others = bytes(&before[..old]) + bytes(latest);
    cut_outputs(&mut before[old..], most.saturating_sub(others));
    cut_outputs(latest, most.saturating_sub(bytes(before)));
}

/// Cuts the longest outputs in the middle, all to the same length, until the messages together have
/// at most `most` bytes or each output has [`SHORT`].
fn cut_outputs(messages: &mut [ChatMessage], most: usize) {
    let cut_to = |message: &ChatMessage, limit: usize| match message {
        ChatMessage::Tool { content, .. } => Some(cut(content, limit)),
        _ => None,
    };
    let mut limit = messages.iter().map(size).max().unwrap_or_default();
    let total = |limit| {
        messages
            .iter()
            .map(|message| cut_to(message, limit).map_or(size(message), |text| text.len()))
            .sum::<usize>()
    };
    while total(limit) > most && limit > SHORT {
        limit = (limit - limit / 4).max(SHORT);
    }
    for message in messages {
        if let Some(text) = cut_to(message, limit)
            && let ChatMessage::Tool { content, .. } = message
        {
            *content = text;
        }
    }
}

fn leave_out_output(message: &mut ChatMessage) {
    if let ChatMessage::Tool { content, .. } = message
        && content.len() > SHORT
    {
        *content = format!(
            "[{} bytes of output left out to save room; call the tool again if you need it]",
            content.len()
        );
    }
}

/// Drops the contents of files that the model wrote, because it can read them.
fn leave_out_arguments(message: &mut ChatMessage) {
    let ChatMessage::Assistant { tool_calls, .. } = message else {
        return;
    };
    for call in tool_calls
        .iter_mut()
        .filter(|call| call.arguments.len() > SHORT)
    {
        if let Ok(mut arguments) = serde_json::from_str(&call.arguments) {
            leave_out_texts(&mut arguments);
            call.arguments = arguments.to_string();
        }
    }
}

fn leave_out_texts(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > SHORT => {
            *text = format!(
                "[{} bytes left out to save room; read the file]",
                text.len()
            )
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out_texts),
        Value::Object(fields) => fields.values_mut().for_each(leave_out_texts),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn leave_out_words(message: &mut ChatMessage) {
    if let ChatMessage::Assistant { content, .. } = message
        && content.len() > SHORT
    {
        let kept = first_chars(content, SHORT / 2);
        *content = format!("{kept}… [the rest left out to save room]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::ToolCall;

    fn chat() -> Vec<ChatMessage> {
        let mut messages = vec![
            ChatMessage::System {
                content: "s".repeat(1000),
            },
            ChatMessage::User {
                content: "u".repeat(1000),
            },
        ];
        for turn in 0..6 {
            let id = format!("call_{turn}");
            let content = "x".repeat(3000);
            messages.push(ChatMessage::Assistant {
                content: "w".repeat(500),
                tool_calls: vec![ToolCall {
                    id: id.clone(),
                    name: "createOrUpdateFiles".to_owned(),
                    arguments:
                        serde_json::json!({ "files": [{ "path": "a.txt", "content": content }] })
                            .to_string(),
                    ..ToolCall::default()
                }],
                thoughts: None,
            });
            messages.push(ChatMessage::Tool {
                tool_call_id: id,
                content: "o".repeat(15_000),
            });
        }
        messages
    }

    fn left_out(messages: &[ChatMessage]) -> Vec<usize> {
        let is_left_out = |message: &ChatMessage| format!("{message:?}").contains("left out");
        (0..messages.len())
            .filter(|at| is_left_out(&messages[*at]))
            .collect()
    }

    #[test]
    fn a_chat_with_room_is_left_as_it_is() {
        let mut messages = chat();
        make_room(&mut messages, 100_000);
        assert_eq!(messages, chat());
    }

    #[test]
    fn the_oldest_outputs_go_first_and_no_more_than_needed() {
        let mut messages = chat();
        make_room(&mut messages, 53_000);
        assert_eq!(left_out(&messages), [3, 5, 7], "tool outputs, the oldest");
        assert!(bytes(&messages) <= 53_000 * BYTES_PER_TOKEN / 100 * FULL);
    }

    #[test]
    fn the_user_s_messages_and_the_system_prompt_stay_and_the_latest_outputs_keep_their_ends() {
        let mut messages = chat();
        make_room(&mut messages, 10);
        let whole = chat();
        assert_eq!(messages[..2], whole[..2]);
        for at in [8, 10, 12] {
            assert_eq!(messages[at], whole[at], "what the model said last");
        }
        for at in [9, 11, 13] {
            assert!(size(&messages[at]) < 2 * SHORT, "{at}");
        }
        let ChatMessage::Assistant { tool_calls, .. } = &messages[2] else {
            panic!("the model's turn");
        };
        let arguments: Value = serde_json::from_str(&tool_calls[0].arguments).unwrap_or_default();
        assert_eq!(
            arguments["files"][0]["path"], "a.txt",
            "what is left is still a call"
        );
        assert!(
            arguments["files"][0]["content"]
                .as_str()
                .is_some_and(|text| text.contains("left out"))
        );
    }

    #[test]
    fn the_latest_outputs_stay_whole_if_older_ones_make_enough_room() {
        let mut messages = chat();
        let (latest, whole) = (bytes(&messages[8..]), chat());
        make_room(
            &mut messages,
            (latest + 8_000) / BYTES_PER_TOKEN * 100 / FULL,
        );
        assert_eq!(messages[8..], whole[8..]);
        // Those of the last call are the last to be cut.
        let mut messages = chat();
        make_room(&mut messages, 17_000);
        assert!(messages[12..] == whole[12..]);
        assert!(
            size(&messages[9]) < size(&whole[9])
                && bytes(&messages) <= 17_000 * BYTES_PER_TOKEN / 100 * FULL
        );
    }

    #[test]
    fn many_large_outputs_of_one_answer_are_all_cut_to_fit() {
        let mut messages = chat();
        let calls = messages[12].clone();
        messages.push(calls);
        for call in 0..10 {
            messages.push(ChatMessage::Tool {
                tool_call_id: format!("many_{call}"),
                content: format!("first{}last", "o".repeat(96 << 10)),
            });
        }
        make_room(&mut messages, 128_000);
        assert!(
            bytes(&messages) <= 128_000 * BYTES_PER_TOKEN / 100 * FULL,
            "{}",
            bytes(&messages)
        );
        for message in &messages[15..] {
            let ChatMessage::Tool { content, .. } = message else {
                panic!("{message:?}");
            };
            assert!(
                content.starts_with("first")
                    && content.ends_with("last")
                    && content.contains("bytes left out")
            );
            assert!(
                content.len() > 16 << 10,
                "no more is cut than has to be: {}",
                content.len()
            );
        }
        halve(&mut messages);
        assert!(
            bytes(&messages) <= 64_000 * BYTES_PER_TOKEN / 100 * FULL,
            "{}",
            bytes(&messages)
        );
        let once =
            |message: &ChatMessage| format!("{message:?}").matches("bytes left out").count() < 2;
        assert!(messages.iter().all(once));
    }
}
