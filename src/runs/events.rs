//! Events: saved first, broadcast second. A follower replays the table from where it left off, then tails the broadcast; whenever
//! the broadcast can't be the next event (it lagged, or two commits were announced out of order) it reads the table again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::broadcast;

use crate::{
    protocol::{Event, EventKind, ProjectId, RunId},
    store::{Store, StoreError},
};

/// How many events a follower may be behind before it reads the table again.
const BROADCAST_CAPACITY: usize = 256;
/// How many events a replay reads at once.
const REPLAY_PAGE: u64 = 200;

/// Where events are published and followed.
#[derive(Debug, Clone)]
pub struct Events {
    store: Store,
    channels: Arc<Mutex<HashMap<ProjectId, broadcast::Sender<Event>>>>,
}

impl Events {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            channels: Arc::default(),
        }
    }

    /// Saves the event, then tells the project's followers.
    pub async fn publish(&self, project: ProjectId, run: Option<RunId>, kind: EventKind) -> Result<(), StoreError> {
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
                && channel.send(event).is_err()
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
pub enum Heard {
    Event(Event),
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
    backlog: VecDeque<Event>,
    source: Source,
    caught_up: bool,
    live: broadcast::Receiver<Event>,
}

impl Follower {
    /// Waits for what comes next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Heard, StoreError> {
        loop {
            if let Some(event) = self.backlog.pop_front() {
                self.seq = event.seq;
                return Ok(Heard::Event(event));
            }
            if self.source == Source::Table {
                self.backlog = self.store.events_after(self.project, self.seq, REPLAY_PAGE).await?.into();
                if self.backlog.is_empty() {
                    self.source = Source::Broadcast;
                    if !self.caught_up {
                        self.caught_up = true;
                        return Ok(Heard::CaughtUp);
                    }
                }
                continue;
            }
            match self.live.recv().await {
                Ok(event) if event.seq <= self.seq => {}
                Ok(event) if event.seq == self.seq + 1 => self.backlog.push_back(event),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.source = Source::Table,
                // `Events` dropped the sender because it saw no receiver: subscribe again by the table.
                Err(broadcast::error::RecvError::Closed) => return Err(StoreError::NotFound("project")),
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::protocol::{NewPrompt, Status};

    async fn seqs(follower: &mut Follower, count: usize) -> Vec<i64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            if let Heard::Event(event) = follower.next().await.unwrap() {
                seqs.push(event.seq);
            }
        }
        seqs
    }

    #[tokio::test]
    async fn a_follower_hears_each_event_once_and_in_order_even_when_announcements_come_late_or_swapped() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_file(&dir.path().join("db.sqlite")).await.unwrap();
        let events = Events::new(store.clone());
        let (project, ..) = store.create_project(&NewPrompt::new("a").unwrap(), "a").await.unwrap();
        let files = || EventKind::Files { files: Vec::new() };
        let mut follower = events.follow(project.id, 0);
        assert_eq!(seqs(&mut follower, 2).await, [1, 2]);

        let third = store.append_event(project.id, None, files()).await.unwrap();
        let fourth = store.append_event(project.id, None, files()).await.unwrap();
        events.announce(fourth);
        events.announce(third);
        events.publish(project.id, None, files()).await.unwrap();
        assert_eq!(seqs(&mut follower, 3).await, [3, 4, 5]);

        for _ in 0..BROADCAST_CAPACITY + 10 {
            events.publish(project.id, None, files()).await.unwrap();
        }
        let rest: Vec<i64> = (6..6 + 266).collect();
        assert_eq!(seqs(&mut follower, rest.len()).await, rest);
    }

    #[tokio::test]
    async fn a_later_event_of_the_same_subject_replaces_the_earlier_one_and_a_repeated_one_is_no_event() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_file(&dir.path().join("db.sqlite")).await.unwrap();
        let (project, run, _) = store.create_project(&NewPrompt::new("a").unwrap(), "a").await.unwrap();
        let status = |status| store.append_event(project.id, Some(run.id), EventKind::Status { status });
        assert!(status(Status::Thinking).await.unwrap().is_some());
        assert!(status(Status::Thinking).await.unwrap().is_none());
        assert!(status(Status::Saving).await.unwrap().is_some());
        let kept = store.events_after(project.id, 2, 10).await.unwrap();
        assert_eq!(kept.iter().map(|event| event.seq).collect::<Vec<_>>(), [4]);
    }
}
