//! The control plane: E2B's REST API. Bodies (`messages`), statuses and errors match E2B's.

mod host;
mod list;
mod messages;
mod observe;
mod snapshots;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequest, Path, Request, State},
    http::{Response, StatusCode},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{delete, get, post, put},
};
use messages::{Connect, Create, Created, Detail, NewNetwork, Pause, Refresh, Timeout};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;
use tracing::Instrument;

use super::{
    error::HostError,
    http::{api_error, json},
    record::NewSandbox,
    sandboxes::Sandboxes,
};
use crate::{e2b, traces};

/// The minimum extension by a refresh, in seconds.
const MIN_REFRESH: u64 = 15;
/// The maximum time-out, in seconds.
const MAX_TIMEOUT: u64 = 24 * 3600;

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
        .route("/sandboxes/{id}/snapshots", post(snapshots::take))
        .route("/sandboxes/{id}/fork", post(snapshots::fork))
        .route("/snapshots", get(snapshots::all))
        .route("/templates/{id}", delete(snapshots::remove))
        .route("/sandboxes/metrics", get(observe::metrics_of_all))
        .route("/sandboxes/{id}/metrics", get(observe::metrics))
        .route("/sandboxes/{id}/logs", get(observe::logs_v1))
        .route("/v2/sandboxes/{id}/logs", get(observe::logs))
        .route("/host/capacity", get(host::capacity))
        .route("/host/drain", put(host::drain).delete(host::undrain))
        .layer(middleware::from_fn(run_to_completion))
        .layer(middleware::from_fn_with_state(sandboxes.clone(), check_key));
    Router::new()
        .merge(secured)
        .route("/health", get(async || StatusCode::NO_CONTENT))
        .route("/readyz", get(readyz))
        .fallback(async || api_error(StatusCode::NOT_FOUND, "no such route"))
        .with_state(sandboxes)
}

/// 200 if sandboxes can be created, else 503. The body says why not, and names the limits that this
/// machine can't enforce.
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

/// The work continues if the client disconnects, so that no sandbox is left half created or half
/// ended.
async fn run_to_completion(request: Request, next: Next) -> Response<Body> {
    let traceparent = traces::of(request.headers());
    let span = traces::within(traceparent, || tracing::info_span!("sandbox_service"));
    match tokio::spawn(next.run(request).instrument(span)).await {
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
    let auto_pause_memory = request.auto_pause_memory.unwrap_or(true);
    if !auto_pause_memory && (!request.auto_pause || request.auto_resume.enabled) {
        let rule = "autoPauseMemory: false needs autoPause, and autoResume must be off";
        return Err(HostError::Invalid(rule.to_owned()));
    }
    let new = NewSandbox {
        template: request.template,
        snapshot: None,
        timeout: checked(request.timeout, default_timeout)?,
        metadata: request.metadata,
        envs: request.env_vars,
        secure,
        auto_pause: request.auto_pause,
        auto_pause_memory,
        auto_resume: request.auto_resume.enabled,
        network: request
            .network
            .checked(request.internet)
            .map_err(HostError::Invalid)?,
    };
    let sandbox = sandboxes.create(new).await?;
    Ok(json(
        StatusCode::CREATED,
        &Created::of(sandboxes, sandbox.record()),
    ))
}

async fn detail(State(sandboxes): Host, Path(id): Path<String>) -> Answer {
    let sandbox = sandboxes.get(&id)?;
    let detail = Detail::of(&sandboxes, &sandbox);
    Ok(json(StatusCode::OK, &detail))
}

async fn kill(State(sandboxes): Host, Path(id): Path<String>) -> Answer {
    sandboxes.kill(&*sandboxes.get(&id)?).await;
    Ok(empty())
}

async fn connect(
    State(sandboxes): Host,
    Path(id): Path<String>,
    Json(request): Json<Connect>,
) -> Answer {
    let timeout = checked(request.timeout, 300)?;
    let sandbox = sandboxes.get(&id)?;
    if request.memory == Some(false) {
        sandboxes.drop_memory(&sandbox).await;
    }
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
    Ok(json(status, &Created::of(&sandboxes, sandbox.record())))
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

/// Extends the end, and never shortens it.
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

/// The older form of connect: fails if the sandbox is running.
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
    let request = Connect {
        timeout,
        memory: None,
    };
    connect(State(sandboxes), Path(id), Json(request)).await
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

fn empty() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

impl HostError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::NoTemplate(_) | Self::NoSandbox(_) | Self::NoSnapshot(_) => StatusCode::NOT_FOUND,
            Self::NoRuntime(_) | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSpace(_) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Full(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "a request for a sandbox failed"
                );
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

impl IntoResponse for HostError {
    fn into_response(self) -> Response<Body> {
        api_error(self.status(), self.to_string())
    }
}
