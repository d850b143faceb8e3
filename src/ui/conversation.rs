//! The conversation: a pure fold of a [`Workspace`] and the [`Event`]s after it, and the views that
//! show it. An event may come twice or late (replay, reconnect, an earlier run filled in): what has
//! the higher `seq` stays, so any order of the same events gives the same conversation.

mod draft;
mod entry;
mod log;

use std::sync::Arc;

use crate::protocol::{
    Event, EventKind, Fragment, HtmlPiece, Message, MessageId, MessageKind, PreviewState, Role,
    Run, RunId, RunState, Status, ToolUse, Workspace,
};

use draft::{Draft, Drafts};
pub use log::ConversationLog;

/// A value and the event that set it last.
#[derive(Debug, Clone, PartialEq)]
struct Latest<T> {
    seq: i64,
    value: T,
}

impl<T> Latest<T> {
    fn offer(&mut self, seq: i64, value: T) {
        if seq >= self.seq {
            *self = Self { seq, value };
        }
    }
}

/// Identifies one turn's text or one tool call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BlockKey {
    Turn(u32),
    Step(String),
}

/// One thing that a run said or did.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// HTML, rendered on the server, in blocks that follow each other.
    Text(Vec<Arc<str>>),
    Tool(ToolUse),
}

#[derive(Debug, Clone, PartialEq)]
struct PlacedBlock {
    key: BlockKey,
    /// The event that spoke of it first: its place among the others.
    first: i64,
    latest: Latest<Arc<Block>>,
}

/// A run as the conversation shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    pub id: RunId,
    run: Option<Latest<Run>>,
    status: Option<Latest<Status>>,
    blocks: Vec<PlacedBlock>,
    drafts: Drafts,
}

impl RunView {
    fn new(id: RunId) -> Self {
        Self {
            id,
            run: None,
            status: None,
            blocks: Vec::new(),
            drafts: Drafts::default(),
        }
    }

    /// The run itself, unless only later events are known.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref().map(|latest| &latest.value)
    }

    /// `Running` when the run itself is not known yet: its events show that it is at work.
    pub fn state(&self) -> RunState {
        self.run().map_or(RunState::Running, |run| run.state)
    }

    /// What the run said and did, in the order of its first mention.
    pub fn blocks(&self) -> impl Iterator<Item = (BlockKey, Arc<Block>)> + '_ {
        self.blocks
            .iter()
            .map(|block| (block.key.clone(), block.latest.value.clone()))
    }

    /// The files that the model is writing at the moment.
    pub fn drafts(&self) -> impl Iterator<Item = &Draft> {
        let at_work = !self.state().is_final();
        self.drafts.files().filter(move |_| at_work)
    }

    pub fn has_blocks(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// How many tool calls the run has made.
    pub fn tool_count(&self) -> usize {
        self.blocks
            .iter()
            .filter(|block| matches!(block.key, BlockKey::Step(_)))
            .count()
    }

    /// Extends a turn's text; pieces come in order, and perhaps twice.
    fn grow(&mut self, turn: u32, seq: i64, pieces: &[HtmlPiece]) {
        let key = BlockKey::Turn(turn);
        let known = self.blocks.iter().find(|placed| placed.key == key);
        if known.is_some_and(|known| known.latest.seq >= seq) {
            return;
        }
        let mut text = match known.map(|known| &*known.latest.value) {
            Some(Block::Text(text)) => text.clone(),
            Some(Block::Tool(_)) | None => Vec::new(),
        };
        for piece in pieces {
            piece.apply(&mut text);
        }
        self.place(key, seq, Block::Text(text));
    }

    fn place(&mut self, key: BlockKey, seq: i64, block: Block) {
        let at = match self.blocks.iter().position(|placed| placed.key == key) {
            Some(at) => at,
            None => {
                self.blocks.push(PlacedBlock {
                    key,
                    first: seq,
                    latest: Latest {
                        seq: i64::MIN,
                        value: Arc::new(block.clone()),
                    },
                });
                self.blocks.len() - 1
            }
        };
        let placed = &mut self.blocks[at];
        placed.first = placed.first.min(seq);
        placed.latest.offer(seq, Arc::new(block));
        self.blocks.sort_by_key(|placed| placed.first);
    }
}

/// An entry of the conversation, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A message of its own: a prompt, or an ending whose run is not known.
    Message(MessageId),
    /// A run with all it did and the message that ended it.
    Run(RunId),
}

/// Everything that the workspace shows, as far as the events tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    title: Latest<String>,
    preview: Latest<PreviewState>,
    notice: Latest<Option<String>>,
    /// The newest version or draft.
    version: Latest<Option<Fragment>>,
    /// By time of creation.
    messages: Vec<Message>,
    /// By time of creation; those not known yet last.
    runs: Vec<RunView>,
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
            last_files: 0,
            last_seq: after,
        };
        for message in workspace.messages {
            conversation.put_message(message);
        }
        for run in workspace.runs {
            conversation.put_run(after, run);
        }
        for event in workspace.events {
            conversation.apply(event);
        }
        conversation
    }
}

