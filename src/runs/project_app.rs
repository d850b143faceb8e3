//! The interface to the project's app: what a run needs of it. `projects` implements it, so the
//! engine knows nothing of previews, nor of how a lost sandbox is replaced.

use std::time::Instant;

use futures::future::BoxFuture;

use crate::{
    agent::{App, RunError},
    protocol::{PreviewError, ProjectId},
};

/// The apps of all projects, as runs see them.
pub trait ProjectApp: Send + Sync {
    /// The project's app in a running sandbox: its own, or a replacement.
    fn open(&self, project: ProjectId) -> BoxFuture<'_, Result<App, RunError>>;

    /// Saves the edits made since the latest version as a version.
    fn keep_edits(&self, project: ProjectId) -> BoxFuture<'_, ()>;

    /// Reports that the app changed: a watched preview is checked again.
    fn changed(&self, project: ProjectId);

    /// Publishes what the app's page shows.
    fn publish_preview<'a>(
        &'a self,
        project: ProjectId,
        app: &'a App,
    ) -> BoxFuture<'a, Result<(), RunError>>;

    /// The errors that are still on the project's page and were first reported at `since` or later;
    /// `None` if nobody watches it.
    fn reported_since(&self, project: ProjectId, since: Instant) -> Option<Vec<PreviewError>>;
}
