//! The seam to what makes runs durable. The embedded engine is the default; another one (Restate)
//! implements the same trait over many servers. An engine takes the database's runs, performs their
//! steps over a journal of its own, and ends each with its reply.

use futures::future::BoxFuture;

use crate::protocol::{ProjectId, Run};

/// Works on runs: one at a time per project, in order, each until it has ended, across restarts of
/// this process.
pub trait Engine: Send + Sync {
    /// Works on the project's unfinished runs. Called again meanwhile, it looks once more when it
    /// is done.
    fn work_on(&self, project: ProjectId);

    /// Soon ends the work on a run that has been cancelled, and what it runs in the sandbox.
    fn cancel(&self, run: &Run);

    /// Waits until all work has stopped, after the shutdown was requested. The next start resumes
    /// unfinished runs.
    fn stopped(&self) -> BoxFuture<'_, ()>;
}
