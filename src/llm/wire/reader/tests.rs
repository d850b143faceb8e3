//! Whole responses: what comes between, around and instead of an answer's chunks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::llm::{ModelReply, openai::answer::Answer};

mod mixed;

fn read(content_type: &str, bytes: &[u8], size: usize) -> Result<Complete, ModelError> {
    let mut reader = AnswerReader::<Answer>::new(Some(content_type));
    for piece in bytes.chunks(size) {
        if reader.take(piece, &mut |_| {})? {
            break;
        }
    }
    reader.end(false, &mut |_| {})
}

fn reply(bytes: &[u8], size: usize) -> ModelReply {
    read("text/event-stream", bytes, size).unwrap().reply
}

fn text(text: &str) -> String {
    json!({ "choices": [{ "delta": { "content": text } }] }).to_string()
}

fn finish() -> String {
    json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }).to_string()
}

#[test]
fn what_stands_between_chunks_and_how_the_end_is_spelt_is_of_no_importance() {
    for between in [
        ": keepalive\n\n",
        "data: : keepalive\n\n",
        "data: : PROCESSING\n\n",
        "data:\n\n",
        "data\n\n",
        "data: ping\n\n",
        "event: ping\ndata: {\"message\":\"x\",\"status\":500}\n\n",
        "event: done\ndata:\n\n",
        "event: keepalive\ndata: 12:30\n\n",
        "data: {\"type\":\"ping\"}\n\n",
        "data: null\n\n",
        "data: 7\n\n",
        "data: {\"choices\"\n\n",
        "id: 1\nretry: 5\n\n",
        "\u{feff}\n\n",
        "\n\n\n",
    ] {
        for end in [
            "data: [DONE]\n\n",
            "data: [DONE] \n\n",
            "data: [DONE]\r\r\n",
            "data: done\n\n",
            "data: \"[DONE]\"\n\n",
            "data:[done]",
            "",
        ] {
            for start in ["", "\u{feff}", ": hello\n\n"] {
                let body = format!(
                    "{start}data: {}\n\n{between}data: {}\n\n{between}data: {}\n\n{end}",
                    text("H"),
                    text("i"),
                    finish()
                );
                for size in [1, 7, body.len()] {
                    assert_eq!(
                        reply(body.as_bytes(), size).text,
                        "Hi",
                        "{between:?} {end:?} {start:?}"
                    );
                }
            }
        }
    }
    // Without the empty line behind the last event, and between events.
    let tight = format!(
        "data: {}\ndata: {}\ndata: {}",
        text("H"),
        text("i"),
        finish()
    );
    assert_eq!(reply(tight.as_bytes(), 5).text, "Hi");
    // Without any line break between them.
    let glued = format!(
        "data: {}data: {}{}[DONE]\n\n",
        text("H"),
        text("i"),
        finish()
    );
    assert_eq!(reply(glued.as_bytes(), 5).text, "Hi");
    let glued = format!(
        "data: {}data: {}data: {} data: [DONE]",
        text("H"),
        text("i"),
        finish()
    );
    assert_eq!(reply(glued.as_bytes(), 5).text, "Hi");
    // With the JSON over several lines, of which each or only the first has the field's name.
    let lines = |name: &str| {
        let pretty = |chunk: String| {
            let chunk: Value = serde_json::from_str(&chunk).unwrap();
            format!(
                "data: {}\n\n",
                format!("{chunk:#}").replace('\n', &format!("\n{name}"))
            )
        };
        [text("H"), text("i"), finish()].map(pretty).concat()
    };
    for name in ["data: ", ""] {
        assert_eq!(reply(lines(name).as_bytes(), 5).text, "Hi", "{name}");
    }
    // Without the fields' names.
    let lines = format!("{}\n{}\n{}\n", text("H"), text("i"), finish());
    assert_eq!(
        read("application/x-ndjson", lines.as_bytes(), 5)
            .unwrap()
            .reply
            .text,
        "Hi"
    );
}

