//! Providers' dialects of chat completions, over HTTP: the same two turns as each provider streams
//! them, with the same app each time.

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
    /// Parts of the answer that the provider requires back; it refuses the next turn without them.
    wanted: Value,
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
        let mut calls: Vec<String> = self
            .calls
            .iter()
            .map(|calls| line(&delta(calls, None)))
            .collect();
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
                call(
                    json!({ "index": 0, "id": "call_a" }),
                    "createOrUpdateFiles",
                    &json!(""),
                ),
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
            wanted: json!({}),
        },
        Dialect {
            name: "Gemini: signed calls without indexes, thoughts counted in the total alone, the answer's end called stop",
            env: &[("AI_PROVIDER", "gemini"), ("GEMINI_API_KEY", "test")],
            calls: vec![
                {
                    let mut signed = call(
                        json!({ "id": "function-call-1" }),
                        "createOrUpdateFiles",
                        &page,
                    );
                    signed["tool_calls"][0]["extra_content"] =
                        json!({ "google": { "thought_signature": "EmAK" } });
                    signed
                },
                call(json!({ "id": "function-call-2" }), "listFiles", &list),
            ],
            end: words(),
            finish: "stop",
            usage: Some((
                json!({ "prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 30 }),
                11,
                19,
            )),
            ids: ["function-call-1", "function-call-2"],
            wanted: json!({ "tool_calls": [{ "extra_content": { "google": { "thought_signature": "EmAK" } } }, {}] }),
        },
        Dialect {
            name: "DeepSeek: thoughts in words, which have to come back",
            env: &[],
            calls: vec![
                json!({ "role": "assistant", "content": null, "reasoning_content": "The page, " }),
                json!({ "content": null, "reasoning_content": "then the list." }),
                call(
                    json!({ "index": 0, "id": "call_00" }),
                    "createOrUpdateFiles",
                    &page,
                ),
                call(json!({ "index": 1, "id": "call_01" }), "listFiles", &list),
            ],
            end: words(),
            finish: "tool_calls",
            usage: Some((
                json!({ "prompt_tokens": 8, "completion_tokens": 3, "prompt_cache_hit_tokens": 4 }),
                8,
                3,
            )),
            ids: ["call_00", "call_01"],
            wanted: json!({ "reasoning_content": "The page, then the list." }),
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
            wanted: json!({}),
        },
        Dialect {
            name: "OpenRouter: comments while it waits, reasoning beside the text, an empty reason to end in each chunk",
            env: &[
                ("AI_PROVIDER", "openrouter"),
                ("OPENROUTER_API_KEY", "test"),
            ],
            calls: vec![
                json!({ "role": "assistant", "content": "", "reasoning": "Let me", "reasoning_details": [{ "type": "reasoning.text", "text": "Let me", "index": 0 }] }),
                json!({ "content": "", "reasoning": " think.", "reasoning_details": [{ "type": "reasoning.text", "text": " think.", "index": 0 }] }),
                json!({ "content": "", "reasoning_details": [{ "type": "reasoning.text", "signature": "Et8B", "index": 0 }] }),
                call(
                    json!({ "index": 0, "id": "toolu_1" }),
                    "createOrUpdateFiles",
                    &page,
                ),
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
            wanted: json!({
                "reasoning_details": [{ "type": "reasoning.text", "text": "Let me think.", "signature": "Et8B", "index": 0 }],
            }),
        },
        Dialect {
            name: "Ollama: arguments that are an object, no usage, nothing after the answer's end",
            env: &[("AI_PROVIDER", "ollama")],
            calls: vec![
                call(
                    json!({ "index": 0, "id": "call_x1" }),
                    "createOrUpdateFiles",
                    &object(&page),
                ),
                call(
                    json!({ "index": 1, "id": "call_x2" }),
                    "listFiles",
                    &object(&list),
                ),
            ],
            end: words()[..2].to_vec(),
            finish: "stop",
            usage: None,
            ids: ["call_x1", "call_x2"],
            wanted: json!({}),
        },
        Dialect {
            name: "others: text in parts, chunks without choices, names repeated, ids that are the same for all",
            env: &[],
            calls: vec![
                json!({ "content": [{ "type": "text", "text": "Working." }], "tool_calls": null }),
                call(
                    json!({ "index": 0, "id": "call" }),
                    "createOrUpdateFiles",
                    &json!(start),
                ),
                call(
                    json!({ "index": 0, "id": "call" }),
                    "createOrUpdateFiles",
                    &json!(rest),
                ),
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
            usage: Some((
                json!({ "input_tokens": 6, "output_tokens": 1, "prompt_tokens": 6 }),
                6,
                1,
            )),
            ids: ["call", "call_1"],
            wanted: json!({}),
        },
    ]
}

/// Whether a value has what is wanted, and maybe more.
fn has(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => {
            let mut fields = wanted.iter();
            fields.all(|(name, wanted)| value.get(name).is_some_and(|value| has(value, wanted)))
        }
        (Value::Array(values), Value::Array(wanted)) => {
            values.len() == wanted.len()
                && values
                    .iter()
                    .zip(wanted)
                    .all(|(value, wanted)| has(value, wanted))
        }
        (value, wanted) => value == wanted,
    }
}

async fn builds_the_app(dialect: &Dialect) {
    let name = dialect.name;
    let model = Model::start([("Build", dialect.replies())]).await;
    let data = data_dir();
    let addresses = ["OLLAMA_BASE_URL", "GEMINI_BASE_URL", "OPENROUTER_BASE_URL"]
        .map(|name| (name, model.url.as_str()));
    let env = [dialect.env, &addresses].concat();
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
    let answer = said
        .iter()
        .find(|message| message["role"] == "assistant")
        .unwrap();
    let asked: Vec<_> = answer["tool_calls"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = asked
        .iter()
        .map(|call| call["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, dialect.ids, "{name}");
    assert!(
        asked
            .iter()
            .all(|call| call["function"]["arguments"].is_string()),
        "{name}"
    );
    assert!(has(answer, &dialect.wanted), "{name}: {answer}");
    let results = said.iter().filter(|message| message["role"] == "tool");
    let answered: Vec<_> = results
        .map(|message| message["tool_call_id"].as_str().unwrap())
        .collect();
    assert_eq!(answered, dialect.ids, "{name}");

    // What is not reported is estimated, for each turn by itself.
    let run = server.workspace(project).await.runs[0].id;
    let details: Value = server
        .get(&format!("/api/runs/details?run={run}"))
        .await
        .json()
        .await
        .unwrap();
    let turns = ["turn-1", "turn-2"].map(|turn| {
        details["steps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|step| step["name"] == turn)
            .unwrap()
    });
    let (estimated, reported): (Vec<&Value>, Vec<&Value>) = turns
        .iter()
        .map(|turn| &turn["spent"])
        .partition(|spent| spent["estimated"] == true);
    assert!(
        estimated
            .iter()
            .all(|spent| spent["input_tokens"].as_u64() > Some(1000)),
        "{name}: {estimated:?}"
    );
    let reported: Vec<[&Value; 2]> = reported
        .iter()
        .map(|spent| [&spent["input_tokens"], &spent["output_tokens"]])
        .collect();
    let expected = dialect
        .usage
        .as_ref()
        .map(|(_, input, output)| [json!(input), json!(output)]);
    assert_eq!(
        reported,
        expected
            .iter()
            .map(|counts| counts.each_ref())
            .collect::<Vec<_>>(),
        "{name}"
    );
}

#[tokio::test]
async fn the_same_app_comes_out_of_what_every_provider_streams() {
    for dialect in dialects() {
        builds_the_app(&dialect).await;
    }
}

#[tokio::test]
async fn what_a_model_refuses_is_learned_once_and_sent_in_another_way() {
    for (refusal, was_heard) in [
        (
            Reply::Status(
                400,
                "Function tools with reasoning_effort are not supported for gpt-6-sol in /v1/chat/completions. To use function tools, use \
                 /v1/responses or set reasoning_effort to 'none'.",
            ),
            (|request: &Value| request["reasoning_effort"] == "none") as fn(&Value) -> bool,
        ),
        (
            Reply::Status(
                500,
                "Jinja Exception: System message must be at the beginning.",
            ),
            |request| {
                let messages = request["messages"].as_array().unwrap();
                messages[1..]
                    .iter()
                    .all(|message| message["role"] != "system")
            },
        ),
    ] {
        let data = data_dir();
        let list = Reply::call("listFiles", json!({ "path": "." }));
        let model = Model::start([(
            "Build",
            vec![Reply::InTurn(vec![refusal, list]), Reply::done()],
        )])
        .await;
        let server = Server::start(data.path(), &model);
        let project = server.create("Build").await;
        let (state, message) = server.feed(project).await.ended(1).await;
        assert_eq!(state, RunState::Succeeded, "{}", message.content);
        let heard: Vec<bool> = model.turns().iter().map(was_heard).collect();
        assert_eq!(heard, [false, true, true]);
    }
}

// Its models are asked for while the server's start is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn ollama_s_best_model_is_chosen_and_one_with_too_little_context_is_an_error_that_says_what_to_do()
 {
    let data = data_dir();
    let model = Model::start([
        ("Build", vec![Reply::done()]),
        ("Again", vec![Reply::done()]),
    ])
    .await;
    model.is_ollama(4096);
    let env = [
        ("AI_PROVIDER", "ollama"),
        ("OLLAMA_BASE_URL", model.url.as_str()),
    ];
    let server = Server::start_with(data.path(), &env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Failed);
    for part in [
        "4096 tokens",
        "qwen3-coder:30b",
        "OLLAMA_CONTEXT_LENGTH=64000",
    ] {
        assert!(
            message.content.contains(part),
            "{part} is not in {}",
            message.content
        );
    }
    assert!(model.turns().is_empty());
    // Started again as the error says.
    model.is_ollama(64_000);
    server.send(project, "Again").await;
    let (state, message) = feed.ended(2).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_eq!(model.turns()[0]["model"], "qwen3-coder:30b");
}

// Its address is dialled while the server's start is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_ollama_is_reported_and_the_demo_does_not_answer_in_its_place() {
    let data = data_dir();
    // Nobody listens there.
    let server = Server::start_with(data.path(), &[("OLLAMA_BASE_URL", "http://127.0.0.1:1")]);
    assert!(
        server
            .log()
            .contains("Ollama can't be reached (OLLAMA_BASE_URL)")
    );
    let notice: Value = server.get("/api/model").await.json().await.unwrap();
    assert_eq!(notice["demo"], false, "{notice}");
    let project = server.create("Build").await;
    let (state, message) = server.feed(project).await.ended(1).await;
    assert_eq!(state, RunState::Failed);
    for part in ["can't be reached", "http://127.0.0.1:1"] {
        assert!(
            message.content.contains(part),
            "{part} is not in {}",
            message.content
        );
    }
}
