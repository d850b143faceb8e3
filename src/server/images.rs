//! Images that users attach: `POST /api/images` takes one as its body, `GET /api/images/{id}`
//! serves it.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::AppState;
use crate::{
    protocol::{ApiError, ErrorCode, Image, ImageError, ImageId},
    runs::UploadError,
    store::StoreError,
};

/// Its id is its content: a browser may keep it for ever, for its user alone.
const CACHED: &str = "private, max-age=31536000, immutable";

/// Takes the request's body as an image, whatever its name and media type say. 413 when it is too
/// large, 400 when it is none.
pub async fn upload(
    State(state): State<AppState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Image>, Response> {
    let file = match body {
        Ok(file) => file,
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(refusal(ImageError::TooLarge));
        }
        // The client hung up.
        Err(refused) => return Err(refused.into_response()),
    };
    match state.runs.add_image(file).await {
        Ok(image) => Ok(Json(image)),
        Err(UploadError::Image(error)) => Err(refusal(error)),
        Err(UploadError::Store(error)) => Err(fault(&error)),
    }
}

/// The image, or 404.
pub async fn show(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<ImageId>() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match state.runs.image_content(&id).await {
        Ok(content) => {
            let headers = [
                (header::CONTENT_TYPE, content.media_type),
                (header::CACHE_CONTROL, CACHED.to_owned()),
                (
                    header::CONTENT_SECURITY_POLICY,
                    "default-src 'none'".to_owned(),
                ),
                // Generated apps are other origins of the same site.
                (
                    HeaderName::from_static("cross-origin-resource-policy"),
                    "same-origin".to_owned(),
                ),
            ];
            (headers, content.bytes).into_response()
        }
        Err(StoreError::NotFound(_)) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => fault(&error),
    }
}

fn refusal(error: ImageError) -> Response {
    let text = error.to_string();
    answer(match error {
        ImageError::TooLarge => ApiError {
            code: ErrorCode::TooLarge,
            ..ApiError::invalid("image", text)
        },
        ImageError::WrongType | ImageError::TooManyPixels | ImageError::Damaged => {
            ApiError::invalid("image", text)
        }
    })
}

fn fault(error: &StoreError) -> Response {
    tracing::error!(%error, "an image can't be stored or read");
    answer(ApiError::new(
        ErrorCode::Internal,
        "Something went wrong on the server. Please try again.",
    ))
}

fn answer(error: ApiError) -> Response {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(error)).into_response()
}
