//! Raw files of apps: `POST /api/files/upload?project=…&path=…` takes one as its body, `GET
//! /api/files/raw?project=…&path=…` serves one.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, rejection::BytesRejection},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::identity::Seen;
use crate::{
    projects::{ProjectError, image_type},
    protocol::{ApiError, FileSaved, MAX_UPLOAD, ProjectId},
};

/// A file opened by itself runs in an opaque origin, and its scripts and requests are blocked
/// anyway.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

/// The project and path of a file.
#[derive(Debug, Deserialize)]
pub struct Place {
    project: ProjectId,
    path: String,
    /// The hash of the file it replaces, as in `POST /api/files/write`.
    #[serde(default)]
    base: Option<String>,
}

/// Writes the request's body to the path, if there is no file yet or its content has the hash
/// `base`. 413 if it is larger than a version can keep.
pub async fn upload(
    Seen(projects): Seen,
    Query(place): Query<Place>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<FileSaved>, Response> {
    let content = match body {
        Ok(content) => content,
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(refusal(ProjectError::TooLarge(format!(
                "“{}” is larger than {} MB, the most that a version keeps. Choose a smaller file.",
                place.path,
                MAX_UPLOAD >> 20
            ))));
        }
        // The client disconnected.
        Err(refused) => return Err(refused.into_response()),
    };
    let base = place.base.filter(|base| !base.is_empty());
    let written = projects
        .write_file(place.project, &place.path, content.into(), base)
        .await;
    written.map(Json).map_err(refusal)
}

/// The file; images are displayed, all other files downloaded.
pub async fn raw(Seen(projects): Seen, Query(place): Query<Place>) -> Response {
    let content = match projects.file_content(place.project, &place.path).await {
        Ok(content) => content,
        Err(error) => return refusal(error),
    };
    let (media_type, disposition) = match image_type(&place.path) {
        Some(media_type) => (media_type, "inline"),
        None => ("application/octet-stream", "attachment"),
    };
    // RFC 6266, with the encoding of RFC 8187.
    let name = place.path.rsplit('/').next().unwrap_or_default();
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("{disposition}; filename*=UTF-8''{name}"),
        ),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        // Generated apps are other origins of the same site.
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin".to_owned(),
        ),
    ];
    let mut response = content.into_response();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn refusal(error: ProjectError) -> Response {
    ApiError::from(error).into_response()
}
