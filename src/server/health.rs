//! `/healthz`: the process answers. `/readyz`: the database and the storage of files answer too,
//! and sandboxes can be created.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use super::AppState;

pub async fn healthz() -> &'static str {
    "ok"
}

/// 200 if the app can work, else 503. The body names the faulty part, and the sandbox limits that
/// this machine can't enforce.
pub async fn readyz(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let database = match state.projects.ping().await {
        Ok(()) => Value::from("ok"),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            Value::from("does not answer")
        }
    };
    // The reason is in the log.
    let files = match state.projects.ping_storage().await {
        Ok(()) => Value::from("ok"),
        Err(_) => Value::from("do not answer"),
    };
    let sandboxes = Value::from(state.sandbox_fault.as_deref().unwrap_or("ok"));
    let ready = [&database, &files, &sandboxes]
        .iter()
        .all(|part| **part == "ok");
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({
            "database": database,
            "files": files,
            "sandboxes": sandboxes,
            "unenforced": *state.unenforced,
        })),
    )
}
