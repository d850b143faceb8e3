//! Watching a folder: `WatchDir`, which streams changes, and watchers that clients poll.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
    routing::post,
};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{ModifyKind, RenameMode},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    connect::{self, Error, Message, Times, answer, frame},
    entry, files, path,
};

/// How many changes wait for a slow client or its next poll; a client that lost more learns of it.
const MAX_WAITING: usize = 4096;
/// The maximum number of polled watchers at a time.
const MAX_WATCHERS: usize = 64;
/// How long the kernel may take to report a change.
const SETTLE: Duration = Duration::from_millis(50);

/// The watchers that clients poll, by their ids.
#[derive(Clone, Default)]
pub(super) struct Watchers {
    known: Arc<Mutex<HashMap<String, DirectoryWatch>>>,
    last_id: Arc<AtomicU64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    include_entry: bool,
    // `allowNetworkMounts` is of no consequence: a sandbox has none.
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Which {
    watcher_id: String,
}

pub(super) fn router(watchers: Watchers) -> Router {
    Router::new()
        .route("/filesystem.Filesystem/WatchDir", post(watch))
        .route("/filesystem.Filesystem/CreateWatcher", post(create))
        .route("/filesystem.Filesystem/GetWatcherEvents", post(events))
        .route("/filesystem.Filesystem/RemoveWatcher", post(remove))
        .with_state(watchers)
}

/// Watches a folder until it is dropped.
struct DirectoryWatch {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<Value>,
    overflowed: Arc<AtomicBool>,
}

impl DirectoryWatch {
    fn begin(request: &Request) -> Result<Self, Error> {
        let folder = path::resolve(&request.path);
        let kind = std::fs::metadata(&folder).map_err(|error| Error::of_io(&error, &folder))?;
        if !kind.is_dir() {
            return Err(Error::invalid(format!(
                "path is not a directory: {}",
                folder.display()
            )));
        }
        // The kernel reports paths below the resolved folder.
        let folder = folder
            .canonicalize()
            .map_err(|error| Error::of_io(&error, &folder))?;
        let (sender, changes) = mpsc::channel(MAX_WAITING);
        let overflowed = Arc::new(AtomicBool::new(false));
        let (root, include_entry, lost) =
            (folder.clone(), request.include_entry, overflowed.clone());
        let pass_on = move |news: notify::Result<notify::Event>| {
            let Ok(event) = news else {
                lost.store(true, Ordering::Relaxed);
                return;
            };
            for change in changes_of(&root, &event, include_entry) {
                if sender.try_send(change).is_err() {
                    lost.store(true, Ordering::Relaxed);
                }
            }
        };
        let failed = |error: notify::Error| {
            Error::new(
                "internal",
                format!("{} can't be watched: {error}", folder.display()),
            )
        };
        let mut watcher = notify::recommended_watcher(pass_on).map_err(failed)?;
        let mode = if request.recursive {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        watcher.watch(&folder, mode).map_err(failed)?;
        Ok(Self {
            _watcher: watcher,
            changes,
            overflowed,
        })
    }

    fn check(&self) -> Result<(), Error> {
        if self.overflowed.swap(false, Ordering::Relaxed) {
            return Err(Error::new(
                "resource_exhausted",
                "changes came faster than they were read, and some were lost",
            ));
        }
        Ok(())
    }
}

/// The kernel's event as E2B's protocol has it. A file written by a client appears as written, and
/// not what it replaces it with.
fn changes_of(root: &Path, event: &notify::Event, include_entry: bool) -> Vec<Value> {
    let kind = match event.kind {
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            "EVENT_TYPE_CREATE"
        }
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => "EVENT_TYPE_RENAME",
        EventKind::Modify(ModifyKind::Name(RenameMode::Both))
            if event.paths.first().is_some_and(|from| is_part(from)) =>
        {
            "EVENT_TYPE_WRITE"
        }
        // The two events above already report it.
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Metadata(_)) => "EVENT_TYPE_CHMOD",
        EventKind::Modify(_) => "EVENT_TYPE_WRITE",
        EventKind::Remove(_) => "EVENT_TYPE_REMOVE",
        EventKind::Any | EventKind::Other => return Vec::new(),
    };
    let relative = |path: &PathBuf| {
        path.strip_prefix(root)
            .ok()
            .filter(|name| !name.as_os_str().is_empty())
            .map(Path::to_owned)
    };
    let changes = event
        .paths
        .iter()
        .filter(|path| !is_part(path))
        .filter_map(|path| Some((path, relative(path)?)));
    changes
        .map(|(path, name)| {
            let mut change = json!({ "name": name.to_string_lossy(), "type": kind });
            if include_entry && let Ok(entry) = entry::info(path) {
                change["entry"] = entry;
            }
            change
        })
        .collect()
}

