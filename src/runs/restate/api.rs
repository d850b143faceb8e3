//! Restate's HTTP interfaces: the ingress takes runs, the admin API registers this server, cancels
//! invocations and removes what is no longer needed.
//! <https://docs.restate.dev/admin-api/deployment/create-deployment>,
//! <https://docs.restate.dev/services/invocation/http>.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    config::Restate,
    http_client,
    protocol::{ProjectId, RunId},
};

/// The virtual object that Restate calls, and its handler.
const OBJECT: &str = "Project";
const HANDLER: &str = "run";

/// How long Restate may take to connect and to answer. A registration calls this server back.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why a request was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("Restate can't be reached: {0}")]
    Unreachable(String),
    #[error("Restate does not answer within {} seconds", TIMEOUT.as_secs())]
    Silent,
    #[error("Restate refused: {message} ({status})")]
    Refused { status: StatusCode, message: String },
}

/// The clients of one Restate.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    ingress: String,
    admin: String,
}

/// A registered deployment.
#[derive(Debug, Deserialize)]
pub struct Deployment {
    pub id: String,
    /// Absent for those that aren't called over HTTP.
    #[serde(default)]
    uri: String,
    /// In RFC 3339 and UTC, with as many digits each time.
    pub created_at: String,
}

impl Deployment {
    /// Its address without a slash at the end; empty if it isn't called over HTTP.
    pub fn path(&self) -> &str {
        self.uri.trim_end_matches('/')
    }
}

#[derive(Deserialize)]
struct Deployments {
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    invocation_id: String,
}

#[derive(Deserialize)]
struct Rows {
    rows: Vec<Value>,
}

impl Api {
    pub fn new(settings: &Restate) -> anyhow::Result<Self> {
        let client = http_client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // Never through a proxy for the outside.
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            ingress: settings.ingress.clone(),
            admin: settings.admin.clone(),
        })
    }

    /// Returns once the ingress takes runs.
    pub async fn check_ingress(&self) -> Result<(), ApiError> {
        let health = self.client.get(format!("{}/restate/health", self.ingress));
        answer(health).await.map(drop)
    }

    /// Hands the run over; its invocation's id. The run is the key of the invocation: another
    /// request for it answers with the same id, until the invocation has ended.
    pub async fn send(&self, project: ProjectId, run: RunId) -> Result<String, ApiError> {
        let url = format!("{}/{OBJECT}/{project}/{HANDLER}/send", self.ingress);
        let request = self.client.post(url).json(&run);
        let sent: Sent = parsed(request.header("idempotency-key", run.to_string())).await?;
        Ok(sent.invocation_id)
    }

    /// Registers the address of this server, which Restate asks for its services at once. An
    /// address that is registered stays as it is.
    pub async fn register(&self, uri: &str) -> Result<(), ApiError> {
        let request = self.client.post(format!("{}/deployments", self.admin));
        answer(request.json(&json!({ "uri": uri }))).await.map(drop)
    }

    pub async fn deployments(&self) -> Result<Vec<Deployment>, ApiError> {
        let listed: Deployments =
            parsed(self.client.get(format!("{}/deployments", self.admin))).await?;
        Ok(listed.deployments)
    }

    /// Whether an invocation is bound to the deployment and has not ended.
    pub async fn is_needed(&self, deployment: &str) -> Result<bool, ApiError> {
        // Ids are letters, digits and underscores.
        let query = format!(
            "SELECT id FROM sys_invocation WHERE status <> 'completed' AND \
             (pinned_deployment_id = '{deployment}' OR last_attempt_deployment_id = '{deployment}') \
             LIMIT 1"
        );
        let request = self.client.post(format!("{}/query", self.admin));
        let request = request.header("accept", "application/json");
        let found: Rows = parsed(request.json(&json!({ "query": query }))).await?;
        Ok(!found.rows.is_empty())
    }

    /// Removes a deployment that nothing needs.
    pub async fn remove(&self, deployment: &str) -> Result<(), ApiError> {
        // Restate has no other way than by force.
        let url = format!("{}/deployments/{deployment}?force=true", self.admin);
        answer(self.client.delete(url)).await.map(drop)
    }

    /// Cancels the invocation; one that has ended is left alone.
    pub async fn cancel(&self, invocation: &str) -> Result<(), ApiError> {
        let url = format!("{}/invocations/{invocation}/cancel", self.admin);
        match answer(self.client.patch(url)).await {
            Err(ApiError::Refused {
                status: StatusCode::NOT_FOUND | StatusCode::CONFLICT,
                ..
            }) => Ok(()),
            answered => answered.map(drop),
        }
    }
}

async fn answer(request: RequestBuilder) -> Result<Response, ApiError> {
    let response = request.send().await.map_err(|error| failed(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    let message = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|answer| Some(answer["message"].as_str()?.to_owned()))
        .unwrap_or_else(|| "no reason given".to_owned());
    Err(ApiError::Refused { status, message })
}

async fn parsed<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, ApiError> {
    let response = answer(request).await?;
    response.json().await.map_err(|error| failed(&error))
}

fn failed(error: &reqwest::Error) -> ApiError {
    if error.is_timeout() && !error.is_connect() {
        return ApiError::Silent;
    }
    ApiError::Unreachable(http_client::root_cause(error).to_string())
}
