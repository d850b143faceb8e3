//! Events: saved first, broadcast second. A follower replays the table from where it left off, then
//! tails the broadcast; whenever the broadcast can't be the next event (it lagged, or two commits
//! were announced out of order) it reads the table again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{
    protocol::{Event, EventKind, ProjectId, RunId},
    store::{Store, StoreError},
};

/// How many events a follower may be behind before it reads the table again: what a project's
/// followers hold in memory together.
const BROADCAST_CAPACITY: usize = 64;
/// How many events a replay reads at once.
const REPLAY_PAGE: u64 = 200;

/// A saved event on its way to all followers of its project: what is sent is made once and not for
/// each of them.
#[derive(Debug)]
pub struct Told {
    pub event: Event,
    frame: OnceLock<Bytes>,
}

impl Told {
    /// The event as a [`FeedFrame`](crate::protocol::FeedFrame), in JSON.
    pub fn frame(&self) -> Result<Bytes, serde_json::Error> {
        #[derive(Serialize)]
        #[serde(tag = "frame", rename_all = "snake_case")]
        enum Frame<'a> {
            Event { event: &'a Event },
        }
        if let Some(frame) = self.frame.get() {
            return Ok(frame.clone());
        }
        let frame = serde_json::to_vec(&Frame::Event { event: &self.event })?;
        Ok(self.frame.get_or_init(|| frame.into()).clone())
    }
}

impl From<Event> for Told {
    fn from(event: Event) -> Self {
        Self {
            event,
            frame: OnceLock::new(),
        }
    }
}

/// Where events are published and followed.
#[derive(Debug, Clone)]
pub struct Events {
    store: Store,
    channels: Arc<Mutex<HashMap<ProjectId, broadcast::Sender<Arc<Told>>>>>,
}

impl Events {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            channels: Arc::default(),
        }
    }

    /// Saves the event, then tells the project's followers.
    pub async fn publish(
        &self,
        project: ProjectId,
        run: Option<RunId>,
        kind: EventKind,
    ) -> Result<(), StoreError> {
        let event = self.store.append_event(project, run, kind).await?;
        self.announce(event);
        Ok(())
    }

    /// Tells followers of events that were saved with what they are about.
    pub fn announce(&self, events: impl IntoIterator<Item = Event>) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let project = event.project;
            if let Some(channel) = channels.get(&project)
                && channel.send(Arc::new(Told::from(event))).is_err()
            {
                channels.remove(&project);
            }
        }
    }

    /// Follows the project's events after `seq`.
    pub fn follow(&self, project: ProjectId, seq: i64) -> Follower {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let live = channels
            .entry(project)
            .or_insert_with(|| broadcast::Sender::new(BROADCAST_CAPACITY))
            .subscribe();
        Follower {
            store: self.store.clone(),
            project,
            seq,
            backlog: VecDeque::new(),
            source: Source::Table,
            caught_up: false,
            live,
        }
    }
}

/// What a follower hears.
#[derive(Debug)]
pub enum FollowEvent {
    Event(Arc<Told>),
    /// All that was saved when the following began has been heard. Said once.
    CaughtUp,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Table,
    Broadcast,
}

/// One follower of a project's events: each event once, in order, without a gap.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    project: ProjectId,
    seq: i64,
    backlog: VecDeque<Arc<Told>>,
    source: Source,
    caught_up: bool,
    live: broadcast::Receiver<Arc<Told>>,
}

impl Follower {
    /// Waits for what comes next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<FollowEvent, StoreError> {
        loop {
            if let Some(told) = self.backlog.pop_front() {
                self.seq = told.event.seq;
                return Ok(FollowEvent::Event(told));
            }
            if self.source == Source::Table {
                let events = self
                    .store
                    .events_after(self.project, self.seq, REPLAY_PAGE)
                    .await?;
                self.backlog = events
                    .into_iter()
                    .map(|event| Arc::new(Told::from(event)))
                    .collect();
                if self.backlog.is_empty() {
                    self.source = Source::Broadcast;
                    if !self.caught_up {
                        self.caught_up = true;
                        return Ok(FollowEvent::CaughtUp);
                    }
                }
                continue;
            }
            match self.live.recv().await {
                Ok(told) if told.event.seq <= self.seq => {}
                Ok(told) if told.event.seq == self.seq + 1 => self.backlog.push_back(told),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.source = Source::Table,
                // `Events` dropped the sender because it saw no receiver: subscribe again by the
                // table.
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(StoreError::NotFound("project"));
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
