//! The control plane: creating sandboxes, finding them again, keeping them alive, and ending them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, Url};
use serde::{Deserialize, Serialize};

use super::{
    Sandbox, SandboxError, Service, address,
    error::{self, Subject},
    retry::{self, Repeat},
    service::secret,
};
use crate::{e2b, protocol::SandboxUse};

/// How many sandboxes one request for measurements names.
const MEASURED: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Create<'a> {
    #[serde(rename = "templateID")]
    template: &'a str,
    timeout: u64,
    metadata: &'a HashMap<&'static str, String>,
    /// An idle sandbox pauses instead of ending …
    auto_pause: bool,
    /// … and the next request resumes it.
    auto_resume: AutoResume,
}

#[derive(Serialize)]
struct AutoResume {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(rename = "sandboxID")]
    id: String,
    #[serde(default)]
    envd_access_token: Option<String>,
    #[serde(default)]
    domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedAnswer {
    #[serde(rename = "sandboxID")]
    id: String,
    /// RFC 3339.
    started_at: String,
    /// `running` or `paused`.
    #[serde(default)]
    state: String,
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
}

/// A sandbox in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    /// The host that has it, where there are several.
    pub host: Option<String>,
    /// Unix time in milliseconds.
    pub started_at: i64,
    pub awake: bool,
    pub metadata: HashMap<String, String>,
}

impl TryFrom<ListedAnswer> for Listed {
    type Error = SandboxError;

    fn try_from(answer: ListedAnswer) -> Result<Self, SandboxError> {
        let started_at =
            chrono::DateTime::parse_from_rfc3339(&answer.started_at).map_err(|error| {
                SandboxError::Protocol(format!("startedAt {}: {error}", answer.started_at))
            })?;
        Ok(Self {
            id: answer.id,
            host: None,
            started_at: started_at.timestamp_millis(),
            awake: answer.state != "paused",
            metadata: answer.metadata.unwrap_or_default(),
        })
    }
}

/// The latest measurement of each sandbox, by id.
#[derive(Deserialize)]
struct Measured {
    #[serde(default)]
    sandboxes: HashMap<String, Sample>,
}

/// Sizes in bytes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    cpu_used_pct: f64,
    mem_used: u64,
    mem_total: u64,
    disk_used: u64,
    disk_total: u64,
}

impl From<Sample> for SandboxUse {
    fn from(sample: Sample) -> Self {
        Self {
            cpu: sample.cpu_used_pct,
            memory: sample.mem_used,
            memory_limit: sample.mem_total,
            disk: sample.disk_used,
            disk_limit: sample.disk_total,
        }
    }
}

/// A recent problem in a sandbox, and what was done about it. Only our own host reports these.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SandboxNotice {
    /// For the app's user.
    pub message: String,
    /// When; RFC 3339, UTC.
    #[serde(default)]
    pub at: String,
    /// Whether it persists: the app can't be shown, or not for long.
    #[serde(default)]
    pub failing: bool,
}

#[derive(Deserialize)]
struct Detail {
    /// `running` or `paused`.
    #[serde(default)]
    state: String,
    #[serde(default)]
    notice: Option<SandboxNotice>,
}

impl Sandbox {
    /// The latest problem; `None` if there was none, or if the host doesn't report them. Does not
    /// wake the sandbox.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn notice(&self) -> Result<Option<SandboxNotice>, SandboxError> {
        Ok(self.service.detail(&self.id).await?.notice)
    }
}

impl Service {
    /// A request to the control plane.
    pub(super) fn control(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        self.traced(request.header(e2b::API_KEY, &self.api_key))
    }

    async fn detail(&self, id: &str) -> Result<Detail, SandboxError> {
        let url = address::join(&self.control_plane, &format!("/sandboxes/{id}"))?;
        let response = self.control(Method::GET, url).send().await?;
        if !response.status().is_success() {
            return Err(error::of(response, Subject::Sandbox).await);
        }
        Ok(response.json().await?)
    }

    /// See [`super::Client::create`].
    pub(super) async fn create(
        self: &Arc<Self>,
        timeout: Duration,
        metadata: &HashMap<&'static str, String>,
    ) -> Result<Sandbox, SandboxError> {
        let body = Create {
            template: &self.template,
            timeout: timeout.as_secs(),
            metadata,
            auto_pause: true,
            auto_resume: AutoResume { enabled: true },
        };
        // If only the answer was lost, the sandbox already exists.
        let response =
            retry::send(self.post("/v2/sandboxes")?.json(&body), Repeat::Refused).await?;
        self.sandbox(response, Subject::Template).await
    }

