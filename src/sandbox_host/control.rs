//! The control plane: E2B's REST API. Bodies, statuses and errors are E2B's.

mod list;
mod observe;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequest, Path, Request, State},
    http::{Response, StatusCode},
    middleware::{self, Next},
    routing::{get, post, put},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    http::{api_error, json},
    metrics::disk_size,
    network::Network,
    record::{Record, rfc3339},
    sandboxes::{HostError, NewSandbox, Sandboxes},
};

/// E2B's constant.
const CLIENT_ID: &str = "6532622b";
/// The version of envd's protocol that ours speaks.
const ENVD_VERSION: &str = "0.5.7";
/// The least that a refresh puts the end off, in seconds.
const MIN_REFRESH: u64 = 15;
/// The longest time-out, in seconds.
const MAX_TIMEOUT: u64 = 24 * 3600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    #[serde(rename = "templateID")]
    template: String,
    timeout: Option<u64>,
    #[serde(default)]
    metadata: HashMap<String, String>,
    #[serde(default)]
    env_vars: HashMap<String, String>,
    #[serde(default)]
    secure: bool,
    #[serde(default)]
    auto_pause: bool,
    #[serde(default)]
    auto_resume: AutoResume,
    #[serde(default)]
    network: Network,
    #[serde(default, rename = "allow_internet_access")]
    internet: Option<bool>,
}

#[derive(Default, Deserialize)]
struct AutoResume {
    #[serde(default)]
    enabled: bool,
}

#[derive(Deserialize)]
struct Timeout {
    timeout: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(rename = "templateID")]
    template: String,
    alias: String,
    #[serde(rename = "sandboxID")]
    id: String,
    #[serde(rename = "clientID")]
    client: &'static str,
    envd_version: &'static str,
    envd_access_token: Option<String>,
    traffic_access_token: Option<String>,
    domain: Option<String>,
}

/// A sandbox in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(rename = "templateID")]
    template: String,
    alias: String,
    #[serde(rename = "sandboxID")]
    id: String,
    #[serde(rename = "clientID")]
    client: &'static str,
    envd_version: &'static str,
    started_at: String,
    end_at: String,
    cpu_count: u32,
    #[serde(rename = "memoryMB")]
    memory_mb: u64,
    #[serde(rename = "diskSizeMB")]
    disk_mb: u64,
    metadata: HashMap<String, String>,
    state: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(flatten)]
    listed: Listed,
    envd_access_token: Option<String>,
    domain: Option<String>,
    allow_internet_access: bool,
    network: Network,
    lifecycle: Lifecycle,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lifecycle {
    auto_resume: bool,
    on_timeout: &'static str,
}

type Host = State<Arc<Sandboxes>>;

pub(super) fn router(sandboxes: Arc<Sandboxes>) -> Router {
    let secured = Router::new()
        .route("/sandboxes", get(list::list_v1).post(create_v1))
        .route("/v2/sandboxes", get(list::list).post(create_v2))
        .route("/sandboxes/{id}", get(detail).delete(kill))
        .route("/sandboxes/{id}/connect", post(connect))
        .route("/v2/sandboxes/{id}/connect", post(connect))
        .route("/sandboxes/{id}/timeout", post(set_timeout))
        .route("/sandboxes/{id}/refreshes", post(refresh))
        .route("/sandboxes/{id}/pause", post(pause))
        .route("/sandboxes/{id}/resume", post(resume))
        .route("/sandboxes/{id}/network", put(set_network))
        .route("/sandboxes/metrics", get(observe::metrics_of_all))
        .route("/sandboxes/{id}/metrics", get(observe::metrics))
        .route("/sandboxes/{id}/logs", get(observe::logs_v1))
        .route("/v2/sandboxes/{id}/logs", get(observe::logs))
        .layer(middleware::from_fn(see_through))
        .layer(middleware::from_fn_with_state(sandboxes.clone(), check_key));
    Router::new()
        .merge(secured)
        .route("/health", get(async || StatusCode::NO_CONTENT))
        .fallback(async || api_error(StatusCode::NOT_FOUND, "no such route"))
        .with_state(sandboxes)
}

async fn check_key(State(sandboxes): Host, request: Request, next: Next) -> Response<Body> {
    let refusal = match request.headers().get("x-api-key").map(|key| key.as_bytes()) {
        None => "authorization header is missing",
        Some(key) if !key.starts_with(b"e2b_") => "authorization header is malformed",
        // Digests, so that the time a comparison takes tells nothing.
        Some(key) if Sha256::digest(key) != Sha256::digest(&sandboxes.settings().host_key) => {
            "Invalid API key, please visit https://e2b.dev/docs/api-key for more information.\nCannot get the team for the given API key"
        }
        Some(_) => return next.run(request).await,
    };
    api_error(StatusCode::UNAUTHORIZED, refusal)
}

