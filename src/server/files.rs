//! Files of apps as they are: `POST /api/files/upload?project=…&path=…` takes one as its body,
//! `GET /api/files/raw?project=…&path=…` serves it.

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

/// Scripts and requests of a file that is opened by itself have no origin, and are refused anyway.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

/// Which file.
#[derive(Debug, Deserialize)]
pub struct Place {
    project: ProjectId,
    path: String,
    /// What an upload replaces, as in `POST /api/files/write`.
    #[serde(default)]
    base: Option<String>,
}

/// Writes the request's body to the path, where nothing is yet or the file still has the content
/// with the hash `base`. 413 when it is larger than a version keeps.
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
        // The client hung up.
        Err(refused) => return Err(refused.into_response()),
    };
    let base = place.base.filter(|base| !base.is_empty());
    let written = projects
        .write_file(place.project, &place.path, content.into(), base)
        .await;
    written.map(Json).map_err(refusal)
}

/// The file: an image is shown, everything else is downloaded.
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
