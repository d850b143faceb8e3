//! The app's client of E2B's protocol: it creates sandboxes and works in them, whoever hosts them.
//! `control` is the control plane; `files`, `process` and `shell` are the data plane, the latter
//! two over `connect`'s frames. `address` builds every URL, and `retry` repeats requests where that
//! is safe. Of several sandbox hosts, `hosts` chooses one and finds what is where; `probe`
//! asks each whether it answers, and `host` knows it.

mod address;
mod body;
mod connect;
mod control;
mod error;
mod files;
mod host;
mod hosts;
mod output;
mod pipe;
mod probe;
mod process;
mod retry;
mod shell;
mod stream;
mod supervise;

use std::{sync::Arc, time::Duration};

pub use control::SandboxNotice;
pub use error::SandboxError;
pub use files::{Entry, EntryKind, MAX_FILE, Page};
use host::Host;
pub use host::HostStatus;
pub use hosts::{Client, RecordedHost};
pub use output::{CommandOutput, Gap, Left, RunningProcess};
pub use pipe::PipedOutput;
pub use process::RunOptions;
use reqwest::{Method, RequestBuilder, Url, header::HeaderValue};
use secrecy::ExposeSecret;
pub use shell::{ShellEvent, ShellStream, TerminalSize};

use crate::{config, e2b, http_client, traces};

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
struct Service {
    provider: config::SandboxProvider,
    template: String,
    /// The domain of previews, unless the server names another.
    domain: String,
    /// Marked sensitive, so that `Debug` doesn't print it.
    api_key: HeaderValue,
    control_plane: Url,
    data_plane: Url,
    /// For the control plane and unary calls.
    http: reqwest::Client,
    /// For streams, which may last long but not fall silent.
    streaming: reqwest::Client,
    /// Whether it answers; `None` unless it is one of `SANDBOX_HOSTS`.
    host: Option<Host>,
}

impl Service {
    /// Fails if TLS can't be set up, or if the settings contain an invalid address or key.
    fn new(settings: &config::Sandbox) -> Result<Self, SandboxError> {
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
    fn of_host(
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
    fn traced(&self, request: RequestBuilder) -> RequestBuilder {
        match traces::traceparent() {
            Some(traceparent) if self.provider == config::SandboxProvider::Local => {
                request.header(traces::TRACEPARENT, traceparent)
            }
            _ => request,
        }
    }
}

/// A header value that `Debug` doesn't print; `None` if the text isn't a valid one.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A running sandbox; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    service: Arc<Service>,
    id: String,
    token: Option<HeaderValue>,
    /// The domain of its previews: the server's choice, else the configured one.
    domain: String,
}

/// A sandbox port's address for a browser on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAddress {
    /// The first page.
    url: Url,
    /// The server to connect to, as `host:port`: the sandbox host's data plane, or the URL's own.
    pub server: String,
}

impl PageAddress {
    /// The address of a page of the app by its path.
    pub fn page(&self, path: &str) -> Result<Url, SandboxError> {
        address::join(&self.url, path)
    }

    /// The path of a link within the app; `None` if it leads elsewhere or is not a link.
    pub fn own_path(&self, link: &str) -> Option<String> {
        address::own_path(&self.url, link)
    }

    /// The host name.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl Sandbox {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The host that has it, where there are several.
    pub fn host(&self) -> Option<&str> {
        self.service.host.as_ref().map(Host::name)
    }

    /// Returns when its host counts as lost; never where there is only one.
    pub async fn lost(&self) {
        match &self.service.host {
            Some(host) => host.lost().await,
            None => std::future::pending().await,
        }
    }

    /// A port's address for browsers, with a trailing slash.
    pub fn preview_url(&self, port: u16) -> String {
        // `Service::sandbox` has validated the parts: none of them can end a host name early.
        format!("{}://{port}-{}.{}/", self.scheme(), self.id, self.domain)
    }

    /// A port's address for a browser on this machine: directly at our own sandbox host, past any
    /// proxy in front of it.
    pub fn page_address(&self, port: u16) -> Result<PageAddress, SandboxError> {
        let data_plane = &self.service.data_plane;
        if data_plane.scheme() != "http" {
            let url = address::preview(self.scheme(), port, &self.id, &self.domain)?;
            let server = address::server(&url)?;
            return Ok(PageAddress { url, server });
        }
        // Names below localhost are secure contexts without TLS
        // (w3c.github.io/webappsec-secure-contexts).
        let is_own = self.service.provider == config::SandboxProvider::Local;
        let domain = if is_own { "localhost" } else { &self.domain };
        let url = address::preview("http", port, &self.id, domain)?;
        let server = address::server(data_plane)?;
        Ok(PageAddress { url, server })
    }

    fn scheme(&self) -> &'static str {
        config::scheme_of(&self.domain)
    }

    /// A request to a port, through the data plane. `Refused` if the path is invalid.
    fn request(
        &self,
        http: &reqwest::Client,
        method: Method,
        port: u16,
        path: &str,
    ) -> Result<RequestBuilder, SandboxError> {
        let mut request = http
            .request(method, address::join(&self.service.data_plane, path)?)
            .header(e2b::SANDBOX_ID, &self.id)
            .header(e2b::SANDBOX_PORT, port);
        if let (Some(token), e2b::ENVD_PORT) = (&self.token, port) {
            request = request.header(e2b::ACCESS_TOKEN, token);
        }
        // Apps are not part of our trace.
        if port == e2b::ENVD_PORT {
            request = self.service.traced(request);
        }
        Ok(request)
    }

    /// A unary request to envd.
    fn envd(&self, method: Method, path: &str) -> Result<RequestBuilder, SandboxError> {
        self.request(&self.service.http, method, e2b::ENVD_PORT, path)
    }
}
