//! The requests to a service that people can sign in with: the same for all of them, with PKCE (RFC
//! 7636) and over HTTPS. Answers are limited in size.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{config::ProviderClient, http_client};

/// How long a service may take, and the maximum size of its answer in bytes.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY_BYTES: usize = 1 << 20;

/// Why a service returned no identity.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It can't be reached, or fails; the text is for the log.
    #[error("{0}")]
    Unreachable(String),
    /// It refused, or its answer can't be trusted; the text is for the log.
    #[error("{0}")]
    Refused(String),
}

impl From<reqwest::Error> for ProviderError {
    fn from(error: reqwest::Error) -> Self {
        // Without the address, which may hold secrets.
        Self::Unreachable(error.without_url().to_string())
    }
}

/// A person's identity at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// The service, by its address.
    pub issuer: String,
    /// Never reassigned to another person there.
    pub subject: String,
    /// Confirmed by the service.
    pub email: Option<String>,
    /// The name that its owner knows it by.
    pub label: String,
}

/// The values that tie an answer to its request.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    pub state: &'a str,
    pub nonce: &'a str,
    /// Only its hash is sent at first.
    pub verifier: &'a str,
    /// The address that the service redirects back to.
    pub back: &'a str,
}

impl AuthorizationRequest<'_> {
    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier))
    }
}

/// The HTTP client for all services.
#[derive(Debug, Clone)]
pub struct Http(reqwest::Client);

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    id_token: String,
    error: Option<String>,
}

/// The tokens that a code was exchanged for. Never printed.
pub struct Exchanged {
    pub access_token: String,
    pub id_token: String,
}

impl fmt::Debug for Exchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanged").finish_non_exhaustive()
    }
}

impl Http {
    pub fn new() -> anyhow::Result<Self> {
        let client = http_client::builder()
            .timeout(TIMEOUT)
            .user_agent("codeflow")
            // No redirects: a secret is sent only to the address it is meant for.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self(client))
    }

    /// Fetches JSON from the address.
    pub async fn get<T: DeserializeOwned>(
        &self,
        url: &str,
        token: Option<&str>,
    ) -> Result<T, ProviderError> {
        let mut request = self.0.get(url).header("accept", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        read(request.send().await?).await
    }

    /// Exchanges a code for tokens (RFC 6749, 4.1.3). `in_form`: whether the secret goes into the
    /// form instead of a header.
    pub async fn exchange(
        &self,
        url: &str,
        client: &ProviderClient,
        in_form: bool,
        code: &str,
        authorization: AuthorizationRequest<'_>,
    ) -> Result<Exchanged, ProviderError> {
        let secret = client.secret.expose_secret();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", authorization.back),
            ("code_verifier", authorization.verifier),
        ];
        let mut request = self.0.post(url).header("accept", "application/json");
        if in_form {
            form.extend([("client_id", &*client.id), ("client_secret", secret)]);
        } else {
            // RFC 6749, 2.3.1.
            let encoded = |text: &str| -> String {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            request = request.basic_auth(encoded(&client.id), Some(encoded(secret)));
        }
        let tokens: Tokens = read(request.form(&form).send().await?).await?;
        match tokens.error {
            Some(error) => Err(ProviderError::Refused(format!(
                "the code was refused: {error}"
            ))),
            None => Ok(Exchanged {
                access_token: tokens.access_token,
                id_token: tokens.id_token,
            }),
        }
    }
}

async fn read<T: DeserializeOwned>(mut response: reqwest::Response) -> Result<T, ProviderError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ProviderError::Refused("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(ProviderError::Unreachable(format!("it answered {status}")));
    }
    if !status.is_success() {
        return Err(ProviderError::Refused(format!("it answered {status}")));
    }
    serde_json::from_slice(&body)
        .map_err(|error| ProviderError::Refused(format!("its answer can't be read: {error}")))
}

/// The page that asks for consent.
pub fn page(
    url: &str,
    client: &ProviderClient,
    scope: &str,
    authorization: AuthorizationRequest<'_>,
    more: &[(&str, &str)],
) -> Result<String, ProviderError> {
    let page = url::Url::parse_with_params(
        url,
        [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", authorization.back),
            ("scope", scope),
            ("state", authorization.state),
            ("code_challenge", &authorization.challenge()),
            ("code_challenge_method", "S256"),
        ]
        .iter()
        .chain(more),
    );
    page.map(String::from)
        .map_err(|error| ProviderError::Refused(format!("its page has no address: {error}")))
}
