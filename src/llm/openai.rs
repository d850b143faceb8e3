//! Any OpenAI-compatible server: chat completions, streamed. Requests and chunks are our own types, tolerant of what providers
//! leave out or do differently.

mod answer;
mod request;
mod thinking;

use std::time::{Duration, Instant};

use answer::{Answer, Chunk};

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use futures::StreamExt;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tower::service_fn;

use super::{ChatRequest, ModelError, ModelReply, Oddity, Piece, price};
use crate::config::{Llm, Provider};

/// How long a provider may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a refusal's body is read, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// A client of one provider.
#[derive(Clone)]
pub struct OpenAi {
    client: Client<OpenAIConfig>,
    provider: Provider,
    /// How long it may say nothing.
    silence: Duration,
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
            provider: settings.provider,
            silence: settings.silence,
        })
    }

    /// One request and its whole answer, with what it cost where the provider tells. What the model is known not to take is sent in
    /// another way.
    pub async fn stream(
        &self,
        model: &str,
        request: &ChatRequest,
        odd: &[Oddity],
        mut on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let in_words = odd.contains(&Oddity::NoTools) && !request.tools.is_empty();
        let body = if in_words {
            request::body(model, &request.in_words(), self.provider, odd)
        } else {
            request::body(model, request, self.provider, odd)
        };
        let mut heard = Instant::now();
        let chunks = self.client.chat().create_stream_byot::<_, Chunk>(body).await;
        let mut chunks = chunks.map_err(error)?;
        let mut answer = Answer::default();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| cut(error, heard.elapsed() >= self.silence))?;
            heard = Instant::now();
            answer.take(chunk, &mut on_piece)?;
        }
        let (mut reply, usage) = answer.whole()?;
        if let Some(thoughts) = &mut reply.thoughts {
            self.provider.as_str().clone_into(&mut thoughts.provider);
        }
        Ok(ModelReply {
            spent: usage.map(|usage| price::spent(model, usage)).unwrap_or_default(),
            in_words,
            ..reply
        })
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

/// An error within the answer. The library tells a time-out as it tells a broken connection.
fn cut(error: OpenAIError, was_silent: bool) -> ModelError {
    match error {
        OpenAIError::StreamError(_) if was_silent => silent(),
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
    told_error(told, status.as_u16(), status.canonical_reason(), retry_after)
}

/// An error object of a provider's, as an answer or within one.
fn told_error(told: &Value, status: u16, reason: Option<&str>, retry_after: Option<Duration>) -> ModelError {
    let message = match told["message"].as_str().or(told.as_str()) {
        Some(message) => message.trim().chars().take(300).collect(),
        None => reason.unwrap_or("no reason given").to_owned(),
    };
    let code = told["code"].as_str().or(told["type"].as_str()).unwrap_or_default();
    let retry_after = retry_after.or_else(|| retry_delay(told));
    // Google says so of what a key may never ask for, and of what it may not for the rest of the day.
    let code = if status == 429 && (message.contains("limit: 0,") || told["details"].to_string().contains("PerDay")) {
        "insufficient_quota"
    } else {
        code
    };
    ModelError::of_status(status, code, format!("{message} ({status})"), retry_after)
}

/// The time that an error itself asks to wait, as Google tells it: `"retryDelay": "34s"` (google.rpc.RetryInfo), or in words.
fn retry_delay(told: &Value) -> Option<Duration> {
    let mut details = told["details"].as_array().into_iter().flatten();
    let delay = details.find_map(|detail| detail["retryDelay"].as_str());
    let delay = delay.or_else(|| told["message"].as_str()?.split_once("retry in ")?.1.split_whitespace().next())?;
    let delay = delay.trim_end_matches('.');
    let (number, unit) = delay.split_at(delay.find(char::is_alphabetic)?);
    let scale = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_s_own_time_to_wait_is_obeyed_and_a_day_is_not_waited_for() {
        let wait = |told: Value| match told_error(&told, 429, None, None) {
            ModelError::Limited { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        };
        let quota = json!({ "violations": [{ "quotaId": "GenerateRequestsPerMinute" }] });
        let told = json!({ "message": "You exceeded your current quota", "details": [quota, { "retryDelay": "34.5s" }] });
        assert_eq!(wait(told), Some(Duration::from_millis(34_500)));
        assert_eq!(
            wait(json!({ "message": "Please retry in 212.5ms." })),
            Some(Duration::from_micros(212_500))
        );
        assert_eq!(wait(json!({ "message": "Please retry in a while" })), None);
        for told in [
            json!({ "message": "limit: 0, model: m\nPlease retry in 1.4s." }),
            json!({ "message": "quota", "details": [{ "violations": [{ "quotaId": "GenerateRequestsPerDayPerProject" }] }] }),
        ] {
            let error = told_error(&told, 429, None, None);
            assert!(matches!(error, ModelError::Exhausted(_)), "{error:?}");
        }
    }
}
