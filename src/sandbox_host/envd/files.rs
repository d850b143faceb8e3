//! Files over plain HTTP: `GET` and `POST /files`. Writes are atomic: the new file replaces the old
//! one once its last byte has arrived.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequest, Multipart, Request},
    http::{HeaderValue, Response, StatusCode, header},
    routing::get,
};
use futures::{Stream, StreamExt, TryStreamExt};
use nix::libc::O_NONBLOCK;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use tower::ServiceExt;
use tower_http::{
    compression::CompressionLayer, decompression::RequestDecompressionLayer, services::ServeFile,
};

use super::{
    failure,
    metadata::{self, Metadata},
    path,
};
use crate::sandbox_host::http::{self, api_error};

/// How the names of files begin that are being written.
pub(super) const PART: &str = ".codeflow-";
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// Bodies may be compressed in both directions.
pub(super) fn router() -> Router {
    Router::new()
        .route("/files", get(read).post(write))
        .layer(RequestDecompressionLayer::new())
        .layer(CompressionLayer::new().no_br())
}

async fn read(request: Request) -> Response<Body> {
    let Some(path) = path::query(request.uri(), "path") else {
        return api_error(StatusCode::BAD_REQUEST, "query parameter path is required");
    };
    let path = path::resolve(&path);
    // Non-blocking: opening a pipe without a writer would block forever.
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(&path);
    let (file, kind) = match opened.and_then(|file| file.metadata().map(|kind| (file, kind))) {
        Ok(opened) => opened,
        Err(error) => return failure(&error, &path),
    };
    if kind.is_dir() {
        return failure(&io::ErrorKind::IsADirectory.into(), &path);
    }
    if !kind.is_file() {
        return api_error(
            StatusCode::BAD_REQUEST,
            format!("path '{}' is not a regular file", path.display()),
        );
    }
    if kind.len() > 0 {
        // Supports ranges and conditional requests.
        return match ServeFile::new(&path).oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
    }
    // The kernel's own files (`/proc`) have no known length.
    let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK);
    let mut response = Response::new(Body::from_stream(stream));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    response
}

async fn write(request: Request) -> Response<Body> {
    let path = path::query(request.uri(), "path").map(|path| path::resolve(&path));
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let metadata = match metadata::of_headers(request.headers()) {
        Ok(metadata) => metadata,
        Err(fault) => return api_error(StatusCode::BAD_REQUEST, fault),
    };
    let written = if content_type.starts_with("multipart/form-data") {
        write_parts(request, path, &metadata).await
    } else if content_type.starts_with("application/octet-stream") {
        let Some(path) = path else {
            return api_error(StatusCode::BAD_REQUEST, "query parameter path is required");
        };
        write_file(&path, &metadata, request.into_body().into_data_stream())
            .await
            .map(|()| vec![path])
    } else {
        return api_error(
            StatusCode::BAD_REQUEST,
            format!("unsupported content type '{content_type}'"),
        );
    };
    match written {
        Ok(paths) => {
            let entries: Vec<_> = paths
                .iter()
                .map(|path| {
                    let mut entry = json!({ "path": path, "name": name(path), "type": "file" });
                    if !metadata.is_empty() {
                        entry["metadata"] = json!(metadata);
                    }
                    entry
                })
                .collect();
            http::json(StatusCode::OK, &entries)
        }
        Err(refusal) => *refusal,
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Writes each part named `file` to its file name, or a single part to the path in the query.
async fn write_parts(
    request: Request,
    path: Option<PathBuf>,
    metadata: &Metadata,
) -> Result<Vec<PathBuf>, Box<Response<Body>>> {
    let invalid = |message: String| Box::new(api_error(StatusCode::BAD_REQUEST, message));
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|error| invalid(error.body_text()))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(part) = parts
        .next_field()
        .await
        .map_err(|error| invalid(error.body_text()))?
    {
        if part.name() != Some("file") {
            continue;
        }
        let to = match (&path, part.file_name()) {
            (Some(path), _) => path.clone(),
            (None, Some(name)) => path::resolve(name),
            (None, None) => {
                return Err(invalid(
                    "a part has no file name, and there is no parameter path".to_owned(),
                ));
            }
        };
        if paths.contains(&to) {
            return Err(invalid(format!(
                "two parts for the same path '{}'",
                to.display()
            )));
        }
        write_file(&to, metadata, part).await?;
        paths.push(to);
    }
    Ok(paths)
}

async fn write_file<E: std::error::Error + Send + Sync + 'static>(
    path: &Path,
    metadata: &Metadata,
    content: impl Stream<Item = Result<Bytes, E>>,
) -> Result<(), Box<Response<Body>>> {
    write_whole(path, metadata, content.map_err(io::Error::other))
        .await
        .map_err(|error| Box::new(failure(&error, path)))
}

/// Writes a temporary file beside it, then replaces it and its metadata. For a link, its target is
/// written.
async fn write_whole(
    path: &Path,
    metadata: &Metadata,
    content: impl Stream<Item = io::Result<Bytes>>,
) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let path = match fs::symlink_metadata(path) {
        Ok(kind) if kind.is_symlink() => fs::canonicalize(path)?,
        _ => path.to_owned(),
    };
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    tokio::fs::create_dir_all(folder).await?;
    let part = folder.join(format!(
        "{PART}{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    let written = async {
        let mut file = tokio::fs::File::create(&part).await?;
        let mut content = std::pin::pin!(content);
        while let Some(bytes) = content.next().await {
            file.write_all(&bytes?).await?;
        }
        file.flush().await?;
        metadata::write(&part, metadata)?;
        if let Ok(kind) = fs::metadata(&path) {
            fs::set_permissions(&part, kind.permissions())?;
        }
        fs::rename(&part, &path)
    }
    .await;
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
