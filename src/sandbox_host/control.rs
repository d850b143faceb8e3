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
    response::IntoResponse,
    routing::{get, post, put},
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use subtle::ConstantTimeEq;

use super::{
    clock::rfc3339,
    error::HostError,
    http::{api_error, json},
    network::Network,
    record::{NewSandbox, Record},
    sandboxes::{Notice, Sandboxes},
};
use crate::e2b;

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

/// What every answer about a sandbox begins with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(rename = "templateID")]
    template: String,
    alias: String,
    #[serde(rename = "sandboxID")]
    id: String,
    #[serde(rename = "clientID")]
    client: &'static str,
    envd_version: &'static str,
}

impl Identity {
    fn of(record: &Record) -> Self {
        Self {
            template: record.template.clone(),
            alias: record.template.clone(),
            id: record.id.clone(),
            client: CLIENT_ID,
            envd_version: ENVD_VERSION,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(flatten)]
    identity: Identity,
    envd_access_token: Option<String>,
    traffic_access_token: Option<String>,
    domain: Option<String>,
}

/// A sandbox in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(flatten)]
    identity: Identity,
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
    /// What went wrong lately; not in E2B's protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<Notice>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lifecycle {
    auto_resume: bool,
    on_timeout: &'static str,
}

type Host = State<Arc<Sandboxes>>;
type Answer = Result<Response<Body>, HostError>;

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
        .layer(middleware::from_fn(run_to_completion))
        .layer(middleware::from_fn_with_state(sandboxes.clone(), check_key));
    Router::new()
        .merge(secured)
        .route("/health", get(async || StatusCode::NO_CONTENT))
        .route("/readyz", get(readyz))
        .fallback(async || api_error(StatusCode::NOT_FOUND, "no such route"))
        .with_state(sandboxes)
}

/// 200 when sandboxes can be made, else 503; the body says why not, and which limits this machine
/// can't enforce.
async fn readyz(State(sandboxes): Host) -> Response<Body> {
    let (status, state) = match sandboxes.runtime() {
        Ok(_) => (StatusCode::OK, "ok"),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault),
    };
    let body = serde_json::json!({ "sandboxes": state, "unenforced": sandboxes.unenforced() });
    json(status, &body)
}

async fn check_key(State(sandboxes): Host, request: Request, next: Next) -> Response<Body> {
    let refusal = match request
        .headers()
        .get(e2b::API_KEY)
        .map(|key| key.as_bytes())
    {
        None => "authorization header is missing",
        Some(key) if !key.starts_with(b"e2b_") => "authorization header is malformed",
        Some(key)
            if !bool::from(key.ct_eq(sandboxes.settings().host_key.expose_secret().as_bytes())) =>
        {
            "Invalid API key, please visit https://e2b.dev/docs/api-key for more information.\nCannot get the team for the given API key"
        }
        Some(_) => return next.run(request).await,
    };
    api_error(StatusCode::UNAUTHORIZED, refusal)
}

/// A client that hangs up leaves no sandbox half made or half ended: the work goes on without it.
async fn run_to_completion(request: Request, next: Next) -> Response<Body> {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => HostError::Internal(error.into()).into_response(),
    }
}

/// A JSON body; an empty one counts as `{}`.
struct Json<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let invalid = |error: String| {
            api_error(
                StatusCode::BAD_REQUEST,
                format!("validation error: {error}"),
            )
        };
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| invalid(error.body_text()))?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes)
            .map(Json)
            .map_err(|error| invalid(error.to_string()))
    }
}

async fn create_v1(State(sandboxes): Host, Json(request): Json<Create>) -> Answer {
    let secure = request.secure;
    create(&sandboxes, request, 15, secure).await
}

async fn create_v2(State(sandboxes): Host, Json(request): Json<Create>) -> Answer {
    create(&sandboxes, request, 300, true).await
}

async fn create(
    sandboxes: &Sandboxes,
    request: Create,
    default_timeout: u64,
    secure: bool,
) -> Answer {
    let new = NewSandbox {
        template: request.template,
        timeout: checked(request.timeout, default_timeout)?,
        metadata: request.metadata,
        envs: request.env_vars,
        secure,
        auto_pause: request.auto_pause,
        auto_resume: request.auto_resume.enabled,
        network: request
            .network
            .checked(request.internet)
            .map_err(HostError::Invalid)?,
    };
    let sandbox = sandboxes.create(new).await?;
    Ok(json(
        StatusCode::CREATED,
        &created(sandboxes, sandbox.record()),
    ))
}

