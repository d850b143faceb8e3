//! Answers out of events, as OpenAI and servers that are like it send them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::llm::wire::reader::AnswerReader;

fn read(events: &[Value]) -> Result<Complete, ModelError> {
    read_and_hear(events, &mut |_| {})
}

fn read_and_hear(
    events: &[Value],
    on_piece: &mut impl FnMut(Piece<'_>),
) -> Result<Complete, ModelError> {
    let mut reader = AnswerReader::<Output>::new(Some("text/event-stream"));
    for event in events {
        if reader.take(format!("data: {event}\n\n").as_bytes(), on_piece)? {
            break;
        }
    }
    reader.end(false, on_piece)
}

fn event(kind: &str, mut fields: Value) -> Value {
    fields["type"] = json!(format!("response.{kind}"));
    fields
}

fn added(index: u64, item: Value) -> Value {
    event(
        "output_item.added",
        json!({ "output_index": index, "item": item }),
    )
}

fn ended(index: u64, item: Value) -> Value {
    event(
        "output_item.done",
        json!({ "output_index": index, "item": item }),
    )
}

fn completed() -> Value {
    let usage = json!({
        "input_tokens": 90, "input_tokens_details": { "cached_tokens": 64 },
        "output_tokens": 40, "output_tokens_details": { "reasoning_tokens": 30 }, "total_tokens": 130,
    });
    event(
        "completed",
        json!({ "response": { "status": "completed", "usage": usage } }),
    )
}

fn reasoning() -> Value {
    json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed" })
}

fn message(text: &str) -> Value {
    let part = json!({ "type": "output_text", "text": text, "annotations": [] });
    json!({ "type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary", "content": [part] })
}

fn call(arguments: &str) -> Value {
    json!({ "type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "listFiles", "arguments": arguments })
}

const LIST: &str = r#"{"path":"."}"#;

/// An answer as OpenAI streams it.
fn usual() -> Vec<Value> {
    vec![
        event(
            "created",
            json!({ "response": { "status": "in_progress", "output": [] } }),
        ),
        added(
            0,
            json!({ "type": "reasoning", "id": "rs_1", "summary": [] }),
        ),
        event(
            "reasoning_summary_text.delta",
            json!({ "output_index": 0, "delta": "Hm." }),
        ),
        ended(0, reasoning()),
        added(
            1,
            json!({ "type": "message", "id": "msg_1", "content": [] }),
        ),
        event(
            "output_text.delta",
            json!({ "output_index": 1, "content_index": 0, "delta": "I lo" }),
        ),
        event(
            "output_text.delta",
            json!({ "output_index": 1, "content_index": 0, "delta": "ok." }),
        ),
        event(
            "output_text.done",
            json!({ "output_index": 1, "content_index": 0, "text": "I look." }),
        ),
        ended(1, message("I look.")),
        added(2, call("")),
        event(
            "function_call_arguments.delta",
            json!({ "output_index": 2, "delta": "{\"pa" }),
        ),
        event(
            "function_call_arguments.delta",
            json!({ "output_index": 2, "delta": "th\":\".\"}" }),
        ),
        event(
            "function_call_arguments.done",
            json!({ "output_index": 2, "arguments": LIST }),
        ),
        ended(2, call(LIST)),
        completed(),
    ]
}

/// The answer of [`usual`], however it came.
fn assert_usual(events: &[Value], what: &str) {
    let (mut said, mut arguments) = (String::new(), String::new());
    let whole = read_and_hear(events, &mut |piece| match piece {
        Piece::Text(text) => said.push_str(text),
        Piece::Thinking(_) => {}
        Piece::Call {
            arguments: more, ..
        } => arguments.push_str(more),
    });
    let reply = whole
        .unwrap_or_else(|error| panic!("{what}: {error}"))
        .reply;
    assert_eq!(
        (reply.text.as_str(), said.as_str()),
        ("I look.", "I look."),
        "{what}"
    );
    let [call] = reply.tool_calls.as_slice() else {
        panic!("{what}: {reply:?}")
    };
    assert_eq!(
        [&call.name, &call.arguments, &arguments],
        ["listFiles", LIST, LIST],
        "{what}"
    );
    assert!(!reply.cut, "{what}");
}

#[test]
fn an_answer_s_items_are_kept_raw_and_its_tokens_are_counted() {
    assert_usual(&usual(), "as OpenAI sends it");
    let whole = read(&usual()).unwrap();
    let usage = whole.usage.unwrap();
    assert_eq!(
        [
            usage.input_tokens,
            usage.cached_tokens,
            usage.output_tokens,
            usage.reasoning_tokens
        ],
        [90, 64, 40, 30]
    );
    let thoughts = whole.reply.thoughts.unwrap();
    let mut call = call("");
    call.as_object_mut().unwrap().remove("arguments");
    assert_eq!(thoughts.items, [reasoning(), message("I look."), call]);
    assert_eq!(thoughts.wire, "responses");
}

#[test]
fn what_is_new_out_of_order_or_missing_costs_no_answer() {
    let without = |kinds: &[&str]| -> Vec<Value> {
        let events = usual().into_iter();
        events
            .filter(|event| {
                !kinds
                    .iter()
                    .any(|kind| event["type"] == format!("response.{kind}"))
            })
            .collect()
    };
    assert_usual(&without(&["output_item.done"]), "no item has an end");
    assert_usual(
        &without(&["output_text.delta", "function_call_arguments.delta"]),
        "nothing comes in pieces",
    );
    assert_usual(
        &without(&[
            "output_item.done",
            "output_text.done",
            "function_call_arguments.done",
        ]),
        "only pieces come",
    );
    assert_usual(
        &without(&[
            "output_text.delta",
            "output_text.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
        ]),
        "only whole items come",
    );
    let mut events = usual();
    events.insert(
        3,
        json!({ "type": "response.hologram.delta", "delta": "?", "output_index": 7 }),
    );
    events.insert(3, json!({ "type": "keepalive", "sequence_number": 4 }));
    assert_usual(&events, "events of unknown kinds");
    // The call comes before the words, under its later index.
    let mut events = usual();
    events[4..14].rotate_left(5);
    assert_usual(&events, "items out of order");
    // Names of items that change from event to event.
    let mut events = usual();
    for (number, event) in events.iter_mut().enumerate() {
        event["item_id"] = json!(format!("id-{number}"));
    }
    assert_usual(&events, "another name in each event");
    // All the truth is in the last event, or in one that is no stream.
    let output = [reasoning(), message("I look."), call(LIST)];
    let response = json!({ "object": "response", "status": "completed", "error": null, "incomplete_details": null, "output": output });
    assert_usual(
        &[event("completed", json!({ "response": response }))],
        "the last event has it all",
    );
    let mut reader = AnswerReader::<Output>::new(Some("application/json"));
    reader
        .take(response.to_string().as_bytes(), &mut |_| {})
        .unwrap();
    let whole = reader.end(false, &mut |_| {}).unwrap().reply;
    assert_eq!(
        (whole.text.as_str(), whole.tool_calls.len()),
        ("I look.", 1)
    );
}

#[test]
fn an_item_of_an_unknown_kind_is_kept_and_reasoning_without_its_end_is_not() {
    let odd = json!({ "type": "hologram", "id": "h_1", "light": [1, { "a": null }] });
    let events = [
        added(0, json!({ "type": "reasoning", "id": "rs_1" })),
        ended(1, odd.clone()),
        ended(2, message("Done.")),
        completed(),
    ];
    let reply = read(&events).unwrap().reply;
    assert_eq!(reply.thoughts.unwrap().items, [odd, message("Done.")]);
}

#[test]
fn each_end_of_a_response_is_what_it_says() {
    let up_to_call: Vec<Value> = usual().into_iter().take(11).collect();
    let with = |last: Value| read(&[up_to_call.clone(), vec![last]].concat());
    let incomplete = |reason: Value| {
        with(event(
            "incomplete",
            json!({ "response": { "status": "incomplete", "incomplete_details": reason } }),
        ))
    };
    for reason in [
        json!({ "reason": "max_output_tokens" }),
        json!({ "reason": "moonlight" }),
        json!(null),
    ] {
        let reply = incomplete(reason.clone()).unwrap().reply;
        assert!(reply.cut && reply.text == "I look.", "{reason}");
        assert_eq!(reply.half_calls, ["listFiles"], "{reason}");
        assert!(reply.tool_calls.is_empty(), "{reason}");
    }
    let filtered = incomplete(json!({ "reason": "content_filter" }));
    assert!(
        matches!(filtered, Err(ModelError::Filtered(_))),
        "{filtered:?}"
    );
    // The connection ends, in the middle or after a whole call.
    for count in [1, 6, 11, 14] {
        let early: Vec<Value> = usual().into_iter().take(count).collect();
        let early = read(&early);
        assert!(
            matches!(early, Err(ModelError::Cut(_))),
            "{count}: {early:?}"
        );
    }
    for (last, expected) in [
        (
            event(
                "failed",
                json!({ "response": { "status": "failed", "error": { "code": "server_error", "message": "on fire" } } }),
            ),
            "Unavailable",
        ),
        (
            event(
                "failed",
                json!({ "response": { "error": { "code": "rate_limit_exceeded", "message": "slow down" } } }),
            ),
            "Limited",
        ),
        (
            json!({ "type": "error", "code": "server_error", "message": "on fire", "param": null }),
            "Unavailable",
        ),
        (
            json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "not that" } }),
            "Invalid",
        ),
        (
            event(
                "failed",
                json!({ "response": { "error": { "code": "context_length_exceeded", "message": "too long" } } }),
            ),
            "Overflow",
        ),
        (event("cancelled", json!({ "response": {} })), "Unavailable"),
        (
            event(
                "failed",
                json!({ "response": { "error": { "code": "insufficient_quota", "message": "empty" } } }),
            ),
            "Exhausted",
        ),
    ] {
        let error = with(last.clone()).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{last}: {error:?}"
        );
    }
}