    /// See [`super::Client::connect`].
    pub(super) async fn connect(
        self: &Arc<Self>,
        id: &str,
        timeout: Duration,
    ) -> Result<Sandbox, SandboxError> {
        let request = self
            .post(&format!("/v2/sandboxes/{id}/connect"))?
            .json(&serde_json::json!({ "timeout": timeout.as_secs() }));
        let response = retry::send(request, Repeat::Harmless).await?;
        self.sandbox(response, Subject::Sandbox).await
    }

    /// See [`super::Client::is_awake`].
    pub(super) async fn is_awake(&self, id: &str) -> Result<Option<bool>, SandboxError> {
        match self.detail(id).await {
            Ok(detail) => Ok(Some(detail.state != "paused")),
            Err(SandboxError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All sandboxes that the key can see, running and paused.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        let (mut listed, mut next) = (Vec::new(), None::<String>);
        loop {
            let mut url = address::join(
                &self.control_plane,
                "/v2/sandboxes?state=running,paused&limit=100",
            )?;
            if let Some(token) = &next {
                url.query_pairs_mut().append_pair("nextToken", token);
            }
            let request = self.control(Method::GET, url);
            let response = retry::send(request, Repeat::Harmless).await?;
            if !response.status().is_success() {
                return Err(error::of(response, Subject::Sandbox).await);
            }
            let token = response
                .headers()
                .get(e2b::NEXT_TOKEN)
                .and_then(|token| token.to_str().ok());
            let token = token.filter(|token| !token.is_empty()).map(str::to_owned);
            let page: Vec<ListedAnswer> = response.json().await?;
            // A server that repeats a page would keep us here forever.
            let ended = page.is_empty() || token.is_none() || token == next;
            for answer in page {
                let found: Listed = answer.try_into()?;
                let host = self.host.as_ref().map(|host| host.name().to_owned());
                listed.push(Listed { host, ..found });
            }
            if ended {
                return Ok(listed);
            }
            next = token;
        }
    }

    /// What these sandboxes used a moment ago, where it was measured.
    pub(super) async fn measure(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, SandboxUse>, SandboxError> {
        let mut measured = HashMap::new();
        for ids in ids.chunks(MEASURED) {
            let mut url = address::join(&self.control_plane, "/sandboxes/metrics")?;
            url.query_pairs_mut()
                .append_pair("sandbox_ids", &ids.join(","));
            let request = self.control(Method::GET, url);
            let response = retry::send(request, Repeat::Harmless).await?;
            if !response.status().is_success() {
                return Err(error::of(response, Subject::Sandbox).await);
            }
            let answer: Measured = response.json().await?;
            let samples = answer.sandboxes.into_iter();
            measured.extend(samples.map(|(id, sample)| (id, sample.into())));
        }
        Ok(measured)
    }

    /// Kills the sandbox, running or paused. One that is already gone is no error.
    pub(super) async fn kill(&self, id: &str) -> Result<(), SandboxError> {
        let url = address::join(&self.control_plane, &format!("/sandboxes/{id}"))?;
        let request = self.control(Method::DELETE, url);
        let response = retry::send(request, Repeat::Harmless).await?;
        if response.status().is_success() {
            return Ok(());
        }
        match error::of(response, Subject::Sandbox).await {
            SandboxError::NotFound => Ok(()),
            error => Err(error),
        }
    }

    fn post(&self, path: &str) -> Result<reqwest::RequestBuilder, SandboxError> {
        let url = address::join(&self.control_plane, path)?;
        Ok(self.control(Method::POST, url))
    }

    async fn sandbox(
        self: &Arc<Self>,
        response: reqwest::Response,
        subject: Subject,
    ) -> Result<Sandbox, SandboxError> {
        if !response.status().is_success() {
            return Err(error::of(response, subject).await);
        }
        let created: Created = response.json().await?;
        // Previews of several hosts share this server's domain.
        let domain = created.domain.filter(|_| self.host.is_none());
        let domain = domain.unwrap_or_else(|| self.domain.clone());
        address::preview("https", u16::MAX, &created.id, &domain)?;
        let token = match created.envd_access_token {
            Some(token) => Some(secret(&token).ok_or_else(|| {
                SandboxError::Protocol("a token that can't be sent in a header".to_owned())
            })?),
            None => None,
        };
        Ok(Sandbox {
            service: self.clone(),
            id: created.id,
            token,
            domain,
        })
    }
}
