//! The engine on Restate: each unfinished run is handed over to Restate, which calls a server back
//! to execute it, one run of a project at a time, and calls again until the run has ended. The
//! database stays the truth: what Restate has not been given, or has lost, is handed over again.

mod api;
mod execution;
mod service;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    api::{Api, ApiError, Deployment},
    execution::Executor,
};
use super::{build::RunContext, engine::Engine, worker::Worker};
use crate::{
    config,
    protocol::{ProjectId, Run, RunId},
    store::StoreError,
};

/// The time between two looks for runs that have not been handed over.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The time after which an unfinished run is handed over once more, in case Restate has lost it.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);
/// The time between two looks for older deployments that nothing needs.
const DRAIN_INTERVAL: Duration = Duration::from_secs(300);
/// How long the start waits for a Restate that is starting, too.
const START_PATIENCE: Duration = Duration::from_secs(10);
const START_WAIT: Duration = Duration::from_millis(250);

/// The engine, as a cheap handle.
#[derive(Clone)]
pub struct Restate {
    inner: Arc<Inner>,
}

struct Inner {
    executor: Arc<Executor>,
    api: Api,
    settings: config::Restate,
    /// The address that this server registers.
    deployment: String,
    /// The listener, and what hands runs over.
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// The projects with runs to hand over.
    added: mpsc::UnboundedSender<ProjectId>,
    /// Taken by what hands them over.
    additions: Mutex<Option<mpsc::UnboundedReceiver<ProjectId>>>,
    /// What has been handed over.
    handed_over: Mutex<HashMap<RunId, Invocation>>,
}

struct Invocation {
    id: String,
    sent_at: Instant,
}

impl Restate {
    /// Restate calls this server at the listener. `shutdown` stops all work.
    pub fn new(
        context: RunContext,
        settings: &config::Agent,
        restate: config::Restate,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let timeout = settings.run_timeout;
        let (added, additions) = mpsc::unbounded_channel();
        let executor = Arc::new(Executor::new(
            Worker::new(context, settings),
            shutdown.clone(),
        ));
        let inner = Arc::new(Inner {
            executor: executor.clone(),
            api: Api::new(&restate)?,
            deployment: format!("{}/{}", restate.service, build_path(timeout)),
            settings: restate,
            tasks: TaskTracker::new(),
            shutdown: shutdown.clone(),
            added,
            additions: Mutex::new(Some(additions)),
            handed_over: Mutex::default(),
        });
        let endpoint = service::endpoint(executor, timeout);
        let serving = service::serve(listener, endpoint, shutdown.clone());
        inner.tasks.spawn(serving);
        Ok(Self { inner })
    }
}

/// The path that a build registers. A registered deployment keeps its time-outs and handlers, so
/// other time-outs or another version need another path. Every build answers at every path.
fn build_path(timeout: Duration) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let digest = Sha256::digest(format!("{version} {}", timeout.as_secs()));
    format!("{version}-{}", &hex::encode(digest)[..8])
}

impl Engine for Restate {
    fn ready(&self) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            self.inner.register().await?;
            let Some(additions) = self.inner.additions.lock().take() else {
                return Ok(());
            };
            let (handing_over, draining) = (self.inner.clone(), self.inner.clone());
            let work = async move {
                tokio::join!(handing_over.hand_over(additions), draining.drain());
            };
            let shutdown = self.inner.shutdown.clone();
            let work = shutdown.run_until_cancelled_owned(work);
            self.inner.tasks.spawn(work);
            Ok(())
        })
    }

    fn work_on(&self, project: ProjectId) {
        // Closed only at the shutdown; the next start hands over what is left.
        let _ = self.inner.added.send(project);
    }

    /// Restate chooses the server.
    fn take_over(&self, project: ProjectId) {
        self.work_on(project);
    }

    /// What another server leaves is Restate's to assign.
    fn room(&self) -> usize {
        0
    }

    fn freed(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    fn cancel(&self, run: &Run) {
        self.inner.executor.worker.cancel(run);
        let Some(invocation) = self.inner.handed_over.lock().remove(&run.id) else {
            return;
        };
        let inner = self.inner.clone();
        let run = run.id;
        let cancelling = async move {
            if let Err(error) = inner.api.cancel(&invocation.id).await {
                tracing::info!(
                    run.id = %run,
                    %error,
                    "the run's invocation is not cancelled, and ends at Restate's next call"
                );
            }
        };
        let shutdown = self.inner.shutdown.clone();
        let cancelling = shutdown.run_until_cancelled_owned(cancelling);
        self.inner.tasks.spawn(cancelling);
    }

    fn changed_elsewhere(&self, project: ProjectId) {
        let executor = self.inner.executor.clone();
        if let Some(run) = executor.worker.current(project) {
            let cancelling = async move { executor.worker.cancel_if_ended(run).await };
            self.inner.tasks.spawn(cancelling);
        }
    }

    fn stopped(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
            self.inner.executor.stopped().await;
        })
    }
}

