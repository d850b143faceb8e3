//! A server of the protocol: its addresses, its key, and the connections to it.

use std::time::Duration;

use reqwest::{RequestBuilder, Url, header::HeaderValue};
use secrecy::ExposeSecret;

use super::{SandboxError, address, host::Host};
use crate::{config, http_client, traces};

/// What requests are made with.
pub(super) type HttpClient = reqwest::Client;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: sandbox hosts close theirs after 15 seconds.
const POOL_IDLE: Duration = Duration::from_secs(10);
/// How long a unary request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stream may be silent. The server is asked for more frequent keepalives.
const STREAM_IDLE: Duration = Duration::from_secs(120);
/// Previews answer a browser-like name with HTML.
const USER_AGENT: &str = concat!("codeflow/", env!("CARGO_PKG_VERSION"));

/// A server of the protocol: E2B's cloud, or one sandbox host.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) provider: config::SandboxProvider,
    pub(super) template: String,
    /// The domain of previews, unless the server names another.
    pub(super) domain: String,
    /// Marked sensitive, so that `Debug` doesn't print it.
    pub(super) api_key: HeaderValue,
    pub(super) control_plane: Url,
    pub(super) data_plane: Url,
    /// For the control plane and unary calls.
    pub(super) http: HttpClient,
    /// For streams, which may last long but not fall silent.
    pub(super) streaming: HttpClient,
    /// Whether it answers; `None` unless it is one of `SANDBOX_HOSTS`.
    pub(super) host: Option<Host>,
}

impl Service {
    /// Fails if TLS can't be set up, or if the settings contain an invalid address or key.
    pub(super) fn new(settings: &config::Sandbox) -> Result<Self, SandboxError> {
        // HTTP/1.1 only: E2B's proxy pads downloads in a way that makes HTTP/2 clients disconnect.
        let builder = || {
            http_client::builder()
                .user_agent(USER_AGENT)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(POOL_IDLE)
                .http1_only()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
        };
        Ok(Self {
            http: builder().timeout(REQUEST_TIMEOUT).build()?,
            streaming: builder().read_timeout(STREAM_IDLE).build()?,
            control_plane: address::service("E2B_API_URL", &settings.api_url)?,
            data_plane: address::service("E2B_SANDBOX_URL", &settings.sandbox_url)?,
            api_key: secret(settings.api_key.expose_secret()).ok_or_else(|| {
                SandboxError::Refused(
                    "E2B_API_KEY has characters that no key has. Copy it again from \
                     https://e2b.dev."
                        .to_owned(),
                )
            })?,
            provider: settings.provider,
            template: settings.template.clone(),
            domain: settings.domain.clone(),
            host: None,
        })
    }

    /// One of `SANDBOX_HOSTS`.
    pub(super) fn of_host(
        settings: &config::Sandbox,
        remote: &config::RemoteHost,
    ) -> Result<Self, SandboxError> {
        let (url, key) = (&remote.url, &remote.key);
        let key = secret(key.expose_secret()).ok_or_else(|| {
            SandboxError::Refused(format!(
                "the key of {url} in SANDBOX_HOSTS has characters that no key has"
            ))
        })?;
        let own = config::Sandbox::of_host(url, "", &settings.domain);
        Ok(Self {
            api_key: key,
            template: settings.template.clone(),
            host: Some(Host::new(url.clone(), settings.lost_after)),
            ..Self::new(&own)?
        })
    }

    /// Continues the current trace in requests to our own host. Trace ids are not sent to E2B.
    pub(super) fn traced(&self, request: RequestBuilder) -> RequestBuilder {
        match traces::traceparent() {
            Some(traceparent) if self.provider == config::SandboxProvider::Local => {
                request.header(traces::TRACEPARENT, traceparent)
            }
            _ => request,
        }
    }
}

/// A header value that `Debug` doesn't print; `None` if the text isn't a valid one.
pub(super) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
