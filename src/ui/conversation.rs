//! The conversation: a pure fold of a [`Workspace`] and the [`Event`]s after it, and the views that
//! show it. Events may arrive twice or late (replay, reconnect, a fetched earlier run). The event
//! with the higher `seq` wins, so that any order of the same events gives the same conversation.

mod actions;
mod answering;
mod consent;
mod draft;
mod editing;
mod entry;
mod log;
mod prompt;
mod run_view;
mod step;
mod text;
mod timeline;

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::protocol::{
    Event, EventKind, Fragment, GrowingText, History, Message, MessageId, MessageKind, Mode,
    PreviewState, Role, Run, RunId, RunState, Status, Workspace,
};

pub use editing::{EditNotice, Editing};
pub use log::{ConversationLog, SCRIPT};
use run_view::Latest;
pub use run_view::{Block, BlockKey, RunView, Text};

/// A value shared with the page: it is unchanged only if it is the same allocation, not merely
/// equal.
#[derive(Debug)]
pub struct Shared<T: ?Sized>(pub Arc<T>);

impl<T: ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: ?Sized> Eq for Shared<T> {}

impl<T: ?Sized> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// An entry of the conversation, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A message on its own: a prompt, or a reply whose run is unknown.
    Message(MessageId),
    /// A run with everything it did, and its reply.
    Run(RunId),
}

/// Everything that the workspace shows, derived from events.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    title: Latest<String>,
    preview: Latest<PreviewState>,
    notice: Latest<Option<String>>,
    /// The newest version or draft.
    version: Latest<Option<Fragment>>,
    /// By time of creation.
    messages: Vec<Latest<Arc<Message>>>,
    /// By time of creation; unknown runs come last.
    runs: Vec<Arc<RunView>>,
    withdrawn: BTreeSet<MessageId>,
    /// The number of prompts before the first known one.
    earlier: u64,
    entries: Arc<Vec<Entry>>,
    last_files: i64,
    last_seq: i64,
}

impl From<Workspace> for Conversation {
    fn from(workspace: Workspace) -> Self {
        let after = workspace.after;
        let mut conversation = Self {
            title: Latest {
                seq: after,
                value: workspace.project.title,
            },
            preview: Latest {
                seq: after,
                value: workspace.preview,
            },
            notice: Latest {
                seq: after,
                value: workspace.notice,
            },
            version: Latest {
                seq: after,
                value: workspace.version,
            },
            messages: Vec::new(),
            runs: Vec::new(),
            withdrawn: BTreeSet::new(),
            earlier: workspace.earlier,
            entries: Arc::default(),
            last_files: 0,
            last_seq: after,
        };
        for message in workspace.messages {
            conversation.put_message(after, message);
        }
        for run in workspace.runs {
            conversation.put_run(after, run);
        }
        for event in workspace.events {
            conversation.take(event);
        }
        conversation.arrange();
        conversation
    }
}

impl Conversation {
    /// Applies one event; repeating it changes nothing.
    pub fn apply(&mut self, event: Event) {
        self.apply_all([event]);
    }

    /// Applies events, in any order.
    pub fn apply_all(&mut self, events: impl IntoIterator<Item = Event>) {
        let mut rearranged = false;
        for event in events {
            rearranged |= self.take(event);
        }
        if rearranged {
            self.arrange();
        }
    }

    /// Applies an earlier part of the conversation.
    pub fn apply_history(&mut self, history: History) {
        self.earlier = history.earlier;
        for message in history.messages {
            self.put_message(0, message);
        }
        for run in history.runs {
            self.put_run(0, run);
        }
        self.arrange();
    }

    /// Applies one event. Returns whether the list of entries may have changed.
    fn take(&mut self, event: Event) -> bool {
        let runs = self.runs.len();
        let rearranges = matches!(
            event.kind,
            EventKind::Message { .. } | EventKind::Run { .. } | EventKind::Withdrawn { .. }
        );
        self.fold(event);
        rearranges || self.runs.len() != runs
    }

