//! Events: saved first, broadcast second. A follower replays the table from where it left off, then
//! tails the broadcast; whenever the broadcast can't be the next event (it lagged, or two commits
//! were announced out of order) it reads the table again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock, Weak},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    protocol::{Event, EventKind, ProjectId, RunId},
    store::{Store, StoreError},
};

/// How many events a follower may be behind before it reads the table again, and how many a
/// project's followers hold in memory together.
const BROADCAST_CAPACITY: usize = 64;
/// How many events a replay reads at once.
const REPLAY_PAGE: u64 = 200;

/// A saved event on its way to all followers of its project, which share its frame.
#[derive(Debug)]
pub struct FeedEvent {
    pub event: Event,
    frame: OnceLock<Bytes>,
}

impl FeedEvent {
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

impl From<Event> for FeedEvent {
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
    /// A channel lives as long as its followers.
    channels: Arc<Mutex<HashMap<ProjectId, Weak<Channel>>>>,
}

type Channel = broadcast::Sender<Arc<FeedEvent>>;

impl Events {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            channels: Arc::default(),
        }
    }

    /// Saves the event, then announces it.
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

    /// Hands the project's followers events that are saved already, with what they are about.
    pub fn announce(&self, events: impl IntoIterator<Item = Event>) {
        let channels = self.channels.lock();
        for event in events {
            if let Some(channel) = channels.get(&event.project).and_then(Weak::upgrade) {
                // Fails when the last follower has just left.
                let _ = channel.send(Arc::new(event.into()));
            }
        }
    }

    /// Follows the project's events after `seq`.
    pub fn follow(&self, project: ProjectId, seq: i64) -> Follower {
        let channel = self.channel(project);
        Follower {
            store: self.store.clone(),
            project,
            seq,
            backlog: VecDeque::new(),
            source: Source::Table,
            caught_up: false,
            live: channel.subscribe(),
            _channel: channel,
        }
    }

    fn channel(&self, project: ProjectId) -> Arc<Channel> {
        let mut channels = self.channels.lock();
        channels.retain(|_, channel| channel.strong_count() > 0);
        if let Some(channel) = channels.get(&project).and_then(Weak::upgrade) {
            return channel;
        }
        let channel = Arc::new(Channel::new(BROADCAST_CAPACITY));
        channels.insert(project, Arc::downgrade(&channel));
        channel
    }
}

/// What comes next for a follower.
#[derive(Debug)]
pub enum FollowEvent {
    Event(Arc<FeedEvent>),
    /// All that was saved when the follower began has been handed out. Comes once.
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
    backlog: VecDeque<Arc<FeedEvent>>,
    source: Source,
    caught_up: bool,
    live: broadcast::Receiver<Arc<FeedEvent>>,
    /// Keeps the sender of `live`.
    _channel: Arc<Channel>,
}

impl Follower {
    /// Waits for what comes next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<FollowEvent, StoreError> {
        loop {
            if let Some(next) = self.backlog.pop_front() {
                self.seq = next.event.seq;
                return Ok(FollowEvent::Event(next));
            }
            if self.source == Source::Table {
                let events = self
                    .store
                    .events_after(self.project, self.seq, REPLAY_PAGE)
                    .await?;
                self.backlog = events
                    .into_iter()
                    .map(|event| Arc::new(FeedEvent::from(event)))
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
                Ok(next) if next.event.seq <= self.seq => {}
                Ok(next) if next.event.seq == self.seq + 1 => self.backlog.push_back(next),
                // It is never closed: this follower keeps its sender.
                Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    self.source = Source::Table;
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
