//! Deletion, with a short time to undo it. A project is hidden and its runs are stopped at once;
//! later, one task removes its sandbox and its rows, even after a restart in between.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{ProjectError, Projects, sweep};
use crate::{
    agent::RunError,
    protocol::{Project, ProjectId, Timestamp},
    store::{Deleted, StoreError},
};

/// How long a deletion can be undone: the page offers it for ten seconds, and requests take time.
const UNDO: Duration = Duration::from_secs(12);
/// The wait after a failure, such as one of the sandbox provider.
const RETRY_DELAY: Duration = Duration::from_secs(30);

impl Projects {
    /// Hides the project, stops its runs, and schedules the removal of its sandbox and rows.
    /// `NotFound` if there is no such project.
    pub async fn delete(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_owner(project).await?;
        let inner = &self.inner;
        inner.store.delete_project(self.user()?, project).await?;
        tracing::info!(project.id = %project, "project deleted");
        inner.deleted.notify_one();
        inner.shared.end(project, None).await;
        self.stop_runs(project).await
    }

    async fn stop_runs(&self, project: ProjectId) -> Result<(), ProjectError> {
        for run in self.inner.store.list_runs(project).await? {
            if !run.state.is_final() {
                self.inner.runs.cancel(run.id).await?;
            }
        }
        Ok(())
    }

    /// Restores a project that was deleted a moment ago; its runs stay stopped. `NotFound` if it is
    /// too late.
    pub async fn undelete(&self, project: ProjectId) -> Result<Project, ProjectError> {
        let store = &self.inner.store;
        match store.undelete_project(self.user()?, project).await {
            // Perhaps it was never deleted, and belongs to somebody else.
            Err(StoreError::NotFound(what)) => {
                self.expect_owner(project).await?;
                Err(ProjectError::NotFound(what))
            }
            undeleted => Ok(undeleted?),
        }
    }

    /// Removes due projects soon, such as those of a deleted account.
    pub fn remove_soon(&self) {
        self.inner.deleted.notify_one();
    }

    /// Removes deleted projects when they are due, until `shutdown`.
    pub(super) fn keep_removing(&self, shutdown: CancellationToken) {
        let projects = self.clone();
        self.inner.tasks.spawn(async move {
            tokio::select! {
                () = projects.remove_deleted() => {}
                () = shutdown.cancelled() => {}
            }
        });
    }

    async fn remove_deleted(&self) {
        loop {
            let wait = match self.remove_due().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "deleted projects can't be listed"
                    );
                    Some(RETRY_DELAY)
                }
            };
            let deleted = self.inner.deleted.notified();
            match wait {
                Some(wait) => _ = tokio::time::timeout(wait, deleted).await,
                None => deleted.await,
            }
        }
    }

    /// Removes the due projects. Returns the time until the next one is due, or until a failed
    /// removal is retried.
    async fn remove_due(&self) -> Result<Option<Duration>, RunError> {
        let mut failed = None;
        for deleted in self.inner.store.deleted_projects().await? {
            let age = Timestamp::now().0.saturating_sub(deleted.at.0);
            let age = Duration::from_millis(age.unsigned_abs());
            if let Some(left) = UNDO.checked_sub(age).filter(|left| !left.is_zero()) {
                return Ok(Some(left));
            }
            if let Err(error) = self.remove(deleted).await {
                tracing::warn!(
                    project.id = %deleted.project,
                    error = format!("{error:#}"),
                    "a deleted project can't be removed yet"
                );
                failed = Some(RETRY_DELAY);
            }
        }
        Ok(failed)
    }

    async fn remove(&self, deleted: Deleted) -> Result<(), RunError> {
        let store = &self.inner.store;
        // The runs of a deleted account may still be running.
        let stopped = self.stop_runs(deleted.project).await;
        stopped.map_err(|error| RunError::Internal(error.into()))?;
        self.inner.shared.end(deleted.project, None).await;
        let sandbox = store.sandbox_kept_for(deleted.project).await?;
        if !store.begin_removal(deleted).await? {
            return Ok(());
        }
        if let Some(sandbox) = sandbox {
            self.inner.agent.discard(&sandbox).await?;
        }
        store.remove_project(deleted.project).await?;
        tracing::info!(project.id = %deleted.project, "removed a deleted project");
        sweep::remove_unused_blobs(store).await?;
        Ok(())
    }
}
