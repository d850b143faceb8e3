//! A scripted OpenAI-compatible server, and Anthropic's: streamed chunks, tool calls cut into
//! pieces, and the faults of real ones, over each protocol.
//!
//! A script is a list of replies for each prompt; [`VISION`] has the reply to requests with an
//! image, and [`NAMING`] to requests for a title. The request itself determines which reply is due
//! (by the number of assistant messages since the prompt), so that a restarted server gets the same
//! answer again.

// Named, since the benches take this file in as well.
#[path = "model/chunks.rs"]
mod chunks;
#[path = "model/ollama.rs"]
mod ollama;
#[path = "model/reply.rs"]
mod reply;
#[path = "model/wires.rs"]
mod wires;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::{FutureExt as _, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub use chunks::chunk;
use chunks::{text, tool_calls, usage};
pub use reply::Reply;
pub use wires::Wire;

/// The script's key for requests with an image.
pub const VISION: &str = "(an image)";
/// The script's key for requests to look at the app; without it, the app looks right.
pub const LOOK: &str = "(the app)";
/// The script's key for requests for a title, where it is not [`TITLE`].
pub const NAMING: &str = "(a title)";
/// The naming model's answer.
const TITLE: &str = "Scripted app";

type Script = HashMap<&'static str, Vec<Reply>>;

#[derive(Clone)]
struct Shared {
    script: Arc<Script>,
    requests: Arc<Mutex<Vec<Value>>>,
    released: Arc<Notify>,
    /// How many tokens of a chat it reads, where it is Ollama.
    context: Arc<AtomicUsize>,
    /// Whether it supports `/v1/responses`.
    has_responses: Arc<AtomicBool>,
    /// The keys that requests were sent with.
    keys: Arc<Mutex<Vec<String>>>,
    /// Requests that real servers refuse, and why.
    refused: Arc<Mutex<Vec<String>>>,
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
            context: Arc::default(),
            has_responses: Arc::default(),
            keys: Arc::default(),
            refused: Arc::default(),
        };
        let answering = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/responses", post(respond))
            .route("/v1/messages", post(converse))
            .layer(middleware::from_fn_with_state(shared.clone(), note_key));
        let router = answering
            .route("/api/tags", get(ollama::models))
            .route("/api/generate", post(ollama::load))
            .route("/api/ps", get(ollama::running))
            .layer(middleware::map_request_with_state(
                shared.clone(),
                wires::refuse_trace,
            ))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            shared,
            serving,
        }
    }

    /// The variables that make a server use it.
    pub fn env(&self) -> [(&'static str, &str); 4] {
        [
            ("AI_PROVIDER", "custom"),
            ("OPENAI_BASE_URL", &self.url),
            ("OPENAI_API_KEY", "test"),
            ("AI_MODEL", "scripted"),
        ]
    }

    /// It has `/v1/responses` from now on.
    pub fn has_responses(&self) {
        self.shared.has_responses.store(true, Ordering::Relaxed);
    }

    /// The variables that make a server use it over this protocol.
    pub fn env_of(&self, wire: Wire) -> Vec<(&'static str, String)> {
        self.shared
            .has_responses
            .store(wire == Wire::Responses, Ordering::Relaxed);
        wire.env(&self.url, "AI_PROVIDER", &["", "AI_MODEL"])
    }

    /// The variables that make a server use it over this protocol if the first provider fails.
    pub fn fallback_env(&self, wire: Wire) -> Vec<(&'static str, String)> {
        self.shared
            .has_responses
            .store(wire == Wire::Responses, Ordering::Relaxed);
        wire.env(&self.url, "AI_FALLBACK", &[":scripted"])
    }

    /// The keys that requests came with, in order.
    pub fn keys(&self) -> Vec<String> {
        self.shared.keys.lock().unwrap().clone()
    }

    /// Requests that a real server would refuse, or that contain something it must not learn.
    pub fn refused(&self) -> Vec<String> {
        self.shared.refused.lock().unwrap().clone()
    }

    /// It is Ollama from now on, and reads this many tokens of a chat with its model
    /// `qwen3-coder:30b`.
    pub fn is_ollama(&self, context: usize) {
        self.shared.context.store(context, Ordering::Relaxed);
    }

    /// The requests for a turn of the agent, in order.
    pub fn turns(&self) -> Vec<Value> {
        let requests = self.shared.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| is_turn(request))
            .cloned()
            .collect()
    }

    /// The requests for a turn of the runs with this prompt, in order.
    pub fn turns_of(&self, prompt: &str) -> Vec<Value> {
        self.turns()
            .into_iter()
            .filter(|request| due(request).0 == prompt)
            .collect()
    }

    /// All requests, those of the naming model too.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The messages in the request for this turn, counted from 1: roles and contents.
    pub fn said(&self, request: usize) -> Vec<(String, String)> {
        let turns = self.turns();
        let messages = turns[request - 1]["messages"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        messages
            .iter()
            .map(|message| (text(&message["role"]), text(&message["content"])))
            .collect()
    }

    /// The results of tools in the request for a turn with this number, counted from 1.
    pub fn results(&self, request: usize) -> Vec<String> {
        let said = self.said(request).into_iter();
        said.filter(|(role, _)| role == "tool")
            .map(|(_, content)| content)
            .collect()
    }

    /// The requests with an attached image, in order.
    pub fn looks(&self) -> Vec<Value> {
        self.requests_for(VISION)
    }

    /// The requests to look at the app, in order.
    pub fn looks_at_app(&self) -> Vec<Value> {
        self.requests_for(LOOK)
    }

    fn requests_for(&self, key: &str) -> Vec<Value> {
        let requests = self.requests().into_iter();
        requests
            .filter(|request| is_look(request) && due(request).0 == key)
            .collect()
    }

    /// How many times the reply with this number, counted from 1, was asked for.
    pub fn asked_for(&self, turn: usize) -> usize {
        self.turns()
            .iter()
            .filter(|request| due(request).1 + 1 == turn)
            .count()
    }

    /// Holds the next answer again: a release that found none waiting would pass it.
    pub fn hold_again(&self) {
        let _ = self.shared.released.notified().now_or_never();
    }

    /// Releases held answers.
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

/// Whether the agent asks. In its last turn, or with a model that can't call tools, it sends no
/// tools and says so; the naming model gets neither.
fn is_turn(request: &Value) -> bool {
    let notes = [
        "There are no tools in this conversation",
        "This is your last turn",
    ];
    let messages = request["messages"].as_array().unwrap().iter();
    let mut rules = messages.filter(|message| message["role"] == "system");
    let is_note = |message: &Value| {
        let content = message["content"].as_str().unwrap_or_default();
        notes.iter().any(|note| content.starts_with(note))
    };
    request["tools"].is_array() || rules.any(is_note)
}

fn is_look(request: &Value) -> bool {
    let messages = request["messages"].as_array().unwrap();
    messages.iter().any(|message| message["content"].is_array())
}

/// What the system says is said by the user where it may not say it itself.
const NOTE_END: &str = "</system_note>";

/// The prompt of a request, and how many answers there were since.
fn due(request: &Value) -> (String, usize) {
    let messages = request["messages"].as_array().unwrap();
    let is_note = |message: &Value| {
        message["content"]
            .as_str()
            .is_some_and(|said| said.ends_with(NOTE_END))
    };
    let is_prompt = |message: &Value| message["role"] == "user" && !is_note(message);
    let prompt = messages.iter().rposition(is_prompt).unwrap();
    let answers = messages[prompt..]
        .iter()
        .filter(|message| message["role"] == "assistant")
        .count();
    if is_look(request) {
        let rules = messages[0]["content"].as_str().unwrap_or_default();
        let is_app = rules.starts_with("You look at pictures of a web app");
        return (if is_app { LOOK } else { VISION }.to_owned(), 0);
    }
    let said = messages[prompt]["content"].as_str().unwrap();
    // What an image shows stands before the prompt, and notes before that.
    let said = said
        .rsplit_once(NOTE_END)
        .map_or(said, |(_, said)| said.trim_start());
    let prompt = said
        .split_once("</attached_image>\n\n")
        .map_or(said, |(_, prompt)| prompt);
    (prompt.to_owned(), answers)
}

async fn note_key(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let sent = ["authorization", "x-api-key"].map(|name| request.headers().get(name));
    let sent = sent.into_iter().flatten().next();
    let key = sent.map_or("", |key| key.to_str().unwrap());
    let key = key.trim_start_matches("Bearer ").to_owned();
    shared.keys.lock().unwrap().push(key);
    next.run(request).await
}

async fn complete(State(shared): State<Shared>, Json(request): Json<Value>) -> Response {
    answer_over(Wire::Chat, shared, request).await
}

async fn respond(State(shared): State<Shared>, Json(request): Json<Value>) -> Response {
    if !shared.has_responses.load(Ordering::Relaxed) {
        return StatusCode::NOT_FOUND.into_response();
    }
    answer_over(Wire::Responses, shared, request).await
}

async fn converse(State(shared): State<Shared>, Json(request): Json<Value>) -> Response {
    answer_over(Wire::Messages, shared, request).await
}

async fn answer_over(wire: Wire, shared: Shared, request: Value) -> Response {
    if let Err(why) = wire.check(&request) {
        shared.refused.lock().unwrap().push(why.clone());
        return refuse(400, &why);
    }
    let request = wire.as_chat(request);
    // The naming model's.
    if !is_turn(&request) && !is_look(&request) {
        shared.requests.lock().unwrap().push(request);
        let reply = shared
            .script
            .get(NAMING)
            .map_or(Reply::Text(TITLE), |replies| replies[0].clone());
        return answer(reply, wire);
    }
    let (prompt, turn) = due(&request);
    let asked = {
        let mut requests = shared.requests.lock().unwrap();
        let asked = requests
            .iter()
            .filter(|request| is_turn(request) || is_look(request));
        let asked = asked
            .filter(|request| due(request) == (prompt.clone(), turn))
            .count();
        requests.push(request);
        asked
    };
    let mut reply = match shared
        .script
        .get(prompt.as_str())
        .and_then(|replies| replies.get(turn))
    {
        Some(Reply::InTurn(replies)) => replies[asked.min(replies.len() - 1)].clone(),
        Some(reply) => reply.clone(),
        None if prompt == LOOK => Reply::Text("LOOKS RIGHT"),
        None => {
            return refuse(
                400,
                &format!("nothing is scripted for turn {} of {prompt:?}", turn + 1),
            );
        }
    };
    if let Reply::Held(held) = reply {
        shared.released.notified().await;
        reply = *held;
    }
    if let Reply::Repeated(pause, chunk, rest) = reply {
        let repeated = slowly(pause, futures::stream::repeat(chunk))
            .take_until(async move { shared.released.notified().await });
        let chunks = repeated.chain(futures::stream::iter(rest));
        return sent(chunks.map(Ok::<_, Infallible>));
    }
    answer(reply, wire)
}

fn slowly(pause: u64, chunks: impl Stream<Item = String>) -> impl Stream<Item = String> {
    chunks.then(move |chunk| async move {
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        chunk
    })
}

fn answer(reply: Reply, wire: Wire) -> Response {
    match reply {
        Reply::Status(status, message) => refuse(status, message),
        Reply::Later(status, seconds) => {
            ([("retry-after", seconds)], refuse(status, "later")).into_response()
        }
        // Ends the connection's task, without a word in the test's output.
        Reply::Dropped => std::panic::resume_unwind(Box::new("dropped")),
        Reply::Cut(percent, reply) => {
            let chunks = part(*reply, percent, wire).into_iter().map(Ok);
            // What was sent arrives before the connection breaks.
            let broken = futures::stream::once(async {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                Err(std::io::Error::other("cut"))
            });
            sent(futures::stream::iter(chunks).chain(broken))
        }
        Reply::Silent(percent, reply) => {
            let chunks = part(*reply, percent, wire)
                .into_iter()
                .map(Ok::<_, Infallible>);
            sent(futures::stream::iter(chunks).chain(futures::stream::pending()))
        }
        Reply::Slow(pause, reply) => {
            let chunks = slowly(pause, futures::stream::iter(chunks(*reply, wire)));
            sent(chunks.map(Ok::<_, Infallible>))
        }
        Reply::Body(content_type, packets) => {
            let packets = futures::stream::iter(packets.into_iter().map(Ok::<_, Infallible>));
            ([("content-type", content_type)], Body::from_stream(packets)).into_response()
        }
        reply => stream(chunks(reply, wire)),
    }
}

fn chunks(reply: Reply, wire: Wire) -> Vec<String> {
    match (reply, wire) {
        (Reply::Raw(chunks), _) => chunks,
        (Reply::Thinking(thought, reply), _) => wire.think(thought, chunks(*reply, wire)),
        (Reply::Text(answer), Wire::Chat) => text(answer),
        (Reply::Calls(calls), Wire::Chat) => tool_calls(&calls),
        (Reply::Costly(input, output, reply), Wire::Chat) => {
            let mut chunks = chunks(*reply, wire);
            // Between the answer's end and the stream's.
            let at = chunks.len() - 2;
            chunks[at] = usage(input, output);
            chunks
        }
        (Reply::Text(answer), _) => wire.answer(answer, &[]),
        (Reply::Calls(calls), _) => wire.answer("Working on it.", &calls),
        (other, _) => panic!("{other:?} has no chunks"),
    }
}

/// The first chunks of an answer, its end never among them.
fn part(reply: Reply, percent: usize, wire: Wire) -> Vec<String> {
    let mut chunks = chunks(reply, wire);
    let content = chunks.len() - wire.end_chunks();
    chunks.truncate(content * percent / 100);
    chunks
}

fn sent<E: Into<axum::BoxError> + 'static>(
    chunks: impl futures::Stream<Item = Result<String, E>> + Send + 'static,
) -> Response {
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(chunks))
        .unwrap()
}

fn refuse(status: u16, message: &str) -> Response {
    let error =
        json!({ "error": { "message": message, "type": "scripted", "param": null, "code": null } });
    (StatusCode::from_u16(status).unwrap(), Json(error)).into_response()
}

/// Sends each chunk in a separate packet.
fn stream(chunks: Vec<String>) -> Response {
    sent(futures::stream::iter(chunks).then(|chunk| async move {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(chunk)
    }))
}
