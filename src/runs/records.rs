//! Where the journal reports the steps that it has saved. An engine that keeps a record of its own
//! lets the run continue once the step is in it; what it records is a reference, because outputs
//! stay in the database.

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::protocol::RunId;

/// A saved step: the key of its row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepReference {
    pub run: RunId,
    pub step: String,
}

/// A saved step whose run waits until it is recorded.
pub struct Unrecorded {
    pub reference: StepReference,
    recorded: oneshot::Sender<()>,
}

impl Unrecorded {
    /// Lets the run continue.
    pub fn recorded(self) {
        // Its run may have been stopped meanwhile.
        let _ = self.recorded.send(());
    }
}

/// What the journal reports to, as a cheap handle. By default nobody records anything.
#[derive(Clone, Default)]
pub struct Records {
    sink: Option<Arc<Sink>>,
}

struct Sink {
    /// The steps that are in the record.
    known: HashSet<StepReference>,
    saved: mpsc::UnboundedSender<Unrecorded>,
}

impl Records {
    /// A record with these steps, and what is reported of others. It closes when the work that
    /// reports to it has stopped.
    pub fn new(known: HashSet<StepReference>) -> (Self, mpsc::UnboundedReceiver<Unrecorded>) {
        let (saved, reports) = mpsc::unbounded_channel();
        let sink = Some(Arc::new(Sink { known, saved }));
        (Self { sink }, reports)
    }

    /// Returns once the saved step is recorded; never, if its engine is gone and the work is about
    /// to be stopped.
    pub async fn saved(&self, run: RunId, step: &str) {
        let Some(sink) = &self.sink else {
            return;
        };
        let reference = StepReference {
            run,
            step: step.to_owned(),
        };
        if sink.known.contains(&reference) {
            return;
        }
        let (recorded, is_recorded) = oneshot::channel();
        let report = Unrecorded {
            reference,
            recorded,
        };
        if sink.saved.send(report).is_err() || is_recorded.await.is_err() {
            std::future::pending().await
        }
    }
}
