//! Any OpenAI-compatible server: chat completions, streamed. What it sends is read leniently: one
//! odd field never costs an answer.

mod answer;
mod calls;
mod failure;
mod fields;
mod request;
mod stream;
mod thinking;
mod usage;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use stream::AnswerReader;

use super::{ChatRequest, ModelError, ModelReply, Piece, Quirk, price};
use crate::config::{Llm, Provider};

/// How long a provider may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a refusal's body is read, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// A client of one provider.
#[derive(Clone)]
pub struct OpenAi {
    http: reqwest::Client,
    url: String,
    /// Empty where none is needed.
    api_key: String,
    provider: Provider,
    /// What of its answers was noted in the log.
    noted: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl OpenAi {
    pub fn new(settings: &Llm) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("codeflow/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(settings.silence)
            .build()?;
        Ok(Self {
            http,
            url: format!("{}/chat/completions", settings.base_url),
            api_key: settings.api_key.clone(),
            provider: settings.provider,
            noted: Arc::default(),
        })
    }

    /// One request and its whole answer, with what it cost: as the provider reports it, or
    /// estimated. What the model is known not to take is sent in another way. Repeating is the
    /// journal's.
    pub async fn stream(
        &self,
        model: &str,
        request: &ChatRequest,
        quirks: &[Quirk],
        mut on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let in_words = quirks.contains(&Quirk::NoTools) && !request.tools.is_empty();
        let body = if in_words {
            request::body(model, &request.in_words(), self.provider, quirks)
        } else {
            request::body(model, request, self.provider, quirks)
        };
        let mut asking = self
            .http
            .post(&self.url)
            .header(ACCEPT, "text/event-stream")
            .json(&body);
        if !self.api_key.is_empty() {
            asking = asking.bearer_auth(&self.api_key);
        }
        let mut response = asking.send().await.map_err(|error| unanswered(&error))?;
        if !response.status().is_success() {
            return Err(failure::refusal(response, MAX_REFUSAL).await);
        }
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let mut reader = AnswerReader::new(content_type);
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    if reader.take(&bytes, &mut on_piece)? {
                        break;
                    }
                }
                Ok(None) => break,
                // All that was to come has come.
                Err(_) if reader.is_finished() => break,
                Err(error) if error.is_timeout() => return Err(silent()),
                Err(error) => return Err(ModelError::Cut(cause(&error))),
            }
        }
        let whole = reader.end(request.takes_unfinished, &mut on_piece)?;
        self.log_odd(model, whole.odd);
        let mut reply = whole.reply;
        if let Some(thoughts) = &mut reply.thoughts {
            self.provider.as_str().clone_into(&mut thoughts.provider);
        }
        let usage = usage::whole(whole.usage, &body, whole.bytes);
        Ok(ModelReply {
            spent: price::spent(model, usage),
            in_words,
            ..reply
        })
    }

    /// Notes once what the provider sends in a way of its own.
    fn log_odd(&self, model: &str, odd: BTreeSet<&'static str>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        for what in odd {
            if noted.insert(what) {
                tracing::info!(
                    model,
                    field = what,
                    "the provider sends this in a way of its own: it is read as far as it can be"
                );
            }
        }
    }
}

/// An error before the answer began. A connection that can't be made in time is one to a provider
/// that is out of reach.
fn unanswered(error: &reqwest::Error) -> ModelError {
    if error.is_timeout() && !error.is_connect() {
        return silent();
    }
    let origin = error.url().map(|url| url.origin().ascii_serialization());
    ModelError::unavailable(format!(
        "{} does not answer ({})",
        origin.as_deref().unwrap_or("it"),
        cause(error)
    ))
}

fn silent() -> ModelError {
    ModelError::Silent("its provider sent nothing for longer than AI_SILENCE_SECONDS".to_owned())
}

/// The innermost cause: the outer ones repeat the address.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