impl Conversation {
    /// Takes in one event; the same event again changes nothing.
    pub fn apply(&mut self, event: Event) {
        let seq = event.seq;
        self.last_seq = self.last_seq.max(seq);
        match (event.kind, event.run) {
            (EventKind::Message { message }, _) => {
                // From a version on, the app is what the version is.
                if message.kind == MessageKind::Result {
                    self.notice.offer(seq, None);
                }
                if let Some(fragment) = &message.fragment {
                    self.version.offer(seq, Some(fragment.clone()));
                }
                self.put_message(message);
            }
            (EventKind::Version { message, fragment }, _) => {
                if !fragment.draft {
                    self.notice.offer(seq, None);
                }
                self.version.offer(seq, Some(fragment.clone()));
                let mut messages = self.messages.iter_mut();
                if let Some(message) = messages.find(|known| Some(known.id) == message) {
                    message.fragment = Some(fragment);
                }
            }
            (EventKind::Notice { text }, _) => self.notice.offer(seq, Some(text)),
            (EventKind::Run { run }, _) => self.put_run(seq, run),
            (EventKind::Title { title }, _) => self.title.offer(seq, title),
            (EventKind::Preview { preview }, _) => self.preview.offer(seq, preview),
            (EventKind::Files { .. }, _) => self.last_files = self.last_files.max(seq),
            (EventKind::Status { status }, Some(run)) => match &mut self.run_entry(run).status {
                Some(latest) => latest.offer(seq, status),
                none => *none = Some(Latest { seq, value: status }),
            },
            (EventKind::Text { turn, html, .. }, Some(run)) => {
                let blocks = Some(html).filter(|html| !html.is_empty());
                let text = Block::Text(blocks.map(Arc::from).into_iter().collect());
                self.run_entry(run).place(BlockKey::Turn(turn), seq, text)
            }
            (EventKind::TextPiece { turn, piece }, Some(run)) => {
                self.run_entry(run).grow(turn, seq, &piece.html)
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

    /// The `seq` of the last change to the app's files; 0 when none is known.
    pub fn last_files(&self) -> i64 {
        self.last_files
    }

    /// The `seq` of the newest event.
    pub fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// Prompts, each followed by the runs that answer it (more than one when it was replayed); then
    /// whatever has no prompt yet.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.messages.len() + self.runs.len());
        for message in &self.messages {
            let run = message.run.filter(|run| self.run(*run).is_some());
            match (message.role, run) {
                (Role::User, _) => {
                    entries.push(Entry::Message(message.id));
                    let answers = |view: &&RunView| {
                        view.run().is_some_and(|run| run.message == message.id)
                            || Some(view.id) == run
                    };
                    entries.extend(
                        self.runs
                            .iter()
                            .filter(answers)
                            .map(|view| Entry::Run(view.id)),
                    );
                }
                // Shown by its run.
                (Role::Assistant, Some(_)) => {}
                (Role::Assistant, None) => entries.push(Entry::Message(message.id)),
            }
        }
        for run in &self.runs {
            if !entries.contains(&Entry::Run(run.id)) {
                entries.push(Entry::Run(run.id));
            }
        }
        entries
    }

    pub fn notice(&self) -> Option<&str> {
        self.notice.value.as_deref()
    }

    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.iter().find(|message| message.id == id)
    }

    pub fn run(&self, id: RunId) -> Option<&RunView> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The message that ended the run.
    pub fn outcome(&self, run: RunId) -> Option<&Message> {
        self.messages.iter().find(|message| {
            message.run == Some(run)
                && matches!(message.kind, MessageKind::Result | MessageKind::Error)
        })
    }

    /// The run that the status line is about: the one at work, else the first one waiting, else the
    /// last one.
    pub fn current_run(&self) -> Option<&RunView> {
        let first_in = |state| self.runs.iter().find(move |run| run.state() == state);
        first_in(RunState::Running)
            .or_else(|| first_in(RunState::Queued))
            .or_else(|| self.runs.last())
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
            RunState::Succeeded => Status::Ready.as_str(),
            RunState::Failed => "The run failed",
            RunState::Cancelled => "The run was stopped",
        }
    }

    /// Whether a run is being worked on or waits for its turn.
    pub fn is_busy(&self) -> bool {
        self.runs.iter().any(|run| !run.state().is_final())
    }

    /// How many runs have ended.
    pub fn ended_runs(&self) -> usize {
        self.runs
            .iter()
            .filter(|run| run.state().is_final())
            .count()
    }

    fn put_message(&mut self, message: Message) {
        match self
            .messages
            .iter_mut()
            .find(|known| known.id == message.id)
        {
            // A draft came later than the message that it belongs to.
            Some(known) => {
                let fragment = message.fragment.clone().or(known.fragment.take());
                *known = Message {
                    fragment,
                    ..message
                };
            }
            None => {
                self.messages.push(message);
                self.messages
                    .sort_by_key(|message| (message.created_at, message.id));
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
                self.runs.push(RunView::new(id));
                self.runs.len() - 1
            }
        };
        &mut self.runs[at]
    }
}

#[cfg(test)]
mod tests;
