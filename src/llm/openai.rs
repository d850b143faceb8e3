//! Any OpenAI-compatible server: chat completions, streamed. Answers are read leniently: one odd
//! field never costs an answer.

mod answer;
mod calls;
mod encoding;
mod failure;
mod fields;
mod request;
mod stream;
mod thinking;
mod usage;
mod wait;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use encoding::Decoder;
use parking_lot::Mutex;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use stream::AnswerReader;

use super::{ChatRequest, ModelError, ModelReply, Piece, price, quirk::Quirk};
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
    /// `None` where the provider needs none.
    api_key: Option<SecretString>,
    provider: Provider,
    /// The deviations of its answers that were logged already.
    logged: Arc<Mutex<BTreeSet<&'static str>>>,
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
            logged: Arc::default(),
        })
    }

    /// Sends one request and returns its whole answer with what it cost: as the provider reports
    /// it, or estimated. The request avoids what `quirks` name. Never retries: the journal does.
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
        let mut post = self
            .http
            .post(&self.url)
            .header(ACCEPT, "text/event-stream")
            .header(ACCEPT_ENCODING, "identity")
            .json(&body);
        if let Some(api_key) = &self.api_key {
            post = post.bearer_auth(api_key.expose_secret());
        }
        let mut response = post.send().await.map_err(|error| no_response(&error))?;
        if !response.status().is_success() {
            return Err(failure::refusal(response, MAX_REFUSAL).await);
        }
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let mut reader = AnswerReader::new(content_type);
        let mut decoder = Decoder::default();
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    let bytes = decoder.take(&bytes);
                    let bytes = bytes.map_err(|error| ModelError::Cut(error.to_string()))?;
                    if reader.take(&bytes, &mut on_piece)? {
                        break;
                    }
                }
                Ok(None) => break,
                // The answer is complete; only the connection broke.
                Err(_) if reader.is_finished() => break,
                Err(error) if error.is_timeout() => return Err(silent()),
                Err(error) => return Err(ModelError::Cut(root_cause(&error))),
            }
        }
        let answer = reader.end(request.takes_unfinished, &mut on_piece)?;
        self.log_deviations(model, answer.deviations);
        let mut reply = answer.reply;
        if let Some(thoughts) = &mut reply.thoughts {
            self.provider.as_str().clone_into(&mut thoughts.provider);
        }
        let usage = usage::or_estimate(answer.usage, &body, answer.bytes);
        Ok(ModelReply {
            spent: price::spent(model, usage),
            model: Some(model.to_owned()),
            in_words,
            ..reply
        })
    }

    /// Logs each way in which the provider's answers deviate from OpenAI's, once.
    fn log_deviations(&self, model: &str, deviations: BTreeSet<&'static str>) {
        let mut logged = self.logged.lock();
        for deviation in deviations {
            if logged.insert(deviation) {
                tracing::info!(
                    model,
                    field = deviation,
                    "the provider sends this otherwise than OpenAI does; it is read leniently"
                );
            }
        }
    }
}

/// The error of a request that got no response. A connection that can't be established in time
/// means that the provider is out of reach.
fn no_response(error: &reqwest::Error) -> ModelError {
    if error.is_timeout() && !error.is_connect() {
        return silent();
    }
    let origin = error.url().map(|url| url.origin().ascii_serialization());
    ModelError::unavailable(format!(
        "{} does not answer ({})",
        origin.as_deref().unwrap_or("it"),
        root_cause(error)
    ))
}

fn silent() -> ModelError {
    ModelError::Silent("its provider sent nothing for longer than AI_SILENCE_SECONDS".to_owned())
}

/// The innermost cause: the outer ones repeat the address.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
