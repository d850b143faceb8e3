//! Assembling answers from events as Anthropic and its gateways send them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::llm::wire::reader::AnswerReader;

fn read_named(events: &[Value], named: bool) -> Result<Complete, ModelError> {
    read_and_hear(events, named, &mut |_| {})
}

fn read_and_hear(
    events: &[Value],
    named: bool,
    on_piece: &mut impl FnMut(Piece<'_>),
) -> Result<Complete, ModelError> {
    let mut reader = AnswerReader::<Blocks>::new(Some("text/event-stream"));
    for event in events {
        let name = event["type"].as_str().unwrap_or_default();
        let mut event = event.clone();
        let name = if named {
            event.as_object_mut().unwrap().remove("type");
            format!("event: {name}\n")
        } else {
            String::new()
        };
        if reader.take(format!("{name}data: {event}\n\n").as_bytes(), on_piece)? {
            break;
        }
    }
    reader.end(false, on_piece)
}

fn read(events: &[Value]) -> Result<Complete, ModelError> {
    read_named(events, false)
}

fn start(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u64, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(index: u64) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn end(reason: &str) -> Vec<Value> {
    vec![
        json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": 40 } }),
        json!({ "type": "message_stop" }),
    ]
}

const LIST: &str = r#"{"path":"."}"#;

fn content() -> Vec<Value> {
    vec![
        json!({ "type": "message_start", "message": { "type": "message", "content": [], "usage": { "input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 60, "output_tokens": 1 } } }),
        json!({ "type": "ping" }),
        start(
            0,
            json!({ "type": "thinking", "thinking": "", "signature": "" }),
        ),
        delta(0, json!({ "type": "thinking_delta", "thinking": "H" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "m." })),
        delta(0, json!({ "type": "signature_delta", "signature": "EqQB" })),
        stop(0),
        start(1, json!({ "type": "redacted_thinking", "data": "sealed" })),
        stop(1),
        start(2, json!({ "type": "text", "text": "" })),
        delta(2, json!({ "type": "text_delta", "text": "I look." })),
        stop(2),
        start(
            3,
            json!({ "type": "tool_use", "id": "toolu_a", "name": "listFiles", "input": {} }),
        ),
        delta(3, json!({ "type": "input_json_delta", "partial_json": "" })),
        delta(
            3,
            json!({ "type": "input_json_delta", "partial_json": "{\"path\"" }),
        ),
        delta(
            3,
            json!({ "type": "input_json_delta", "partial_json": ":\".\"}" }),
        ),
        stop(3),
    ]
}

fn answer(reason: &str) -> Vec<Value> {
    [content(), end(reason)].concat()
}

#[test]
fn blocks_become_words_calls_and_thoughts_that_can_go_back() {
    for named in [false, true] {
        let whole = read_named(&answer("tool_use"), named).unwrap();
        let reply = whole.reply;
        assert_eq!((reply.text.as_str(), reply.cut), ("I look.", false));
        let [call] = reply.tool_calls.as_slice() else {
            panic!("{reply:?}")
        };
        assert_eq!(
            [&call.id, &call.name, &call.arguments],
            ["toolu_a", "listFiles", LIST]
        );
        assert_eq!(
            reply.thoughts.unwrap().items,
            [
                json!({ "type": "thinking", "thinking": "Hm.", "signature": "EqQB" }),
                json!({ "type": "redacted_thinking", "data": "sealed" }),
                json!({ "type": "text", "text": "I look." }),
                json!({ "type": "tool_use", "id": "toolu_a", "name": "listFiles" }),
            ]
        );
        let usage = whole.usage.unwrap();
        assert_eq!(
            [
                usage.input_tokens,
                usage.cached_tokens,
                usage.cache_write_tokens,
                usage.output_tokens
            ],
            [90, 60, 20, 40]
        );
    }
}

#[test]
fn what_is_new_out_of_order_or_missing_costs_no_answer() {
    // A block of an unknown kind is kept; one with unknown pieces can't be.
    let odd = json!({ "type": "hologram", "light": 3 });
    let events = [
        vec![
            json!({ "type": "comet", "tail": 1 }),
            start(0, odd.clone()),
            start(1, json!({ "type": "hologram", "light": 4 })),
            delta(1, json!({ "type": "light_delta", "light": 5 })),
            // Thinking without a signature.
            start(2, json!({ "type": "thinking", "thinking": "Hm." })),
            stop(2),
            delta(4, json!({ "type": "text_delta", "text": "Two" })),
            start(3, json!({ "type": "text", "text": "One, " })),
        ],
        end("end_turn"),
    ];
    let reply = read(&events.concat()).unwrap().reply;
    assert_eq!(reply.text, "One, Two");
    let texts = ["One, ", "Two"].map(|text| json!({ "type": "text", "text": text }));
    assert_eq!(reply.thoughts.unwrap().items, [&[odd][..], &texts].concat());
    // A call without arguments; one whose input comes at once; the whole at once.
    for input in [json!({}), json!({ "path": "." })] {
        let block =
            json!({ "type": "tool_use", "id": "toolu_a", "name": "listFiles", "input": input });
        let reply = read(&[vec![start(0, block.clone())], end("tool_use")].concat())
            .unwrap()
            .reply;
        assert_eq!(reply.tool_calls[0].arguments, input.to_string());
        let whole = json!({ "type": "message", "role": "assistant", "content": [block], "stop_reason": "tool_use", "usage": { "input_tokens": 3, "output_tokens": 4 } });
        let mut reader = AnswerReader::<Blocks>::new(Some("application/json"));
        reader
            .take(whole.to_string().as_bytes(), &mut |_| {})
            .unwrap();
        let reply = reader.end(false, &mut |_| {}).unwrap().reply;
        assert_eq!(reply.tool_calls[0].arguments, input.to_string());
    }
}

#[test]
fn each_reason_to_stop_is_what_it_says() {
    for reason in [
        "end_turn",
        "tool_use",
        "stop_sequence",
        "pause_turn",
        "moonrise",
    ] {
        let reply = read(&answer(reason)).unwrap().reply;
        assert!(!reply.cut && reply.tool_calls.len() == 1, "{reason}");
    }
    let half: Vec<Value> = content().into_iter().take(15).collect();
    for reason in ["max_tokens", "model_context_window_exceeded"] {
        let reply = read(&[half.clone(), end(reason)].concat()).unwrap().reply;
        assert!(reply.cut && reply.tool_calls.is_empty(), "{reason}");
        assert_eq!(reply.half_calls, ["listFiles"], "{reason}");
    }
    let refused = read(&answer("refusal"));
    assert!(
        matches!(refused, Err(ModelError::Filtered(_))),
        "{refused:?}"
    );
    for count in [1, 5, 11, 17] {
        let early: Vec<Value> = content().into_iter().take(count).collect();
        let early = read(&early);
        assert!(
            matches!(early, Err(ModelError::Cut(_))),
            "{count}: {early:?}"
        );
    }
    for (kind, expected) in [
        ("overloaded_error", "Unavailable"),
        ("api_error", "Unavailable"),
        ("rate_limit_error", "Limited"),
        ("invalid_request_error", "Invalid"),
        ("authentication_error", "Auth"),
    ] {
        let error = json!({ "type": "error", "error": { "type": kind, "message": "no" } });
        let error = read(&[content(), vec![error]].concat()).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{kind}: {error:?}"
        );
    }
}

#[test]
fn thinking_is_shown_as_it_comes_each_block_a_paragraph() {
    let think =
        |index, text: &str| delta(index, json!({ "type": "thinking_delta", "thinking": text }));
    let later = [
        start(4, json!({ "type": "thinking", "thinking": "A" })),
        think(4, "nd more."),
    ];
    let events = [content(), later.to_vec(), end("tool_use")].concat();
    let mut thought = String::new();
    let whole = read_and_hear(&events, false, &mut |piece| {
        if let Piece::Thinking(more) = piece {
            thought.push_str(more);
        }
    });
    assert_eq!(whole.unwrap().reply.text, "I look.");
    assert_eq!(thought, "Hm.\n\nAnd more.");
}
