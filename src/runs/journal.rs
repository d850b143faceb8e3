//! The embedded engine's journal: the steps table. A step's output is saved before the next step begins, and a step that has an
//! output is never run again: a restarted run replays what is saved and goes on at the first step without one.

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use super::{Events, Previews};
use crate::{
    agent::{Journal, RunError},
    protocol::{EventKind, Run, Spent},
    render,
    store::{Begun, Store, StoreError},
};

/// The journal of one run.
#[derive(Clone)]
pub struct StepJournal {
    store: Store,
    events: Events,
    previews: Previews,
    run: Run,
}

impl StepJournal {
    pub fn new(store: Store, events: Events, previews: Previews, run: Run) -> Self {
        Self {
            store,
            events,
            previews,
            run,
        }
    }
}

impl Journal for StepJournal {
    fn step<'a, T, F, Fut>(&'a self, name: &'a str, mut work: F) -> BoxFuture<'a, Result<T, RunError>>
    where
        T: Serialize + DeserializeOwned + Send + 'a,
        F: FnMut() -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, RunError>> + Send + 'a,
    {
        Box::pin(async move {
            if let Begun::Before { output, .. } = self.store.begin_step(self.run.id, name, "").await? {
                let output = serde_json::from_str(&output).map_err(|error| StoreError::Corrupt("step output", error.to_string()))?;
                tracing::debug!(run.id = %self.run.id, step.name = name, "the step's output is replayed");
                return Ok(output);
            }
            match work().await {
                Ok(output) => {
                    let json = serde_json::to_string(&output).map_err(anyhow::Error::from)?;
                    self.store.finish_step(self.run.id, name, &json, Spent::default()).await?;
                    Ok(output)
                }
                Err(error) => {
                    self.store.fail_step(self.run.id, name, &error.to_string()).await?;
                    Err(error)
                }
            }
        })
    }

    fn publish(&self, kind: EventKind) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(async move {
            let changes_the_app = matches!(kind, EventKind::Files { .. });
            let kind = match kind {
                EventKind::Text { turn, text, .. } => EventKind::Text {
                    turn,
                    html: render::markdown(&text),
                    text,
                },
                kind => kind,
            };
            self.events.publish(self.run.project, Some(self.run.id), kind).await?;
            if changes_the_app {
                self.previews.poke(self.run.project);
            }
            Ok(())
        })
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}
