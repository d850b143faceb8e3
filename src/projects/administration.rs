//! What administrators see of all users: projects, and the sandboxes at the provider. Each function
//! takes an [`AdminRequest`], which nobody else can obtain.

use super::{ProjectError, Projects};
use crate::{
    accounts::{AccountError, AdminRequest},
    agent::ListedSandbox,
    protocol::{
        ProjectFilter, ProjectId, ProjectInside, ProjectPage, SandboxOverview, first_chars,
    },
    store::Deed,
};

/// How much of a file is shown, in characters.
const SHOWN_FILE: usize = 100_000;

impl Projects {
    /// A page of all users' projects, the youngest first.
    pub async fn of_everybody(
        &self,
        _by: &AdminRequest,
        filter: &ProjectFilter,
    ) -> Result<ProjectPage, ProjectError> {
        let (projects, next) = self.inner.store.list_all_projects(filter).await?;
        Ok(ProjectPage { projects, next })
    }

    /// The contents of another user's project, with one of its files. Opening it is written to the
    /// audit log. `NotFound` if there is no such project or file.
    pub async fn look_into(
        &self,
        by: &AdminRequest,
        project: ProjectId,
        file: Option<&str>,
    ) -> Result<ProjectInside, ProjectError> {
        let overview = self.inner.store.overview(project).await?;
        note(by.opened("project", project, &overview.title, &overview.owner_id)).await?;
        let store = &self.inner.store;
        let content = match file {
            Some(path) => {
                let content = store.latest_file(project, path).await?;
                let content = content.ok_or(ProjectError::NotFound("file"))?;
                let id = format!("{project}/{path}");
                note(by.opened("file", id, path, &overview.owner_id)).await?;
                Some(readable(content))
            }
            None => None,
        };
        let mut versions = store.list_versions(project).await?;
        versions.sort_by_key(|version| std::cmp::Reverse(version.created_at));
        Ok(ProjectInside {
            messages: store.list_messages(project).await?,
            files: store.latest_paths(project).await?,
            overview,
            versions,
            content,
        })
    }

    /// The sandboxes at the provider, the youngest first.
    pub async fn all_sandboxes(
        &self,
        _by: &AdminRequest,
    ) -> Result<Vec<SandboxOverview>, ProjectError> {
        let inner = &self.inner;
        let ours = inner.store.installation().await?;
        let mut listed = inner.agent.sandboxes().await?;
        listed.sort_by_key(|sandbox| std::cmp::Reverse(sandbox.started_at));
        let ids: Vec<&str> = listed.iter().map(|sandbox| &*sandbox.id).collect();
        // Not every provider measures usage. The list is worth showing without the figures.
        let used = inner.agent.measure(&ids).await;
        let used = used
            .inspect_err(|error| tracing::warn!(%error, "the sandboxes can't be measured"))
            .unwrap_or_default();
        let projects: Vec<ProjectId> = listed.iter().filter_map(project_of).collect();
        let named = inner.store.name_projects(&projects).await?;
        let overviews = listed.iter().map(|sandbox| {
            let project = project_of(sandbox);
            SandboxOverview {
                id: sandbox.id.clone(),
                awake: sandbox.awake,
                started_at: sandbox.started_at,
                used: used.get(&sandbox.id).copied(),
                title: project.and_then(|id| Some(named.get(&id)?.0.clone())),
                project,
                shows_version: sandbox.version.is_some(),
                own: is_own(sandbox, &ours),
            }
        });
        Ok(overviews.collect())
    }

    /// Kills one of this installation's sandboxes. Unsaved work in it is lost, and its project gets
    /// another one when it is opened. `NotFound` for any other sandbox.
    pub async fn kill_sandbox(&self, by: &AdminRequest, id: &str) -> Result<(), ProjectError> {
        let inner = &self.inner;
        let ours = inner.store.installation().await?;
        let listed = inner.agent.sandboxes().await?;
        let found = listed.iter().find(|sandbox| sandbox.id == id);
        let sandbox = found
            .filter(|sandbox| is_own(sandbox, &ours))
            .ok_or(ProjectError::NotFound("sandbox"))?;
        let project = sandbox.project.as_deref();
        let details = serde_json::json!({ "project": project });
        let deed = Deed::new("kill sandbox", "sandbox", id, "").with(details);
        inner.store.record(by.actor(), deed).await?;
        inner.agent.discard(id).await?;
        tracing::info!(sandbox.id = id, "an administrator killed the sandbox");
        Ok(())
    }
}

async fn note(entry: impl Future<Output = Result<(), AccountError>>) -> Result<(), ProjectError> {
    let noted = entry.await;
    noted.map_err(|error| ProjectError::Internal(error.into()))
}

/// The part of the file's text that is shown.
fn readable(content: Vec<u8>) -> String {
    match String::from_utf8(content) {
        Ok(text) => first_chars(&text, SHOWN_FILE).to_owned(),
        Err(_) => "This file is not text.".to_owned(),
    }
}

fn project_of(sandbox: &ListedSandbox) -> Option<ProjectId> {
    sandbox.project.as_ref()?.parse().ok()
}

fn is_own(sandbox: &ListedSandbox, ours: &str) -> bool {
    sandbox.installation.as_deref() == Some(ours)
}
