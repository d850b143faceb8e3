//! A scripted OpenAI-compatible server: streamed chunks, tool calls cut into pieces, and the faults of real ones.
//!
//! A script is a list of replies for each prompt. Which reply is due is read off the request itself (how often the assistant has
//! answered since the prompt), so that a server that was restarted gets the same answer again.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One answer of the model.
#[derive(Debug, Clone)]
pub enum Reply {
    Text(&'static str),
    /// Calls of tools: name and arguments, as text that may be anything but JSON.
    Calls(Vec<(&'static str, String)>),
    /// Refused with this status.
    Status(u16, &'static str),
    /// The stream ends in the middle of a tool call.
    Cut(&'static str, String),
    /// No answer until [`Model::release`].
    Held(Box<Reply>),
}

impl Reply {
    pub fn call(name: &'static str, arguments: Value) -> Self {
        Self::Calls(vec![(name, arguments.to_string())])
    }

    /// Writes one file.
    pub fn write(path: &str, content: &str) -> Self {
        Self::call("createOrUpdateFiles", json!({ "files": [{ "path": path, "content": content }] }))
    }

    pub fn done() -> Self {
        Self::Text("It is finished.\n<task_summary>\nBuilt **what you asked for**.\n</task_summary>")
    }

    pub fn held(self) -> Self {
        Self::Held(Box::new(self))
    }
}

type Script = HashMap<&'static str, Vec<Reply>>;

#[derive(Clone)]
struct Shared {
    script: Arc<Script>,
    requests: Arc<Mutex<Vec<Value>>>,
    released: Arc<Notify>,
}

/// A running model server.
pub struct Model {
    /// For `OPENAI_BASE_URL`.
    pub url: String,
    shared: Shared,
    serving: tokio::task::JoinHandle<()>,
}

impl Model {
    pub async fn start(script: impl IntoIterator<Item = (&'static str, Vec<Reply>)>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shared = Shared {
            script: Arc::new(script.into_iter().collect()),
            requests: Arc::default(),
            released: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, serving }
    }

    /// The requests for a turn of the agent, in order.
    pub fn turns(&self) -> Vec<Value> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().filter(|request| request["tools"].is_array()).cloned().collect()
    }

    /// How often the reply with this number, counted from 1, was asked for.
    pub fn asked_for(&self, turn: usize) -> usize {
        self.turns().iter().filter(|request| due(request).1 + 1 == turn).count()
    }

    /// Lets held answers go.
    pub fn release(&self) {
        self.shared.released.notify_waiters();
        self.shared.released.notify_one();
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The prompt of a request, and how many answers there were since.
fn due(request: &Value) -> (String, usize) {
    let messages = request["messages"].as_array().unwrap();
    let prompt = messages.iter().rposition(|message| message["role"] == "user").unwrap();
    let answers = messages[prompt..].iter().filter(|message| message["role"] == "assistant").count();
    (messages[prompt]["content"].as_str().unwrap().to_owned(), answers)
}

async fn complete(State(shared): State<Shared>, Json(request): Json<Value>) -> Response {
    shared.requests.lock().unwrap().push(request.clone());
    // The naming model is given no tools.
    if !request["tools"].is_array() {
        return stream(text("Scripted app")).into_response();
    }
    let (prompt, turn) = due(&request);
    let mut reply = match shared.script.get(prompt.as_str()).and_then(|replies| replies.get(turn)) {
        Some(reply) => reply.clone(),
        None => return refuse(400, &format!("nothing is scripted for turn {} of {prompt:?}", turn + 1)),
    };
    if let Reply::Held(held) = reply {
        shared.released.notified().await;
        reply = *held;
    }
    match reply {
        Reply::Text(answer) => stream(text(answer)),
        Reply::Calls(calls) => stream(tool_calls(&calls)),
        Reply::Status(status, message) => refuse(status, message),
        Reply::Cut(name, arguments) => {
            let mut chunks = tool_calls(&[(name, arguments)]);
            chunks.truncate(chunks.len() / 2);
            let cut = futures::stream::iter(chunks.into_iter().map(Ok).chain([Err(std::io::Error::other("cut"))]));
            Response::builder()
                .header("content-type", "text/event-stream")
                .body(Body::from_stream(cut))
                .unwrap()
        }
        Reply::Held(_) => unreachable!("held once"),
    }
}

fn refuse(status: u16, message: &str) -> Response {
    let error = json!({ "error": { "message": message, "type": "scripted", "param": null, "code": null } });
    (StatusCode::from_u16(status).unwrap(), Json(error)).into_response()
}

fn chunk(delta: Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice] })
    )
}

fn end(mut chunks: Vec<String>, finish: &str) -> Vec<String> {
    chunks.push(chunk(json!({}), Some(finish)));
    let usage = json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 } });
    chunks.push(format!("data: {usage}\n\n"));
    chunks.push("data: [DONE]\n\n".to_owned());
    chunks
}

/// Pieces of at most seven characters.
fn pieces(text: &str) -> Vec<String> {
    text.chars()
        .collect::<Vec<_>>()
        .chunks(7)
        .map(|piece| piece.iter().collect())
        .collect()
}

fn text(answer: &str) -> Vec<String> {
    end(
        pieces(answer)
            .into_iter()
            .map(|piece| chunk(json!({ "content": piece }), None))
            .collect(),
        "stop",
    )
}

fn tool_calls(calls: &[(&str, String)]) -> Vec<String> {
    let mut chunks = vec![chunk(json!({ "role": "assistant", "content": "Working on it." }), None)];
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let first =
            json!({ "index": index, "id": format!("call_{index}"), "type": "function", "function": { "name": name, "arguments": "" } });
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

/// Each chunk in a packet of its own.
fn stream(chunks: Vec<String>) -> Response {
    let chunks = futures::stream::iter(chunks).then(|chunk| async move {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(chunk)
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(chunks))
        .unwrap()
}
