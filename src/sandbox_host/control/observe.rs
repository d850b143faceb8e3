//! A sandbox's history: its log and its metrics.

use std::collections::HashMap;

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Answer, Host};
use crate::sandbox_host::{error::HostError, http::json, log::LogFilter, metrics::Sample};

/// The maximum number of lines in one answer.
const MAX_LOGS: usize = 1000;
/// The maximum number of sandboxes in one answer.
const MAX_IDS: usize = 100;

#[derive(Deserialize)]
pub(super) struct LogQuery {
    start: Option<u64>,
    cursor: Option<u64>,
    limit: Option<usize>,
    direction: Option<String>,
    level: Option<String>,
    search: Option<String>,
}

impl LogQuery {
    fn filter(self) -> LogFilter {
        LogFilter {
            cursor: self.cursor.or(self.start),
            backward: self.direction.as_deref() == Some("backward"),
            limit: self.limit.unwrap_or(MAX_LOGS).min(MAX_LOGS),
            level: self.level,
            search: self.search,
        }
    }
}

pub(super) async fn logs(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Answer {
    let lines = sandboxes.get(&id)?.log().read(&query.filter());
    Ok(json(StatusCode::OK, &serde_json::json!({ "logs": lines })))
}

pub(super) async fn logs_v1(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Answer {
    let entries = sandboxes.get(&id)?.log().read(&query.filter());
    let line = |entry: &serde_json::Value| serde_json::json!({ "timestamp": entry["timestamp"], "line": entry["message"] });
    let lines: Vec<_> = entries.iter().map(line).collect();
    Ok(json(
        StatusCode::OK,
        &serde_json::json!({ "logs": lines, "logEntries": entries }),
    ))
}

#[derive(Deserialize)]
pub(super) struct Span {
    /// Unix time in seconds.
    start: Option<u64>,
    end: Option<u64>,
}

pub(super) async fn metrics(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Query(span): Query<Span>,
) -> Answer {
    Ok(json(
        StatusCode::OK,
        &sandboxes.get(&id)?.metrics().between(span.start, span.end),
    ))
}

#[derive(Deserialize)]
pub(super) struct Ids {
    /// Separated by commas.
    sandbox_ids: String,
}

/// The last sample of each sandbox that is known and has one.
pub(super) async fn metrics_of_all(State(sandboxes): Host, Query(ids): Query<Ids>) -> Answer {
    let ids: Vec<&str> = ids
        .sandbox_ids
        .split(',')
        .filter(|id| !id.is_empty())
        .collect();
    if ids.len() > MAX_IDS {
        return Err(HostError::Invalid(format!(
            "validation error: more than {MAX_IDS} sandbox_ids"
        )));
    }
    let last = |id: &&str| Some(((*id).to_owned(), sandboxes.get(id).ok()?.metrics().last()?));
    let found: HashMap<String, Sample> = ids.iter().filter_map(last).collect();
    Ok(json(
        StatusCode::OK,
        &serde_json::json!({ "sandboxes": found }),
    ))
}
