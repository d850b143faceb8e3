//! Ollama's own API, for a scripted server that is Ollama.

use std::sync::atomic::Ordering;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::Shared;

pub async fn models(state: State<Shared>) -> Response {
    ollama(
        &state,
        |_| json!({ "models": [{ "name": "llama3:8b" }, { "name": "qwen3-coder:30b" }] }),
    )
}

pub async fn load(state: State<Shared>) -> Response {
    ollama(&state, |_| json!({ "done": true, "done_reason": "load" }))
}

pub async fn running(state: State<Shared>) -> Response {
    ollama(
        &state,
        |context| json!({ "models": [{ "name": "qwen3-coder:30b", "context_length": context }] }),
    )
}

fn ollama(shared: &Shared, answer: impl FnOnce(usize) -> Value) -> Response {
    match shared.context.load(Ordering::Relaxed) {
        0 => StatusCode::NOT_FOUND.into_response(),
        context => Json(answer(context)).into_response(),
    }
}
