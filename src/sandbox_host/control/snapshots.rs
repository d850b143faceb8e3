//! Snapshots and forks.

use axum::{
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode},
};
use serde::{Deserialize, Serialize};

use super::{Answer, Host, Json, checked, empty, list, messages::Created};
use crate::{
    e2b::NEXT_TOKEN,
    sandbox_host::{
        error::HostError,
        http::json,
        snapshots::{self, Snapshot},
        template::Template,
    },
};

/// The time-out of forks, in seconds, unless the request says another.
const FORK_TIMEOUT: u64 = 15;
/// The maximum number of forks by one request.
const MAX_FORKS: u64 = 16;

#[derive(Deserialize)]
pub(super) struct NewSnapshot {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    #[serde(rename = "sandboxID")]
    sandbox: Option<String>,
    name: Option<String>,
    limit: Option<String>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NewForks {
    timeout: Option<u64>,
    count: Option<u64>,
}

#[derive(Serialize)]
struct SnapshotInfo {
    #[serde(rename = "snapshotID")]
    id: String,
    names: Vec<String>,
}

impl From<Snapshot> for SnapshotInfo {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            id: snapshot.id,
            names: snapshot.name.into_iter().collect(),
        }
    }
}

/// The outcome of one fork.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Fork {
    Sandbox(Created),
    Error { code: u16, message: String },
}

pub(super) async fn take(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<NewSnapshot>,
) -> Answer {
    let name = request.name.as_deref().map(snapshots::checked_name);
    let name = name.transpose().map_err(HostError::Invalid)?;
    let snapshot = sandboxes.take_snapshot(&*sandboxes.get(&id)?, name).await?;
    Ok(json(StatusCode::CREATED, &SnapshotInfo::from(snapshot)))
}

/// The snapshots, the youngest first, page by page.
pub(super) async fn all(State(sandboxes): Host, Query(filter): Query<Filter>) -> Answer {
    let invalid = |message| HostError::Invalid(format!("validation error: {message}"));
    let limit = list::limit(filter.limit.as_deref()).map_err(invalid)?;
    let after = list::position(filter.next_token.as_deref()).map_err(invalid)?;
    let mut found = snapshots::all(&sandboxes.settings().data_dir);
    let place = |snapshot: &Snapshot| (snapshot.created_at, snapshot.id.clone());
    found.retain(|snapshot| {
        (filter.sandbox.as_ref()).is_none_or(|id| *id == snapshot.sandbox)
            && (filter.name.as_ref()).is_none_or(|name| snapshot.is_called(&name.to_lowercase()))
            && after.as_ref().is_none_or(|after| place(snapshot) < *after)
    });
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more);
    let next = next.map(|last| list::token(&place(last)));
    let found: Vec<SnapshotInfo> = found.into_iter().map(SnapshotInfo::from).collect();
    let mut response = json(StatusCode::OK, &found);
    if let Some(next) = next.and_then(|token| HeaderValue::from_str(&token).ok()) {
        response.headers_mut().insert(NEXT_TOKEN, next);
    }
    Ok(response)
}

/// E2B's SDKs remove snapshots as templates, which this does not remove.
pub(super) async fn remove(State(sandboxes): Host, Path(id): Path<String>) -> Answer {
    if Template::find(&sandboxes.settings().data_dir, &id).is_some() {
        return Err(HostError::Invalid(format!(
            "'{id}' is no snapshot; remove templates with: codeflow template remove {id}"
        )));
    }
    sandboxes.remove_snapshot(&id).await?;
    Ok(empty())
}

pub(super) async fn fork(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<NewForks>,
) -> Answer {
    let timeout = checked(request.timeout, FORK_TIMEOUT)?;
    let count = request.count.unwrap_or(1);
    if !(1..=MAX_FORKS).contains(&count) {
        let range = format!("validation error: count is a number from 1 to {MAX_FORKS}");
        return Err(HostError::Invalid(range));
    }
    let sandbox = sandboxes.get(&id)?;
    let count = usize::try_from(count).unwrap_or(1);
    let forks = sandboxes.fork(&sandbox, count, timeout).await?;
    let forks: Vec<Fork> = forks
        .into_iter()
        .map(|fork| match fork {
            Ok(fork) => Fork::Sandbox(Created::of(&sandboxes, fork.record())),
            Err(error) => Fork::Error {
                code: error.status().as_u16(),
                message: error.to_string(),
            },
        })
        .collect();
    Ok(json(StatusCode::CREATED, &forks))
}
