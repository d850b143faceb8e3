//! `GET /internal/tls-ask?domain=…`: whether a proxy may get a certificate for the name (Caddy's
//! `on_demand_tls`, <https://caddyserver.com/docs/caddyfile/options#on-demand-tls>). The answer
//! reveals no more than a request to the name itself.

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{AppState, origin};
use crate::protocol::{ApiError, ErrorCode};

/// The maximum length of a DNS name (RFC 1035, 2.3.4).
const MAX_NAME_BYTES: usize = 253;

#[derive(Debug, Deserialize)]
pub struct Asked {
    domain: Option<String>,
}

/// 200 for the host of `PUBLIC_URL` and for previews of this machine's sandboxes, else 404.
pub async fn ask(State(state): State<AppState>, Query(Asked { domain }): Query<Asked>) -> Response {
    let domain = domain.unwrap_or_default().to_ascii_lowercase();
    let previews = state.preview_names.as_ref();
    let is_short = domain.len() <= MAX_NAME_BYTES;
    let is_builder = domain.eq_ignore_ascii_case(origin::host(&state.public_url));
    let is_preview = match previews {
        Some(names) if is_short && !is_builder => names.has(&domain).await,
        _ => false,
    };
    if is_short && (is_builder || is_preview) {
        StatusCode::OK.into_response()
    } else {
        ApiError::new(ErrorCode::NotFound, "CodeFlow has no such name.").into_response()
    }
}
