//! Versions for pages: listing, finding by number or id, reading, and restoring.

use std::time::Duration;

use tracing::Instrument as _;

use super::{
    ProjectError, Projects,
    files::{tree, viewed},
};
use crate::{
    protocol::{
        AppNode, EventKind, FileChange, FileNode, FileView, Fragment, ProjectId, VersionView,
    },
    runs::{AppLock, ProjectApp as _},
    store::{AT_WORK, FileKind},
};

/// Why the app was not changed after all: another server may change it now.
pub(super) const ELSEWHERE: &str = "This server lost its connection to the database, and another \
                                    one works on the project now. Look at it, then try again.";
/// How long to wait for the project's lock before looking for the reason.
const LOCK_WAIT: Duration = Duration::from_millis(500);

impl Projects {
    /// The project's versions and drafts, newest first.
    pub async fn versions(&self, project: ProjectId) -> Result<Vec<Fragment>, ProjectError> {
        self.expect_viewer(project).await?;
        Ok(self.inner.store.list_versions(project).await?)
    }

    /// The project's version with this number or id, and whether it is the newest.
    pub async fn version(
        &self,
        project: ProjectId,
        which: &str,
    ) -> Result<(Fragment, bool), ProjectError> {
        self.expect_viewer(project).await?;
        self.find_version(project, which).await
    }

    async fn find_version(
        &self,
        project: ProjectId,
        which: &str,
    ) -> Result<(Fragment, bool), ProjectError> {
        let mut all = self.inner.store.list_versions(project).await?;
        let at = position(&all, which)?;
        Ok((all.swap_remove(at), at == 0))
    }

    /// The version's files as a tree, folders first.
    pub async fn version_tree(
        &self,
        project: ProjectId,
        which: &str,
    ) -> Result<Vec<FileNode>, ProjectError> {
        let (fragment, _) = self.version(project, which).await?;
        let files = self.inner.store.version_files(fragment.id).await?;
        let paths = files
            .into_iter()
            .filter(|file| file.kind != FileKind::Folder);
        Ok(tree(paths.map(|file| file.path).collect()))
    }

    /// One of the version's files.
    pub async fn version_text(
        &self,
        project: ProjectId,
        which: &str,
        path: &str,
    ) -> Result<FileView, ProjectError> {
        let (fragment, _) = self.version(project, which).await?;
        let node = self.inner.store.version_file(fragment.id, path).await?;
        let content = match node {
            Some(AppNode::File { content, .. }) => content,
            Some(AppNode::Link { target }) => format!("→ {target}").into_bytes(),
            Some(AppNode::Folder) | None => return Err(ProjectError::NoFile),
        };
        viewed(path, content, false).await
    }

    /// Views a version without restoring it. Pages repeat the call while somebody looks.
    pub async fn view_version(
        &self,
        project: ProjectId,
        which: &str,
    ) -> Result<VersionView, ProjectError> {
        let (fragment, newest) = self.version(project, which).await?;
        let preview = self.inner.views.look(project, fragment.id).await?;
        Ok(VersionView {
            fragment,
            newest,
            preview,
        })
    }

    /// Makes a version's files the app's files, and saves that as a new version. Unsaved changes
    /// are saved before that. `Conflict` while a run works.
    pub async fn restore(&self, project: ProjectId, which: &str) -> Result<Fragment, ProjectError> {
        self.expect_editor(project).await?;
        let (fragment, _) = self.find_version(project, which).await?;
        let (projects, user) = (self.clone(), self.user()?.clone());
        // In a task of its own: a browser that goes away must not leave it half done.
        let restoring = async move {
            let alone = projects.idle(project, AT_WORK).await?;
            let edits = &projects.inner.edits;
            edits.keep(project).await;
            let _no_edits = edits.hold(project).await;
            let apps = projects.inner.apps.under(&alone);
            let restoring = alone.unless_lost(apps.restore(project, fragment.id, &user));
            let restored = restoring.await.ok_or(ProjectError::Conflict(ELSEWHERE))?;
            let (restored, paths) = restored?;
            tracing::info!(project.id = %project, version = restored.number, "version restored");
            let files = paths.into_iter().map(|path| FileChange { path }).collect();
            let kind = EventKind::Files { files };
            projects.inner.events.publish(project, None, kind).await?;
            projects.inner.previews.changed(project);
            Ok(restored)
        };
        let restoring = self.inner.tasks.spawn(restoring.in_current_span());
        restoring
            .await
            .map_err(|error| ProjectError::Internal(error.into()))?
    }

    /// Waits until nobody else changes the project's app, and blocks changes until the returned
    /// guard is dropped. `Conflict`, with the given reason, while a run is running or queued.
    pub(super) async fn idle(
        &self,
        project: ProjectId,
        at_work: &'static str,
    ) -> Result<AppLock, ProjectError> {
        loop {
            let lock = self.inner.locks.lock(project);
            let locked = tokio::time::timeout(LOCK_WAIT, lock).await;
            // A run holds the lock until its end, and so does the saving of its work.
            if self.inner.store.next_run(project).await?.is_some() {
                return Err(ProjectError::Conflict(at_work));
            }
            if let Ok(guard) = locked {
                return Ok(guard);
            }
        }
    }
}

/// The position of the version with this number or id among all versions of the project.
pub(super) fn position(all: &[Fragment], which: &str) -> Result<usize, ProjectError> {
    let number = which.parse::<i32>().ok();
    let is_it = |fragment: &Fragment| match number {
        Some(number) => fragment.number == number && !fragment.draft,
        None => which.parse() == Ok(fragment.id),
    };
    let at = all.iter().position(is_it);
    at.ok_or(ProjectError::NotFound("version of this project"))
}
