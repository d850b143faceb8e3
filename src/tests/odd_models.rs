//! Providers' dialects of chat completions, over HTTP: the same two turns as each of them streams them, and the same app each time.

use codeflow::protocol::RunState;
use serde_json::{Value, json};

use crate::support::{Model, Reply, Server, data_dir};

const PAGE: &str = r#"{"files":[{"path":"index.html","content":"<h1>Odd</h1>"}]}"#;
const SUMMARY: &str = "<task_summary>An odd page.</task_summary>";

/// How a provider streams things.
struct Dialect {
    name: &'static str,
    env: &'static [(&'static str, &'static str)],
    /// Pieces of the deltas that call `createOrUpdateFiles` with [`PAGE`], and then `listFiles`.
    calls: Vec<Value>,
    /// The answer that says [`SUMMARY`].
    end: Vec<String>,
    /// What ends the answer with the calls.
    finish: &'static str,
    /// Tokens of a turn, read and written, where it tells.
    usage: Option<(Value, u64, u64)>,
    /// The ids by which the results of the calls are sent back.
    ids: [&'static str; 2],
}

fn line(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

fn delta(delta: &Value, finish: Option<&str>) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}

fn words() -> Vec<String> {
    let words = delta(&json!({ "role": "assistant", "content": SUMMARY }), None);
    vec![line(&words), line(&delta(&json!({}), Some("stop"))), done()]
}

impl Dialect {
    fn replies(&self) -> Vec<Reply> {
        let mut calls: Vec<String> = self.calls.iter().map(|calls| line(&delta(calls, None))).collect();
        let mut last = delta(&json!({}), Some(self.finish));
        if let Some((usage, _, _)) = &self.usage {
            last["usage"] = usage.clone();
        }
        calls.push(line(&last));
        vec![Reply::Raw(calls), Reply::Raw(self.end.clone())]
    }
}

/// One whole call in a delta.
fn call(fields: Value, name: &str, arguments: &Value) -> Value {
    let mut call = fields;
    call["type"] = json!("function");
    call["function"] = json!({ "name": name, "arguments": arguments });
    json!({ "role": "assistant", "content": null, "tool_calls": [call] })
}

fn dialects() -> Vec<Dialect> {
    let (page, list) = (json!(PAGE), json!(r#"{"path":"."}"#));
    let object = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap();
    let (start, rest) = PAGE.split_at(40);
    vec![
        Dialect {
            name: "OpenAI: arguments in pieces, usage in a chunk of its own after the answer's end",
            env: &[("AI_PROVIDER", "openai")],
            calls: vec![
                call(json!({ "index": 0, "id": "call_a" }), "createOrUpdateFiles", &json!("")),
                json!({ "tool_calls": [{ "index": 0, "function": { "arguments": start } }] }),
                json!({ "tool_calls": [{ "index": 0, "function": { "arguments": rest } }] }),
                call(json!({ "index": 1, "id": "call_b" }), "listFiles", &list),
            ],
            end: {
                let mut end = words();
                let usage = json!({ "prompt_tokens": 20, "completion_tokens": 2, "completion_tokens_details": { "reasoning_tokens": 1 } });
                end.insert(2, line(&json!({ "choices": [], "usage": usage })));
                end
            },
            finish: "tool_calls",
            usage: Some((Value::Null, 20, 2)),
            ids: ["call_a", "call_b"],
        },
        Dialect {
            name: "Gemini: whole calls that share an index, usage in every chunk, the answer's end called stop",
            env: &[],
            calls: vec![
                call(json!({ "index": 0, "id": "function-call-1" }), "createOrUpdateFiles", &page),
                call(json!({ "index": 0, "id": "function-call-2" }), "listFiles", &list),
            ],
            end: words(),
            finish: "stop",
            usage: Some((json!({ "prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 30 }), 11, 5)),
            ids: ["function-call-1", "function-call-2"],
        },
        Dialect {
            name: "Gemini before: neither indexes nor ids",
            env: &[],
            calls: vec![
                call(json!({ "id": "" }), "createOrUpdateFiles", &page),
                call(json!({}), "listFiles", &list),
            ],
            end: words(),
            finish: "tool_calls",
            usage: None,
            ids: ["call_0", "call_1"],
        },
        Dialect {
            name: "OpenRouter: comments while it waits, reasoning beside the text, an empty reason to end in each chunk",
            env: &[],
            calls: vec![
                json!({ "role": "assistant", "content": "", "reasoning": "Let me think.", "reasoning_details": [{ "type": "reasoning.text" }] }),
                call(json!({ "index": 0, "id": "toolu_1" }), "createOrUpdateFiles", &page),
                call(json!({ "index": 1, "id": "toolu_2" }), "listFiles", &list),
            ],
            end: {
                let mut end = vec![
                    ": OPENROUTER PROCESSING\n\n".to_owned(),
                    line(&delta(&json!({ "content": "" }), Some(""))),
                ];
                end.extend(words());
                end
            },
            finish: "tool_calls",
            usage: Some((
                json!({ "prompt_tokens": 9, "completion_tokens": 4, "cost": 0.0001, "is_byok": false }),
                9,
                4,
            )),
            ids: ["toolu_1", "toolu_2"],
        },
        Dialect {
            name: "Ollama: arguments that are an object, no usage, nothing after the answer's end",
            env: &[("AI_PROVIDER", "ollama")],
            calls: vec![
                call(json!({ "index": 0, "id": "call_x1" }), "createOrUpdateFiles", &object(&page)),
                call(json!({ "index": 1, "id": "call_x2" }), "listFiles", &object(&list)),
            ],
            end: words()[..2].to_vec(),
            finish: "stop",
            usage: None,
            ids: ["call_x1", "call_x2"],
        },
        Dialect {
            name: "others: text in parts, chunks without choices, names repeated, ids that are the same for all",
            env: &[],
            calls: vec![
                json!({ "content": [{ "type": "text", "text": "Working." }], "tool_calls": null }),
                call(json!({ "index": 0, "id": "call" }), "createOrUpdateFiles", &json!(start)),
                call(json!({ "index": 0, "id": "call" }), "createOrUpdateFiles", &json!(rest)),
                call(json!({ "index": 1, "id": "call" }), "listFiles", &list),
            ],
            end: {
                let mut end = vec![
                    line(&json!({ "choices": [], "prompt_filter_results": [] })),
                    line(&json!({ "choices": null, "usage": null })),
                ];
                end.extend(words());
                end
            },
            finish: "function_call",
            usage: Some((json!({ "input_tokens": 6, "output_tokens": 1, "prompt_tokens": 6 }), 6, 1)),
            ids: ["call", "call_1"],
        },
    ]
}

async fn builds_the_app(dialect: &Dialect) {
    let name = dialect.name;
    let model = Model::start([("Build", dialect.replies())]).await;
    let data = data_dir();
    let ollama = model.url.trim_end_matches("/v1").to_owned();
    let env = [dialect.env, &[("OLLAMA_BASE_URL", ollama.as_str())]].concat();
    let server = Server::start_and(data.path(), &model, &env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{name}: {}", message.content);
    assert_eq!(message.content, "An odd page.", "{name}");
    assert_eq!(
        feed.tool("turn-1-createOrUpdateFiles-1").output.unwrap(),
        "Wrote index.html",
        "{name}"
    );
    let listed = feed.tool("turn-1-listFiles-2").output.unwrap();
    assert!(listed.contains("server.mjs"), "{name}: {listed}");

    // The calls and their results go back as the specification has them, whatever they came as.
    let said = model.turns()[1]["messages"].as_array().unwrap().clone();
    let asked = said.iter().find(|message| message["role"] == "assistant").unwrap();
    let asked: Vec<_> = asked["tool_calls"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = asked.iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(ids, dialect.ids, "{name}");
    assert!(asked.iter().all(|call| call["function"]["arguments"].is_string()), "{name}");
    let results = said.iter().filter(|message| message["role"] == "tool");
    let answered: Vec<_> = results.map(|message| message["tool_call_id"].as_str().unwrap()).collect();
    assert_eq!(answered, dialect.ids, "{name}");

    let usage: Value = server.get("/api/usage").await.json().await.unwrap();
    let spent = &usage[0]["spent"];
    // The naming model's answers, of 7 and 3 tokens, are counted with it.
    let named = model.requests().len() - model.turns().len();
    let (input, output) = dialect.usage.as_ref().map_or((0, 0), |(_, input, output)| (*input, *output));
    let expected = [input + 7 * named as u64, output + 3 * named as u64];
    assert_eq!(
        [&spent["input_tokens"], &spent["output_tokens"]],
        expected.map(|count| json!(count)).each_ref(),
        "{name}: {usage}"
    );
}

#[tokio::test]
async fn the_same_app_comes_out_of_what_every_provider_streams() {
    for dialect in dialects() {
        builds_the_app(&dialect).await;
    }
}
