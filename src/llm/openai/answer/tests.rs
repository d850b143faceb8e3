//! Answers out of chunks as providers send them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;

fn answer(chunks: &[Value]) -> Result<(ModelReply, Option<Usage>), ModelError> {
    let mut answer = Answer::default();
    for chunk in chunks {
        answer.take(chunk, false, &mut |_| {})?;
    }
    let whole = answer.complete(false)?;
    Ok((whole.reply, whole.usage))
}

/// The calls of an answer whose pieces are these: name and arguments of each, and its id.
fn calls(pieces: &[Value]) -> Vec<(String, String, String)> {
    let mut chunks: Vec<Value> = pieces.iter().cloned().map(call).collect();
    chunks.push(json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] }));
    let calls = answer(&chunks).unwrap().0.tool_calls.into_iter();
    calls
        .map(|call| (call.name, call.arguments, call.id))
        .collect()
}

fn call(delta: Value) -> Value {
    json!({ "choices": [{ "delta": { "tool_calls": [delta] } }] })
}

#[test]
fn tool_calls_are_put_together_whatever_indexes_and_ids_their_pieces_have() {
    let function = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
    let list = || function("listFiles", json!("{}"));
    let expected = |first: &str, second: &str| {
        [
            ("terminal", "{\"command\":\"ls\"}", first),
            ("listFiles", "{}", second),
        ]
        .map(|(name, arguments, id)| (name.to_owned(), arguments.to_owned(), id.to_owned()))
    };
    let ways = [
        // As specified, the calls' pieces mixed.
        [
            json!({ "index": 0, "id": "a", "function": function("terminal", json!("{\"comm")) }),
            json!({ "index": 1, "id": "b", "function": list() }),
            json!({ "index": 0, "function": { "arguments": "and\":\"ls\"}" } }),
        ],
        // Without indexes, and arguments that are an object.
        [
            json!({ "id": "a", "function": function("terminal", json!("{\"comm")) }),
            json!({ "function": { "arguments": "and\":\"ls\"}" } }),
            json!({ "id": "b", "function": function("listFiles", json!({})) }),
        ],
        // The same index for all.
        [
            json!({ "index": 0, "id": "a", "function": function("terminal", json!("{\"comm")) }),
            json!({ "index": 0, "function": { "arguments": "and\":\"ls\"}" } }),
            json!({ "index": 0, "id": "b", "function": list() }),
        ],
        // Name and id again in each piece.
        [
            json!({ "index": 0, "id": "a", "function": function("terminal", json!("{\"comm")) }),
            json!({ "index": 0, "id": "a", "function": function("terminal", json!("and\":\"ls\"}")) }),
            json!({ "index": 1, "id": "b", "function": list() }),
        ],
    ];
    for pieces in ways {
        assert_eq!(calls(&pieces), expected("a", "b"), "{pieces:?}");
    }
    // Neither ids nor indexes, or the same id for all.
    let whole = function("terminal", json!("{\"command\":\"ls\"}"));
    let nameless = [
        json!({ "function": whole }),
        json!({ "id": "", "function": list() }),
        json!({ "function": null }),
    ];
    assert_eq!(calls(&nameless), expected("call_0", "call_1"));
    let same = [
        json!({ "index": 0, "id": "x", "function": whole }),
        json!({ "index": 1, "id": "x", "function": list() }),
    ];
    assert_eq!(calls(&same), expected("x", "call_1"));
}

#[test]
fn an_answer_without_an_end_is_an_error_and_never_half_a_tool_call() {
    let whole = call(
        json!({ "index": 0, "id": "a", "function": { "name": "terminal", "arguments": "{\"command\":\"ls\"}" } }),
    );
    let open = json!({ "choices": [{ "delta": {}, "finish_reason": "" }] });
    let cut = answer(&[whole.clone(), open]);
    assert!(matches!(cut, Err(ModelError::Cut(_))), "{cut:?}");
    let failed = answer(&[
        whole,
        json!({ "choices": [{ "delta": null, "finish_reason": "error" }] }),
    ]);
    assert!(failed.is_err(), "{failed:?}");
}

#[test]
fn an_answer_that_reached_its_limit_keeps_what_is_whole() {
    let whole = json!({ "index": 0, "id": "a", "function": { "name": "terminal", "arguments": "{\"command\":\"ls\"}" } });
    let half = json!({ "index": 1, "id": "b", "function": { "name": "createOrUpdateFiles", "arguments": "{\"files\":[{\"path" } });
    let end = json!({ "choices": [{ "delta": { "content": "Next" }, "finish_reason": "length" }], "usage": { "prompt_tokens": 1 } });
    let (reply, usage) = answer(&[call(whole), call(half), end]).unwrap();
    let calls: Vec<&str> = reply
        .tool_calls
        .iter()
        .map(|call| call.id.as_str())
        .collect();
    assert_eq!(
        (reply.cut, reply.text.as_str(), calls),
        (true, "Next", vec!["a"])
    );
    assert_eq!(
        usage.map(|usage| usage.input_tokens),
        Some(1),
        "it is paid for"
    );
}

