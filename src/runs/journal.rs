//! The embedded engine's journal: the steps table. A step's output is saved before the next step
//! begins, and a step with an output is never executed again. A restarted run replays the saved
//! outputs and continues at the first step without one.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracing::{Instrument, Span};

use super::{
    Events, ProjectApp, crash,
    records::Records,
    retries::{Next, Retries},
};
use crate::{
    agent::{Attempt, Fault, FaultKind, Journal, RunError, Step},
    protocol::{EventKind, Run, Spent, Status},
    store::{Begun, Store, StoreError},
    traces,
};

/// How many times a database call is attempted before the run ends, and the wait after the first
/// attempt, which doubles each time.
const DATABASE_ATTEMPTS: u32 = 8;
const DATABASE_WAIT: Duration = Duration::from_millis(250);

/// What people read when a run can't read or save files.
const STORAGE_DOWN: &str = "The storage of files can't be reached, so this version was not saved. \
    The app keeps what was written. Send a message to continue when the storage is back.";

/// The cost that an output reports.
#[derive(Default, Deserialize)]
struct Costed {
    #[serde(default)]
    spent: Spent,
}

/// The journal of one run.
#[derive(Clone)]
pub struct StepJournal {
    store: Store,
    events: Events,
    apps: Arc<dyn ProjectApp>,
    run: Run,
    records: Records,
    /// The alternative that the run's steps use. One that failed for good is not tried again in
    /// later steps.
    alternative: Arc<AtomicUsize>,
    /// The cost of attempts without an output, by step.
    lost: Arc<Mutex<HashMap<String, Spent>>>,
}

impl StepJournal {
    pub fn new(
        store: Store,
        events: Events,
        apps: Arc<dyn ProjectApp>,
        run: Run,
        records: Records,
    ) -> Self {
        Self {
            store,
            events,
            apps,
            run,
            records,
            alternative: Arc::default(),
            lost: Arc::default(),
        }
    }

    /// The alternative that the run's steps use; see [`Attempt::alternative`].
    pub fn alternative(&self) -> usize {
        self.alternative.load(Ordering::Relaxed)
    }

    /// The step's saved output.
    fn replay<T: DeserializeOwned>(
        &self,
        step: &Step<'_>,
        output: &str,
        input_digest: Option<&str>,
        spent: Spent,
    ) -> Result<T, RunError> {
        if input_digest.is_some_and(|digest| digest != step.input_digest) {
            tracing::warn!("the step's input differs from the one its output was saved for");
        }
        let unreadable =
            |error: serde_json::Error| StoreError::Corrupt("step output", error.to_string());
        let counted: Costed = serde_json::from_str(output).unwrap_or_default();
        self.set_lost(step.name, spent.without(counted.spent));
        let output = serde_json::from_str(output).map_err(unreadable)?;
        tracing::debug!("replaying the step's output");
        Ok(output)
    }

    /// The step's cost, including its current attempt.
    fn total(&self, step: &str, attempt: Spent) -> Spent {
        let mut total = self.lost(step);
        total.add(attempt);
        total
    }

    fn set_lost(&self, step: &str, spent: Spent) {
        self.lost.lock().insert(step.to_owned(), spent);
    }

    async fn save<T: Serialize>(&self, name: &str, output: &T) -> Result<(), RunError> {
        let output = serde_json::to_value(output).map_err(anyhow::Error::from)?;
        let spent: Spent = serde_json::from_value(output["spent"].clone()).unwrap_or_default();
        let json = output.to_string();
        let model = output["model"].as_str();
        let spent = self.total(name, spent);
        crash::point("before", name);
        persistently(|| {
            self.store
                .finish_step(self.run.id, name, &json, spent, model)
        })
        .await?;
        crash::point("after", name);
        Ok(())
    }
}

