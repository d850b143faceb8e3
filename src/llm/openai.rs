//! Any OpenAI-compatible server: chat completions, streamed. Requests and chunks are our own types, tolerant of what providers
//! leave out or do differently.

mod answer;

use std::time::Duration;

use answer::{Answer, Chunk};

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use futures::StreamExt;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};
use tower::service_fn;

use super::{ChatMessage, ChatRequest, ModelError, ModelReply, Piece, price};
use crate::config::{Llm, Provider};

/// How long a provider may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a refusal's body is read, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// A client of one provider.
#[derive(Clone)]
pub struct OpenAi {
    client: Client<OpenAIConfig>,
    /// Whether it moves what the system says to the chat's beginning, wherever it was said.
    system_comes_first: bool,
}

impl OpenAi {
    pub fn new(settings: &Llm) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("codeflow/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(settings.silence)
            .build()?;
        let config = OpenAIConfig::new()
            .with_api_base(&settings.base_url)
            .with_api_key(&settings.api_key);
        Ok(Self {
            client: Client::with_config(config).with_http_service(service_fn(move |request| send(http.clone(), request))),
            system_comes_first: matches!(settings.provider, Provider::Gemini | Provider::OpenRouter),
        })
    }

    /// One request and its whole answer, with what it cost where the provider tells.
    pub async fn stream(
        &self,
        model: &str,
        request: &ChatRequest,
        mut on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let mut chunks = self
            .client
            .chat()
            .create_stream_byot::<_, Chunk>(body(model, request, self.system_comes_first))
            .await
            .map_err(error)?;
        let mut answer = Answer::default();
        while let Some(chunk) = chunks.next().await {
            answer.take(chunk.map_err(cut)?, &mut on_piece)?;
        }
        let (reply, usage) = answer.whole()?;
        Ok(ModelReply {
            spent: usage.map(|usage| price::spent(model, usage)).unwrap_or_default(),
            ..reply
        })
    }
}

/// The request's JSON. What stays the same between turns comes first, for the providers' prompt caches.
fn body(model: &str, request: &ChatRequest, system_comes_first: bool) -> Value {
    let mut messages: Vec<Value> = request.messages.iter().map(message).collect();
    if system_comes_first {
        // What is said to the model in mid-work has to stay where it is: behind the answer that it is about.
        let said = messages.iter().rposition(|message| message["role"] == "user").unwrap_or_default();
        for message in messages.iter_mut().skip(said).filter(|message| message["role"] == "system") {
            message["role"] = json!("user");
        }
    }
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if !request.tools.is_empty() {
        body["tools"] = request
            .tools
            .iter()
            .map(|tool| json!({ "type": "function", "function": tool }))
            .collect();
    }
    body
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

fn message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::System { content } => json!({ "role": "system", "content": content }),
        ChatMessage::User { content } => json!({ "role": "user", "content": content }),
        ChatMessage::UserImage { content, media_type, data } => json!({
            "role": "user",
            "content": [
                { "type": "text", "text": content },
                { "type": "image_url", "image_url": { "url": format!("data:{media_type};base64,{data}") } },
            ],
        }),
        ChatMessage::Tool { tool_call_id, content } => json!({ "role": "tool", "tool_call_id": tool_call_id, "content": content }),
        ChatMessage::Assistant { content, tool_calls } if tool_calls.is_empty() => json!({ "role": "assistant", "content": content }),
        ChatMessage::Assistant { content, tool_calls } => {
            let calls: Vec<Value> = tool_calls
                .iter()
                .map(|call| {
                    // Invalid arguments are answered with an error; providers refuse to read them again.
                    let valid = serde_json::from_str::<Value>(&call.arguments).is_ok();
                    let arguments = if valid { call.arguments.as_str() } else { "{}" };
                    json!({ "id": call.id, "type": "function", "function": Function { name: &call.name, arguments } })
                })
                .collect();
            json!({ "role": "assistant", "content": content, "tool_calls": calls })
        }
    }
}

/// An error before the answer began.
fn error(error: OpenAIError) -> ModelError {
    match error {
        OpenAIError::Boxed(error) => match error.downcast::<ModelError>() {
            Ok(refusal) => *refusal,
            Err(error) => ModelError::unavailable(cause(&*error)),
        },
        OpenAIError::JSONDeserialize(_, body) => ModelError::unavailable(format!(
            "its answer is not OpenAI's protocol: {}",
            body.chars().take(200).collect::<String>()
        )),
        // A connection that can't be made in time is one to a provider that is out of reach.
        OpenAIError::Reqwest(error) if error.is_timeout() && !error.is_connect() => silent(),
        error => ModelError::unavailable(cause(&error)),
    }
}

fn silent() -> ModelError {
    ModelError::Silent("its provider sent nothing for longer than AI_SILENCE_SECONDS".to_owned())
}

/// An error within the answer.
fn cut(error: OpenAIError) -> ModelError {
    match error {
        OpenAIError::Reqwest(error) if error.is_timeout() => silent(),
        OpenAIError::StreamError(error) => ModelError::Cut(error.to_string()),
        OpenAIError::Reqwest(error) => ModelError::Cut(cause(&error)),
        error => self::error(error),
    }
}

/// Sends a request as it is, once: repeating is the journal's. The library's own way would lose a refusal's `Retry-After`.
async fn send(http: reqwest::Client, request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    let response = http.execute(request.build().await?).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(OpenAIError::Boxed(Box::new(refusal(response).await)))
}

/// An answer that is an error. Its body is `{ "error": { "message", "code" } }`, in a list with some, and of any kind with proxies.
async fn refusal(mut response: reqwest::Response) -> ModelError {
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_REFUSAL {
            break;
        }
    }
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let told = if told.is_array() { &told[0]["error"] } else { &told["error"] };
    let message = match told["message"].as_str().or(told.as_str()) {
        Some(message) => message.trim().chars().take(300).collect(),
        None => status.canonical_reason().unwrap_or("no reason given").to_owned(),
    };
    let code = told["code"].as_str().or(told["type"].as_str()).unwrap_or_default();
    ModelError::of_status(status.as_u16(), code, format!("{message} ({})", status.as_u16()), retry_after)
}

/// The time that an answer asks to wait (RFC 9110, section 10.2.3): seconds, which providers write with fractions too, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.to_utc() - chrono::Utc::now()).to_std().unwrap_or_default())
}

/// The innermost cause: the outer ones repeat the address.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
