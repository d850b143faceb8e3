//! `GET /v2/sandboxes`: the sandboxes, filtered and ordered, page by page.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Query, State},
    http::{HeaderValue, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{Answer, Host, messages::Listed};
use crate::{
    e2b::{NEXT_TOKEN, TOTAL_RUNNING},
    sandbox_host::{error::HostError, http::json, record::Record, sandboxes::Sandboxes},
};

const MAX_PAGE: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Filter {
    metadata: Option<String>,
    state: Option<String>,
    order: Option<String>,
    started_after: Option<String>,
    template: Option<String>,
    limit: Option<String>,
    next_token: Option<String>,
}

/// A position in an order: a start time, then an id.
pub(super) type Place = (u64, String);

/// A parsed filter.
#[derive(Debug, PartialEq)]
struct ListQuery {
    metadata: HashMap<String, String>,
    running: bool,
    paused: bool,
    ascending: bool,
    started_after: Option<u64>,
    template: Option<String>,
    limit: usize,
    after: Option<Place>,
}

impl TryFrom<Filter> for ListQuery {
    type Error = String;

    fn try_from(filter: Filter) -> Result<Self, String> {
        let states: Vec<&str> = filter
            .state
            .as_deref()
            .unwrap_or("running,paused")
            .split(',')
            .collect();
        if let Some(other) = states
            .iter()
            .find(|state| !["running", "paused"].contains(state))
        {
            return Err(format!("state '{other}' is neither running nor paused"));
        }
        let ascending = match filter.order.as_deref() {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(other) => return Err(format!("order '{other}' is neither asc nor desc")),
        };
        let limit = limit(filter.limit.as_deref())?;
        let started_after = match &filter.started_after {
            None => None,
            Some(text) => {
                let moment = chrono::DateTime::parse_from_rfc3339(text)
                    .map_err(|error| format!("startedAfter: {error}"))?;
                Some(u64::try_from(moment.timestamp_millis()).unwrap_or(0))
            }
        };
        let after = position(filter.next_token.as_deref())?;
        Ok(Self {
            metadata: metadata(filter.metadata.as_deref().unwrap_or_default()),
            running: states.contains(&"running"),
            paused: states.contains(&"paused"),
            ascending,
            started_after,
            template: filter.template,
            limit,
            after,
        })
    }
}

impl ListQuery {
    fn fits(&self, record: &Record, running: bool) -> bool {
        (if running { self.running } else { self.paused })
            && self.template.as_ref().is_none_or(|template| {
                *template == record.template || record.snapshot.as_ref() == Some(template)
            })
            && self
                .started_after
                .is_none_or(|moment| record.started_at > moment)
            && self
                .metadata
                .iter()
                .all(|(key, value)| record.metadata.get(key) == Some(value))
    }

    /// Whether a position comes after the previous page.
    fn is_left(&self, place: &Place) -> bool {
        match &self.after {
            None => true,
            Some(last) if self.ascending => place > last,
            Some(last) => place < last,
        }
    }
}

/// The pairs of a metadata filter. Clients encode keys and values, then the pairs, then the whole;
/// the outermost encoding is already decoded.
fn metadata(text: &str) -> HashMap<String, String> {
    let unescape = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    unescape(text)
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(key), unescape(value))
        })
        .collect()
}

/// The number of items on a page.
pub(super) fn limit(text: Option<&str>) -> Result<usize, String> {
    match text.map(str::parse) {
        None => Ok(MAX_PAGE),
        Some(Ok(limit)) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(format!("limit is a number from 1 to {MAX_PAGE}")),
    }
}

/// The place of the previous page's last item.
pub(super) fn position(token: Option<&str>) -> Result<Option<Place>, String> {
    let known = |token| place(token).ok_or("nextToken is none that was given out".to_owned());
    token.map(known).transpose()
}

pub(super) fn token(place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", place.0, place.1))
}

fn place(token: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (started_at, id) = text.split_once('.')?;
    Some((started_at.parse().ok()?, id.to_owned()))
}

pub(super) async fn list(State(sandboxes): Host, Query(filter): Query<Filter>) -> Answer {
    answer(&sandboxes, filter).await
}

/// The older form: running sandboxes only, without pages.
pub(super) async fn list_v1(State(sandboxes): Host, Query(filter): Query<Filter>) -> Answer {
    let filter = Filter {
        metadata: filter.metadata,
        state: Some("running".to_owned()),
        ..Filter::default()
    };
    answer(&sandboxes, filter).await
}

async fn answer(sandboxes: &Arc<Sandboxes>, filter: Filter) -> Answer {
    let wanted = ListQuery::try_from(filter)
        .map_err(|message| HostError::Invalid(format!("validation error: {message}")))?;
    let (mut found, mut total_running) = (Vec::new(), 0);
    for sandbox in sandboxes.all() {
        let (record, running) = (sandbox.record(), sandbox.is_running());
        if !wanted.fits(&record, running) {
            continue;
        }
        total_running += usize::from(running);
        found.push(((record.started_at, record.id.clone()), record, running));
    }
    found.sort_by(|(one, ..), (other, ..)| {
        if wanted.ascending {
            one.cmp(other)
        } else {
            other.cmp(one)
        }
    });
    found.retain(|(place, ..)| wanted.is_left(place));
    let more = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|(place, ..)| token(place));
    let listed: Vec<Listed> = found
        .into_iter()
        .map(|(_, record, running)| Listed::of(sandboxes, &record, running))
        .collect();
    let mut response = json(StatusCode::OK, &listed);
    if let Some(next) = next.and_then(|token| HeaderValue::from_str(&token).ok()) {
        response.headers_mut().insert(NEXT_TOKEN, next);
    }
    response
        .headers_mut()
        .insert(TOTAL_RUNNING, HeaderValue::from(total_running));
    Ok(response)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_metadata_filter_is_decoded_as_often_as_clients_encode_it() {
        // The SDK's `metadata=k%252520y%3Dv%2525261` after the query was decoded.
        let expected = HashMap::from([("k y".to_owned(), "v&1".to_owned())]);
        assert_eq!(metadata("k%2520y=v%25261"), expected);
        assert!(metadata("").is_empty());
    }

    #[test]
    fn a_token_leads_back_to_its_place_and_nonsense_is_refused() {
        let last = (1_700_000_000_000, "iabc".to_owned());
        assert_eq!(place(&token(&last)), Some(last));
        for (name, value) in [
            ("nextToken", "?"),
            ("limit", "0"),
            ("limit", "101"),
            ("state", "asleep"),
            ("order", "up"),
            ("startedAfter", "noon"),
        ] {
            let filter: Filter =
                serde_json::from_value(serde_json::json!({ name: value })).unwrap();
            assert!(
                ListQuery::try_from(filter).unwrap_err().contains(name),
                "{name}"
            );
        }
    }
}
