//! The only way out of a sandbox: an HTTP proxy on the sandbox's own socket that connects only to
//! allowed names. It resolves the name, checks the address and dials exactly the address it
//! checked. The traffic must then name that host too: TLS in its ClientHello (`hello`), plain HTTP
//! in each request's Host.

mod address;
mod hello;
mod metered;
mod tunnel;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header, uri::Authority},
};
use hyper::{body::Incoming, service::service_fn, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::{Mutex, RwLock};
use tokio::{
    io::{AsyncReadExt, join, split},
    net::{TcpStream, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{
    clock::{now, rfc3339},
    hop,
    http::response,
    log::Log,
    network::Network,
};
use crate::config::sandbox_host::EgressRule;
use metered::{MAX_BYTES, Metered};

/// The maximum number of concurrent connections per sandbox.
const MAX_CONNECTIONS: usize = 128;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The port of plain HTTP; connections to all other ports must be TLS.
const HTTP_PORT: u16 = 80;
/// The maximum length of a host name, in bytes (RFC 1035).
const MAX_NAME: usize = 253;
/// How many refusals per sandbox are written to the machine's log.
const MAX_LOGGED: u64 = 100;
/// How many refusals are kept for the sandbox to read.
const MAX_REFUSALS: usize = 50;

/// A sandbox's additional restrictions, and its log of refusals.
#[derive(Default)]
pub(super) struct Policy {
    pub network: Arc<RwLock<Network>>,
    pub log: Arc<Log>,
}

/// The proxy of one sandbox.
pub(super) struct Egress {
    sandbox: String,
    rules: Vec<EgressRule>,
    policy: Policy,
    refused: AtomicU64,
    /// The latest refusals.
    refusals: Mutex<VecDeque<String>>,
    /// Bytes sent and received.
    carried: Arc<AtomicU64>,
}

impl Egress {
    pub(super) fn new(sandbox: &str, rules: &[EgressRule], policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            sandbox: sandbox.to_owned(),
            rules: rules.to_vec(),
            policy,
            refused: AtomicU64::new(0),
            refusals: Mutex::default(),
            carried: Arc::default(),
        })
    }

    /// Serves the socket until the task is cancelled.
    pub(super) async fn serve(self: Arc<Self>, listener: UnixListener) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // Further connections wait in the socket's queue.
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return;
            };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(sandbox.id = self.sandbox, %error, "the egress proxy can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let egress = self.clone();
            tokio::spawn(async move {
                let slot = Arc::new(slot);
                let service = service_fn(|request| {
                    let (egress, slot) = (egress.clone(), slot.clone());
                    async move { Ok::<_, std::convert::Infallible>(egress.answer(request, slot).await) }
                });
                // Clients may disconnect at any time.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades()
                    .await;
            });
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        slot: Arc<OwnedSemaphorePermit>,
    ) -> Response<Body> {
        // A request to the proxy itself.
        if request.method() == Method::GET && request.uri().authority().is_none() {
            return self.report();
        }
        let is_tunnel = request.method() == Method::CONNECT;
        let target = if is_tunnel {
            request
                .uri()
                .authority()
                .and_then(|authority| target(authority, None))
        } else {
            plain_target(request.uri())
        };
        let Some((host, port)) = target else {
            return response(
                StatusCode::BAD_REQUEST,
                "this is a proxy: it takes CONNECT host:port and absolute http addresses\n",
            );
        };
        if !is_tunnel && port != HTTP_PORT {
            return self.refuse(&host, port, hello::NO_TLS);
        }
        let stream = match self.dial(&host, port).await {
            Ok(stream) => stream,
            Err(refusal) => return refusal,
        };
        if is_tunnel {
            tokio::spawn(async move {
                let _slot = slot;
                if let Ok(upgraded) = hyper::upgrade::on(request).await {
                    self.tunnel(TokioIo::new(upgraded), stream, &host, port)
                        .await;
                }
            });
            return Response::new(Body::empty());
        }
        match foreign_host(request.headers(), &host, port) {
            Some(why) => self.refuse(&host, port, &why),
            None => forward(request, stream).await,
        }
    }

    /// Handles a CONNECT request.
    async fn tunnel(
        self: Arc<Self>,
        mut client: TokioIo<Upgraded>,
        server: Metered,
        host: &str,
        port: u16,
    ) {
        let Some(first) = tunnel::first_byte(&mut client).await else {
            return;
        };
        let why = if tunnel::is_tls(first) {
            match tunnel::carry(client, server, host, first).await {
                tunnel::End::Closed => return,
                tunnel::End::Refused(why) => why,
            }
        } else if port == HTTP_PORT {
            drop(server);
            return self.tunnel_http(client, first, host, port).await;
        } else {
            hello::NO_TLS.to_owned()
        };
        self.note_refusal(host, port, &why);
    }

    /// Serves plain HTTP over such a connection, and checks each request as if it were sent to the
    /// proxy.
    async fn tunnel_http(
        self: Arc<Self>,
        client: TokioIo<Upgraded>,
        first: u8,
        host: &str,
        port: u16,
    ) {
        let (from_client, to_client) = split(client);
        let client = join(std::io::Cursor::new([first]).chain(from_client), to_client);
        let authority = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let service = service_fn(|mut request: Request<Incoming>| {
            let (egress, path) = (
                self.clone(),
                request
                    .uri()
                    .path_and_query()
                    .map_or("/", |path| path.as_str()),
            );
            let uri = format!("http://{authority}{path}").parse::<Uri>();
            async move {
                let answer = match (foreign_host(request.headers(), host, port), uri) {
                    (Some(why), _) => egress.refuse(host, port, &why),
                    (None, Ok(uri)) if request.uri().authority().is_none() => {
                        *request.uri_mut() = uri;
                        match egress.dial(host, port).await {
                            Ok(stream) => forward(request, stream).await,
                            Err(refusal) => refusal,
                        }
                    }
                    (None, _) => response(StatusCode::BAD_REQUEST, "bad address\n"),
                };
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(client), service)
            .await;
    }

    /// A connection to the name's first public address, or the refusal to answer with.
    async fn dial(&self, host: &str, port: u16) -> Result<Metered, Response<Body>> {
        if self.carried.load(Ordering::Relaxed) >= MAX_BYTES {
            return Err(self.refuse(
                host,
                port,
                "the sandbox has sent and received as much as it may while it runs (8 GiB)",
            ));
        }
        if !self.rules.iter().any(|rule| allows(rule, host, port)) {
            return Err(self.refuse(
                host,
                port,
                "it is not on the list of what sandboxes may connect to (SANDBOX_EGRESS_ALLOW)",
            ));
        }
        let failed = |what: String| {
            response(
                StatusCode::BAD_GATEWAY,
                format!("{host}:{port} can't be reached: {what}\n"),
            )
        };
        let resolved: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| failed(error.to_string()))?
            .collect();
        let public: Vec<SocketAddr> = resolved
            .into_iter()
            .filter(|found| address::is_public(found.ip()))
            .collect();
        if public.is_empty() {
            return Err(self.refuse(host, port, "its address is a private one"));
        }
        let permitted: Vec<SocketAddr> = {
            let network = self.policy.network.read();
            public
                .into_iter()
                .filter(|found| network.permits(host, found.ip()))
                .collect()
        };
        if permitted.is_empty() {
            return Err(self.refuse(host, port, "the sandbox's own network settings deny it"));
        }
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(permitted.as_slice())).await
        {
            Ok(Ok(stream)) => Ok(Metered::new(stream, self.carried.clone())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("no answer".to_owned())),
        }
    }

    /// The traffic and refusals, for the sandbox to read.
    fn report(&self) -> Response<Body> {
        let refusals = self.refusals.lock();
        let (refused, carried) = (
            self.refused.load(Ordering::Relaxed),
            self.carried.load(Ordering::Relaxed),
        );
        let last: String = refusals.iter().map(String::as_str).collect();
        response(
            StatusCode::OK,
            format!(
                "sandbox egress: {carried} bytes carried, {refused} connections refused\n{last}"
            ),
        )
    }

    fn refuse(&self, host: &str, port: u16, why: &str) -> Response<Body> {
        self.note_refusal(host, port, why);
        response(
            StatusCode::FORBIDDEN,
            format!("sandbox egress: {host}:{port} was refused: {why}\n"),
        )
    }

    /// Records a refusal for the sandbox and in the machine's log.
    fn note_refusal(&self, host: &str, port: u16, why: &str) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::counter!("codeflow_egress_refusals_total").increment(1);
        if refused <= MAX_LOGGED {
            tracing::info!(
                sandbox.id = self.sandbox,
                host,
                port,
                refused,
                "a sandbox's connection was refused: {why}"
            );
        }
        let refusal = format!("connection to {host}:{port} was refused: {why}");
        let mut refusals = self.refusals.lock();
        if refusals.len() == MAX_REFUSALS {
            refusals.pop_front();
        }
        refusals.push_back(format!("{} {refusal}\n", rfc3339(now())));
        drop(refusals);
        self.policy.log.warn(refusal);
    }
}