/// A client that hangs up leaves no sandbox half made or half ended: the work goes on without it.
async fn see_through(request: Request, next: Next) -> Response<Body> {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => failure(&HostError::Internal(error.into())),
    }
}

/// A JSON body; an empty one counts as `{}`.
struct Json<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let invalid = |error: String| api_error(StatusCode::BAD_REQUEST, format!("validation error: {error}"));
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| invalid(error.body_text()))?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map(Json).map_err(|error| invalid(error.to_string()))
    }
}

async fn create_v1(State(sandboxes): Host, Json(request): Json<Create>) -> Response<Body> {
    let secure = request.secure;
    create(&sandboxes, request, 15, secure).await
}

async fn create_v2(State(sandboxes): Host, Json(request): Json<Create>) -> Response<Body> {
    create(&sandboxes, request, 300, true).await
}

async fn create(sandboxes: &Sandboxes, request: Create, default_timeout: u64, secure: bool) -> Response<Body> {
    let timeout = match checked(request.timeout, default_timeout) {
        Ok(timeout) => timeout,
        Err(refusal) => return refusal,
    };
    let network = match request.network.checked(request.internet) {
        Ok(network) => network,
        Err(message) => return api_error(StatusCode::BAD_REQUEST, message),
    };
    let new = NewSandbox {
        template: request.template,
        timeout,
        metadata: request.metadata,
        envs: request.env_vars,
        secure,
        auto_pause: request.auto_pause,
        auto_resume: request.auto_resume.enabled,
        network,
    };
    match sandboxes.create(new).await {
        Ok(sandbox) => json(StatusCode::CREATED, &created(sandboxes, sandbox.record())),
        Err(error) => failure(&error),
    }
}

async fn detail(State(sandboxes): Host, Path(id): Path<String>) -> Response<Body> {
    let sandbox = match sandboxes.get(&id) {
        Ok(sandbox) => sandbox,
        Err(error) => return failure(&error),
    };
    let (record, running) = (sandbox.record(), sandbox.is_running().await);
    let detail = Detail {
        listed: Listed::of(&sandboxes, &record, running),
        envd_access_token: record.token,
        domain: Some(sandboxes.settings().domain.clone()),
        allow_internet_access: record.network.allows_internet(),
        network: record.network,
        lifecycle: Lifecycle {
            auto_resume: record.auto_resume,
            on_timeout: if record.auto_pause { "pause" } else { "kill" },
        },
    };
    json(StatusCode::OK, &detail)
}

impl Listed {
    fn of(sandboxes: &Sandboxes, record: &Record, running: bool) -> Self {
        let settings = sandboxes.settings();
        Self {
            template: record.template.clone(),
            alias: record.template.clone(),
            id: record.id.clone(),
            client: CLIENT_ID,
            envd_version: ENVD_VERSION,
            started_at: rfc3339(record.started_at),
            end_at: rfc3339(record.end_at),
            cpu_count: settings.cpu_count(),
            memory_mb: settings.memory_mb,
            disk_mb: disk_size(&settings.data_dir) >> 20,
            metadata: record.metadata.clone(),
            state: if running { "running" } else { "paused" },
        }
    }
}

async fn kill(State(sandboxes): Host, Path(id): Path<String>) -> Response<Body> {
    match sandboxes.get(&id) {
        Ok(sandbox) => {
            sandboxes.kill(&sandbox).await;
            empty()
        }
        Err(error) => failure(&error),
    }
}

async fn connect(State(sandboxes): Host, Path(id): Path<String>, Json(request): Json<Timeout>) -> Response<Body> {
    let timeout = match checked(request.timeout, 300) {
        Ok(timeout) => timeout,
        Err(refusal) => return refusal,
    };
    let sandbox = match sandboxes.get(&id) {
        Ok(sandbox) => sandbox,
        Err(error) => return failure(&error),
    };
    match sandboxes.wake(&sandbox).await {
        Ok(Some((_, resumed))) => {
            if resumed {
                sandbox.set_timeout(timeout);
            } else {
                sandbox.extend(timeout);
            }
            let status = if resumed { StatusCode::CREATED } else { StatusCode::OK };
            json(status, &created(&sandboxes, sandbox.record()))
        }
        Ok(None) => failure(&HostError::NoSandbox(id)),
        Err(error) => failure(&HostError::Internal(error)),
    }
}

