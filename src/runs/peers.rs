//! The other servers on the same database. This one notifies them of what it has saved, and passes
//! their notices to its followers and its engine. It takes over what no server works on.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    RunContext,
    app_locks::DATABASE_WAIT,
    engine::Engine,
    events::{Events, LastEvents},
};
use crate::{
    protocol::ProjectId,
    store::{Store, StoreError},
};

/// The time between two looks for runs that nobody works on.
const TAKEOVER_INTERVAL: Duration = Duration::from_secs(5);
/// The same after a run has ended here, which makes room.
const FREED_WAIT: Duration = Duration::from_secs(1);
/// How many of these runs one look reads, the oldest first.
const UNCLAIMED_READ: u64 = 500;
/// The time between two looks at the table by followers whose notices may have been lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// How many projects one notice names; PostgreSQL allows 8,000 bytes.
const PROJECTS_PER_NOTICE: usize = 100;

/// A server's notice to the others.
#[derive(Debug, Serialize, Deserialize)]
struct SavedNotice {
    /// The server that sends it.
    node: String,
    /// The last event that it has saved in each of these projects.
    saved: Vec<(ProjectId, i64)>,
}

/// Begins to notify and to listen, if the database is shared.
pub fn follow(
    context: &RunContext,
    engine: &Arc<dyn Engine>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let (Some(node), Some(unsent)) = (context.store.node(), context.events.unsent()) else {
        return;
    };
    let peers = Peers {
        node: node.to_owned(),
        heard: LastEvents::default(),
        store: context.store.clone(),
        events: context.events.clone(),
        engine: engine.clone(),
    };
    let work = async move {
        tokio::join!(
            peers.notify(&unsent),
            peers.listen(),
            peers.hand_on(),
            peers.take_over(),
            peers.look()
        );
    };
    let shutdown = shutdown.clone();
    tasks.spawn(async move { shutdown.run_until_cancelled(work).await });
}

struct Peers {
    node: String,
    /// What other servers have saved and followers here have not been sent.
    heard: LastEvents,
    store: Store,
    events: Events,
    engine: Arc<dyn Engine>,
}

impl Peers {
    /// Notifies the others of what has been saved. While one notice is sent, the next one gathers.
    async fn notify(&self, unsent: &LastEvents) {
        loop {
            let saved = unsent.take().await;
            for saved in saved.chunks(PROJECTS_PER_NOTICE) {
                let notice = SavedNotice {
                    node: self.node.clone(),
                    saved: saved.to_vec(),
                };
                let Ok(notice) = serde_json::to_string(&notice) else {
                    continue;
                };
                if let Err(error) = self.store.notify(notice).await {
                    tracing::warn!(%error, "the other servers can't be notified; retrying");
                    for (project, seq) in saved {
                        unsent.add(*project, *seq);
                    }
                    tokio::time::sleep(DATABASE_WAIT).await;
                }
            }
        }
    }

    /// Hears what the others have saved.
    async fn listen(&self) {
        loop {
            let failed = match self.store.notices().await {
                Ok(mut notices) => {
                    // What was said before is in the table.
                    self.events.perhaps_saved_elsewhere();
                    loop {
                        match notices.next().await {
                            Ok(Some(notice)) => self.hear(&notice),
                            Ok(None) => self.events.perhaps_saved_elsewhere(),
                            Err(error) => break error,
                        }
                    }
                }
                Err(error) => error,
            };
            tracing::warn!(error = %failed, "the other servers can't be heard; retrying");
            tokio::time::sleep(DATABASE_WAIT).await;
        }
    }

    fn hear(&self, notice: &str) {
        let SavedNotice { node, saved } = match serde_json::from_str(notice) {
            Ok(notice) => notice,
            Err(error) => {
                tracing::warn!(%error, "a notice of another server can't be read");
                return self.events.perhaps_saved_elsewhere();
            }
        };
        if node == self.node {
            return;
        }
        for (project, seq) in saved {
            self.heard.add(project, seq);
            self.engine.changed_elsewhere(project);
        }
    }

    /// Sends what was heard to the followers here. While one project's events are read, further
    /// notices gather.
    async fn hand_on(&self) {
        let mut sent: HashMap<ProjectId, i64> = HashMap::new();
        loop {
            for (project, seq) in self.heard.take().await {
                let after = sent.get(&project).copied();
                match self.events.hand_on(project, after, seq).await {
                    Some(last) => sent.insert(project, last),
                    None => sent.remove(&project),
                };
            }
        }
    }

    /// Works on runs that no server works on: those of servers that have stopped, and those that
    /// wait for their turn elsewhere while there is room here.
    async fn take_over(&self) {
        loop {
            let freed = async {
                tokio::time::sleep(FREED_WAIT).await;
                self.engine.freed().await;
            };
            // Whichever comes first.
            let _ = tokio::time::timeout(TAKEOVER_INTERVAL, freed).await;
            if let Err(error) = take_over(&self.store, &*self.engine).await {
                tracing::warn!(%error, "runs that nobody works on can't be found");
            }
        }
    }

    async fn look(&self) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            self.events.perhaps_saved_elsewhere();
        }
    }
}

/// Works on as many projects that no server works on as there is room for here. Returns how many.
pub async fn take_over(store: &Store, engine: &dyn Engine) -> Result<usize, StoreError> {
    let room = engine.room();
    if room == 0 {
        return Ok(0);
    }
    let mut unclaimed = store.unclaimed_projects(UNCLAIMED_READ).await?;
    // Other servers have found the same: each chooses others.
    let (chosen, _) = unclaimed.partial_shuffle(&mut rand::rng(), room);
    for project in &*chosen {
        engine.take_over(*project);
    }
    Ok(chosen.len())
}