/// Why a request is refused if its Host is not the server it goes to: one address may serve many
/// sites, distinguished by Host.
fn foreign_host(headers: &HeaderMap, host: &str, port: u16) -> Option<String> {
    headers.get_all(header::HOST).iter().find_map(|value| {
        let named = value.to_str().ok().and_then(|value| value.parse().ok());
        let same = named
            .as_ref()
            .and_then(|named| target(named, Some(port)))
            .is_some_and(|named| named == (host.to_owned(), port));
        let shown = value.as_bytes().escape_ascii();
        (!same).then(|| {
            format!("it asks for the host {shown}, and only {host}:{port} was let through")
        })
    })
}

/// Forwards a plain HTTP request to the server at the other end of `stream`.
async fn forward(mut request: Request<Incoming>, stream: Metered) -> Response<Body> {
    let failed = |error: hyper::Error| response(StatusCode::BAD_GATEWAY, format!("{error}\n"));
    hop::strip_headers(request.headers_mut());
    // Servers expect the origin form.
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = authority.as_str().parse()
    {
        request.headers_mut().insert(header::HOST, host);
    }
    let Ok(uri) = path.parse::<Uri>() else {
        return response(StatusCode::BAD_REQUEST, "bad path\n");
    };
    *request.uri_mut() = uri;
    let (mut sender, connection) =
        match hyper::client::conn::http1::handshake(TokioIo::new(stream)).await {
            Ok(connected) => connected,
            Err(error) => return failed(error),
        };
    tokio::spawn(connection);
    match sender.send_request(request).await {
        Ok(mut answer) => {
            hop::strip_headers(answer.headers_mut());
            answer.map(Body::new)
        }
        Err(error) => failed(error),
    }
}

