//! Responses instead of an app's: pages for people, E2B's JSON for programs.

use axum::{
    body::Body,
    http::{Response, StatusCode},
};

use super::target::Target;
use crate::sandbox_host::{
    error::HostError,
    http::{api_error, html, json},
    pages::{self, Audience},
    sandboxes::Notice,
};

/// There is no such sandbox, or requests don't wake it.
pub(super) fn not_found(target: &Target, audience: Audience) -> Response<Body> {
    if audience == Audience::Person {
        return html(StatusCode::BAD_GATEWAY, pages::gone());
    }
    let body = serde_json::json!({ "sandboxId": target.id, "message": "The sandbox was not found", "code": 502 });
    json(StatusCode::BAD_GATEWAY, &body)
}

/// The port is for debugging, or the sandbox's own.
pub(super) fn no_preview(target: &Target, audience: Audience) -> Response<Body> {
    if audience == Audience::Person {
        return html(StatusCode::NOT_FOUND, pages::no_preview(target.port));
    }
    api_error(
        StatusCode::NOT_FOUND,
        format!("port {} is not shown as a preview", target.port),
    )
}

/// Nothing answers on the port.
pub(super) fn closed(
    target: &Target,
    audience: Audience,
    notice: Option<Notice>,
) -> Response<Body> {
    if audience == Audience::Person {
        return html(StatusCode::BAD_GATEWAY, pages::starting(notice.as_ref()));
    }
    let body = serde_json::json!({
        "sandboxId": target.id,
        "message": "The sandbox is running but port is not open",
        "port": target.port,
        "code": 502,
    });
    json(StatusCode::BAD_GATEWAY, &body)
}

/// The sandbox did not wake.
pub(super) fn not_woken(
    target: &Target,
    audience: Audience,
    error: &anyhow::Error,
) -> Response<Body> {
    if let Some(HostError::Full(reason)) = error.downcast_ref::<HostError>()
        && audience == Audience::Person
    {
        return html(StatusCode::BAD_GATEWAY, pages::waiting_for_room(reason));
    }
    tracing::error!(error = format!("{error:#}"), "the sandbox can't be woken");
    let message = format!("the sandbox can't be woken: {error:#}");
    let body = serde_json::json!({ "sandboxId": target.id, "message": message, "code": 502 });
    json(StatusCode::BAD_GATEWAY, &body)
}
