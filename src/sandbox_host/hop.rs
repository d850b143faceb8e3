//! Passing requests on to the next server over HTTP/1.1: what ends with this hop, and connections
//! that change their protocol, such as WebSockets.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version, header},
};
use hyper::{
    body::Incoming,
    client::conn::http1,
    rt::{Read, Write},
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;

use super::two_way::carry;

/// Removes the headers that end with this hop (RFC 9110, 7.6.1).
pub fn strip_headers(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        headers.remove(name);
    }
}

/// Keeps only path and query, as HTTP/1.1 requests to a server require.
pub fn origin_form(request: &mut Request<Body>) {
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = path
            .as_str()
            .parse()
            .unwrap_or_else(|_| Uri::from_static("/"));
    }
    *request.version_mut() = Version::HTTP_11;
}

/// Prepares the headers for the next hop, except for a change of protocol that the client asks for;
/// returns its connection as it is after that.
pub fn begin(request: &mut Request<Body>) -> Option<OnUpgrade> {
    let protocol = request.headers_mut().remove(header::UPGRADE);
    strip_headers(request.headers_mut());
    let headers = request.headers_mut();
    headers.insert(header::UPGRADE, protocol?);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    Some(hyper::upgrade::on(request))
}

/// The answer of the server at the other end of the connection.
pub async fn send(
    connection: impl Read + Write + Unpin + Send + 'static,
    request: Request<Body>,
) -> hyper::Result<Response<Incoming>> {
    let (mut sender, driver) = http1::handshake(connection).await?;
    tokio::spawn(driver.with_upgrades());
    sender.send_request(request).await
}

/// Connects the client and the server, which has answered that the protocol changes, until both
/// have ended or `cut` returns.
pub fn join(
    client: OnUpgrade,
    response: &mut Response<Incoming>,
    cut: impl Future<Output = ()> + Send + 'static,
) {
    let server = hyper::upgrade::on(response);
    tokio::spawn(async move {
        if let Ok((client, server)) = tokio::try_join!(client, server) {
            tokio::select! {
                () = carry(TokioIo::new(client), TokioIo::new(server)) => {}
                () = cut => {}
            }
        }
    });
}
