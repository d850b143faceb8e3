//! The seam to whatever makes runs durable. The embedded engine is the default; another one
//! (Restate) implements the same trait over many servers. An engine takes the database's runs,
//! performs their steps over a journal of its own, and ends each with its reply.

use futures::future::BoxFuture;

use crate::protocol::{ProjectId, Run};

/// Works on runs: one at a time per project, in order, each until it has ended, across restarts of
/// this process.
pub trait Engine: Send + Sync {
    /// Works on the project's unfinished runs. When called again in the meantime, it looks once
    /// more before it stops.
    fn work_on(&self, project: ProjectId);

    /// Stops the work on a cancelled run soon, with whatever it runs in the sandbox.
    fn cancel(&self, run: &Run);

    /// Waits until all work has stopped, after the shutdown was requested. The next start resumes
    /// unfinished runs.
    fn stopped(&self) -> BoxFuture<'_, ()>;
}
