//! The app's client of the E2B protocol: it makes sandboxes and works in them, whoever serves them.
//! Control plane in `control`, the data plane's files in `files`, processes in `process` over `connect`'s frames; `retry` sends again
//! what may be sent twice.

mod connect;
mod control;
mod error;
mod files;
mod process;
mod retry;

use std::{sync::Arc, time::Duration};

pub use error::SandboxError;
pub use files::{Entry, EntryKind, Page};
pub use process::{CommandOutput, RunOptions};
use reqwest::{Method, RequestBuilder};

use crate::config;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a unary request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stream may be silent; the server is asked for a keepalive more often than that.
const STREAM_IDLE: Duration = Duration::from_secs(120);
/// envd's port, by which the data plane tells its requests from an app's.
const ENVD_PORT: u16 = 49983;
/// The name under which previews see us: anything like a browser's would be answered with HTML.
const USER_AGENT: &str = concat!("codeflow/", env!("CARGO_PKG_VERSION"));

/// Makes and finds sandboxes, as a cheap handle.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: config::Sandbox,
    /// For the control plane and unary calls.
    http: reqwest::Client,
    /// For streams: no limit on the whole, only on silence.
    streaming: reqwest::Client,
}

impl Client {
    /// Errors when no TLS can be set up.
    pub fn new(settings: config::Sandbox) -> Result<Self, SandboxError> {
        // HTTP/1.1 only: E2B's proxy pads downloads in a way that makes HTTP/2 clients hang up.
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .connect_timeout(CONNECT_TIMEOUT)
                .http1_only()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
        };
        Ok(Self {
            inner: Arc::new(Inner {
                http: builder().timeout(REQUEST_TIMEOUT).build()?,
                streaming: builder().read_timeout(STREAM_IDLE).build()?,
                settings,
            }),
        })
    }
}

/// A running sandbox, as a cheap handle.
#[derive(Debug, Clone)]
pub struct Sandbox {
    client: Arc<Inner>,
    id: String,
    token: Option<String>,
    /// Overrides the configured domain where the server says so.
    domain: Option<String>,
}

/// Where a browser on this machine finds a port of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAddress {
    /// Scheme and authority, without a slash at its end.
    pub url: String,
    /// The host name in it.
    pub host: String,
    /// What that name stands for, as `host:port`, where it is not what a resolver says: the data plane of the sandbox host.
    pub connect_to: Option<String>,
}

impl Sandbox {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where a port of the sandbox is seen from a browser, with a slash at its end.
    pub fn preview_url(&self, port: u16) -> String {
        let domain = self.domain.as_deref().unwrap_or(&self.client.settings.domain);
        let host = domain.split(':').next().unwrap_or(domain);
        let scheme = if host == "localhost" || host.ends_with(".localhost") {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://{port}-{}.{domain}/", self.id)
    }

    /// Like [`Sandbox::preview_url`], for a browser beside this program: straight to the sandbox host, where it is one of ours, whatever
    /// stands in front of it for everybody else.
    pub fn page_address(&self, port: u16) -> PageAddress {
        let settings = &self.client.settings;
        let url = self.preview_url(port);
        let (scheme, authority) = url.trim_end_matches('/').split_once("://").unwrap_or(("https", ""));
        let data_plane = settings.sandbox_url.strip_prefix("http://");
        let (scheme, authority) = match data_plane {
            // Below localhost a page may do without TLS what others may with it (w3c.github.io/webappsec-secure-contexts).
            Some(_) if settings.provider == config::SandboxProvider::Local => ("http", format!("{port}-{}.localhost", self.id)),
            Some(_) => ("http", authority.to_owned()),
            None => (scheme, authority.to_owned()),
        };
        PageAddress {
            url: format!("{scheme}://{authority}"),
            host: authority.split(':').next().unwrap_or_default().to_owned(),
            connect_to: data_plane.map(|address| address.trim_end_matches('/').to_owned()),
        }
    }

    /// A request to a port of the sandbox, through the data plane.
    fn request(&self, http: &reqwest::Client, method: Method, port: u16, path: &str) -> RequestBuilder {
        let mut request = http
            .request(method, format!("{}{path}", self.client.settings.sandbox_url))
            .header("E2b-Sandbox-Id", &self.id)
            .header("E2b-Sandbox-Port", port);
        if let (Some(token), ENVD_PORT) = (&self.token, port) {
            request = request.header("X-Access-Token", token);
        }
        request
    }

    /// A unary request to envd.
    fn envd(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(&self.client.http, method, ENVD_PORT, path)
    }
}