impl Inner {
    /// Registers this server, and checks that runs can be handed over.
    async fn register(&self) -> anyhow::Result<()> {
        let config::Restate {
            ingress,
            admin,
            service,
            ..
        } = &self.settings;
        match patiently(|| self.api.register(&self.deployment)).await {
            Ok(()) => {}
            Err(ApiError::Unreachable(reason)) => bail!(
                "RESTATE_ADMIN_URL={admin}: no Restate answers there ({reason}); start it, or set \
                 RUN_ENGINE=embedded"
            ),
            // It asks this server what it serves.
            Err(error @ (ApiError::Silent | ApiError::Refused { .. })) => bail!(
                "RESTATE_SERVICE_URL={service}: Restate can't use this server at that address \
                 ({error})"
            ),
        }
        let checked = patiently(|| self.api.check_ingress()).await;
        checked.with_context(|| {
            format!("RESTATE_INGRESS_URL={ingress}: no Restate takes runs there")
        })?;
        tracing::info!(
            deployment = self.deployment,
            "runs are worked on over Restate"
        );
        self.try_to_drain().await;
        Ok(())
    }

    /// Hands runs over: those of a project when it has new ones, and every few seconds whatever is
    /// left.
    async fn hand_over(self: Arc<Self>, mut additions: mpsc::UnboundedReceiver<ProjectId>) {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_reachable = true;
        loop {
            let project = tokio::select! {
                project = additions.recv() => match project {
                    Some(project) => Some(project),
                    None => return,
                },
                _ = looks.tick() => None,
            };
            // While Restate is away, the looks are enough.
            if project.is_some() && !is_reachable {
                continue;
            }
            let left = match self.hand_over_runs(project).await {
                Ok(()) => {
                    if !is_reachable {
                        tracing::info!("Restate is back: queued runs are handed over");
                    }
                    is_reachable = true;
                    0
                }
                Err(HandOver::Store(error)) => {
                    tracing::error!(%error, "the runs for Restate can't be read; retrying");
                    continue;
                }
                Err(HandOver::Restate { error, left }) => {
                    if is_reachable {
                        tracing::warn!(
                            %error,
                            runs = left,
                            "runs can't be handed over; they stay queued until Restate is back"
                        );
                    }
                    is_reachable = false;
                    // It may come back without what it had.
                    self.handed_over.lock().clear();
                    if let ApiError::Refused { .. } = error
                        && let Err(error) = self.api.register(&self.deployment).await
                    {
                        tracing::info!(%error, "this server can't be registered again");
                    }
                    left
                }
            };
            metrics::gauge!("codeflow_runs_not_handed_over").set(left as f64);
        }
    }

    /// Hands over the unfinished runs, of one project or all, in their order.
    async fn hand_over_runs(&self, project: Option<ProjectId>) -> Result<(), HandOver> {
        let store = &self.executor.worker.context.store;
        let mut runs = store.unfinished_runs(project).await?;
        {
            let mut handed_over = self.handed_over.lock();
            if project.is_none() {
                let unfinished: BTreeSet<RunId> = runs.iter().map(|(_, run)| *run).collect();
                handed_over.retain(|run, _| unfinished.contains(run));
            }
            runs.retain(|(_, run)| {
                handed_over
                    .get(run)
                    .is_none_or(|sent| sent.sent_at.elapsed() > REPEAT_INTERVAL)
            });
        }
        for (sent, (project, run)) in runs.iter().enumerate() {
            let sent_at = Instant::now();
            let id = self.api.send(*project, *run).await;
            let id = id.map_err(|error| HandOver::Restate {
                error,
                left: runs.len() - sent,
            })?;
            let invocation = Invocation { id, sent_at };
            self.handed_over.lock().insert(*run, invocation);
        }
        Ok(())
    }

    /// Keeps looking for deployments of older builds that nothing needs any more.
    async fn drain(self: Arc<Self>) {
        loop {
            tokio::time::sleep(DRAIN_INTERVAL).await;
            self.try_to_drain().await;
        }
    }

    async fn try_to_drain(&self) {
        if let Err(error) = self.remove_older().await {
            tracing::info!(%error, "older deployments stay registered for now");
        }
    }

    /// Removes the deployments of older builds at this address that no run is bound to.
    async fn remove_older(&self) -> Result<(), ApiError> {
        let own = format!("{}/", self.settings.service);
        let deployments = self.api.deployments().await?;
        let current = deployments
            .iter()
            .find(|deployment| deployment.path() == self.deployment);
        // A newer build may run beside this one.
        let older = deployments.iter().filter(|deployment| {
            let is_before = |current: &Deployment| deployment.created_at < current.created_at;
            deployment.path().starts_with(&own) && current.is_some_and(is_before)
        });
        for deployment in older {
            if !self.api.is_needed(&deployment.id).await? {
                self.api.remove(&deployment.id).await?;
                tracing::info!(
                    deployment = deployment.path(),
                    "an older build is no longer registered"
                );
            }
        }
        Ok(())
    }
}

/// Why runs were not handed over.
#[derive(Debug, thiserror::Error)]
enum HandOver {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{error}")]
    Restate { error: ApiError, left: usize },
}

/// Repeats a request while nobody answers: both may be starting.
async fn patiently<T, Fut>(mut request: impl FnMut() -> Fut) -> Result<T, ApiError>
where
    Fut: Future<Output = Result<T, ApiError>>,
{
    let begun = Instant::now();
    loop {
        match request().await {
            Err(ApiError::Unreachable(_)) if begun.elapsed() < START_PATIENCE => {
                tokio::time::sleep(START_WAIT).await;
            }
            answered => return answered,
        }
    }
}
