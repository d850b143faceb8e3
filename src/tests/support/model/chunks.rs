//! The chunks of a scripted answer, as chat completions are streamed.

use serde_json::{Value, json};

/// A chunk with this delta of the only choice; `finish` is why the answer ends with it.
pub fn chunk(delta: Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice] })
    )
}

fn end(mut chunks: Vec<String>, finish: &str) -> Vec<String> {
    chunks.push(chunk(json!({}), Some(finish)));
    chunks.push(usage(7, 3));
    chunks.push("data: [DONE]\n\n".to_owned());
    chunks
}

pub fn usage(input: u64, output: u64) -> String {
    let usage = json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output });
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "choices": [], "usage": usage })
    )
}

/// Pieces of at most seven characters.
pub fn pieces(text: &str) -> Vec<String> {
    text.chars()
        .collect::<Vec<_>>()
        .chunks(7)
        .map(|piece| piece.iter().collect())
        .collect()
}

pub fn text(answer: &str) -> Vec<String> {
    end(
        pieces(answer)
            .into_iter()
            .map(|piece| chunk(json!({ "content": piece }), None))
            .collect(),
        "stop",
    )
}

pub fn tool_calls(calls: &[(&str, String)]) -> Vec<String> {
    let mut chunks = vec![chunk(
        json!({ "role": "assistant", "content": "Working on it." }),
        None,
    )];
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let first = json!({ "index": index, "id": format!("call_{index}"), "type": "function", "function": { "name": name, "arguments": "" } });
        chunks.push(chunk(json!({ "tool_calls": [first] }), None));
        for piece in pieces(arguments) {
            chunks.push(chunk(
                json!({ "tool_calls": [{ "index": index, "function": { "arguments": piece } }] }),
                None,
            ));
        }
    }
    end(chunks, "tool_calls")
}
