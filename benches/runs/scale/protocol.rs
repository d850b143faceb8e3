//! The pretended host's HTTP: what the server's client asks of a sandbox host, and of the sandboxes
//! on it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::host::{Host, Refusal, Sandbox};

const HOME: &str = "/home/user/";

pub fn router(host: Host) -> Router {
    Router::new()
        .route("/host/capacity", get(capacity))
        .route("/v2/sandboxes", post(create).get(list))
        .route("/v2/sandboxes/{id}/connect", post(connect))
        .route("/sandboxes/{id}", get(detail).delete(kill))
        .fallback(data_plane)
        .layer(middleware::from_fn_with_state(host.clone(), unless_lost))
        .with_state(host)
}

/// A lost host's connections break.
async fn unless_lost(State(host): State<Host>, request: Request, next: Next) -> Response {
    let answer = match host.is_lost() {
        true => None,
        false => Some(next.run(request).await),
    };
    match answer.filter(|_| !host.is_lost()) {
        Some(answer) => answer,
        None => std::panic::resume_unwind(Box::new("lost")),
    }
}

async fn capacity(State(host): State<Host>) -> Json<Value> {
    let figures = host.figures();
    Json(json!({
        "freeMemory": host.free_memory(),
        "running": figures.awake,
        "asleep": figures.all - figures.awake,
        "templates": { "nextjs": u64::from(host.is_pooled()) },
        "draining": host.state().draining,
        "domain": "localhost",
    }))
}

async fn create(State(host): State<Host>, Json(request): Json<Value>) -> Response {
    let project = request["metadata"]["project"].as_str();
    let project = project.unwrap_or_default();
    // It continues if the client is gone, as on a real host.
    let (making, project) = (host.clone(), project.to_owned());
    match tokio::spawn(async move { making.create(project).await })
        .await
        .unwrap()
    {
        Ok(id) => (StatusCode::CREATED, described(&id)).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn described(id: &str) -> Json<Value> {
    Json(json!({
        "sandboxID": id, "templateID": "nextjs", "clientID": "pretend", "envdVersion": "0.5.0",
        "envdAccessToken": "token"
    }))
}

fn refused(refusal: &Refusal) -> Response {
    let (status, why) = match refusal {
        Refusal::Full => (StatusCode::TOO_MANY_REQUESTS, "The machine is full"),
        Refusal::Draining => (StatusCode::SERVICE_UNAVAILABLE, "the host is being drained"),
        Refusal::Failed => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the sandbox did not start",
        ),
    };
    error(status, why)
}

fn error(status: StatusCode, message: &str) -> Response {
    let body = json!({ "code": status.as_u16(), "message": message });
    (status, Json(body)).into_response()
}

fn absent(id: &str) -> Response {
    error(StatusCode::NOT_FOUND, &format!("sandbox {id} not found"))
}

async fn list(State(host): State<Host>) -> Json<Value> {
    let state = host.state();
    let started = "2026-01-01T00:00:00Z";
    let all = state.sandboxes.keys().map(
        |id| json!({ "sandboxID": id, "startedAt": started, "state": "running", "metadata": {} }),
    );
    Json(Value::Array(all.collect()))
}

async fn connect(State(host): State<Host>, Path(id): Path<String>) -> Response {
    match host.wake(&id).await {
        Ok(Some(woken)) => {
            let status = match woken {
                true => StatusCode::CREATED,
                false => StatusCode::OK,
            };
            (status, described(&id)).into_response()
        }
        Ok(None) => absent(&id),
        Err(refusal) => refused(&refusal),
    }
}

async fn detail(State(host): State<Host>, Path(id): Path<String>) -> Response {
    match host.state().sandboxes.contains_key(&id) {
        true => Json(json!({ "sandboxID": id, "state": "running" })).into_response(),
        false => absent(&id),
    }
}

async fn kill(State(host): State<Host>, Path(id): Path<String>) -> Response {
    match host.state().sandboxes.remove(&id) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => absent(&id),
    }
}