#[test]
fn what_a_provider_wants_back_is_put_together_from_its_pieces() {
    let detail = |fields: Value| json!({ "choices": [{ "delta": { "reasoning_details": [fields], "reasoning_content": "H" } }] });
    let signed = json!({ "function": { "name": "listFiles", "arguments": "{}" }, "extra_content": { "google": { "thought_signature": "s" } } });
    let (reply, _) = answer(&[
        detail(json!({ "type": "reasoning.text", "text": "Let", "format": "f", "index": 0 })),
        detail(json!({ "type": "reasoning.text", "text": " me", "format": "f", "index": 0, "signature": null })),
        detail(json!({ "type": "reasoning.text", "signature": "Et", "index": 0 })),
        detail(json!({ "type": "reasoning.encrypted", "data": "x", "index": 1 })),
        call(signed),
        json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }),
    ])
    .unwrap();
    let thoughts = reply.thoughts.unwrap();
    assert_eq!(
        thoughts.reasoning_details,
        [
            json!({ "type": "reasoning.text", "text": "Let me", "format": "f", "index": 0, "signature": "Et" }),
            json!({ "type": "reasoning.encrypted", "data": "x", "index": 1 }),
        ]
    );
    assert_eq!(thoughts.reasoning_content, "HHHH");
    assert_eq!(
        reply.tool_calls[0].extra_content["google"]["thought_signature"],
        "s"
    );
}

#[test]
fn what_providers_leave_out_or_add_is_taken() {
    let (reply, usage) = answer(&[
        json!({ "choices": [] }),
        json!({ "choices": null, "usage": null }),
        json!({ "choices": [{ "delta": { "role": "assistant", "content": null, "reasoning": "hm", "reasoning_content": "hm" } }] }),
        json!({ "choices": [{ "delta": { "content": [{ "type": "thinking", "thinking": [] }, { "type": "text", "text": "Hi" }] } }] }),
        json!({ "choices": [{ "delta": { "content": "!" }, "finish_reason": "stop" }], "usage": { "prompt_tokens": 7, "input_tokens": 7 } }),
        json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 2, "cost": 0.1 } }),
    ])
    .unwrap();
    assert_eq!((reply.text.as_str(), reply.tool_calls.len()), ("Hi!", 0));
    assert_eq!(
        usage.map(|usage| (usage.input_tokens, usage.output_tokens)),
        Some((7, 2))
    );
    let (_, none) =
        answer(&[json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] })]).unwrap();
    assert_eq!(none, None);
}

#[test]
fn a_field_of_a_wrong_type_costs_nothing_else() {
    let text = || json!({ "choices": [{ "index": 0, "delta": { "content": "Hi" } }] });
    let end = || json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    for odd in [
        json!({ "choices": {} }),
        json!({ "choices": "none" }),
        json!({ "choices": [null, 7] }),
        json!({ "choices": [{ "delta": [], "index": "0" }] }),
        json!({ "choices": [{ "delta": { "tool_calls": [null] } }] }),
        json!({ "choices": [{ "delta": { "tool_calls": {} } }] }),
        json!({ "choices": [{ "delta": { "tool_calls": "none" } }] }),
        json!({ "choices": [{ "delta": { "reasoning_content": [] , "reasoning_details": {} } }] }),
        json!({ "choices": [{ "delta": {}, "finish_reason": 0 }] }),
        json!({ "choices": [{ "delta": {}, "finish_reason": "" }] }),
        json!({ "choices": [{ "delta": {}, "finish_reason": "null" }] }),
        json!({ "choices": [{ "delta": {}, "finish_reason": "None" }] }),
        json!({ "choices": [{ "delta": {}, "finish_reason": {} }] }),
        json!({ "choices": [{ "delta": { "tool_calls": "[", "function_call": "" } }] }),
        json!({ "choices": [{ "delta": { "role": 1, "content": 5 } }], "usage": {} }),
        json!({ "choices": [], "usage": { "prompt_tokens": "x" }, "error": false }),
        json!({ "choices": [], "error": "" }),
        json!({ "choices": [], "error": {} }),
    ] {
        let (reply, _) = answer(&[odd.clone(), text(), odd.clone(), end()]).unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.tool_calls.len()),
            ("Hi", 0),
            "{odd}"
        );
    }
    let object = json!({ "choices": { "delta": { "content": { "type": "text", "text": "Hi" } }, "finish_reason": "stop" } });
    assert_eq!(answer(&[object]).unwrap().0.text, "Hi");
}

