//! Connections across the sandbox's border: in, from the host to a port of an app; out, from
//! programs to the host's egress proxy.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, Request},
    http::{HeaderValue, Response, StatusCode, header},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UnixStream},
};

use super::{PROXY_PORT, not_open};
use crate::sandbox_host::{bundle::EGRESS_SOCKET, two_way::carry};

/// Upgrades the request's connection to one to the port.
pub(super) async fn forward_inbound(Path(port): Path<u16>, request: Request) -> Response<Body> {
    let stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(stream) => Ok(stream),
        Err(_) => TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await,
    };
    let Ok(stream) = stream else {
        return not_open(port);
    };
    let _ = stream.set_nodelay(true);
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            carry(TokioIo::new(upgraded), stream).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response
        .headers_mut()
        .insert(header::UPGRADE, HeaderValue::from_static("tunnel"));
    response
}

/// Passes each connection on the proxy's port to the host's proxy.
pub(super) async fn forward_outbound() {
    let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, PROXY_PORT)).await else {
        return;
    };
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        tokio::spawn(async move {
            if let Ok(mut host) = UnixStream::connect(EGRESS_SOCKET).await {
                let _ = copy_bidirectional(&mut stream, &mut host).await;
            }
        });
    }
}
