//! What Restate calls: the virtual object `Project`, keyed by a project's id. Its exclusive handler
//! `run` executes a run of the project. Each entry of Restate's journal is a `ctx.run` around the
//! work until the next step is saved, and holds a reference to the step: the database keeps the
//! outputs, and a repeated call continues from them. So the order of the entries never depends on
//! what a run does, and another build may continue what this one began.

use std::{collections::HashSet, sync::Arc, time::Duration};

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use restate_sdk::{
    context::{ContextSideEffects, ObjectContext, RunFuture},
    endpoint::{Endpoint, ServiceOptions},
    errors::{HandlerError, TerminalError},
    hyper::HyperEndpoint,
    serde::Json,
    service::IntoServiceDefinition,
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::Mutex};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::execution::{Execution, Executor};
use crate::{
    protocol::{ProjectId, RunId},
    runs::records::StepReference,
};

/// The time after which an entry is written although no step was saved: a run may wait long for its
/// turn, and Restate gives up a call that reports nothing.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// What the time-outs of a call have beyond the maximum duration of a run.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(600);
/// The waits between two calls of a run that could not be worked on.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const MAX_RETRY: Duration = Duration::from_secs(5);
/// No limit that anybody reaches: 50,000 days.
const MAX_ATTEMPTS: u64 = 1_000_000_000;
/// A Restate that does not answer for so long is gone, and the work is left to its next call.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long calls may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(3);

/// An entry of Restate's journal.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Entry {
    /// The steps that were saved since the entry before.
    steps: Vec<StepReference>,
    /// Whether the run has ended.
    ended: bool,
}

struct Project {
    executor: Arc<Executor>,
}

#[restate_sdk::object]
impl Project {
    /// Executes the run, after those of the project that were created before it.
    #[handler]
    async fn run(
        &self,
        ctx: ObjectContext<'_>,
        Json(run): Json<RunId>,
    ) -> Result<(), HandlerError> {
        let project: ProjectId = ctx
            .key()
            .parse()
            .map_err(|_| TerminalError::new_with_code(400, "The key is a project's id."))?;
        let call = Arc::new(Call::new(self.executor.clone(), project, run));
        let mut recorded = HashSet::new();
        loop {
            let (next, known) = (call.clone(), recorded.clone());
            let entry = ctx
                .run(move || async move { next.entry(known).await.map(Json) })
                .name("step")
                .await;
            match entry {
                Ok(Json(entry)) if entry.ended => return Ok(()),
                Ok(Json(entry)) => recorded.extend(entry.steps),
                // Cancelled, by this program after its own row or by somebody at Restate.
                Err(cancelled) => {
                    self.executor.cancelled_at_restate(run).await?;
                    return Err(cancelled.into());
                }
            }
        }
    }
}

/// One call of the handler. When it is dropped, because Restate is gone or has given it up, the
/// work stops in an orderly way.
struct Call {
    executor: Arc<Executor>,
    project: ProjectId,
    run: RunId,
    /// Begins with the first entry that Restate does not know yet.
    execution: Mutex<Option<Execution>>,
    stop: CancellationToken,
    _stop: DropGuard,
}

impl Call {
    fn new(executor: Arc<Executor>, project: ProjectId, run: RunId) -> Self {
        let stop = CancellationToken::new();
        Self {
            executor,
            project,
            run,
            execution: Mutex::default(),
            _stop: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Works on until a step is saved, which then waits until Restate has the entry. An error makes
    /// Restate call again.
    async fn entry(&self, known: HashSet<StepReference>) -> Result<Entry, HandlerError> {
        let mut execution = self.execution.lock().await;
        let execution = execution.get_or_insert_with(|| {
            let stop = self.stop.clone();
            self.executor.execute(self.project, self.run, known, stop)
        });
        match tokio::time::timeout(HEARTBEAT, execution.next()).await {
            Err(_) => Ok(Entry::default()),
            Ok(Some(steps)) => Ok(Entry {
                steps,
                ended: false,
            }),
            Ok(None) => {
                execution.end().await?;
                Ok(Entry {
                    steps: Vec::new(),
                    ended: true,
                })
            }
        }
    }
}

/// The service, for runs that take at most `timeout`.
pub fn endpoint(executor: Arc<Executor>, timeout: Duration) -> Endpoint {
    let patience = timeout + BEYOND_TIMEOUT;
    let options = ServiceOptions::new()
        .inactivity_timeout(patience)
        .abort_timeout(patience)
        // A run whose call has ended is known by its row; if it has not ended, it is sent again.
        .idempotency_retention(Duration::ZERO)
        .retry_policy_initial_interval(FIRST_RETRY)
        .retry_policy_exponentiation_factor(2.0)
        .retry_policy_max_interval(MAX_RETRY)
        .retry_policy_max_attempts(MAX_ATTEMPTS);
    let project = Project { executor }.into_service_definition();
    Endpoint::builder().bind(project.options(options)).build()
}

/// Serves the endpoint over HTTP/2 without TLS until the shutdown, and a moment longer, so that
/// calls end with an answer.
pub async fn serve(listener: TcpListener, endpoint: Endpoint, shutdown: CancellationToken) {
    let service = HyperEndpoint::new(endpoint);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // The process may be out of file descriptors for a while.
                tracing::warn!(%error, "a connection of Restate's could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (service, shutdown) = (service.clone(), shutdown.clone());
        connections.spawn(async move {
            let mut connection = std::pin::pin!(
                http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .keep_alive_interval(KEEP_ALIVE)
                    .keep_alive_timeout(KEEP_ALIVE)
                    .serve_connection(TokioIo::new(stream), service)
            );
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let ended = tokio::time::timeout(GRACE, connection).await;
                    ended.unwrap_or(Ok(()))
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection of Restate's broke");
            }
        });
    }
    connections.close();
    connections.wait().await;
}
