//! What the user prefers: `GET /api/preferences` lists it, `POST /api/preferences` keeps one, and
//! pages carry it, so that they are painted as preferred at once.

use axum::{
    Json,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::AppState;
use crate::protocol::{ApiError, Preferences};

/// One preference, as a page sends it.
#[derive(Debug, Deserialize)]
pub struct Preference {
    name: String,
    value: String,
}

pub async fn list(State(state): State<AppState>) -> Json<Preferences> {
    Json(Preferences(state.projects.preferences().await))
}

/// 204, or 409 for a name or a value that no page gives.
pub async fn set(State(state): State<AppState>, Json(preference): Json<Preference>) -> Response {
    let Preference { name, value } = preference;
    match state.projects.set_preference(&name, &value).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Reads the preferences for a request of a page, which finds them in its extensions.
pub async fn with_page(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let accepts = request.headers().get(header::ACCEPT);
    let is_page = request.method() == Method::GET
        && accepts.is_some_and(|accepts| accepts.as_bytes().starts_with(b"text/html"));
    if is_page {
        let preferences = Preferences(state.projects.preferences().await);
        request.extensions_mut().insert(preferences);
    }
    next.run(request).await
}