async fn set_timeout(State(sandboxes): Host, Path(id): Path<String>, Json(request): Json<Timeout>) -> Response<Body> {
    let timeout = match checked(request.timeout, 0) {
        Ok(timeout) => timeout,
        Err(refusal) => return refusal,
    };
    match sandboxes.get(&id) {
        Ok(sandbox) => {
            sandbox.set_timeout(timeout);
            empty()
        }
        Err(error) => failure(&error),
    }
}

#[derive(Deserialize)]
struct Refresh {
    duration: Option<u64>,
}

/// The end is put off, never brought nearer.
async fn refresh(State(sandboxes): Host, Path(id): Path<String>, Json(request): Json<Refresh>) -> Response<Body> {
    let duration = request.duration.unwrap_or(MIN_REFRESH);
    if duration > 3600 {
        return api_error(
            StatusCode::BAD_REQUEST,
            "validation error: duration is a number of seconds from 0 to 3600",
        );
    }
    match sandboxes.get(&id) {
        Ok(sandbox) => {
            sandbox.extend(duration.max(MIN_REFRESH));
            empty()
        }
        Err(error) => failure(&error),
    }
}

/// The older form of connect: an error for a sandbox that runs.
async fn resume(State(sandboxes): Host, Path(id): Path<String>, Json(request): Json<Timeout>) -> Response<Body> {
    match sandboxes.get(&id) {
        Ok(sandbox) if sandbox.is_running().await => api_error(StatusCode::CONFLICT, format!("Sandbox {id} is already running")),
        Ok(_) => {
            let timeout = Some(request.timeout.unwrap_or(15));
            connect(State(sandboxes), Path(id), Json(Timeout { timeout })).await
        }
        Err(error) => failure(&error),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewNetwork {
    #[serde(default)]
    allow_out: Vec<String>,
    #[serde(default)]
    deny_out: Vec<String>,
    #[serde(default, rename = "allow_internet_access")]
    internet: Option<bool>,
}

/// Replaces the rules as a whole.
async fn set_network(State(sandboxes): Host, Path(id): Path<String>, Json(request): Json<NewNetwork>) -> Response<Body> {
    let network = Network {
        allow_out: request.allow_out,
        deny_out: request.deny_out,
        ..Network::default()
    };
    let network = match network.checked(request.internet) {
        Ok(network) => network,
        Err(message) => return api_error(StatusCode::BAD_REQUEST, message),
    };
    match sandboxes.get(&id) {
        Ok(sandbox) => {
            sandbox.set_network(network);
            empty()
        }
        Err(error) => failure(&error),
    }
}

async fn pause(State(sandboxes): Host, Path(id): Path<String>, _read_to_its_end: Bytes) -> Response<Body> {
    match sandboxes.get(&id) {
        Ok(sandbox) if sandboxes.pause(&sandbox).await => empty(),
        Ok(_) => api_error(StatusCode::CONFLICT, format!("Sandbox \"{id}\" is already paused")),
        Err(error) => failure(&error),
    }
}

fn checked(timeout: Option<u64>, default: u64) -> Result<u64, Response<Body>> {
    match timeout.unwrap_or(default) {
        0 => Err(api_error(StatusCode::BAD_REQUEST, "Timeout must be greater than 0")),
        timeout if timeout > MAX_TIMEOUT => Err(api_error(StatusCode::BAD_REQUEST, "Timeout cannot be greater than 24 hours")),
        timeout => Ok(timeout),
    }
}

fn created(sandboxes: &Sandboxes, record: Record) -> Created {
    Created {
        alias: record.template.clone(),
        template: record.template,
        id: record.id,
        client: CLIENT_ID,
        envd_version: ENVD_VERSION,
        envd_access_token: record.token,
        traffic_access_token: record.traffic_token,
        domain: Some(sandboxes.settings().domain.clone()),
    }
}

fn empty() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn failure(error: &HostError) -> Response<Body> {
    let status = match error {
        HostError::NoTemplate(_) | HostError::NoSandbox(_) => StatusCode::NOT_FOUND,
        HostError::NoRuntime(_) => StatusCode::SERVICE_UNAVAILABLE,
        HostError::Internal(error) => {
            tracing::error!(error = format!("{error:#}"), "a sandbox could not be started");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    api_error(status, error.to_string())
}
