//! Answers in the shapes that real gateways produce: what can be understood is executed, and the
//! rest is reported or left out.

mod failures;

use codeflow::protocol::RunState;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::support::{Feed, Model, Reply, Server, data_dir};

fn data(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta }] })
}

fn end(finish: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": finish }] })
}

fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}

/// Runs all rows of a table: each has a sandbox, and many at once would be slower.
async fn few_at_a_time(rows: impl Iterator<Item = impl Future<Output = ()>>) {
    futures::stream::iter(rows)
        .buffer_unordered(4)
        .collect::<Vec<()>>()
        .await;
}

/// An answer of these chunks, and its end.
fn answer(chunks: &[Value]) -> Reply {
    ended_by("tool_calls", chunks)
}

fn ended_by(finish: &str, chunks: &[Value]) -> Reply {
    let last = [data(&end(finish)), done()];
    Reply::Raw(chunks.iter().map(data).chain(last).collect())
}

fn calls(call: Value) -> Value {
    delta(json!({ "tool_calls": [call] }))
}

/// A piece of a call: the index and the id are left out where they are null.
fn piece(index: Value, id: Value, name: &str, arguments: &str) -> Value {
    let mut call = json!({ "function": { "arguments": arguments } });
    for (field, value) in [("index", index), ("id", id)] {
        if !value.is_null() {
            call[field] = value;
        }
    }
    if !name.is_empty() {
        call["function"]["name"] = json!(name);
    }
    calls(call)
}

/// The pieces of one call of `terminal`.
fn pieces(arguments: &[&str]) -> Reply {
    let name = |at| if at == 0 { "terminal" } else { "" };
    let pieces = arguments
        .iter()
        .enumerate()
        .map(|(at, arguments)| piece(json!(0), json!("a"), name(at), arguments));
    answer(&pieces.collect::<Vec<_>>())
}

fn echo(word: &str) -> Value {
    json!({ "command": format!("echo {word}") })
}

/// A call of `terminal` that says this word, under any name.
fn named(name: &str) -> Reply {
    answer(&[piece(json!(0), json!("a"), name, &echo("one").to_string())])
}

/// A good call beside a chunk with an odd field.
fn beside(odd: Value) -> Reply {
    let call = echo("one").to_string();
    let (start, rest) = call.split_at(7);
    answer(&[
        odd.clone(),
        piece(json!(0), json!("a"), "terminal", start),
        odd,
        piece(json!(0), Value::Null, "", rest),
    ])
}

/// A good call with something between its chunks.
fn around(before: &str, between: &str, last: &str) -> Reply {
    let call = echo("one").to_string();
    let (start, rest) = call.split_at(7);
    let body = [
        before,
        &data(&piece(json!(0), json!("a"), "terminal", start)),
        between,
        &data(&piece(json!(0), Value::Null, "", rest)),
        between,
        &data(&end("tool_calls")),
        last,
    ];
    Reply::Body("text/event-stream", vec![body.concat().into_bytes()])
}

/// A row: an answer, and the calls that were meant, as the next request has them; each says so in
/// its output.
struct Row {
    name: &'static str,
    answer: Reply,
    meant: Vec<(&'static str, Value)>,
    outputs: Vec<&'static str>,
}

fn row(name: &'static str, answer: Reply) -> Row {
    Row {
        name,
        answer,
        meant: vec![("terminal", echo("one"))],
        outputs: vec!["one"],
    }
}

fn many(name: &'static str, answer: Reply, words: &[&'static str]) -> Row {
    Row {
        name,
        answer,
        meant: words.iter().map(|word| ("terminal", echo(word))).collect(),
        outputs: words.to_vec(),
    }
}

fn writes(name: &'static str, answer: Reply, path: &str, content: &str) -> Row {
    Row {
        name,
        answer,
        meant: vec![(
            "createOrUpdateFiles",
            json!({ "files": [{ "path": path, "content": content }] }),
        )],
        outputs: vec!["Wrote"],
    }
}

