//! `/metrics`, for Prometheus. Events are counted where they happen, by the macros of the `metrics`
//! crate; the state of the database, the sandboxes and the disk is read on request. Labels are
//! bounded: route templates and names from the settings, never ids or requested paths.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use axum::{
    Extension,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use nix::sys::statvfs::statvfs;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::AppState;
use crate::{
    accounts::Requester,
    protocol::{ApiError, ErrorCode, Timestamp},
};

/// Headers that show that a request came through a proxy.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];
/// Observations wait in memory until they are sorted into buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Upper bounds in seconds, for requests, model calls and runs.
const REQUESTS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const MODEL_CALLS: [f64; 9] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
const RUNS: [f64; 9] = [5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0];

/// The process's recorder; `None` if another one is installed.
static RECORDER: LazyLock<Option<PrometheusHandle>> = LazyLock::new(install);

fn install() -> Option<PrometheusHandle> {
    let named = |name: &str| Matcher::Full(name.to_owned());
    let installed = PrometheusBuilder::new()
        .set_buckets_for_metric(named("codeflow_http_request_seconds"), &REQUESTS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(named("codeflow_model_call_seconds"), &MODEL_CALLS)
        })
        .and_then(|builder| builder.set_buckets_for_metric(named("codeflow_run_seconds"), &RUNS))
        .and_then(PrometheusBuilder::install_recorder);
    match installed {
        Ok(handle) => {
            describe();
            Some(handle)
        }
        Err(error) => {
            tracing::warn!(%error, "nothing is measured");
            None
        }
    }
}

/// Counters since the start.
const COUNTERS: [(&str, &str); 13] = [
    (
        "codeflow_bucket_requests_total",
        "Requests to the bucket, by operation and outcome",
    ),
    (
        "codeflow_http_requests_total",
        "Requests, by method, route template and status",
    ),
    (
        "codeflow_runs_finished_total",
        "Runs that ended, by outcome",
    ),
    (
        "codeflow_steps_total",
        "Attempts at steps of runs, by kind and outcome",
    ),
    (
        "codeflow_step_retries_total",
        "Steps tried again, by what failed",
    ),
    (
        "codeflow_model_calls_total",
        "Requests to models, by outcome",
    ),
    (
        "codeflow_model_tokens_total",
        "Tokens that models read (input) and wrote (output)",
    ),
    (
        "codeflow_sandboxes_created_total",
        "Sandboxes handed out, from the pool or made anew",
    ),
    (
        "codeflow_sandbox_wakes_total",
        "Sandboxes woken, from memory or from their files",
    ),
    (
        "codeflow_egress_refusals_total",
        "Connections of sandboxes that were refused",
    ),
    (
        "codeflow_refused_sign_ins_total",
        "Sign-ins with a wrong password or after too many attempts",
    ),
    (
        "codeflow_database_queries_total",
        "Statements that the database was asked",
    ),
    (
        "codeflow_database_slow_queries_total",
        "Statements of the database that took half a second or longer",
    ),
];
/// Histograms.
const HISTOGRAMS: [(&str, &str); 3] = [
    (
        "codeflow_http_request_seconds",
        "Seconds until a response begins, by route template",
    ),
    (
        "codeflow_model_call_seconds",
        "Seconds until a model's answer is whole",
    ),
    (
        "codeflow_run_seconds",
        "Seconds from a prompt to its run's end, by outcome",
    ),
];
/// Current values.
const GAUGES: [(&str, &str); 13] = [
    ("codeflow_runs", "Runs that have not ended, by state"),
    (
        "codeflow_run_queue_age_seconds",
        "How long the longest waiting run has waited",
    ),
    (
        "codeflow_runs_not_handed_over",
        "With RUN_ENGINE=restate: runs that wait for Restate to be back",
    ),
    ("codeflow_feeds_open", "WebSockets that follow a project"),
    (
        "codeflow_sandboxes",
        "Sandboxes of this machine, or by host: running, asleep, or pooled",
    ),
    (
        "codeflow_sandbox_host_up",
        "1 when the host of SANDBOX_HOSTS answers",
    ),
    (
        "codeflow_sandbox_host_draining",
        "1 while the host of SANDBOX_HOSTS is being drained",
    ),
    (
        "codeflow_sandbox_host_free_bytes",
        "Memory for further sandboxes on the host of SANDBOX_HOSTS",
    ),
    ("codeflow_database_up", "1 when the database answered"),
    (
        "codeflow_database_connections",
        "Connections to the database: idle and in use",
    ),
    (
        "codeflow_disk_free_bytes",
        "Free space on the disk of the data folder",
    ),
    (
        "codeflow_disk_size_bytes",
        "Size of the disk of the data folder",
    ),
    ("codeflow_build_info", "1, with the version"),
];