    fn fold(&mut self, event: Event) {
        let seq = event.seq;
        self.last_seq = self.last_seq.max(seq);
        match (event.kind, event.run) {
            (EventKind::Message { message }, _) => {
                // A new version is the app's current state.
                if message.kind == MessageKind::Result && message.fragment.is_some() {
                    self.notice.offer(seq, None);
                }
                if let Some(fragment) = &message.fragment {
                    self.version.offer(seq, Some(fragment.clone()));
                }
                self.put_message(seq, message);
            }
            (EventKind::Version { message, fragment }, _) => {
                if !fragment.draft {
                    self.notice.offer(seq, None);
                }
                self.version.offer(seq, Some(fragment.clone()));
                let mut messages = self.messages.iter_mut();
                if let Some(known) = messages.find(|known| Some(known.value.id) == message) {
                    Arc::make_mut(&mut known.value).fragment = Some(fragment);
                }
            }
            (EventKind::Withdrawn { messages }, _) => self.withdrawn.extend(messages),
            (EventKind::Notice { text }, _) => self.notice.offer(seq, Some(text)),
            (EventKind::Run { run }, _) => self.put_run(seq, run),
            (EventKind::Title { title }, _) => self.title.offer(seq, title),
            (EventKind::Preview { preview }, _) => self.preview.offer(seq, preview),
            (EventKind::Files { .. }, _) => self.last_files = self.last_files.max(seq),
            (EventKind::Status { status }, Some(run)) => match &mut self.run_entry(run).status {
                Some(latest) => latest.offer(seq, status),
                none => *none = Some(Latest { seq, value: status }),
            },
            (EventKind::Text { turn, text, html }, Some(run)) => {
                let of = GrowingText::Answer(turn);
                self.run_entry(run).put_text(of, seq, (&text, &html), None);
            }
            (
                EventKind::Thinking {
                    turn,
                    text,
                    html,
                    took,
                },
                Some(run),
            ) => {
                let of = GrowingText::Thinking(turn);
                self.run_entry(run).put_text(of, seq, (&text, &html), took);
            }
            (EventKind::TextPiece { turn, piece }, Some(run)) => {
                let of = GrowingText::Answer(turn);
                self.run_entry(run).grow(of, seq, &piece.html);
            }
            (EventKind::ThinkingPiece { turn, piece }, Some(run)) => {
                let of = GrowingText::Thinking(turn);
                self.run_entry(run).grow(of, seq, &piece.html);
            }
            (EventKind::Tool { tool }, Some(run)) => {
                let key = BlockKey::Step(tool.step.clone());
                let run = self.run_entry(run);
                if let Some(turn) = draft::turn_of(&tool.step) {
                    run.drafts.executed(turn);
                }
                run.place(key, seq, Block::Tool(tool));
            }
            (EventKind::Draft { turn, piece }, Some(run)) => {
                self.run_entry(run).drafts.take(seq, turn, piece)
            }
            (
                EventKind::Status { .. }
                | EventKind::Text { .. }
                | EventKind::TextPiece { .. }
                | EventKind::Thinking { .. }
                | EventKind::ThinkingPiece { .. }
                | EventKind::Tool { .. }
                | EventKind::Draft { .. },
                None,
            ) => {}
        }
    }

    pub fn title(&self) -> &str {
        &self.title.value
    }

    /// The newest version or draft.
    pub fn version(&self) -> Option<&Fragment> {
        self.version.value.as_ref()
    }

    pub fn preview(&self) -> &PreviewState {
        &self.preview.value
    }

    /// The `seq` of the last change to the app's files; 0 if there is none.
    pub fn last_files(&self) -> i64 {
        self.last_files
    }

    /// The `seq` of the newest event.
    pub fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// Prompts, each followed by its runs (more than one if it was replayed); then everything
    /// without a prompt.
    pub fn entries(&self) -> Arc<Vec<Entry>> {
        self.entries.clone()
    }

    /// Recomputes the entries.
    fn arrange(&mut self) {
        let mut entries = Vec::with_capacity(self.messages.len() + self.runs.len());
        let mut rest: Vec<&RunView> = self.runs.iter().map(Arc::as_ref).collect();
        let withdrawn = &self.withdrawn;
        for Latest { value: message, .. } in &self.messages {
            let is_withdrawn = withdrawn.contains(&message.id);
            match message.role {
                Role::User => {
                    if !is_withdrawn {
                        entries.push(Entry::Message(message.id));
                    }
                    rest.retain(|view| {
                        let answers = match view.run() {
                            Some(run) => run.message == message.id,
                            None => message.run == Some(view.id),
                        };
                        if answers && !is_withdrawn {
                            entries.push(Entry::Run(view.id));
                        }
                        !answers
                    });
                }
                // Its run shows it.
                Role::Assistant if message.run.is_some_and(|run| self.run(run).is_some()) => {}
                Role::Assistant if is_withdrawn => {}
                Role::Assistant => entries.push(Entry::Message(message.id)),
            }
        }
        for view in rest {
            if !view
                .run()
                .is_some_and(|run| withdrawn.contains(&run.message))
            {
                entries.push(Entry::Run(view.id));
            }
        }
        self.entries = Arc::new(entries);
    }

    /// The number of prompts before the first entry, and the first known message.
    pub fn earlier(&self) -> Option<(u64, MessageId)> {
        let mut all = self.messages.iter().map(|known| &known.value);
        let first = all.find(|message| message.role == Role::User);
        Some((self.earlier, first?.id)).filter(|(count, _)| *count > 0)
    }

    /// The number of prompts after this one.
    pub fn prompts_after(&self, id: MessageId) -> usize {
        let prompts = self.entries.iter().filter(|entry| match entry {
            Entry::Message(other) => self
                .message(*other)
                .is_some_and(|message| message.role == Role::User),
            Entry::Run(_) => false,
        });
        prompts
            .skip_while(|entry| **entry != Entry::Message(id))
            .count()
            .saturating_sub(1)
    }