async fn data_plane(
    State(host): State<Host>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    };
    let id = header("e2b-sandbox-id");
    match host.wake(id).await {
        Ok(Some(_)) => {}
        Ok(None) => {
            let body = json!({
                "code": 502, "message": "The sandbox was not found", "sandboxId": id
            });
            return (StatusCode::BAD_GATEWAY, Json(body)).into_response();
        }
        Err(refusal) => return refused(&refusal),
    }
    if header("e2b-sandbox-port") != "49983" {
        return ([("content-type", "text/html")], "<h1>The app</h1>").into_response();
    }
    let mut state = host.state();
    let state = &mut *state;
    let Some(sandbox) = state.sandboxes.get_mut(id) else {
        return absent(id);
    };
    match (method, uri.path()) {
        (Method::GET, "/files") => match sandbox.files.get(&query["path"]) {
            Some(content) => content.clone().into_response(),
            None => error(StatusCode::NOT_FOUND, "no such file"),
        },
        (Method::POST, "/files") => {
            sandbox.files.insert(query["path"].clone(), body);
            Json(json!([])).into_response()
        }
        (_, "/filesystem.Filesystem/ListDir") => entries(sandbox, &body),
        (_, "/filesystem.Filesystem/Remove") => {
            let request: Value = serde_json::from_slice(&body).unwrap();
            sandbox.files.remove(request["path"].as_str().unwrap());
            Json(json!({})).into_response()
        }
        (_, "/process.Process/Start") => {
            let command = String::from_utf8_lossy(&body);
            let output = match command.contains("find . -mindepth") {
                true => report(sandbox),
                false => Vec::new(),
            };
            if let Some(mark) = marked(&command) {
                let mark = format!("mark-{mark}");
                let log = sandbox.files.entry(format!("{HOME}log.txt")).or_default();
                *log = [log, mark.as_bytes(), b"\n"].concat().into();
                *state.marks.entry(mark).or_default() += 1;
            }
            ended(&output)
        }
        (_, "/process.Process/List") => Json(json!({ "processes": [] })).into_response(),
        _ => Json(json!({})).into_response(),
    }
}

/// What is behind `mark-` in the mark that the command makes: the only one with an effect.
fn marked(command: &str) -> Option<&str> {
    let (_, mark) = command.split_once("echo mark-")?;
    let (mark, _) = mark.split_once(" >> log.txt")?;
    Some(mark)
}

/// What the walk of the app's folder prints.
fn report(sandbox: &Sandbox) -> Vec<u8> {
    let mut report = Vec::new();
    let below = |path: &str| path.strip_prefix(HOME).map(str::to_owned);
    let mut folders = BTreeSet::new();
    for (path, content) in &sandbox.files {
        let Some(path) = below(path) else { continue };
        for (at, _) in path.match_indices('/') {
            folders.insert(path[..at].to_owned());
        }
        report.extend(format!("+f 644 {} {path}\0\0", content.len()).into_bytes());
    }
    for folder in folders {
        report.extend(format!("+d 755 4096 {folder}\0\0").into_bytes());
    }
    report.extend(b"end");
    report
}

fn entries(sandbox: &Sandbox, body: &[u8]) -> Response {
    let request: Value = serde_json::from_slice(body).unwrap();
    let folder = format!("{}/", request["path"].as_str().unwrap());
    let mut entries = BTreeMap::new();
    for path in sandbox
        .files
        .keys()
        .filter_map(|path| path.strip_prefix(&folder))
    {
        let (name, kind) = match path.split_once('/') {
            Some((name, _)) => (name, "FILE_TYPE_DIRECTORY"),
            None => (path, "FILE_TYPE_FILE"),
        };
        let entry = json!({ "name": name, "path": format!("{folder}{name}"), "type": kind });
        entries.insert(name, entry);
    }
    Json(json!({ "entries": entries.into_values().collect::<Vec<_>>() })).into_response()
}

/// The stream of a command that printed this and succeeded.
fn ended(output: &[u8]) -> Response {
    let frame = |flag: u8, message: Value| {
        let message = message.to_string();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag][..], &length, message.as_bytes()].concat()
    };
    let mut stream = frame(0, json!({ "event": { "start": { "pid": 7 } } }));
    if !output.is_empty() {
        let data = json!({ "stdout": STANDARD.encode(output) });
        stream.extend(frame(0, json!({ "event": { "data": data } })));
    }
    let end = json!({ "exited": true, "status": "exit status 0" });
    stream.extend(frame(0, json!({ "event": { "end": end } })));
    stream.extend(frame(2, json!({})));
    ([("content-type", "application/connect+json")], stream).into_response()
}