fn describe() {
    for (name, what) in COUNTERS {
        describe_counter!(name, what);
    }
    for (name, what) in HISTOGRAMS {
        describe_histogram!(name, what);
    }
    for (name, what) in GAUGES {
        describe_gauge!(name, what);
    }
}

/// The name of every series that `/metrics` may have, without labels. A histogram has three.
pub fn names() -> BTreeSet<String> {
    let of_histograms = HISTOGRAMS
        .iter()
        .flat_map(|(name, _)| ["bucket", "sum", "count"].map(|series| format!("{name}_{series}")));
    let others = COUNTERS.iter().chain(&GAUGES);
    let others = others.map(|(name, _)| (*name).to_owned());
    of_histograms.chain(others).collect()
}

/// Starts measuring, until the shutdown.
pub fn start(shutdown: CancellationToken) {
    let Some(handle) = RECORDER.as_ref() else {
        return;
    };
    gauge!("codeflow_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    gauge!("codeflow_feeds_open").increment(0);
    counter!("codeflow_database_slow_queries_total").increment(0);
    tokio::spawn(shutdown.run_until_cancelled_owned(async {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            handle.run_upkeep();
        }
    }));
}

/// Counts every request by its route template.
pub async fn count(request: Request, next: Next) -> Response {
    let method = method(request.method());
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None if request.uri().path().starts_with("/pkg/") => "/pkg".to_owned(),
        None => "none".to_owned(),
    };
    let begun = Instant::now();
    let response = next.run(request).await;
    histogram!("codeflow_http_request_seconds", "route" => route.clone())
        .record(begun.elapsed().as_secs_f64());
    let status = response.status().as_u16().to_string();
    counter!(
        "codeflow_http_requests_total",
        "method" => method, "route" => route, "status" => status
    )
    .increment(1);
    response
}

/// The method's name; `other` for non-standard ones.
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts a feed as open until it is dropped.
pub struct OpenFeed(());

impl OpenFeed {
    pub fn new() -> Self {
        gauge!("codeflow_feeds_open").increment(1);
        Self(())
    }
}

impl Drop for OpenFeed {
    fn drop(&mut self) {
        gauge!("codeflow_feeds_open").decrement(1);
    }
}