async fn detail(State(sandboxes): Host, Path(id): Path<String>) -> Answer {
    let sandbox = sandboxes.get(&id)?;
    let (record, running) = (sandbox.record(), sandbox.is_running());
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
        notice: sandbox.health().notice(),
    };
    Ok(json(StatusCode::OK, &detail))
}

impl Listed {
    fn of(sandboxes: &Sandboxes, record: &Record, running: bool) -> Self {
        let settings = sandboxes.settings();
        Self {
            identity: Identity::of(record),
            started_at: rfc3339(record.started_at),
            end_at: rfc3339(record.end_at),
            cpu_count: settings.cpu_count(),
            memory_mb: settings.memory_mb,
            disk_mb: settings.disk_mb,
            metadata: record.metadata.clone(),
            state: if running { "running" } else { "paused" },
        }
    }
}

async fn kill(State(sandboxes): Host, Path(id): Path<String>) -> Answer {
    sandboxes.kill(&*sandboxes.get(&id)?).await;
    Ok(empty())
}

async fn connect(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<Timeout>,
) -> Answer {
    let timeout = checked(request.timeout, 300)?;
    let sandbox = sandboxes.get(&id)?;
    let awake = sandboxes
        .wake(&sandbox)
        .await
        .map_err(HostError::of_making)?;
    let awake = awake.ok_or(HostError::NoSandbox(id))?;
    let status = if awake.woken {
        sandbox.set_timeout(timeout).await;
        StatusCode::CREATED
    } else {
        sandbox.extend(timeout).await;
        StatusCode::OK
    };
    Ok(json(status, &created(&sandboxes, sandbox.record())))
}

async fn set_timeout(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<Timeout>,
) -> Answer {
    let timeout = checked(request.timeout, 0)?;
    sandboxes.get(&id)?.set_timeout(timeout).await;
    Ok(empty())
}

#[derive(Deserialize)]
struct Refresh {
    duration: Option<u64>,
}

/// The end is put off, never brought nearer.
async fn refresh(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<Refresh>,
) -> Answer {
    let duration = request.duration.unwrap_or(MIN_REFRESH);
    if duration > 3600 {
        let range = "validation error: duration is a number of seconds from 0 to 3600";
        return Err(HostError::Invalid(range.to_owned()));
    }
    sandboxes.get(&id)?.extend(duration.max(MIN_REFRESH)).await;
    Ok(empty())
}

/// The older form of connect: an error for a sandbox that runs.
async fn resume(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<Timeout>,
) -> Answer {
    if sandboxes.get(&id)?.is_running() {
        return Err(HostError::Conflict(format!(
            "Sandbox {id} is already running"
        )));
    }
    let timeout = Some(request.timeout.unwrap_or(15));
    connect(State(sandboxes), Path(id), Json(Timeout { timeout })).await
}

#[derive(Deserialize)]
struct NewNetwork {
    #[serde(flatten)]
    network: Network,
    #[serde(default, rename = "allow_internet_access")]
    internet: Option<bool>,
}

/// Replaces the rules as a whole.
async fn set_network(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<NewNetwork>,
) -> Answer {
    let network = request
        .network
        .checked(request.internet)
        .map_err(HostError::Invalid)?;
    sandboxes.get(&id)?.set_network(network).await;
    Ok(empty())
}

#[derive(Deserialize)]
struct Pause {
    memory: Option<bool>,
}

async fn pause(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<Pause>,
) -> Answer {
    let memory = request.memory.unwrap_or(true);
    if !sandboxes.pause(&*sandboxes.get(&id)?, memory).await {
        return Err(HostError::Conflict(format!(
            "Sandbox \"{id}\" is already paused"
        )));
    }
    Ok(empty())
}

fn checked(timeout: Option<u64>, default: u64) -> Result<u64, HostError> {
    let refused = |text: &str| Err(HostError::Invalid(text.to_owned()));
    match timeout.unwrap_or(default) {
        0 => refused("Timeout must be greater than 0"),
        timeout if timeout > MAX_TIMEOUT => refused("Timeout cannot be greater than 24 hours"),
        timeout => Ok(timeout),
    }
}

fn created(sandboxes: &Sandboxes, record: Record) -> Created {
    Created {
        identity: Identity::of(&record),
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

impl IntoResponse for HostError {
    fn into_response(self) -> Response<Body> {
        let status = match &self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::NoTemplate(_) | Self::NoSandbox(_) => StatusCode::NOT_FOUND,
            Self::NoRuntime(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSpace(_) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Full(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "a sandbox could not be started"
                );
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        api_error(status, self.to_string())
    }
}
