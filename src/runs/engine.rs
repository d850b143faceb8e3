//! The interface to whatever makes runs durable. The embedded engine is the default; Restate
//! implements the same trait across several servers. An engine takes runs from the database, lets
//! a worker execute their steps, and sees that each run ends with its reply.

use futures::future::BoxFuture;

use crate::protocol::{ProjectId, Run};

/// Works on runs: one at a time per project, in order, each to its end, across restarts of this
/// process.
pub trait Engine: Send + Sync {
    /// Returns once runs can be worked on. An error is one line that says what to do, and stops the
    /// start.
    fn ready(&self) -> BoxFuture<'_, anyhow::Result<()>>;

    /// Works on the project's unfinished runs. A call during that work makes it look once more
    /// before it stops.
    fn work_on(&self, project: ProjectId);

    /// Works on the project's unfinished runs, which were begun or are queued on another server, if
    /// that is possible at once.
    fn take_over(&self, project: ProjectId);

    /// How many more runs could begin here at once.
    fn room(&self) -> usize;

    /// Returns when the work on a project has ended here, which makes room.
    fn freed(&self) -> BoxFuture<'_, ()>;

    /// Soon stops the work on a cancelled run, including its processes in the sandbox.
    fn cancel(&self, run: &Run);

    /// Another server has changed the project: it may have ended a run that is worked on here.
    fn changed_elsewhere(&self, project: ProjectId);

    /// Waits until all work has stopped, after the shutdown was requested. The next start resumes
    /// unfinished runs.
    fn stopped(&self) -> BoxFuture<'_, ()>;
}