/// The figures, for this machine and for holders of the token. Others get a 404, or a 401 if there
/// is a token.
pub async fn show(
    State(state): State<AppState>,
    requester: Option<Extension<Requester>>,
    headers: HeaderMap,
) -> Response {
    let address = requester.map(|Extension(requester)| requester.client.address);
    let measures = &state.measures;
    if !has_token(measures.token.as_ref(), &headers) && !is_of_this_machine(address, &headers) {
        return refusal(measures.token.is_some());
    }
    let Some(text) = text(&state).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let kinds = [
        (
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (kinds, text).into_response()
}

/// All figures in Prometheus' format; `None` if another recorder is installed.
pub async fn text(state: &AppState) -> Option<String> {
    let handle = RECORDER.as_ref()?;
    read(state).await;
    Some(handle.render())
}

fn has_token(token: Option<&SecretString>, headers: &HeaderMap) -> bool {
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match (token, sent) {
        (Some(token), Some(sent)) => token.expose_secret().as_bytes().ct_eq(sent).into(),
        _ => false,
    }
}

/// Whether a program on this machine is asking. A proxy on this machine asks for others: it says so
/// in its headers (those of a trusted one are already resolved in the address), or keeps their
/// Host.
fn is_of_this_machine(client: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let is_forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    client.is_some_and(|address| address.to_canonical().is_loopback())
        && !is_forwarded
        && host.is_some_and(is_loopback_host)
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

fn refusal(has_token: bool) -> Response {
    if !has_token {
        return ApiError::new(ErrorCode::NotFound, "There is nothing here.").into_response();
    }
    let error = ApiError::new(
        ErrorCode::Unauthorized,
        "Send METRICS_TOKEN as “Authorization: Bearer …”.",
    );
    ([(header::WWW_AUTHENTICATE, "Bearer")], error).into_response()
}

/// Reads the values that nothing counts.
async fn read(state: &AppState) {
    let backlog = state.projects.backlog().await;
    gauge!("codeflow_database_up").set(f64::from(u8::from(backlog.is_ok())));
    match backlog {
        Ok(backlog) => {
            gauge!("codeflow_runs", "state" => "queued").set(backlog.queued as f64);
            gauge!("codeflow_runs", "state" => "running").set(backlog.running as f64);
            let age = backlog
                .waiting_since
                .map_or(0, |since| Timestamp::now().0.saturating_sub(since.0).max(0));
            gauge!("codeflow_run_queue_age_seconds").set(age as f64 / 1000.0);
        }
        Err(error) => tracing::warn!(%error, "the runs can't be counted"),
    }
    let (open, idle) = state.projects.database_connections();
    gauge!("codeflow_database_connections", "state" => "idle").set(idle as f64);
    gauge!("codeflow_database_connections", "state" => "used")
        .set(open.saturating_sub(idle) as f64);
    for (kind, count) in state.measures.sandboxes.iter().flat_map(|counts| counts()) {
        gauge!("codeflow_sandboxes", "state" => kind).set(count as f64);
    }
    for host in state.projects.sandbox_hosts() {
        let name = host.name;
        for (kind, count) in [("running", host.running), ("asleep", host.asleep)] {
            gauge!("codeflow_sandboxes", "state" => kind, "host" => name.clone()).set(count as f64);
        }
        let yes = |is_so: bool| f64::from(u8::from(is_so));
        gauge!("codeflow_sandbox_host_up", "host" => name.clone()).set(yes(host.answers));
        gauge!("codeflow_sandbox_host_draining", "host" => name.clone()).set(yes(host.draining));
        gauge!("codeflow_sandbox_host_free_bytes", "host" => name).set(host.free_memory as f64);
    }
    match statvfs(&state.measures.data_dir) {
        Ok(disk) => {
            let bytes = |blocks| blocks as f64 * disk.fragment_size() as f64;
            gauge!("codeflow_disk_free_bytes").set(bytes(disk.blocks_available()));
            gauge!("codeflow_disk_size_bytes").set(bytes(disk.blocks()));
        }
        Err(error) => tracing::warn!(%error, "the data folder's disk can't be measured"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name: header::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn only_what_comes_from_this_machine_itself_is_of_this_machine() {
        let own: Option<IpAddr> = Some("127.0.0.1".parse().unwrap());
        let of = |client, pairs: &[_]| is_of_this_machine(client, &headers(pairs));
        for host in ["localhost:3000", "127.0.0.1:1", "[::1]:3000", "LOCALHOST"] {
            assert!(of(own, &[("host", host)]), "{host}");
        }
        assert!(of(
            "::ffff:127.0.0.1".parse().ok(),
            &[("host", "localhost")]
        ));
        let here = ("host", "localhost:3000");
        assert!(!of("192.0.2.1".parse().ok(), &[here]));
        assert!(!of(None, &[here]));
        assert!(!of(own, &[]));
        assert!(!of(own, &[("host", "build.example.com")]));
        assert!(!of(own, &[("host", "rebound.example:3000")]));
        for name in FORWARDED {
            assert!(!of(own, &[here, (name, "192.0.2.1")]), "{name}");
        }
    }

    #[test]
    fn a_token_is_compared_whole() {
        let token = SecretString::from("0123456789abcdef".to_owned());
        let has = |value| has_token(Some(&token), &headers(&[("authorization", value)]));
        assert!(has("Bearer 0123456789abcdef"));
        for wrong in [
            "Bearer 0123456789abcde",
            "Bearer ",
            "0123456789abcdef",
            "Basic x",
        ] {
            assert!(!has(wrong), "{wrong}");
        }
        assert!(!has_token(None, &headers(&[("authorization", "Bearer ")])));
    }
}
