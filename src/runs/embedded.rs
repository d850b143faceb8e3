//! The embedded engine: a task in this process for each project with unfinished runs. Its queue is
//! the database, so a restart picks up every unfinished run.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    build::RunContext,
    engine::Engine,
    records::Records,
    worker::{DATABASE_WAIT, Patience, Worked, Worker},
};
use crate::{
    config,
    protocol::{ProjectId, Run},
};

/// The waits for a project that another server works on: it doubles from the first to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MAX_WAIT: Duration = Duration::from_secs(4);

/// The embedded engine, as a cheap handle.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

struct Inner {
    worker: Worker,
    /// The tasks of projects.
    tasks: TaskTracker,
    /// Stops all work.
    shutdown: CancellationToken,
    /// The projects with a task, which ends when its project has no run left.
    projects: Mutex<HashMap<ProjectId, Task>>,
    /// Notified when a task that worked ends.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Task {
    /// Set when a run is added while the task is about to end.
    more: bool,
    /// Whether it waits for a slot, and for a server that works on the project. A task that only
    /// takes over what nobody works on doesn't.
    waits: bool,
}

impl Embedded {
    /// `shutdown` stops all work.
    pub fn new(context: RunContext, settings: &config::Agent, shutdown: CancellationToken) -> Self {
        Self {
            inner: Arc::new(Inner {
                worker: Worker::new(context, settings),
                tasks: TaskTracker::new(),
                shutdown,
                projects: Mutex::default(),
                freed: Notify::new(),
            }),
        }
    }

    /// Begins to work on the project, unless there is a task already.
    fn begin(&self, project: ProjectId, waits: bool) {
        let mut projects = self.inner.projects.lock();
        if let Some(task) = projects.get_mut(&project) {
            task.more = true;
            task.waits |= waits;
            return;
        }
        let task = Task {
            waits,
            ..Task::default()
        };
        projects.insert(project, task);
        drop(projects);
        let inner = self.inner.clone();
        self.inner.tasks.spawn(async move {
            tokio::select! {
                worked = inner.work(project) => if worked {
                    inner.freed.notify_one();
                },
                () = inner.shutdown.cancelled() => inner.worker.note_stop(project).await,
            }
        });
    }
}

impl Engine for Embedded {
    fn ready(&self) -> BoxFuture<'_, anyhow::Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn work_on(&self, project: ProjectId) {
        self.begin(project, true);
    }

    fn take_over(&self, project: ProjectId) {
        self.begin(project, false);
    }

    fn room(&self) -> usize {
        self.inner.worker.slots.free()
    }

    fn freed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.inner.freed.notified())
    }

    fn cancel(&self, run: &Run) {
        self.inner.worker.cancel(run);
    }

    fn changed_elsewhere(&self, project: ProjectId) {
        self.inner.with_task(project, |task| task.more = true);
        if let Some(run) = self.inner.worker.current(project) {
            let inner = self.inner.clone();
            let cancelling = async move { inner.worker.cancel_if_ended(run).await };
            self.inner.tasks.spawn(cancelling);
        }
    }

    fn stopped(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
        })
    }
}

impl Inner {
    /// Works on the project's runs, oldest first, until none is left. Returns whether there was
    /// one.
    async fn work(&self, project: ProjectId) -> bool {
        let (mut worked, mut wait) = (false, FIRST_WAIT);
        loop {
            match self.worker.context.store.next_run(project).await {
                Ok(Some(run)) => {
                    let mut patience = Patience {
                        for_slot: false,
                        for_other: Duration::ZERO,
                    };
                    self.with_task(project, |task| {
                        task.more = false;
                        patience.for_slot = task.waits;
                    });
                    // The shutdown ends this whole task.
                    let (records, stop) = (Records::default(), CancellationToken::new());
                    let working = self.worker.work_on(run, patience, records, &stop);
                    if working.await == Worked::Done {
                        (worked, wait) = (true, FIRST_WAIT);
                        continue;
                    }
                    if self.ends(project) {
                        return worked;
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(MAX_WAIT);
                }
                Ok(None) => {
                    let mut projects = self.projects.lock();
                    match projects.get_mut(&project) {
                        Some(task) if task.more => task.more = false,
                        _ => {
                            projects.remove(&project);
                            return worked;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(
                        project.id = %project,
                        %error,
                        "the project's runs can't be read; retrying"
                    );
                    tokio::time::sleep(DATABASE_WAIT).await;
                }
            }
        }
    }

    /// Whether the project's task ends because it does not wait for another server's.
    fn ends(&self, project: ProjectId) -> bool {
        let mut projects = self.projects.lock();
        if projects.get(&project).is_some_and(|task| task.waits) {
            return false;
        }
        projects.remove(&project);
        true
    }

    fn with_task(&self, project: ProjectId, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.projects.lock().get_mut(&project) {
            change(task);
        }
    }
}
