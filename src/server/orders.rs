//! The operations for programs, shared by HTTP (`v1`) and MCP (`mcp`): each is a short call of
//! [`Projects`] for the token's user, with an answer that needs no knowledge of the page.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{AppState, identity::Seen};
use crate::{
    accounts::{Accounts, Effort, Requester},
    projects::{ProjectError, ProjectReport, Projects},
    protocol::{
        ApiError, FileNode, Fragment, Mode, ModelChoice, NewPrompt, ProjectId, ProjectStatus,
        RunId, Timestamp,
    },
};

/// How long one request waits for runs, by default and at most. Many clients and proxies give up
/// after a minute.
const DEFAULT_WAIT: Duration = Duration::from_secs(50);
const MAX_WAIT: Duration = Duration::from_secs(300);

/// Access to the projects of a program's user.
#[derive(Clone)]
pub struct Orders {
    projects: Projects,
    accounts: Accounts,
    requester: Option<Requester>,
    public_url: Arc<str>,
    shutdown: CancellationToken,
}

impl FromRequestParts<AppState> for Orders {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let Seen(projects) = Seen::from_request_parts(parts, state).await?;
        Ok(Self {
            projects,
            accounts: state.accounts.clone(),
            requester: parts.extensions.get().cloned(),
            public_url: state.public_url.clone(),
            shutdown: state.shutdown.clone(),
        })
    }
}

/// A request for a run.
#[derive(Debug, Default)]
pub struct Order {
    pub text: String,
    pub mode: Option<String>,
    /// In the form that [`ModelChoice::named`] reads.
    pub model: Option<String>,
    /// Identifies the order if it is sent again.
    pub key: Option<String>,
}

impl Order {
    fn checked(self, field: &'static str) -> Result<NewPrompt, ApiError> {
        let mode = self.mode.as_deref().map(str::parse::<Mode>).transpose();
        let mode = mode.map_err(|why| ApiError::invalid("mode", why))?;
        let prompt = NewPrompt::new(&self.text);
        let prompt = prompt.map_err(|error| ApiError::invalid(field, error.to_string()))?;
        Ok(prompt
            .in_mode(mode.unwrap_or_default())
            .asking(ModelChoice::named(self.model))
            .ordered_with(self.key))
    }
}

/// The run of an order.
#[derive(Debug, Serialize)]
pub struct Ordered {
    pub project: ProjectId,
    /// `None` if it has already ended and was removed.
    pub run: Option<RunId>,
    /// The project's page.
    pub url: String,
}

/// A project's state, and its page.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub project: ProjectReport,
    pub url: String,
}

/// A project in the list.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub id: ProjectId,
    pub title: String,
    pub status: ProjectStatus,
    pub url: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A file of an app.
#[derive(Debug, Serialize)]
pub struct File {
    pub path: String,
    /// `None` where there is a notice.
    pub text: Option<String>,
    /// In bytes.
    pub size: u64,
    /// Why there is no text: it is binary, or too large.
    pub notice: Option<String>,
}

impl Orders {
    /// Creates a project from its first prompt.
    pub async fn create(&self, order: Order) -> Result<Ordered, ApiError> {
        self.count(Effort::Prompt)?;
        let prompt = order.checked("prompt")?;
        let project = self.projects.create(&prompt, None).await?.id;
        let run = self.projects.report(project).await?.run;
        Ok(self.ordered(project, run.map(|run| run.id)))
    }

    /// Sends a further message to the project.
    pub async fn send(&self, project: &str, order: Order) -> Result<Ordered, ApiError> {
        self.count(Effort::Prompt)?;
        let prompt = order.checked("text")?;
        let project = id(project)?;
        let run = self.projects.add_prompt(project, &prompt, None).await?;
        Ok(self.ordered(project, Some(run.id)))
    }

    /// The user's projects, most recently active first.
    pub async fn list(&self) -> Result<Vec<Listed>, ApiError> {
        let projects = self.projects.list().await?.into_iter();
        let listed = projects.map(|project| Listed {
            id: project.id,
            title: project.title,
            status: project.status,
            url: self.url(project.id),
            created_at: project.created_at,
            updated_at: project.updated_at,
        });
        Ok(listed.collect())
    }

    /// The project's state.
    pub async fn get(&self, project: &str) -> Result<Report, ApiError> {
        let report = self.projects.report(id(project)?).await?;
        Ok(self.reported(report))
    }

    /// The project's state once all its runs have ended, or after so many seconds. If the server
    /// stops, it answers at once.
    pub async fn wait(&self, project: &str, seconds: Option<u64>) -> Result<Report, ApiError> {
        self.count(Effort::Socket)?;
        let longest = seconds
            .map_or(DEFAULT_WAIT, Duration::from_secs)
            .min(MAX_WAIT);
        let project = id(project)?;
        let report = tokio::select! {
            report = self.projects.report_when_done(project, longest) => report?,
            () = self.shutdown.cancelled() => self.projects.report(project).await?,
        };
        Ok(self.reported(report))
    }

    /// The paths of the app's files, or of those of a version, by its number or id.
    pub async fn files(
        &self,
        project: &str,
        version: Option<&str>,
    ) -> Result<Vec<String>, ApiError> {
        let project = id(project)?;
        let tree = match version {
            Some(version) => self.projects.version_tree(project, version).await?,
            None => self.projects.list_files(project).await?,
        };
        let mut paths = Vec::new();
        flatten(tree, &mut paths);
        Ok(paths)
    }

    /// One of the app's files, or of a version's.
    pub async fn file(
        &self,
        project: &str,
        path: &str,
        version: Option<&str>,
    ) -> Result<File, ApiError> {
        let project = id(project)?;
        let view = match version {
            Some(version) => self.projects.version_text(project, version, path).await?,
            None => self.projects.read_file(project, path, true).await?,
        };
        Ok(File {
            path: view.path,
            text: view.text,
            size: view.size,
            notice: view.notice,
        })
    }

    /// The project's versions and drafts, the newest first.
    pub async fn versions(&self, project: &str) -> Result<Vec<Fragment>, ApiError> {
        Ok(self.projects.versions(id(project)?).await?)
    }

    /// Stops the project's running and queued runs.
    pub async fn stop(&self, project: &str) -> Result<Report, ApiError> {
        let project = id(project)?;
        self.projects.stop(project).await?;
        Ok(self.reported(self.projects.report(project).await?))
    }

    /// Counts it together with the account's actions on the page.
    fn count(&self, effort: Effort) -> Result<(), ApiError> {
        let Some(Requester {
            identity, client, ..
        }) = &self.requester
        else {
            return Err(ProjectError::SignedOut.into());
        };
        Ok(self.accounts.admit(effort, identity.as_ref(), client)?)
    }

    fn ordered(&self, project: ProjectId, run: Option<RunId>) -> Ordered {
        let url = self.url(project);
        Ordered { project, run, url }
    }

    fn reported(&self, project: ProjectReport) -> Report {
        let url = self.url(project.id);
        Report { project, url }
    }

    fn url(&self, project: ProjectId) -> String {
        format!("{}/projects/{project}", self.public_url)
    }
}

/// Parses the id; a malformed id is that of no project.
fn id(text: &str) -> Result<ProjectId, ApiError> {
    let id = text.parse();
    id.map_err(|_| ProjectError::NotFound("project").into())
}

fn flatten(nodes: Vec<FileNode>, paths: &mut Vec<String>) {
    for node in nodes {
        match node.children {
            Some(children) => flatten(children, paths),
            None => paths.push(node.path),
        }
    }
}
