//! The app's client of E2B's protocol: it creates sandboxes and works in them, whoever hosts them.
//! `service` is a server of the protocol, and `control` its control plane; `files`, `process` and
//! `shell` are the data plane, the latter two over `connect`'s frames. `address` builds every URL,
//! and `retry` repeats requests where that is safe. Of several sandbox hosts, `hosts` chooses one
//! and finds what is where; `probe` asks each whether it answers, and `host` knows it.

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
mod service;
mod shell;
mod stream;
mod supervise;

use std::sync::Arc;

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
use service::{HttpClient, Service};
pub use shell::{ShellEvent, ShellStream, TerminalSize};

use crate::{config, e2b};

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
        http: &HttpClient,
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