fn odd_calls() -> Vec<Row> {
    let whole = |word: &str| echo(word).to_string();
    let same = |word: &str| piece(json!(0), json!("a"), "terminal", &whole(word));
    let (one, two) = (whole("one"), whole("two"));
    let [(head, tail), (head_of_two, tail_of_two)] = [one.split_at(9), two.split_at(12)];
    let function = json!({ "name": "terminal", "arguments": one });
    let message = json!({ "role": "assistant", "content": null, "tool_calls": [{ "id": "a", "function": function }] });
    let at_once = json!({ "object": "chat.completion", "choices": [{ "index": 0, "message": message, "finish_reason": "tool_calls" }] });
    vec![
        row("M1 so far", pieces(&["{\"comm", "{\"command\":\"echo", &one])),
        row("M1 whole each time", pieces(&[&one, &one])),
        writes(
            "M1 pieces that look alike",
            answer(&[
                piece(json!(0), json!("a"), "createOrUpdateFiles", "{\"files\":[{\"path\":\"a.tsx\",\"content\":\""),
                piece(json!(0), Value::Null, "", "{x}"),
                piece(json!(0), Value::Null, "", "\"}]}"),
            ]),
            "a.tsx",
            "{x}",
        ),
        row("M2", pieces(&["{\"comm", "and\":\"echo one\"}", &one])),
        row("M2 after none", pieces(&["{}", "{\"comm", "and\":\"echo one\"}"])),
        row("M2 with words behind it", pieces(&[&one, "\n```\nDone."])),
        many("M5", answer(&[same("one"), same("two"), same("three")]), &["one", "two", "three"]),
        many(
            "M6",
            answer(&[
                piece(Value::Null, json!("a"), "terminal", head),
                piece(Value::Null, json!("b"), "terminal", head_of_two),
                piece(Value::Null, json!("a"), "", tail),
                piece(Value::Null, json!("b"), "", tail_of_two),
            ]),
            &["one", "two"],
        ),
        many(
            "M6 by position",
            answer(&[
                delta(json!({ "tool_calls": [
                    { "function": { "name": "terminal", "arguments": head } }, { "function": { "name": "terminal", "arguments": head_of_two } },
                ] })),
                delta(json!({ "tool_calls": [{ "function": { "arguments": tail } }, { "function": { "arguments": tail_of_two } }] })),
            ]),
            &["one", "two"],
        ),
        row("M7 reasoning as a list", beside(delta(json!({ "reasoning_content": [{ "text": "Hm" }] })))),
        row("M7 reasoning as an object", beside(delta(json!({ "reasoning_content": {}, "reasoning_details": { "text": "Hm" } })))),
        row("M7 no calls", beside(delta(json!({ "tool_calls": [null] })))),
        row("M7 calls as an object", beside(delta(json!({ "tool_calls": {} })))),
        row("M7 an id that is a number", answer(&[piece(json!(0), json!(17), "terminal", &one)])),
        row("M7 an index as text", answer(&[piece(json!("0"), json!("a"), "terminal", head), piece(json!("0"), Value::Null, "", tail)])),
        row("M7 an index with a fraction", answer(&[piece(json!(0.0), json!("a"), "terminal", head), piece(json!(0), Value::Null, "", tail)])),
        row("M7 a negative index", answer(&[piece(json!(-1), json!("a"), "terminal", head), piece(json!(-1), Value::Null, "", tail)])),
        row("M7 a reason that is a number", beside(json!({ "choices": [{ "delta": {}, "finish_reason": 0 }] }))),
        row("M7 an empty reason", beside(json!({ "choices": [{ "delta": {}, "finish_reason": "" }] }))),
        row("M7 choices as an object", beside(json!({ "choices": {} }))),
        row("M7 empty usage", beside(json!({ "choices": [], "usage": {} }))),
        row("M7 usage in words", beside(json!({ "choices": [], "usage": { "prompt_tokens": "7", "completion_tokens": "some" } }))),
        row("M7 no error", beside(json!({ "choices": [], "error": false }))),
        row("M7 an error without words", beside(json!({ "choices": [], "error": "" }))),
        row("M7 an empty error", beside(json!({ "choices": [{ "delta": { "content": { "type": "text", "text": "Hm" } } }], "error": {} }))),
        row(
            "M8",
            answer(&[json!({ "choices": [
                { "index": 0, "delta": { "content": "I say it." } },
                { "index": 1, "delta": { "tool_calls": [{ "index": 0, "id": "a", "function": function }] } },
            ] })]),
        ),
        row("M8 what there was before tools", answer(&[delta(json!({ "function_call": function }))])),
        row("M11 a channel", named("terminal<|channel|>commentary")),
        row("M11 a constraint", named("functions.terminal<|constrain|>json")),
        row("M11 brackets", named("terminal()")),
        row("M11 a namespace", named("functions_terminal")),
        row("M11 a number", named("functions.terminal:0")),
        row("M11 a brace", named("terminal}")),
        Row {
            name: "M12 an emoji in halves",
            answer: Reply::Raw(vec![
                data(&piece(json!(0), json!("a"), "terminal", "{\"command\":\"echo ")),
                "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\ud83d\"}}]}}]}\n\n".to_owned(),
                "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\ude00\\u0000\\ud83d\\\"}\"}}]}}]}\n\n"
                    .to_owned(),
                data(&end("tool_calls")),
            ]),
            meant: vec![("terminal", echo("😀\u{fffd}\u{fffd}"))],
            outputs: vec!["😀\u{fffd}\u{fffd}"],
        },
        row("M3", around("", ": wait\n\ndata: : keepalive\n\ndata: : PROCESSING\n\ndata:\n\ndata: ping\n\n", "data: [DONE]\n\n")),
        row("M3 events", around("", "event: ping\ndata: {\"error\":\"x\"}\n\nevent: done\ndata:\n\n", "data: [DONE]\n\n")),
        row("M4 a mark, a blank", around("\u{feff}", "", "data: [DONE] \n\n")),
        row("M4 carriage returns", around(": hello\r\r", "\r\n\r", "data: [DONE]\r")),
        row("M4 another word", around("", "", "data: done\n\n")),
        row("M4 in quotes", around("", "", "data: \"[DONE]\"\n\n")),
        row("M4 no end at all", {
            let Reply::Body(kind, packets) = around("", "", "") else { panic!("it is a body") };
            let body = packets.concat();
            Reply::Body(kind, vec![body[..body.len() - 2].to_vec()])
        }),
        row("M3 a field of llama.cpp's that is no error", around("", "error:\n\n", "data: [DONE]\n\n")),
        row("M4 events without line breaks", {
            let [first, second] = [
                piece(json!(0), json!("a"), "terminal", head),
                piece(json!(0), Value::Null, "", tail),
            ];
            let body = format!("data: {first}data: {second}data: {}data: [DONE]", end("tool_calls"));
            Reply::Body("text/event-stream", vec![body.into_bytes()])
        }),
        row("M4 gzip that nobody asked for", {
            let Reply::Body(kind, packets) = around("", "", "data: [DONE]\n\n") else { panic!("it is a body") };
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            std::io::Write::write_all(&mut gzip, &packets.concat()).unwrap();
            let zipped = gzip.finish().unwrap();
            let (start, rest) = zipped.split_at(30);
            Reply::Body(kind, vec![start.to_vec(), rest.to_vec()])
        }),
        row("M7 calls by position", beside(json!({ "choices": { "0": { "delta": { "content": "Hm" } } } }))),
        row("M7 a call as a map", answer(&[delta(json!({ "tool_calls": { "0": { "id": "a", "function": function } } }))])),
        row("M7 a function by its name", answer(&[delta(json!({ "tool_calls": [{ "function": "terminal", "arguments": echo("one") }] }))])),
        row(
            "M7 a call among the parts",
            answer(&[delta(json!({ "content": [{ "type": "tool_use", "id": "a", "name": "terminal", "input": echo("one") }] }))]),
        ),
        row("M7 a reason that is none, as text", beside(json!({ "choices": [{ "delta": {}, "finish_reason": "null" }] }))),
        row(
            "M10 Ollama's own protocol",
            Reply::Body("application/x-ndjson", vec![
                format!(
                    "{}\n{}\n",
                    json!({ "message": { "content": "", "tool_calls": [{ "function": { "name": "terminal", "arguments": echo("one") } }] }, "done": false }),
                    json!({ "message": { "content": "" }, "done": true, "done_reason": "stop" }),
                )
                .into_bytes(),
            ]),
        ),
        row("M10 JSON", Reply::Body("application/json", vec![format!("{at_once:#}").into_bytes()])),
    ]
}

