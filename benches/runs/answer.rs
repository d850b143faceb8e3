//! Long answers in the smallest pieces that providers send: what publishing each growing piece
//! costs the server, and what it sends to a following client.

use std::time::Instant;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::{
    Server, count,
    model::{Model, Reply, chunk},
};

/// The answer's size in kB, unless `BENCH_ANSWER_KB` is set.
const SIZE_KB: usize = 400;
/// Characters in a piece.
const PIECE: usize = 4;
/// Pieces in one packet; packets come a millisecond or two apart.
const PIECES_IN_A_PACKET: usize = 4;

/// Markdown as models write it.
const SECTION: &str = "## What changes\n\nThe page gets a **list** of `todos`, each with a button; \
    see [the guide](https://nextjs.org/docs) for more.\n\n- Adding one clears the field.\n\
    - Removing one asks first, *always*.\n\n```tsx\nexport default function Page() {\n  \
    return <main className=\"p-4\">{todos.map((todo) => <Todo key={todo.id} {...todo} />)}</main>\n\
    }\n```\n\n| file | lines |\n|---|---|\n| app/page.tsx | 40 |\n\n";

fn size_kb() -> usize {
    count("BENCH_ANSWER_KB", SIZE_KB)
}

/// A line of source code.
const LINE: &str =
    "  const total = items.filter((item) => item.price > 0 && !item.hidden).length;\n";

/// The cases to measure, each by its prompt.
pub const PROMPTS: [(&str, &str); 3] = [
    ("Answer", "an answer"),
    ("Code", "an answer that is one code block"),
    ("File", "a file"),
];

/// The replies to the prompts: Markdown of many blocks, one block of code, and a file in a tool
/// call.
pub fn replies() -> [(&'static str, Vec<Reply>); 3] {
    let repeated = |part: &str| part.repeat(size_kb() * 1000 / part.len() + 1);
    let summary = "<task_summary>Talked at length.</task_summary>";
    let words = format!("{}{summary}", repeated(SECTION));
    let code = format!("Here it is:\n\n```ts\n{}```\n\n{summary}", repeated(LINE));
    // The path comes first, so that the draft has a name.
    let content = json!(repeated(LINE));
    let arguments = format!(r#"{{"files":[{{"path":"lib/items.ts","content":{content}}}]}}"#);
    let text = |piece: &str| json!({ "content": piece });
    let call = |piece: &str| {
        let function = json!({ "arguments": piece });
        json!({ "tool_calls": [{ "index": 0, "function": function }] })
    };
    let named = json!({ "name": "createOrUpdateFiles", "arguments": "" });
    let begun = json!({ "tool_calls": [{ "index": 0, "id": "file", "type": "function", "function": named }] });
    let [(words_prompt, _), (code_prompt, _), (file_prompt, _)] = PROMPTS;
    [
        (words_prompt, vec![streamed(None, &words, text, "stop")]),
        (code_prompt, vec![streamed(None, &code, text, "stop")]),
        (
            file_prompt,
            vec![
                streamed(Some(begun), &arguments, call, "tool_calls"),
                Reply::done(),
            ],
        ),
    ]
}

/// The reply that streams the text in pieces, each as a delta built by `delta`, after a first one.
fn streamed(
    first: Option<Value>,
    text: &str,
    delta: impl Fn(&str) -> Value,
    reason: &str,
) -> Reply {
    let letters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = letters
        .chunks(PIECE)
        .map(|piece| chunk(delta(&String::from_iter(piece)), None))
        .collect();
    let first = first.map(|delta| chunk(delta, None));
    let rest = pieces
        .chunks(PIECES_IN_A_PACKET)
        .map(|pieces| pieces.concat());
    let mut packets: Vec<String> = first.into_iter().chain(rest).collect();
    packets.push(chunk(json!({}), Some(reason)));
    packets.push("data: [DONE]\n\n".to_owned());
    Reply::Slow(1, Box::new(Reply::Raw(packets)))
}

/// Follows each answer to its end and prints its cost.
pub async fn measure(model: &Model, e2b: &str) {
    for (prompt, what) in PROMPTS {
        measure_one(model, e2b, prompt, what).await;
    }
}

async fn measure_one(model: &Model, e2b: &str, prompt: &str, what: &str) {
    let server = Server::start(model, e2b, false);
    let (cpu, written, begun) = (server.processor_time(), server.written(), Instant::now());
    let project = server.create(prompt).await;
    let url = format!(
        "ws://127.0.0.1:{}/ws/projects/{project}?after=0",
        server.port
    );
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let (mut bytes, mut events) = (0, 0);
    let state = loop {
        let frame = socket.next().await.unwrap().unwrap();
        let Ok(text) = frame.to_text() else { continue };
        bytes += text.len();
        events += usize::from(text.contains(r#""frame":"event""#));
        if text.contains(r#""kind":{"type":"run""#) {
            let frame: Value = serde_json::from_str(text).unwrap();
            let state = frame["event"]["kind"]["run"]["state"].as_str().unwrap();
            if !["queued", "running"].contains(&state) {
                break state.to_owned();
            }
        }
    };
    assert_eq!(state, "succeeded");
    let (cpu, written) = (server.processor_time() - cpu, server.written() - written);
    let store = server.store().await;
    let saved = store.last_seq(project).await.unwrap();
    store.close().await;
    println!(
        "{what} of {} kB in {PIECE}-character pieces, over {:.1} s: {cpu:.2} s of processor time, {:.1} MB in {events} events to a client, \
         {saved} events saved, {written:.1} MB written to disk",
        size_kb(),
        begun.elapsed().as_secs_f64(),
        bytes as f64 / 1e6,
    );
}
