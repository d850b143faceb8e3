//! Downloads: `GET /projects/{id}/download.zip[?version=…]` sends an app as a ZIP file, `GET
//! /api/account/export.zip` all of a user's data.

use std::io;

use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{AppState, identity::Seen};
use crate::{
    accounts::Requester,
    projects::ProjectError,
    protocol::{ApiError, ProjectId, first_chars},
};

/// Characters that need no escaping in an extended parameter's value (RFC 5987, attr-char).
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');
/// The maximum length of a title within a file name, in characters.
const MAX_NAME: usize = 60;

#[derive(Debug, Deserialize)]
pub struct VersionQuery {
    version: Option<String>,
}

impl VersionQuery {
    /// A number or an id; `None` for the app's current files.
    pub fn version(&self) -> Option<&str> {
        self.version
            .as_deref()
            .filter(|version| !version.is_empty())
    }
}

/// The version with this number or id, or the app's current files.
pub async fn zip(
    Seen(projects): Seen,
    Path(project): Path<String>,
    Query(query): Query<VersionQuery>,
) -> Response {
    let archive = match project.parse::<ProjectId>() {
        Ok(project) => projects.archive(project, query.version()).await,
        Err(_) => Err(ProjectError::NotFound("project")),
    };
    let archive = match archive {
        Ok(archive) => archive,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let number = archive.version.map(|version| version.number);
    zip_file(disposition(&archive.title, number), archive.pieces)
}

/// The user's own data only.
pub async fn export(
    State(state): State<AppState>,
    Seen(projects): Seen,
    Extension(requester): Extension<Requester>,
) -> Response {
    let allowed = requester
        .identity()
        .and_then(|identity| state.accounts.count_export(identity));
    if let Err(refused) = allowed {
        return ApiError::from(refused).into_response();
    }
    let pieces = match projects.export().await {
        Ok(pieces) => pieces,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let name = "attachment; filename=\"codeflow-export.zip\"";
    zip_file(name.to_owned(), pieces)
}

fn zip_file(disposition: String, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = Body::from_stream(stream::unfold(pieces, |mut pieces| async move {
        Some((pieces.recv().await?, pieces))
    }));
    (headers, body).into_response()
}

/// The full file name (RFC 6266), and an ASCII version of it for other clients.
fn disposition(title: &str, number: Option<i32>) -> String {
    let number = number.map_or_else(String::new, |number| format!("-v{number}"));
    let named = |keep: fn(char) -> bool| {
        let words = title
            .split(|letter: char| !keep(letter))
            .filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("-");
        let name = first_chars(&name, MAX_NAME).trim_matches(['-', '.']);
        let name = if name.is_empty() { "app" } else { name };
        format!("{name}{number}.zip")
    };
    let plain = named(|letter| letter.is_ascii_alphanumeric());
    // Omits characters that some system or shell does not accept in a name.
    let whole = named(|letter| {
        !letter.is_whitespace() && !letter.is_control() && !"/\\:*?\"<>|'`$".contains(letter)
    });
    let encoded = utf8_percent_encode(&whole, ATTRIBUTE);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_title_in_whatever_script() {
        assert_eq!(
            disposition("Café “Über” – 50% / @2 🚀", Some(3)),
            "attachment; filename=\"Caf-ber-50-2-v3.zip\"; \
             filename*=UTF-8''Caf%C3%A9-%E2%80%9C%C3%9Cber%E2%80%9D-%E2%80%93-50%25-%402-%F0%9F%9A%80-v3.zip"
        );
        assert_eq!(
            disposition("天気", None),
            "attachment; filename=\"app.zip\"; filename*=UTF-8''%E5%A4%A9%E6%B0%97.zip"
        );
        assert_eq!(
            disposition("../\"; rm", None),
            "attachment; filename=\"rm.zip\"; filename*=UTF-8''..-;-rm.zip"
                .replace(";-rm.zip", "%3B-rm.zip")
                .replace("''..-", "''")
        );
        let long = disposition(&"x".repeat(500), None);
        assert!(long.len() < 200, "{long}");
    }
}