#[test]
fn a_whole_answer_as_json_is_understood_and_what_is_no_answer_is_quoted() {
    let answer = json!({ "object": "chat.completion", "choices": [{ "message": { "content": "Hi" }, "finish_reason": "stop" }], "usage": { "prompt_tokens": 3 } });
    for body in [
        answer.to_string(),
        format!("\n{answer:#}\n"),
        format!("[{answer:#}]"),
        format!("data: {answer}\n\n"),
    ] {
        let whole = read("application/json", body.as_bytes(), 9).unwrap();
        assert_eq!(
            (
                whole.reply.text.as_str(),
                whole.usage.map(|usage| usage.input_tokens)
            ),
            ("Hi", Some(3)),
            "{body}"
        );
    }
    let refused = read(
        "application/json",
        b"{\n \"error\": { \"message\": \"maximum context length\", \"code\": 400 }\n}",
        9,
    );
    assert!(
        matches!(refused, Err(ModelError::Overflow(_))),
        "{refused:?}"
    );
    for (content_type, body, said) in [
        (
            "text/html; charset=utf-8",
            "<!doctype html>\n<title>Sign in</title>",
            ["text/html", "<title>Sign in"],
        ),
        ("text/plain", "It works!", ["text/plain", "It works!"]),
        ("text/event-stream", "", ["text/event-stream", "empty"]),
        ("", " \n", ["without a content type", "empty"]),
        ("application/json", "[]", ["application/json", "[]"]),
        (
            "application/json",
            "{\"status\":\"ok\",\"version\":\"1.2\"}",
            ["application/json", "{\"status\":\"ok\""],
        ),
        (
            "application/json",
            "\"hello\"",
            ["application/json", "\"hello\""],
        ),
    ] {
        let error = read(content_type, body.as_bytes(), 9).unwrap_err();
        assert!(matches!(error, ModelError::NotAModel(_)), "{error:?}");
        assert!(
            said.iter().all(|said| error.to_string().contains(said)),
            "{error}"
        );
    }
    // At once: the rest of a long page is not waited for.
    let mut reader = AnswerReader::<Answer>::new(Some("text/html"));
    assert!(
        reader
            .take(
                format!("<html>{}", "x".repeat(MAX_PAGE)).as_bytes(),
                &mut |_| {}
            )
            .is_err()
    );
}

#[test]
fn errors_between_chunks_end_the_answer_with_their_own_words() {
    for (event, words) in [
        (
            "event: error\ndata: {\"message\":\"upstream overloaded\",\"status\":529}\n\n",
            "upstream overloaded (529)",
        ),
        ("event: error\ndata: out of slots\n\n", "out of slots"),
        (
            "error: {\"code\":500,\"message\":\"slot died\",\"type\":\"server_error\"}\n\n",
            "slot died (500)",
        ),
        (
            "event: exception\ndata: {\"internalServerException\":{\"message\":\"try later\"}}\n\n",
            "try later",
        ),
        ("event: error\ndata: \"out of slots\"\n\n", "out of slots"),
        (
            "data: {\"detail\":\"model is loading\"}\n\n",
            "model is loading",
        ),
        (
            "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}],\"error\":{\"message\":\"died\",\"code\":502}}\n\n",
            "died (502)",
        ),
        (
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
            "“error”",
        ),
    ] {
        let body = format!("data: {}\n\n{event}", text("H"));
        let error = read("text/event-stream", body.as_bytes(), 9).unwrap_err();
        assert!(
            matches!(error, ModelError::Unavailable { .. }) && error.to_string().contains(words),
            "{error:?}"
        );
    }
    // After the end it is too late for one; before it, what was said beside the answer says why
    // there is none.
    let late = format!(
        "data: {}\n\ndata: {}\n\ndata: {{\"error\":\"billing\"}}\n\n",
        text("Hi"),
        finish()
    );
    assert_eq!(reply(late.as_bytes(), 9).text, "Hi");
    let error = read(
        "text/event-stream",
        b"data: {\"message\":\"the server is busy\"}\n\ndata: [DONE]\n\n",
        9,
    )
    .unwrap_err();
    assert!(error.to_string().contains("the server is busy"), "{error}");
}

#[test]
fn an_end_without_a_reason_is_one_for_whole_calls_alone_unless_it_is_taken() {
    let call = json!({ "choices": [{ "delta": { "tool_calls": [{ "function": { "name": "listFiles", "arguments": "{}" } }] } }] });
    let ended = |chunk: &str, end: &str, unfinished| {
        let mut reader = AnswerReader::<Answer>::new(None);
        reader
            .take(format!("data: {chunk}\n\n{end}").as_bytes(), &mut |_| {})
            .unwrap();
        reader.end(unfinished, &mut |_| {})
    };
    let done = "data: [DONE]\n\n";
    assert_eq!(
        ended(&call.to_string(), done, false)
            .unwrap()
            .reply
            .tool_calls
            .len(),
        1
    );
    assert!(matches!(
        ended(&text("I was"), done, false),
        Err(ModelError::Cut(_))
    ));
    assert_eq!(
        ended(&text("I was"), done, true).unwrap().reply.text,
        "I was"
    );
    assert!(matches!(
        ended(&text("I was"), "", true),
        Err(ModelError::Cut(_))
    ));
    assert!(matches!(
        ended(&call.to_string(), "", true),
        Err(ModelError::Cut(_))
    ));
}
