//! Attached images: `POST /api/images` takes one as its body, `GET /api/images/{id}` serves it.
//! `GET /api/pictures/{id}` serves a picture of an app.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, rejection::BytesRejection},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::identity::Seen;
use crate::{
    projects::{ImageContent, ProjectError},
    protocol::{ApiError, Image, ImageError, ImageId},
};

/// The id is a hash of the content, so the user's browser may cache it forever.
const CACHED: &str = "private, max-age=31536000, immutable";

/// Stores the request's body as an image, whatever its media type says. 413 if it is too large, 400
/// if it is not an image.
pub async fn upload(
    Seen(projects): Seen,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Image>, Response> {
    let file = match body {
        Ok(file) => file,
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(refusal(ProjectError::Image(ImageError::TooLarge)));
        }
        // The client disconnected.
        Err(refused) => return Err(refused.into_response()),
    };
    projects.add_image(file).await.map(Json).map_err(refusal)
}

/// The image, or 404.
pub async fn show(Seen(projects): Seen, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<ImageId>() else {
        return refusal(ProjectError::NotFound("image"));
    };
    serve(projects.image_content(&id).await)
}

/// The picture, or 404.
pub async fn show_picture(Seen(projects): Seen, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<ImageId>() else {
        return refusal(ProjectError::NotFound("picture"));
    };
    serve(projects.picture_content(&id).await)
}

fn serve(content: Result<ImageContent, ProjectError>) -> Response {
    match content {
        Ok(content) => {
            let headers = [
                (header::CONTENT_TYPE, content.media_type.as_str()),
                (header::CACHE_CONTROL, CACHED),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
                // Generated apps are other origins of the same site.
                (
                    HeaderName::from_static("cross-origin-resource-policy"),
                    "same-origin",
                ),
            ];
            (headers, content.bytes).into_response()
        }
        Err(error) => refusal(error),
    }
}

fn refusal(error: ProjectError) -> Response {
    ApiError::from(error).into_response()
}