#[test]
fn text_and_calls_are_taken_from_whichever_choice_they_are_in_and_whole_answers_count_once() {
    let function = json!({ "name": "listFiles", "arguments": "{}" });
    let split = json!({ "choices": [
        { "index": 0, "delta": { "content": "I list them." } },
        { "index": 1, "delta": { "tool_calls": [{ "index": 0, "id": "a", "function": function }] }, "finish_reason": "tool_calls" },
    ] });
    let whole = json!({ "object": "chat.completion", "choices": [{
        "message": { "role": "assistant", "content": "I list them.", "tool_calls": [{ "id": "a", "function": function }] },
        "finish_reason": "tool_calls",
    }] });
    let before = json!({ "choices": [{ "delta": { "function_call": function, "content": "I list them." } }] });
    let end = json!({ "choices": [{ "delta": {}, "finish_reason": "function_call" }] });
    for chunks in [
        vec![split.clone()],
        vec![whole.clone()],
        vec![split, whole],
        vec![before, end],
    ] {
        let (reply, _) = answer(&chunks).unwrap();
        assert_eq!(reply.text, "I list them.", "{chunks:?}");
        assert_eq!(reply.tool_calls.len(), 1, "{chunks:?}");
        assert_eq!(
            (
                reply.tool_calls[0].name.as_str(),
                reply.tool_calls[0].arguments.as_str()
            ),
            ("listFiles", "{}")
        );
    }
}

#[test]
fn a_call_that_ends_within_its_arguments_is_none_whatever_the_provider_calls_the_end() {
    for (finish, ends) in [
        ("tool_calls", true),
        ("stop", true),
        ("length", true),
        ("max_tokens", true),
        ("MAX_TOKENS", true),
        ("FINISH_REASON_MAX_TOKENS", true),
        ("max-new-tokens", true),
        ("end_turn", true),
    ] {
        let half = call(
            json!({ "index": 0, "id": "a", "function": { "name": "terminal", "arguments": "{\"command\":\"rm -rf " } }),
        );
        let end = json!({ "choices": [{ "delta": {}, "finish_reason": finish }] });
        let (reply, _) = answer(&[half, end]).unwrap();
        assert_eq!(
            (reply.cut, reply.half_calls.len(), reply.tool_calls.len()),
            (ends, 1, 0),
            "{finish}"
        );
    }
    for (finish, filtered) in [
        ("SAFETY", true),
        ("content_filter", true),
        ("content-filter", true),
        ("guardrail_intervened", true),
        ("network_error", false),
        ("TIMEOUT", false),
    ] {
        let error = answer(&[
            json!({ "choices": [{ "delta": { "content": "x" }, "finish_reason": finish }] }),
        ])
        .unwrap_err();
        assert_eq!(
            matches!(error, ModelError::Filtered(_)),
            filtered,
            "{error:?}"
        );
        assert_eq!(
            matches!(error, ModelError::Unavailable { .. }),
            !filtered,
            "{error:?}"
        );
    }
}

#[test]
fn a_reason_that_is_none_ends_no_answer() {
    for reason in [
        json!("null"),
        json!("None"),
        json!("FINISH_REASON_UNSPECIFIED"),
    ] {
        let open =
            json!({ "choices": [{ "delta": { "content": "I was" }, "finish_reason": reason }] });
        let cut = answer(&[open]);
        assert!(matches!(cut, Err(ModelError::Cut(_))), "{reason}: {cut:?}");
    }
    for end in [
        json!({ "choices": [{ "delta": {}, "finish_reason": { "type": "stop" } }] }),
        json!({ "choices": [{ "delta": { "finish_reason": "stop" } }] }),
        json!({ "choices": [{ "delta": {}, "finishReason": "STOP" }] }),
    ] {
        let text = json!({ "choices": [{ "delta": { "content": "Hi" } }] });
        assert_eq!(answer(&[text, end.clone()]).unwrap().0.text, "Hi", "{end}");
    }
}