fn plain_target(uri: &Uri) -> Option<(String, u16)> {
    if uri.scheme_str() != Some("http") {
        return None;
    }
    target(uri.authority()?, Some(HTTP_PORT))
}

/// Host in lower case without the root's dot, and port.
fn target(authority: &Authority, default_port: Option<u16>) -> Option<(String, u16)> {
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority
        .host()
        .trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let port = authority.port_u16().or(default_port)?;
    (!host.is_empty() && host.len() <= MAX_NAME).then_some((host, port))
}

fn allows(rule: &EgressRule, host: &str, port: u16) -> bool {
    let named = match rule.host.strip_prefix("*.") {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => rule.host == host,
    };
    named && rule.port == port
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_rule_allows_its_name_and_port_only() {
        let rule = |host: &str, port| EgressRule {
            host: host.to_owned(),
            port,
        };
        assert!(allows(&rule("a.com", 443), "a.com", 443));
        assert!(!allows(&rule("a.com", 443), "a.com", 80));
        assert!(!allows(&rule("a.com", 443), "b.a.com", 443));
        assert!(!allows(&rule("a.com", 443), "xa.com", 443));
        assert!(allows(&rule("*.a.com", 443), "b.a.com", 443));
        for other in ["a.com", ".a.com", "xa.com", "a.com.evil.org"] {
            assert!(!allows(&rule("*.a.com", 443), other, 443), "{other}");
        }
    }

    #[test]
    fn a_target_is_the_same_however_it_is_spelled() {
        for spelled in ["Registry.NPMJS.org:443", "registry.npmjs.org.:443"] {
            let authority: Authority = spelled.parse().unwrap();
            assert_eq!(
                target(&authority, None),
                Some(("registry.npmjs.org".to_owned(), 443))
            );
        }
        assert_eq!(target(&"a.com".parse().unwrap(), None), None);
        assert_eq!(target(&"user@a.com:443".parse().unwrap(), None), None);
        assert_eq!(
            target(&format!("{}:443", "a".repeat(254)).parse().unwrap(), None),
            None
        );
        assert_eq!(
            target(&"[::1]:443".parse().unwrap(), None),
            Some(("::1".to_owned(), 443))
        );
    }

    #[test]
    fn a_requests_host_is_the_one_that_it_goes_to() {
        let foreign = |names: &[&str]| {
            let names = names
                .iter()
                .map(|name| (header::HOST, name.parse().unwrap()));
            foreign_host(&names.collect(), "a.com", 8080)
        };
        for same in [
            &[] as &[&str],
            &["a.com:8080"],
            &["A.com."],
            &["a.com", "a.com:8080"],
        ] {
            assert_eq!(foreign(same), None, "{same:?}");
        }
        for other in [
            &["b.com"] as &[&str],
            &["a.com:80"],
            &["a.com", "b.com"],
            &[""],
            &["user@a.com"],
            &["a.com/x"],
        ] {
            assert!(foreign(other).unwrap().contains("a.com:8080"), "{other:?}");
        }
    }
}
