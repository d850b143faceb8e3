//! The app's client of the E2B protocol: it makes sandboxes and works in them, whoever serves them.
//! Where it is, in `address`; control plane in `control`, the data plane's files in `files`,
//! processes in `process` over `connect`'s frames; `retry` sends again what may be sent twice.

mod address;
mod connect;
mod control;
mod error;
mod files;
mod process;
mod retry;

use std::{sync::Arc, time::Duration};

pub use control::Notice;
pub use error::SandboxError;
pub use files::{Entry, EntryKind, MAX_FILE, Page};
pub use process::{CommandOutput, Gap, Left, RunOptions, RunningProcess};
use reqwest::{Method, RequestBuilder, Url};

use crate::{config, e2b};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that waits longer for a next request is closed: a sandbox host hangs up after 15
/// seconds.
const POOL_IDLE: Duration = Duration::from_secs(10);
/// How long a unary request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stream may be silent; the server is asked for a keepalive more often than that.
const STREAM_IDLE: Duration = Duration::from_secs(120);
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
    control_plane: Url,
    data_plane: Url,
    /// For the control plane and unary calls.
    http: reqwest::Client,
    /// For streams: no limit on the whole, only on silence.
    streaming: reqwest::Client,
}

impl Client {
    /// Errors when no TLS can be set up, or an address of the settings is none.
    pub fn new(settings: config::Sandbox) -> Result<Self, SandboxError> {
        // HTTP/1.1 only: E2B's proxy pads downloads in a way that makes HTTP/2 clients hang up.
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(POOL_IDLE)
                .http1_only()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
        };
        Ok(Self {
            inner: Arc::new(Inner {
                http: builder().timeout(REQUEST_TIMEOUT).build()?,
                streaming: builder().read_timeout(STREAM_IDLE).build()?,
                control_plane: address::service("E2B_API_URL", &settings.api_url)?,
                data_plane: address::service("E2B_SANDBOX_URL", &settings.sandbox_url)?,
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
    /// What the host names of its previews end with: the server's word for it, or the configured
    /// one.
    domain: String,
}

/// Where a browser on this machine finds a port of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAddress {
    /// Its first page.
    url: Url,
    /// The one server that leads there, as `host:port`: the data plane of the sandbox host, or what
    /// the host name stands for.
    pub server: String,
}

impl PageAddress {
    /// The address of a page of the app by its path.
    pub fn page(&self, path: &str) -> Result<Url, SandboxError> {
        address::join(&self.url, path)
    }

    /// The path of a page of the app by what a link to it names, whatever that is; `None` when it
    /// is nothing of the app's.
    pub fn own_path(&self, link: &str) -> Option<String> {
        address::own_path(&self.url, link)
    }

    /// The host name of its pages.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl Sandbox {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where a port of the sandbox is seen from a browser, with a slash at its end.
    pub fn preview_url(&self, port: u16) -> String {
        // The parts were checked when the sandbox was made: none of them can end a host name.
        format!("{}://{port}-{}.{}/", self.scheme(), self.id, self.domain)
    }

    /// Like [`Sandbox::preview_url`], for a browser beside this program: straight to the sandbox
    /// host, where it is one of ours, whatever stands in front of it for everybody else.
    pub fn page_address(&self, port: u16) -> Result<PageAddress, SandboxError> {
        let data_plane = &self.client.data_plane;
        if data_plane.scheme() != "http" {
            let url = address::preview(self.scheme(), port, &self.id, &self.domain)?;
            let server = address::server(&url)?;
            return Ok(PageAddress { url, server });
        }
        // Below localhost a page may do without TLS what others may with it
        // (w3c.github.io/webappsec-secure-contexts).
        let is_own = self.client.settings.provider == config::SandboxProvider::Local;
        let domain = if is_own { "localhost" } else { &self.domain };
        let url = address::preview("http", port, &self.id, domain)?;
        let server = address::server(data_plane)?;
        Ok(PageAddress { url, server })
    }

    fn scheme(&self) -> &'static str {
        let host = self.domain.split(':').next().unwrap_or_default();
        if host == "localhost" || host.ends_with(".localhost") {
            "http"
        } else {
            "https"
        }
    }

    /// A request to a port of the sandbox, through the data plane. `Refused` when the path is none.
    fn request(
        &self,
        http: &reqwest::Client,
        method: Method,
        port: u16,
        path: &str,
    ) -> Result<RequestBuilder, SandboxError> {
        let mut request = http
            .request(method, address::join(&self.client.data_plane, path)?)
            .header(e2b::SANDBOX_ID, &self.id)
            .header(e2b::SANDBOX_PORT, port);
        if let (Some(token), e2b::ENVD_PORT) = (&self.token, port) {
            request = request.header(e2b::ACCESS_TOKEN, token);
        }
        Ok(request)
    }

    /// A unary request to envd.
    fn envd(&self, method: Method, path: &str) -> Result<RequestBuilder, SandboxError> {
        self.request(&self.client.http, method, e2b::ENVD_PORT, path)
    }
}