#[test]
fn a_call_is_read_in_every_shape_that_gateways_give_it() {
    let function = json!({ "name": "terminal", "arguments": "{\"command\":\"ls\"}" });
    let end = || json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] });
    let of = |delta: Value| json!({ "choices": [{ "delta": delta }] });
    let call = || json!({ "index": 0, "id": "a", "function": function });
    for delta in [
        json!({ "tool_calls": [call()] }),
        json!({ "tool_calls": call() }),
        json!({ "tool_calls": { "0": call() } }),
        json!({ "tool_calls": json!([call()]).to_string() }),
        json!({ "tool_calls": [{ "index": "0", "id": null, "type": null, "function": function }] }),
        json!({ "tool_calls": [{ "id": "a", "name": "terminal", "input": { "command": "ls" } }] }),
        json!({ "tool_calls": [{ "id": "a", "function": "terminal", "arguments": { "command": "ls" } }] }),
        json!({ "tool_calls": [{ "function": { "name": "terminal", "args": { "command": "ls" } } }] }),
        json!({ "function_call": function }),
        json!({ "content": [
            { "type": "thinking", "thinking": "Hm", "signature": "x" },
            { "type": "tool_use", "id": "a", "name": "terminal", "input": { "command": "ls" } },
        ] }),
    ] {
        let (reply, _) = answer(&[of(delta.clone()), end()]).unwrap();
        let calls: Vec<_> = reply
            .tool_calls
            .iter()
            .map(|call| (call.name.as_str(), call.arguments.as_str()))
            .collect();
        assert_eq!(calls, [("terminal", "{\"command\":\"ls\"}")], "{delta}");
        assert_eq!(reply.text, "", "{delta}");
    }
    // A call without arguments, as those write it that know no empty object.
    for arguments in [
        json!(null),
        json!([]),
        json!({}),
        json!(""),
        json!("null"),
        json!("[]"),
        json!("None"),
    ] {
        let call = json!({ "tool_calls": [{ "id": "a", "function": { "name": "listFiles", "arguments": arguments } }] });
        let (reply, _) = answer(&[of(call), end()]).unwrap();
        assert!(
            ["", "{}"].contains(&reply.tool_calls[0].arguments.as_str()),
            "{arguments}: {:?}",
            reply.tool_calls
        );
    }
}

#[test]
fn messages_instead_of_deltas_are_pieces_or_all_of_them_so_far() {
    let message =
        |text: &str| json!({ "message": { "role": "assistant", "content": text }, "done": false });
    let end = || json!({ "message": { "role": "assistant", "content": "" }, "done": true, "done_reason": "stop", "prompt_eval_count": 3 });
    for pieces in [
        vec!["I list", " the files", " of the app."],
        vec![
            "I list the files",
            "I list the files of",
            "I list the files of the app.",
        ],
        vec![
            "I list the files of the app.",
            "I list the files of the app.",
        ],
    ] {
        let mut chunks: Vec<Value> = pieces.iter().map(|piece| message(piece)).collect();
        chunks.push(end());
        let (reply, usage) = answer(&chunks).unwrap();
        assert_eq!(reply.text, "I list the files of the app.", "{pieces:?}");
        assert_eq!(usage.map(|usage| usage.input_tokens), Some(3));
    }
    let call = |command: &str| json!({ "message": { "content": "", "tool_calls": [{ "function": { "name": "terminal", "arguments": { "command": command } } }] }, "done": false });
    let (reply, _) = answer(&[call("ls"), call("pwd"), end()]).unwrap();
    assert_eq!(reply.tool_calls.len(), 2, "{:?}", reply.tool_calls);
}

#[test]
fn reasoning_is_shown_once_wherever_its_provider_puts_it() {
    let detail = |text: &str| json!([{ "type": "reasoning.text", "text": text }]);
    let summary = json!([{ "type": "reasoning.summary", "summary": "Hm." }]);
    let words = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] }]);
    for deltas in [
        vec![
            json!({ "reasoning_content": "H" }),
            json!({ "reasoning_content": "m." }),
        ],
        vec![json!({ "reasoning": "Hm.", "reasoning_content": "Hm." })],
        vec![
            json!({ "reasoning": "H", "reasoning_details": detail("H") }),
            json!({ "reasoning": "m.", "reasoning_details": detail("m.") }),
        ],
        vec![json!({ "reasoning_details": summary })],
        vec![json!({ "content": words })],
        vec![
            json!({ "content": "<think>Hm" }),
            json!({ "content": ".</think>" }),
        ],
    ] {
        let (mut thought, mut said) = (String::new(), String::new());
        let mut answer = Answer::default();
        let last = json!({ "content": "Hello" });
        for delta in deltas.iter().chain([&last]) {
            let chunk = json!({ "choices": [{ "delta": delta }] });
            let heard = answer.take(&chunk, false, &mut |piece| match piece {
                Piece::Thinking(more) => thought.push_str(more),
                Piece::Text(more) => said.push_str(more),
                Piece::Call { .. } => panic!("{piece:?}"),
            });
            heard.unwrap();
        }
        assert_eq!((&*thought, &*said), ("Hm.", "Hello"), "{deltas:?}");
    }
}
