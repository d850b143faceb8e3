//! The seam to what makes runs durable. The embedded engine is the default; another one (Restate)
//! fills the same trait over many servers. An engine takes the runs that the database has, performs
//! their steps over a journal of its own, and ends each with its reply.

use futures::future::BoxFuture;

use crate::protocol::{ProjectId, Run};

/// Works on runs: one at a time per project, in their order, each until it has ended, over restarts
/// of this process.
pub trait Engine: Send + Sync {
    /// Goes on with the project's runs that have not ended. Asked again while it does so, it looks
    /// once more when it is done.
    fn work_on(&self, project: ProjectId);

    /// Ends the work on a run that has been cancelled, soon; what it has running in the sandbox
    /// ends too.
    fn cancel(&self, run: &Run);

    /// Waits until all work has stopped, after the shutdown was asked for. What has not ended is
    /// gone on with at the next start.
    fn stopped(&self) -> BoxFuture<'_, ()>;
}
