//! The listener where Restate calls this server.

use std::io::ErrorKind;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::config;

/// Listens for Restate. An error is one line that says what to set.
pub(super) async fn listener(settings: &config::Restate) -> anyhow::Result<TcpListener> {
    let config::Restate {
        service,
        listen: (host, port),
        ..
    } = settings;
    match TcpListener::bind((&**host, *port)).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "RESTATE_SERVICE_URL={service}: port {port} is taken by another program; stop it, or \
             choose another port"
        ),
        bound => bound.with_context(|| {
            format!(
                "RESTATE_SERVICE_URL={service}: this server can't listen at {host}, port {port}; \
                 behind a balancer, set RESTATE_LISTEN_ADDR to an address of its own"
            )
        }),
    }
}