impl Journal for StepJournal {
    fn step<'a, T, F, Fut>(
        &'a self,
        step: Step<'a>,
        mut work: F,
    ) -> BoxFuture<'a, Result<T, RunError>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'a,
        F: FnMut(Attempt) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, RunError>> + Send + 'a,
    {
        let span = tracing::info_span!("step", step.name = step.name);
        let performed = async move {
            let (run, name) = (self.run.id, step.name);
            let mut retries = Retries::from(self.alternative().min(step.alternatives));
            loop {
                let begun =
                    persistently(|| self.store.begin_step(run, name, &step.input_digest)).await?;
                let attempt = match begun {
                    Begun::AlreadyDone {
                        output,
                        input_digest,
                        spent,
                    } => {
                        let output = self.replay(&step, &output, input_digest.as_deref(), spent)?;
                        self.records.saved(run, name).await;
                        return Ok(output);
                    }
                    Begun::Attempt {
                        number,
                        interrupted,
                        spent,
                    } => {
                        self.set_lost(name, spent);
                        Attempt {
                            number,
                            interrupted,
                            alternative: retries.alternative,
                        }
                    }
                    Begun::Crashed { times } => {
                        let error = crashed(name, times);
                        persistently(|| self.store.fail_step(run, name, &error)).await?;
                        return Err(RunError::User(error));
                    }
                };
                tracing::debug!(attempt.number, "performing the step");
                let worked = tokio::time::timeout(step.timeout, work(attempt)).await;
                let error = match worked.unwrap_or_else(|_| Err(slow(&step).into())) {
                    Ok(output) => {
                        self.save(name, &output).await?;
                        count(name, "done");
                        self.records.saved(run, name).await;
                        return Ok(output);
                    }
                    Err(error) => error,
                };
                let text = format!("{error:#}");
                count(name, "failed");
                persistently(|| self.store.fail_step(run, name, &text)).await?;
                let RunError::Transient(fault) = &error else {
                    return Err(error);
                };
                match retries.after(fault, step.alternatives, rand::random()) {
                    Next::Again(wait) => {
                        count_retry(fault.kind);
                        tracing::info!(
                            error = text,
                            wait.ms = wait.as_millis(),
                            "retrying the step"
                        );
                        let status = Status::Retrying;
                        self.publish(EventKind::Status { status }).await?;
                        tokio::time::sleep(wait).await;
                    }
                    Next::Alternative => {
                        count_retry(fault.kind);
                        self.alternative
                            .store(retries.alternative, Ordering::Relaxed);
                        tracing::warn!(error = text, "the step goes on with the next provider");
                    }
                    Next::GiveUp => return Err(error),
                }
            }
        };
        let noted = async move {
            let done = performed.await;
            if done.is_err() {
                traces::fail(&Span::current());
            }
            done
        };
        Box::pin(noted.instrument(span))
    }

    fn spend<'a>(&'a self, step: &'a str, spent: Spent) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move {
            let total = self.total(step, spent);
            Ok(persistently(|| self.store.spend_step(self.run.id, step, total)).await?)
        })
    }

    fn lost(&self, step: &str) -> Spent {
        self.lost.lock().get(step).copied().unwrap_or_default()
    }

    fn publish(&self, kind: EventKind) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(async move {
            let changes_the_app = matches!(kind, EventKind::Files { .. });
            persistently(|| {
                self.events
                    .publish(self.run.project, Some(self.run.id), kind.clone())
            })
            .await?;
            if changes_the_app {
                self.apps.changed(self.run.project);
            }
            Ok(())
        })
    }
}

/// Counts an attempt at a step.
fn count(step: &str, outcome: &'static str) {
    metrics::counter!("codeflow_steps_total", "kind" => kind(step), "outcome" => outcome)
        .increment(1);
}

fn count_retry(fault: FaultKind) {
    metrics::counter!("codeflow_step_retries_total", "fault" => fault.as_str()).increment(1);
}

/// The kind of step: names contain numbers, and a tool's name is the model's choice.
fn kind(step: &str) -> &'static str {
    const NAMED: [&str; 7] = [
        "get-or-create-sandbox",
        "get-prev-messages",
        "get-prev-code-files",
        "build-agent-input",
        "get-sandbox-url",
        "generate-metadata",
        "save-to-db",
    ];
    if let Some(number) = step.strip_prefix("turn-") {
        return if number.contains('-') { "tool" } else { "turn" };
    }
    if step.starts_with("verify-") {
        return "verify";
    }
    if step.starts_with("look-") {
        return "look";
    }
    if step.starts_with("review-") {
        return "review";
    }
    let mut named = NAMED.into_iter();
    named.find(|name| *name == step).unwrap_or("other")
}

fn crashed(step: &str, times: i32) -> String {
    format!(
        "The server stopped {times} times during step “{step}”, so this run was ended. What was \
         written is kept. Send a message to continue, perhaps in smaller steps; if the server \
         stops again, check its log and its memory."
    )
}

fn slow(step: &Step<'_>) -> Fault {
    Fault {
        kind: FaultKind::Slow,
        message: format!(
            "A step of this run ({}) took longer than {} minutes and was stopped. What was \
             written is kept; send a message to continue.",
            step.name,
            step.timeout.as_secs().div_ceil(60)
        ),
        retry_after: None,
    }
}

/// Retries a database call that fails: the database may be busy or restarting. The work must be
/// safe to repeat.
pub async fn persistently<T, Fut>(mut work: impl FnMut() -> Fut) -> Result<T, StoreError>
where
    Fut: Future<Output = Result<T, StoreError>>,
{
    let mut attempts = 1;
    loop {
        match work().await {
            Err(StoreError::Database(error)) if attempts < DATABASE_ATTEMPTS => {
                tracing::warn!(%error, "the database refused; retrying");
                tokio::time::sleep(DATABASE_WAIT * 2_u32.pow(attempts - 1)).await;
                attempts += 1;
            }
            done => return done,
        }
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        let StoreError::Bucket(why) = error else {
            return Self::Internal(error.into());
        };
        tracing::error!(why, "the storage of files can't be used");
        Self::Transient(Fault {
            kind: FaultKind::Storage,
            message: STORAGE_DOWN.to_owned(),
            retry_after: None,
        })
    }
}
