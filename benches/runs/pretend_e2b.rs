//! A fake of E2B's API: its sandboxes are maps of files, and its commands succeed at once. It costs
//! next to nothing, so that only the app is measured.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{delete, post},
};
use serde_json::json;

/// Files by sandbox and path.
#[derive(Clone, Default)]
struct Sandboxes {
    files: Arc<Mutex<HashMap<String, BTreeMap<String, Bytes>>>>,
    made: Arc<AtomicUsize>,
}

/// Starts it and returns its address.
pub async fn start() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/v2/sandboxes", post(create).get(list))
        .route("/v2/sandboxes/{id}/connect", post(connect))
        .route(
            "/sandboxes/{id}",
            delete(|| async { StatusCode::NO_CONTENT }),
        )
        .fallback(data_plane)
        .with_state(Sandboxes::default());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn described(id: &str) -> Json<serde_json::Value> {
    Json(
        json!({ "sandboxID": id, "templateID": "nextjs", "clientID": "pretend", "envdVersion": "0.5.0", "envdAccessToken": "token" }),
    )
}

async fn create(State(sandboxes): State<Sandboxes>) -> Response {
    let id = format!("pretend{}", sandboxes.made.fetch_add(1, Ordering::Relaxed));
    let page = (
        "/home/user/app/page.tsx".to_owned(),
        Bytes::from_static(b"export default () => null\n"),
    );
    sandboxes
        .files
        .lock()
        .unwrap()
        .insert(id.clone(), BTreeMap::from([page]));
    (StatusCode::CREATED, described(&id)).into_response()
}

async fn list() -> Json<serde_json::Value> {
    Json(json!([]))
}

async fn connect(Path(id): Path<String>) -> Response {
    described(&id).into_response()
}

async fn data_plane(
    State(sandboxes): State<Sandboxes>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if header("e2b-sandbox-port") != "49983" {
        return ([("content-type", "text/html")], "<h1>The app</h1>").into_response();
    }
    let mut sandboxes = sandboxes.files.lock().unwrap();
    let files = sandboxes
        .entry(header("e2b-sandbox-id").to_owned())
        .or_default();
    match (method, uri.path()) {
        (Method::GET, "/files") => match files.get(&query["path"]) {
            Some(content) => content.clone().into_response(),
            None => (
                StatusCode::NOT_FOUND,
                Json(json!({ "code": 404, "message": "no such file" })),
            )
                .into_response(),
        },
        (Method::POST, "/files") => {
            files.insert(query["path"].clone(), body);
            Json(json!([])).into_response()
        }
        (_, "/filesystem.Filesystem/ListDir") => {
            let request: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let folder = format!("{}/", request["path"].as_str().unwrap());
            let below = files.keys().filter_map(|path| path.strip_prefix(&folder));
            let mut entries = BTreeMap::new();
            for path in below {
                let (name, kind) = match path.split_once('/') {
                    Some((name, _)) => (name, "FILE_TYPE_DIRECTORY"),
                    None => (path, "FILE_TYPE_FILE"),
                };
                entries.insert(
                    name,
                    json!({ "name": name, "path": format!("{folder}{name}"), "type": kind }),
                );
            }
            Json(json!({ "entries": entries.into_values().collect::<Vec<_>>() })).into_response()
        }
        (_, "/process.Process/Start") => {
            let frame = |flag: u8, message: serde_json::Value| {
                let message = message.to_string();
                let length = u32::try_from(message.len()).unwrap().to_be_bytes();
                [&[flag][..], &length, message.as_bytes()].concat()
            };
            let stream = [
                frame(0, json!({ "event": { "start": { "pid": 7 } } })),
                frame(
                    0,
                    json!({ "event": { "end": { "exited": true, "status": "exit status 0" } } }),
                ),
                frame(2, json!({})),
            ];
            (
                [("content-type", "application/connect+json")],
                stream.concat(),
            )
                .into_response()
        }
        (_, path) => panic!("nothing pretends {path}"),
    }
}