    /// The last run that answers the prompt.
    pub fn answer_of(&self, prompt: MessageId) -> Option<&Run> {
        let mut runs = self.runs.iter().rev().filter_map(|view| view.run());
        runs.find(|run| run.message == prompt)
    }

    pub fn notice(&self) -> Option<&str> {
        self.notice.value.as_deref()
    }

    /// The user's last prompt.
    pub fn last_prompt(&self) -> Option<&Arc<Message>> {
        let mut all = self.messages.iter().rev().map(|known| &known.value);
        all.find(|message| message.role == Role::User && !self.withdrawn.contains(&message.id))
    }

    pub fn message(&self, id: MessageId) -> Option<&Arc<Message>> {
        let mut all = self.messages.iter().map(|known| &known.value);
        all.find(|message| message.id == id)
    }

    pub fn run(&self, id: RunId) -> Option<&Arc<RunView>> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The run's reply.
    pub fn outcome(&self, run: RunId) -> Option<&Arc<Message>> {
        let mut all = self.messages.iter().map(|known| &known.value);
        all.find(|message| message.run == Some(run) && message.role == Role::Assistant)
    }

    /// The prompt that answers the message's questions, or approves its plan.
    pub fn answer_to(&self, id: MessageId) -> Option<&Arc<Message>> {
        let mut all = self.messages.iter().map(|known| &known.value);
        all.find(|message| message.answers == Some(id) && !self.withdrawn.contains(&message.id))
    }

    /// The run that the status line describes: the running one, else the first queued one, else the
    /// last one.
    pub fn current_run(&self) -> Option<&RunView> {
        let first_in = |state| self.runs.iter().find(move |run| run.state() == state);
        first_in(RunState::Running)
            .or_else(|| first_in(RunState::Queued))
            .or_else(|| self.runs.iter().rev().find(|run| self.is_shown(run)))
            .map(Arc::as_ref)
    }

    fn is_shown(&self, view: &RunView) -> bool {
        let message = view.run().map(|run| run.message);
        message.is_none_or(|message| !self.withdrawn.contains(&message))
    }

    /// The text of the status line; empty before the first run.
    pub fn status_line(&self) -> &'static str {
        let Some(run) = self.current_run() else {
            return "";
        };
        match run.state() {
            RunState::Queued => "Waiting to start...",
            RunState::Running => run
                .status
                .as_ref()
                .map_or("Starting...", |status| status.value.as_str()),
            RunState::Succeeded => match self.outcome(run.id) {
                Some(outcome) if outcome.kind == MessageKind::Plan => "The plan is ready",
                Some(outcome) if outcome.kind == MessageKind::Questions => {
                    "Waiting for your answers"
                }
                Some(outcome) if outcome.mode != Mode::Build => "Answered",
                _ => Status::Ready.as_str(),
            },
            RunState::Failed => "The run failed",
            RunState::Cancelled => "The run was stopped",
        }
    }

    /// Whether a run is running or queued.
    pub fn is_busy(&self) -> bool {
        self.runs.iter().any(|run| !run.state().is_final())
    }

    /// Whether a run is running.
    pub fn is_at_work(&self) -> bool {
        self.runs.iter().any(|run| run.state() == RunState::Running)
    }

    /// How many runs have ended.
    pub fn ended_runs(&self) -> usize {
        self.runs
            .iter()
            .filter(|run| run.state().is_final())
            .count()
    }

    fn put_message(&mut self, seq: i64, message: Message) {
        let mut all = self.messages.iter_mut();
        match all.find(|known| known.value.id == message.id) {
            // A draft was saved after the message that it belongs to.
            Some(known) => {
                let fragment = message.fragment.clone().or(known.value.fragment.clone());
                let message = Message {
                    fragment,
                    ..message
                };
                known.offer(seq, Arc::new(message));
            }
            None => {
                let value = Arc::new(message);
                self.messages.push(Latest { seq, value });
                self.messages
                    .sort_by_key(|known| (known.value.created_at, known.value.id));
            }
        }
    }

    fn put_run(&mut self, seq: i64, run: Run) {
        match &mut self.run_entry(run.id).run {
            Some(latest) => latest.offer(seq, run),
            none => *none = Some(Latest { seq, value: run }),
        }
        self.runs.sort_by_key(|view| {
            let created = view.run().map(|run| run.created_at);
            (created.is_none(), created, view.id)
        });
    }

    fn run_entry(&mut self, id: RunId) -> &mut RunView {
        let at = match self.runs.iter().position(|run| run.id == id) {
            Some(at) => at,
            None => {
                self.runs.push(Arc::new(RunView::new(id)));
                self.runs.len() - 1
            }
        };
        Arc::make_mut(&mut self.runs[at])
    }
}

#[cfg(test)]
mod tests;
