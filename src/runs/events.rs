//! Events: saved first, broadcast second. A follower replays the table from where it left off, then
//! follows the broadcast. Whenever the broadcast can't continue the sequence (it lagged, or two
//! commits were announced out of order, another server has saved some), the follower reads the
//! table again.

mod answer;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, OnceLock, Weak},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{
    Notify,
    broadcast::{self, error::RecvError},
};

pub use answer::{Answer, OpenCode, Shown};

use crate::{
    protocol::{Event, EventKind, GrowingText, ProjectId, RunId},
    store::{Store, StoreError},
};

/// How many events a follower may lag before it reads the table again, and how many events a
/// project's followers hold in memory together.
const BROADCAST_CAPACITY: usize = 64;
/// How many events a replay reads at once.
const REPLAY_PAGE: u64 = 200;

/// A saved event on its way to all followers of its project.
#[derive(Debug)]
pub struct FeedEvent {
    pub event: Event,
    /// The answer that the piece of a growing text belongs to; `None` for events read from the
    /// table, and for all other events.
    pub answer: Option<Arc<Answer>>,
    /// The frame that is sent: built by the first follower that needs it, and shared by all.
    pub frame: OnceLock<Result<Bytes, Arc<serde_json::Error>>>,
}

impl From<Event> for FeedEvent {
    fn from(event: Event) -> Self {
        Self {
            event,
            answer: None,
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
    /// The answer and reasoning that each run's model is producing.
    answers: Arc<Mutex<Answers>>,
    /// The events that the other servers are not notified of yet; `None` where there are none.
    unsent: Option<Arc<LastEvents>>,
}

/// The last event of each project that has not been passed on.
#[derive(Debug, Default)]
pub struct LastEvents {
    last: Mutex<HashMap<ProjectId, i64>>,
    more: Notify,
}

impl LastEvents {
    /// Waits until there are some, and takes them.
    pub async fn take(&self) -> Vec<(ProjectId, i64)> {
        loop {
            let taken = std::mem::take(&mut *self.last.lock());
            if !taken.is_empty() {
                return taken.into_iter().collect();
            }
            self.more.notified().await;
        }
    }

    pub fn add(&self, project: ProjectId, seq: i64) {
        let mut all = self.last.lock();
        let last = all.entry(project).or_insert(seq);
        *last = seq.max(*last);
        drop(all);
        self.more.notify_one();
    }
}

/// The growing texts of each run's current turn.
type Answers = HashMap<RunId, Vec<(GrowingText, Arc<Answer>)>>;
type Channel = broadcast::Sender<Announced>;

/// What the followers of a project hear.
#[derive(Debug, Clone)]
enum Announced {
    Event(Arc<FeedEvent>),
    /// Another server has saved events, up to this one.
    Elsewhere(i64),
}

impl Events {
    pub fn new(store: Store) -> Self {
        Self {
            unsent: store.node().map(|_| Arc::default()),
            store,
            channels: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// The same events, saved in this store.
    pub fn saved_in(&self, store: Store) -> Self {
        Self {
            store,
            ..self.clone()
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

    /// Sends events that this server has saved to the project's followers, here and on other
    /// servers; pieces of a text together with their answer.
    pub fn announce(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            count_end(&event);
            if let Some(unsent) = &self.unsent {
                unsent.add(event.project, event.seq);
            }
            self.hand_out(event);
        }
    }

    /// Sends a saved event to the project's followers here.
    fn hand_out(&self, event: Event) {
        let answer = self.answer(&event);
        if let Some(channel) = self.channel_of(event.project) {
            let event = FeedEvent {
                answer,
                ..event.into()
            };
            // Fails when the last follower has just left.
            let _ = channel.send(Announced::Event(Arc::new(event)));
        }
    }

    fn channel_of(&self, project: ProjectId) -> Option<Arc<Channel>> {
        self.channels.lock().get(&project).and_then(Weak::upgrade)
    }

    /// The events that the other servers are not notified of yet.
    pub fn unsent(&self) -> Option<Arc<LastEvents>> {
        self.unsent.clone()
    }

    /// Sends what another server has saved to the project's followers here: the table is read once
    /// for all of them. `after` is the last event that they were sent, if that is known. Returns
    /// the last one that they have been sent now; `None` if nobody follows the project.
    pub async fn hand_on(&self, project: ProjectId, after: Option<i64>, seq: i64) -> Option<i64> {
        let channel = self.channel_of(project)?;
        let events = match after {
            Some(after) if after >= seq => return Some(after),
            Some(after) => self.store.events_after(project, after, REPLAY_PAGE).await,
            None => Ok(Vec::new()),
        };
        match events {
            Ok(events) if events.last().is_some_and(|last| last.seq >= seq) => {
                let last = events.last().map(|last| last.seq);
                events.into_iter().for_each(|event| self.hand_out(event));
                last
            }
            // Each reads the table itself.
            _ => {
                let _ = channel.send(Announced::Elsewhere(seq));
                Some(seq)
            }
        }
    }

    /// Other servers may have saved events of any project.
    pub fn perhaps_saved_elsewhere(&self) {
        for channel in self.channels.lock().values().filter_map(Weak::upgrade) {
            let _ = channel.send(Announced::Elsewhere(i64::MAX));
        }
    }

    /// The answer that the event is a piece of. It is forgotten once its text is complete or void,
    /// and at the end of its run.
    fn answer(&self, event: &Event) -> Option<Arc<Answer>> {
        let run = event.run?;
        if let Some((of, piece)) = event.kind.piece() {
            let mut answers = self.answers.lock();
            let growing = answers.entry(run).or_default();
            let known = growing.iter().position(|(known, _)| *known == of);
            let before = known.map(|at| growing.swap_remove(at).1);
            // Texts of earlier turns are complete.
            growing.retain(|(known, _)| known.turn() == of.turn());
            let answer = Answer::with_piece(before, piece)?;
            growing.push((of, answer.clone()));
            return Some(answer);
        }
        match &event.kind {
            EventKind::Text { turn, .. } => {
                self.forget(run, GrowingText::Answer(*turn));
                None
            }
            EventKind::Thinking { turn, .. } => {
                self.forget(run, GrowingText::Thinking(*turn));
                None
            }
            EventKind::Run { run } if run.state.is_final() => {
                self.answers.lock().remove(&run.id);
                None
            }
            _ => None,
        }
    }

    fn forget(&self, run: RunId, text: GrowingText) {
        let mut answers = self.answers.lock();
        if let Some(growing) = answers.get_mut(&run) {
            growing.retain(|(known, _)| *known != text);
            if growing.is_empty() {
                answers.remove(&run);
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

/// The events, with only the last piece of each text: whoever hands it out reads the text before
/// it.
fn last_pieces(events: Vec<Event>) -> impl Iterator<Item = Event> {
    let mut seen = HashSet::new();
    let mut last = Vec::with_capacity(events.len());
    for event in events.into_iter().rev() {
        let piece = event.kind.piece();
        let is_last = piece.is_none_or(|(text, _)| seen.insert((event.run, text)));
        if is_last {
            last.push(event);
        }
    }
    last.into_iter().rev()
}

/// What comes next for a follower.
#[derive(Debug)]
pub enum FollowEvent {
    Event(Arc<FeedEvent>),
    /// All events saved before the follower began have been handed out. Comes once.
    CaughtUp,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Table,
    Broadcast,
}

/// One follower of a project's events. It gets each event once, in order and without gaps, except
/// that a replay contains only the last piece of a growing text.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    project: ProjectId,
    seq: i64,
    backlog: VecDeque<Arc<FeedEvent>>,
    source: Source,
    caught_up: bool,
    live: broadcast::Receiver<Announced>,
    /// Keeps the sender of `live`.
    _channel: Arc<Channel>,
}

impl Follower {
    /// Waits for the next event. Dropping the future loses nothing.
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
                self.backlog = last_pieces(events)
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
                Ok(Announced::Event(next)) if next.event.seq <= self.seq => {}
                Ok(Announced::Event(next)) if next.event.seq == self.seq + 1 => {
                    self.backlog.push_back(next);
                }
                Ok(Announced::Elsewhere(seq)) if seq <= self.seq => {}
                // It is never closed: this follower keeps its sender.
                Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    self.source = Source::Table;
                }
            }
        }
    }
}

/// Counts the run that this event ends, if any.
fn count_end(event: &Event) {
    let EventKind::Run { run } = &event.kind else {
        return;
    };
    let Some(finished_at) = run.finished_at.filter(|_| run.state.is_final()) else {
        return;
    };
    let outcome = run.state.as_str();
    metrics::counter!("codeflow_runs_finished_total", "outcome" => outcome).increment(1);
    let took = finished_at.0.saturating_sub(run.created_at.0).max(0);
    metrics::histogram!("codeflow_run_seconds", "outcome" => outcome).record(took as f64 / 1000.0);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
