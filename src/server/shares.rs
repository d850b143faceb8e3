//! Pictures of shared apps, for anyone with the link: `GET /s/{slug}/picture`.

use axum::{
    extract::Path,
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};

use super::identity::Seen;
use crate::protocol::ApiError;

/// The picture of the share's current version, or 404.
pub async fn picture(Seen(projects): Seen, Path(slug): Path<String>) -> Response {
    match projects.share_picture(&slug).await {
        Ok(content) => {
            let headers = [
                (header::CONTENT_TYPE, content.media_type.as_str()),
                // The share may become private at any time.
                (header::CACHE_CONTROL, "private, max-age=60"),
                // Other sites show it beside the link.
                (
                    HeaderName::from_static("cross-origin-resource-policy"),
                    "cross-origin",
                ),
            ];
            (headers, content.bytes).into_response()
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}
