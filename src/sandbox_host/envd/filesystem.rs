//! `filesystem.Filesystem`: Stat, ListDir, MakeDir, Move and Remove.

use std::{fs, path::Path};

use axum::{Router, body::Body, http::Response, routing::post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    connect::{Error, Message, answer},
    entry, path,
};

/// The maximum number of entries in one listing.
const MAX_ENTRIES: usize = 50_000;

#[derive(Deserialize)]
struct At {
    #[serde(default)]
    path: String,
    #[serde(default)]
    depth: u32,
}

#[derive(Deserialize)]
struct FromTo {
    source: String,
    destination: String,
}

pub(super) fn router() -> Router {
    Router::new()
        .route("/filesystem.Filesystem/Stat", post(stat))
        .route("/filesystem.Filesystem/ListDir", post(list))
        .route("/filesystem.Filesystem/MakeDir", post(make))
        .route("/filesystem.Filesystem/Move", post(rename))
        .route("/filesystem.Filesystem/Remove", post(remove))
}

/// Runs blocking work on the disk off the serving thread.
async fn off_thread(
    work: impl FnOnce() -> Result<Value, Error> + Send + 'static,
) -> Response<Body> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => answer(result),
        Err(error) => Error::new("internal", error.to_string()).response(),
    }
}

async fn stat(Message(at): Message<At>) -> Response<Body> {
    off_thread(move || entry_at(&path::resolve(&at.path))).await
}

async fn list(Message(at): Message<At>) -> Response<Body> {
    off_thread(move || {
        let folder = path::resolve(&at.path);
        let kind = fs::metadata(&folder).map_err(|error| Error::of_io(&error, &folder))?;
        if !kind.is_dir() {
            return Err(Error::invalid(format!(
                "path is not a directory: {}",
                folder.display()
            )));
        }
        let mut entries = Vec::new();
        collect(&folder, at.depth.max(1), &mut entries)?;
        Ok(if entries.is_empty() {
            json!({})
        } else {
            json!({ "entries": entries })
        })
    })
    .await
}

fn collect(folder: &Path, depth: u32, entries: &mut Vec<Value>) -> Result<(), Error> {
    let listed = fs::read_dir(folder).map_err(|error| Error::of_io(&error, folder))?;
    let mut paths: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // Removed in the meantime.
        let Ok(entry) = entry::info(&path) else {
            continue;
        };
        if entries.len() == MAX_ENTRIES {
            return Err(Error::new(
                "resource_exhausted",
                format!("more than {MAX_ENTRIES} entries; ask for less depth"),
            ));
        }
        let folder = entry["type"] == "FILE_TYPE_DIRECTORY" && entry.get("symlinkTarget").is_none();
        entries.push(entry);
        if folder && depth > 1 {
            match collect(&path, depth - 1, entries) {
                // A folder that can't be read, or is gone, must not hide the others.
                Err(error) if error.is_of_file() => {}
                collected => collected?,
            }
        }
    }
    Ok(())
}

async fn make(Message(at): Message<At>) -> Response<Body> {
    off_thread(move || {
        let folder = path::resolve(&at.path);
        if fs::symlink_metadata(&folder).is_ok() {
            return Err(Error::new(
                "already_exists",
                format!("path already exists: {}", folder.display()),
            ));
        }
        fs::create_dir_all(&folder).map_err(|error| Error::of_io(&error, &folder))?;
        entry_at(&folder)
    })
    .await
}

async fn rename(Message(paths): Message<FromTo>) -> Response<Body> {
    off_thread(move || {
        let (source, destination) = (
            path::resolve(&paths.source),
            path::resolve(&paths.destination),
        );
        fs::symlink_metadata(&source).map_err(|error| Error::of_io(&error, &source))?;
        if let Some(parent) = destination.parent() {
            fs::create_dir_all(parent).map_err(|error| Error::of_io(&error, parent))?;
        }
        fs::rename(&source, &destination).map_err(|error| Error::of_io(&error, &destination))?;
        entry_at(&destination)
    })
    .await
}

async fn remove(Message(at): Message<At>) -> Response<Body> {
    off_thread(move || {
        let path = path::resolve(&at.path);
        let removed = match fs::symlink_metadata(&path) {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => Ok(json!({})),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(json!({})),
            Err(error) => Err(Error::of_io(&error, &path)),
        }
    })
    .await
}

fn entry_at(path: &Path) -> Result<Value, Error> {
    let entry = entry::info(path).map_err(|error| Error::of_io(&error, path))?;
    Ok(json!({ "entry": entry }))
}
