//! The model of the simulation: scripted by the number in the prompt, and quick. It counts how many
//! times each turn of each build was asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::model::chunk;

/// Begins the part of a prompt that names its build.
pub const BUILD: &str = "build-";
/// How long an answer takes, in milliseconds: a tenth of what a fast model needs for a tool call.
const ANSWER_MS: std::ops::Range<u64> = 50..400;
/// How many parts the last answer comes in.
const PARTS: usize = 6;

#[derive(Clone)]
pub struct Script {
    seed: u64,
    asked: Arc<Mutex<HashMap<(u64, usize), usize>>>,
}

/// A running model server.
pub struct Scripted {
    pub url: String,
    script: Script,
}

impl Scripted {
    pub async fn start(seed: u64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let script = Script {
            seed,
            asked: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script }
    }

    /// How many answers were given, and how many of them again.
    pub fn answers(&self) -> (usize, usize) {
        let asked = self.script.asked.lock().unwrap();
        let all: usize = asked.values().sum();
        (all, all - asked.len())
    }
}

/// What the build's page says: the builds' pages differ.
pub fn page(build: u64) -> String {
    let line = format!("<p>A page of a usual size, made by {BUILD}{build}.</p>\n");
    format!(
        "export default function Page() {{ return <main>{}</main> }}\n",
        line.repeat(40)
    )
}

/// The command with an effect that must happen once.
pub fn mark(build: u64) -> String {
    format!("mark-{build}-")
}

async fn complete(State(script): State<Script>, Json(request): Json<Value>) -> Response {
    let messages = request["messages"].as_array().unwrap();
    // The naming model gets no tools.
    if !request["tools"].is_array() {
        return streamed(vec![text("Scripted app")], Duration::ZERO);
    }
    let is_prompt = |message: &Value| message["role"] == "user" && build_of(message).is_some();
    let Some(at) = messages.iter().rposition(is_prompt) else {
        return (StatusCode::BAD_REQUEST, "no build is named").into_response();
    };
    let build = build_of(&messages[at]).unwrap_or_default();
    let answered = |message: &&Value| message["role"] == "assistant";
    let turn = messages[at..].iter().filter(answered).count();
    *script
        .asked
        .lock()
        .unwrap()
        .entry((build, turn))
        .or_default() += 1;
    let own = build.wrapping_mul(31).wrapping_add(turn as u64);
    let took = StdRng::seed_from_u64(script.seed ^ own).random_range(ANSWER_MS);
    let took = Duration::from_millis(took);
    let chunks = match turn {
        0 => {
            let files = json!([{ "path": "app/page.tsx", "content": page(build) }]);
            call("createOrUpdateFiles", &json!({ "files": files }))
        }
        1 => {
            let command = format!("echo {} >> log.txt", mark(build));
            call("terminal", &json!({ "command": command }))
        }
        _ => {
            let mut parts = vec![text("Some words that grow. "); PARTS];
            parts.push(text(
                "\n<task_summary>Built what you asked for.</task_summary>",
            ));
            parts.push(chunk(json!({}), Some("stop")));
            parts
        }
    };
    streamed(chunks, took)
}

/// The number of the build that the message's last words name.
fn build_of(message: &Value) -> Option<u64> {
    let said = message["content"].as_str()?;
    let (_, rest) = said
        .rsplit_once(BUILD)
        .filter(|_| !said.ends_with("</system_note>"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn text(words: &str) -> String {
    chunk(json!({ "content": words }), None)
}

fn call(name: &str, arguments: &Value) -> Vec<String> {
    let function = json!({ "name": name, "arguments": arguments.to_string() });
    let call = json!({ "index": 0, "id": "call_0", "type": "function", "function": function });
    vec![
        chunk(json!({ "role": "assistant", "tool_calls": [call] }), None),
        chunk(json!({}), Some("tool_calls")),
    ]
}

/// The chunks, spread over this time.
fn streamed(mut chunks: Vec<String>, took: Duration) -> Response {
    chunks.push("data: [DONE]\n\n".to_owned());
    let pause = took / u32::try_from(chunks.len()).unwrap();
    let chunks = futures::stream::iter(chunks).then(move |chunk| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, std::convert::Infallible>(chunk)
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(chunks))
        .unwrap()
}