#[tokio::test]
async fn a_malformed_call_that_can_be_understood_is_executed_and_sent_back_well_formed() {
    let rows = odd_calls();
    let model = &Model::start(
        rows.iter()
            .map(|row| (row.name, vec![row.answer.clone(), Reply::done()])),
    )
    .await;
    let data = data_dir();
    let server = &Server::start(data.path(), model);
    let checked = rows.iter().map(|row| async move {
        let name = row.name;
        let project = server.create(name).await;
        let (state, message) = server.feed(project).await.ended(1).await;
        assert_eq!(state, RunState::Succeeded, "{name}: {}", message.content);
        let turns = model.turns_of(name);
        assert_eq!(turns.len(), 2, "{name}");
        let said = turns[1]["messages"].as_array().unwrap();
        let answer = said
            .iter()
            .find(|message| message["role"] == "assistant")
            .unwrap();
        let function = |call: &Value| {
            let arguments: Value =
                serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            (
                call["function"]["name"].as_str().unwrap().to_owned(),
                arguments,
            )
        };
        let asked: Vec<_> = answer["tool_calls"]
            .as_array()
            .unwrap()
            .iter()
            .map(function)
            .collect();
        let meant: Vec<_> = row
            .meant
            .iter()
            .map(|(name, arguments)| ((*name).to_owned(), arguments.clone()))
            .collect();
        assert_eq!(asked, meant, "{name}");
        let results: Vec<&str> = said
            .iter()
            .filter(|message| message["role"] == "tool")
            .map(|message| message["content"].as_str().unwrap())
            .collect();
        assert_eq!(results.len(), row.outputs.len(), "{name}");
        for (result, output) in results.iter().zip(&row.outputs) {
            assert!(
                result.contains(output) && !result.starts_with("Error"),
                "{name}: {result}"
            );
        }
        let ids: std::collections::BTreeSet<_> = answer["tool_calls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| call["id"].as_str())
            .collect();
        assert_eq!(
            ids.len(),
            results.len(),
            "{name}: each has an id of its own"
        );
    });
    few_at_a_time(checked).await;
}

#[tokio::test]
async fn a_code_fence_around_a_file_is_removed_and_markdown_keeps_its_own() {
    let files = json!([
        { "path": "app/a.tsx", "content": "```tsx\nx\n```" }, { "path": "b.md", "content": "```sh\nls\n```\n" },
    ]);
    let read = Reply::call("readFiles", json!({ "files": ["app/a.tsx", "b.md"] }));
    let replies = vec![
        Reply::call("createOrUpdateFiles", json!({ "files": files })),
        read,
        Reply::done(),
    ];
    let model = Model::start([("Build", replies)]).await;
    let data = data_dir();
    let (state, content, feed) = run(&Server::start(data.path(), &model), "Build").await;
    assert_eq!(state, RunState::Succeeded, "{content}");
    let read = feed.tool("turn-2-readFiles-1").output.unwrap();
    assert_eq!(read, "=== app/a.tsx\nx\n\n=== b.md\n```sh\nls\n```\n\n");
}

/// A project's only run: how it ended, and what was said.
async fn run(server: &Server, prompt: &str) -> (RunState, String, Feed) {
    let project = server.create(prompt).await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    (state, message.content, feed)
}