#[test]
fn a_refusal_is_what_the_model_says() {
    let refusal = json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": [{ "type": "refusal", "refusal": "I can't." }] });
    let events = [
        event(
            "refusal.delta",
            json!({ "output_index": 0, "content_index": 0, "delta": "I can" }),
        ),
        event(
            "refusal.delta",
            json!({ "output_index": 0, "content_index": 0, "delta": "'t." }),
        ),
        ended(0, refusal),
        completed(),
    ];
    assert_eq!(read(&events).unwrap().reply.text, "I can't.");
}

/// What is shown of the reasoning.
fn thought(events: &[Value]) -> String {
    let mut thought = String::new();
    read_and_hear(events, &mut |piece| {
        if let Piece::Thinking(more) = piece {
            thought.push_str(more);
        }
    })
    .unwrap();
    thought
}

#[test]
fn summaries_are_shown_as_they_come_and_those_of_whole_items_where_none_came() {
    assert_eq!(thought(&usual()), "Hm.");
    let summary = |part: usize, text: &str| {
        let piece = json!({ "output_index": 0, "summary_index": part, "delta": text });
        event("reasoning_summary_text.delta", piece)
    };
    let whole = json!({
        "type": "reasoning", "id": "rs_1", "encrypted_content": "sealed",
        "summary": [{ "type": "summary_text", "text": "First." }, { "type": "summary_text", "text": "Then." }],
    });
    let begun = added(
        0,
        json!({ "type": "reasoning", "id": "rs_1", "summary": [] }),
    );
    let streamed = [
        begun.clone(),
        summary(0, "Fi"),
        summary(0, "rst."),
        summary(1, "Then."),
        // The reasoning itself, and all of it once more, add nothing.
        event(
            "reasoning_text.delta",
            json!({ "output_index": 0, "delta": "x" }),
        ),
        ended(0, whole.clone()),
        completed(),
    ];
    assert_eq!(thought(&streamed), "First.\n\nThen.");
    let at_once = [begun, ended(0, whole.clone()), ended(0, whole), completed()];
    assert_eq!(thought(&at_once), "First.\n\nThen.");
    let open = json!({ "type": "reasoning", "id": "rs_1", "content": [{ "type": "reasoning_text", "text": "Hm." }] });
    assert_eq!(thought(&[ended(0, open), completed()]), "Hm.");
}
