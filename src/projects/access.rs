//! Who may do what: every request about a project passes here first. A project looks absent to
//! those who are not in it; a member without the needed role gets a sentence.

use std::time::Duration;

use super::{ProjectError, Projects};
use crate::protocol::{ProjectId, ProjectRole, Run, RunId, SessionId};

/// How long a connection may outlive a membership that another process ended.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

const NOT_EDITOR: &str =
    "You may look at this project, but not change it. Ask its owner to make you an editor.";
const NOT_OWNER: &str = "Only the owner of this project may do that.";

impl Projects {
    /// Fails unless they may see the project.
    pub(super) async fn expect_viewer(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_role(project, ProjectRole::Viewer)
            .await
            .map(drop)
    }

    /// Fails unless they may change the project.
    pub(super) async fn expect_editor(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_role(project, ProjectRole::Editor)
            .await
            .map(drop)
    }

    /// Fails unless the project is theirs.
    pub(super) async fn expect_owner(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_role(project, ProjectRole::Owner)
            .await
            .map(drop)
    }

    /// The user's role in the project. `NotFound` without one, `Forbidden` if it is less than
    /// required.
    pub(super) async fn expect_role(
        &self,
        project: ProjectId,
        needed: ProjectRole,
    ) -> Result<ProjectRole, ProjectError> {
        let role = self.inner.store.role_in(self.user()?, project).await?;
        suffices(role, needed).map(|()| role)
    }

    /// The run, if the user may see its project.
    pub(super) async fn visible_run(&self, run: RunId) -> Result<Run, ProjectError> {
        let (run, _) = self.inner.store.find_run_for(self.user()?, run).await?;
        Ok(run)
    }

    /// The run, if the user may change its project.
    pub(super) async fn editable_run(&self, run: RunId) -> Result<Run, ProjectError> {
        let (run, role) = self.inner.store.find_run_for(self.user()?, run).await?;
        suffices(role, ProjectRole::Editor).map(|()| run)
    }

    /// Fails with `NotFound` unless the sandbox belongs to a project that the user may see, or
    /// shows one of its versions.
    pub async fn expect_sandbox(&self, sandbox: &str) -> Result<(), ProjectError> {
        let (store, user) = (&self.inner.store, self.user()?);
        match self.inner.views.project_with(sandbox) {
            Some(project) => store.role_in(user, project).await?,
            None => store.role_at(user, sandbox).await?,
        };
        Ok(())
    }

    /// The role of the session's user in the sandbox's project; `None` without one.
    pub async fn role_of_session(
        &self,
        session: SessionId,
        sandbox: &str,
    ) -> Result<Option<ProjectRole>, ProjectError> {
        let store = &self.inner.store;
        let role = async {
            let user = store.user_of_session(session).await?;
            match self.inner.views.project_with(sandbox) {
                Some(project) => store.role_in(&user, project).await,
                None => store.role_at(&user, sandbox).await,
            }
        };
        match role.await.map_err(ProjectError::from) {
            Ok(role) => Ok(Some(role)),
            Err(ProjectError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns when the user may no longer change the project.
    pub async fn loses_editing(&self, project: ProjectId) {
        let mut memberships = self.memberships();
        loop {
            let role = self.expect_role(project, ProjectRole::Editor).await;
            match role {
                // An owner never loses this right.
                Ok(ProjectRole::Owner) => return std::future::pending().await,
                Err(ProjectError::NotFound(_) | ProjectError::Forbidden(_)) => return,
                Ok(_) | Err(_) => {}
            }
            let _ = tokio::time::timeout(CHECK_INTERVAL, memberships.changed()).await;
        }
    }
}

fn suffices(role: ProjectRole, needed: ProjectRole) -> Result<(), ProjectError> {
    match needed {
        _ if role >= needed => Ok(()),
        ProjectRole::Owner => Err(ProjectError::Forbidden(NOT_OWNER)),
        ProjectRole::Viewer | ProjectRole::Editor => Err(ProjectError::Forbidden(NOT_EDITOR)),
    }
}
