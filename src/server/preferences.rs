//! User preferences: `GET /api/preferences` lists them, `POST /api/preferences` saves one, and
//! every page includes them, so that it is painted right from the start.

use axum::{
    Json,
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::identity::Seen;
use crate::protocol::{ApiError, Preferences};

/// One preference, as a page sends it.
#[derive(Debug, Deserialize)]
pub struct Preference {
    name: String,
    value: String,
}

pub async fn list(Seen(projects): Seen) -> Json<Preferences> {
    Json(Preferences(projects.preferences().await))
}

/// 204, or 409 for a name or value that no page uses.
pub async fn set(Seen(projects): Seen, Json(preference): Json<Preference>) -> Response {
    let Preference { name, value } = preference;
    match projects.set_preference(&name, &value).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Reads the preferences for a page, which finds them in the request's extensions.
pub async fn with_page(Seen(projects): Seen, mut request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT);
    let is_page = request.method() == Method::GET
        && accepts.is_some_and(|accepts| accepts.as_bytes().starts_with(b"text/html"));
    if is_page {
        let preferences = Preferences(projects.preferences().await);
        request.extensions_mut().insert(preferences);
    }
    next.run(request).await
}
