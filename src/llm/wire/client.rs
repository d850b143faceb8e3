//! Sends a request to a provider and reads its streamed answer. Answers are read leniently: one odd
//! field never costs an answer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    assembly::{Assembly, Complete},
    encoding::Decoder,
    failure,
    key::{self, KeyFilter, PieceFilter},
    reader::AnswerReader,
};
use crate::{
    config::{Llm, Provider},
    http_client,
    llm::{ModelError, Piece},
};

/// How long a provider may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a refusal's body is read, in bytes.
const MAX_REFUSAL: usize = 64 << 10;
/// The version of Anthropic's API (docs.claude.com/en/api/versioning).
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A client of one provider; copies share its connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    /// `None` if the provider needs none.
    api_key: Option<SecretString>,
    provider: Provider,
    /// The deviations that were already logged.
    logged: Arc<Mutex<BTreeSet<&'static str>>>,
}

/// A request to a provider.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The path below the provider's address, such as `/chat/completions`.
    pub path: &'a str,
    pub body: &'a Value,
    pub model: &'a str,
    /// Whether to accept an answer that ends without a reason.
    pub takes_unfinished: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Refused {
    pub error: ModelError,
    /// The response's status, if that is the reason.
    pub status: Option<u16>,
}

impl From<ModelError> for Refused {
    fn from(error: ModelError) -> Self {
        Self {
            error,
            status: None,
        }
    }
}

impl Client {
    pub fn new(settings: &Llm) -> anyhow::Result<Self> {
        let http = http_client::builder()
            .user_agent(concat!("codeflow/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(settings.silence)
            .build()?;
        Ok(Self {
            http,
            base_url: settings.base_url.clone(),
            api_key: settings.api_key.clone(),
            provider: settings.provider,
            logged: Arc::default(),
        })
    }

    /// The same, with this key.
    pub fn with_key(&self, key: SecretString) -> Self {
        Self {
            api_key: Some(key),
            ..self.clone()
        }
    }

    /// Sends one request and returns the complete answer, with the key removed if the provider
    /// repeats it. It never retries; the journal does.
    pub async fn ask<A: Assembly>(
        &self,
        question: &Question<'_>,
        on_piece: &mut (impl FnMut(Piece<'_>) + Send),
    ) -> Result<Complete, Refused> {
        let mut post = self
            .http
            .post(format!("{}{}", self.base_url, question.path))
            .header(ACCEPT, "text/event-stream")
            .header(ACCEPT_ENCODING, "identity")
            .json(question.body);
        if self.provider == Provider::Anthropic {
            post = post.header("anthropic-version", ANTHROPIC_VERSION);
        }
        if let Some(api_key) = &self.api_key {
            let key = api_key.expose_secret();
            post = match self.provider {
                Provider::Anthropic => post.header("x-api-key", key),
                _ => post.bearer_auth(key),
            };
        }
        let key = key::to_hide(self.api_key.as_ref());
        let mut response = post.send().await.map_err(|error| no_response(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(Refused {
                error: failure::refusal(response, MAX_REFUSAL, key).await,
                status: Some(status.as_u16()),
            });
        }
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let mut reader = AnswerReader::<A>::new(content_type);
        let (mut decoder, mut body) = (Decoder::default(), KeyFilter::new(key));
        let mut pieces = PieceFilter::new(key);
        let mut pass = |piece: Piece<'_>| pieces.pass(piece, on_piece);
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    let bytes = decoder.take(&bytes);
                    let bytes = bytes.map_err(|error| ModelError::Cut(error.to_string()))?;
                    if reader.take(&body.take(&bytes), &mut pass)? {
                        break;
                    }
                }
                Ok(None) => break,
                // The answer is complete; only the connection broke.
                Err(_) if reader.is_finished() => break,
                Err(error) if error.is_timeout() => return Err(silent().into()),
                Err(error) => {
                    return Err(ModelError::Cut(http_client::root_cause(&error).to_string()).into());
                }
            }
        }
        reader.take(&body.end(), &mut pass)?;
        let mut answer = reader.end(question.takes_unfinished, &mut pass)?;
        pieces.end(on_piece);
        answer.reply = key::left_out_of_reply(answer.reply, key);
        self.log_deviations(question.model, &answer.deviations);
        Ok(answer)
    }

    /// Logs each kind of deviation in the provider's answers once.
    fn log_deviations(&self, model: &str, deviations: &BTreeSet<&'static str>) {
        let mut logged = self.logged.lock();
        for deviation in deviations {
            if logged.insert(deviation) {
                tracing::info!(
                    model,
                    field = deviation,
                    "the provider sends this otherwise than usual; it is read leniently"
                );
            }
        }
    }
}

/// The error of a request without a response. A connection that is not established in time means
/// that the provider is out of reach.
fn no_response(error: &reqwest::Error) -> ModelError {
    if error.is_timeout() && !error.is_connect() {
        return silent();
    }
    let origin = error.url().map(|url| url.origin().ascii_serialization());
    ModelError::unavailable(format!(
        "{} does not answer ({})",
        origin.as_deref().unwrap_or("it"),
        http_client::root_cause(error)
    ))
}

fn silent() -> ModelError {
    ModelError::Silent("its provider sent nothing for longer than AI_SILENCE_SECONDS".to_owned())
}