/// Whether it is a file that is being written.
fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(files::PART.as_bytes())
}

async fn watch(headers: HeaderMap, body: Bytes) -> Response<Body> {
    let times = Times::of(&headers);
    let watch = match connect::request::<Request>(&body)
        .and_then(|request| DirectoryWatch::begin(&request))
    {
        Ok(watch) => watch,
        Err(error) => return connect::stream(Body::from(error.end_of_stream())),
    };
    let started = futures::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(frame(
        0,
        &json!({ "start": {} }),
    )))]);
    let changes = futures::stream::unfold((Some(watch), times), async |(watch, times)| {
        let mut watch = watch?;
        let (bytes, watch) = tokio::select! {
            biased;
            change = watch.changes.recv() => match watch.check() {
                Ok(()) => (frame(0, &json!({ "filesystem": change? })), Some(watch)),
                Err(error) => (error.end_of_stream(), None),
            },
            () = times.over() => (Error::deadline().end_of_stream(), None),
            () = tokio::time::sleep(times.keepalive) => (frame(0, &json!({ "keepalive": {} })), Some(watch)),
        };
        Some((Ok(bytes.into()), (watch, times)))
    });
    connect::stream(Body::from_stream(futures::StreamExt::chain(
        started, changes,
    )))
}

async fn create(
    State(watchers): State<Watchers>,
    Message(request): Message<Request>,
) -> Response<Body> {
    let create = || {
        let watch = DirectoryWatch::begin(&request)?;
        let mut known = watchers.known.lock();
        if known.len() == MAX_WATCHERS {
            return Err(Error::new(
                "resource_exhausted",
                format!("there are {MAX_WATCHERS} watchers; remove some"),
            ));
        }
        let id = format!("w{}", watchers.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        known.insert(id.clone(), watch);
        Ok(json!({ "watcherId": id }))
    };
    answer(create())
}

async fn events(
    State(watchers): State<Watchers>,
    Message(which): Message<Which>,
) -> Response<Body> {
    // The answer must include what happened right before the poll.
    tokio::time::sleep(SETTLE).await;
    let read = || {
        let mut known = watchers.known.lock();
        let watch = known
            .get_mut(&which.watcher_id)
            .ok_or_else(|| unknown(&which.watcher_id))?;
        watch.check()?;
        let mut events = Vec::new();
        while let Ok(change) = watch.changes.try_recv() {
            events.push(change);
        }
        Ok(if events.is_empty() {
            json!({})
        } else {
            json!({ "events": events })
        })
    };
    answer(read())
}

async fn remove(
    State(watchers): State<Watchers>,
    Message(which): Message<Which>,
) -> Response<Body> {
    let removed = watchers.known.lock().remove(&which.watcher_id);
    answer(
        removed
            .map(|_| json!({}))
            .ok_or_else(|| unknown(&which.watcher_id)),
    )
}

fn unknown(id: &str) -> Error {
    Error::not_found(format!("watcher with id {id} not found"))
}
