//! `/host/capacity` and `/host/drain`: what a server with several hosts asks of each. Not part of
//! E2B's protocol.

use axum::{extract::State, http::StatusCode};
use serde_json::json;

use super::{Answer, Host, empty};
use crate::sandbox_host::{error::HostError, http};

/// What the host has room for, and what it has.
pub(super) async fn capacity(State(sandboxes): Host) -> Answer {
    let all = sandboxes.all();
    let running = all.iter().filter(|sandbox| sandbox.is_running()).count();
    let body = json!({
        "freeMemory": sandboxes.free_memory(),
        "running": running,
        "asleep": all.len() - running,
        "templates": sandboxes.waiting(),
        "draining": sandboxes.is_draining(),
        "domain": sandboxes.settings().domain,
        "fault": sandboxes.runtime().err(),
    });
    Ok(http::json(StatusCode::OK, &body))
}

pub(super) async fn drain(State(sandboxes): Host) -> Answer {
    set(sandboxes.drain(true).await)
}

pub(super) async fn undrain(State(sandboxes): Host) -> Answer {
    set(sandboxes.drain(false).await)
}

fn set(done: std::io::Result<()>) -> Answer {
    done.map_err(|error| HostError::Internal(error.into()))?;
    Ok(empty())
}
