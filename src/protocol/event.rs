//! What happens in a project, and the frames of the feed that carries it.

use std::{str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    FileChange, Fragment, Message, MessageId, ProjectId, Run, RunId, Status, Team, Timestamp,
    ToolUse, named,
};

/// Something that happened in a project. It is saved before anyone sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub project: ProjectId,
    /// Strictly increasing within the project, from 1.
    pub seq: i64,
    /// The run it belongs to; `None` for events of the project itself.
    pub run: Option<RunId>,
    /// When it was saved.
    pub at: Timestamp,
    pub kind: EventKind,
}

/// What happened. A later event of the same subject replaces the earlier one (a text by its turn, a
/// tool use by its step).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// A message was saved: the user's prompt, or a run's result or error.
    Message { message: Message },
    /// A run was made, or its state changed.
    Run { run: Run },
    /// What the run is doing.
    Status { status: Status },
    /// The model's complete text of a turn, which replaces its pieces. `text` is Markdown; `html`
    /// is rendered where the event is handed out, as in [`Message`].
    Text {
        turn: u32,
        text: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        html: String,
    },
    /// The model's text of a turn grew. Deltas are coalesced.
    TextPiece { turn: u32, piece: TextPiece },
    /// The complete reasoning that the model showed in a turn, which replaces its pieces. Markdown
    /// and HTML as in [`EventKind::Text`]; `took` is in milliseconds, where it was measured.
    Thinking {
        turn: u32,
        text: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        html: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<u64>,
    },
    /// The reasoning that the model shows grew.
    ThinkingPiece { turn: u32, piece: TextPiece },
    /// A file that the model is writing grew, within a tool call that has yet to be executed.
    /// Without a piece, everything written so far in this turn is void: the model is asked again.
    Draft {
        turn: u32,
        piece: Option<DraftPiece>,
    },
    /// A tool call began (`output` is `None`) or ended.
    Tool { tool: ToolUse },
    /// Files of the app were written.
    Files { files: Vec<FileChange> },
    /// The preview's state changed.
    Preview { preview: PreviewState },
    /// A version was saved that belongs to no result: the draft of a run that ended without one,
    /// which belongs to this message, or a version that no run made.
    Version {
        message: Option<MessageId>,
        fragment: Fragment,
    },
    /// The user removed or replaced these messages. They and the runs that answered them are no
    /// longer part of the conversation.
    Withdrawn { messages: Vec<MessageId> },
    /// The project got its title.
    Title { title: String },
    /// News about the project that needs no action, in a sentence or two.
    Notice { text: String },
}

/// The variants of [`EventKind`], without what they carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventName {
    Message,
    Run,
    Status,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    Draft,
    Tool,
    Files,
    Preview,
    Version,
    Withdrawn,
    Title,
    Notice,
}

named!(
    EventName: Message = "message", Run = "run", Status = "status", Text = "text",
    TextPiece = "text_piece", Thinking = "thinking", ThinkingPiece = "thinking_piece",
    Draft = "draft", Tool = "tool", Files = "files", Preview = "preview", Version = "version",
    Withdrawn = "withdrawn", Title = "title", Notice = "notice"
);

impl EventKind {
    /// Its tag in JSON.
    pub fn name(&self) -> EventName {
        match self {
            Self::Message { .. } => EventName::Message,
            Self::Run { .. } => EventName::Run,
            Self::Status { .. } => EventName::Status,
            Self::Text { .. } => EventName::Text,
            Self::TextPiece { .. } => EventName::TextPiece,
            Self::Thinking { .. } => EventName::Thinking,
            Self::ThinkingPiece { .. } => EventName::ThinkingPiece,
            Self::Draft { .. } => EventName::Draft,
            Self::Tool { .. } => EventName::Tool,
            Self::Files { .. } => EventName::Files,
            Self::Preview { .. } => EventName::Preview,
            Self::Version { .. } => EventName::Version,
            Self::Withdrawn { .. } => EventName::Withdrawn,
            Self::Title { .. } => EventName::Title,
            Self::Notice { .. } => EventName::Notice,
        }
    }

    /// Whether it replaces all earlier events of its run and subject.
    pub fn replaces(&self) -> bool {
        self.piece().is_none()
    }

    /// The piece of a growing text that it carries, and the text's key.
    pub fn piece(&self) -> Option<(GrowingText, &TextPiece)> {
        match self {
            Self::TextPiece { turn, piece } => Some((GrowingText::Answer(*turn), piece)),
            Self::ThinkingPiece { turn, piece } => Some((GrowingText::Thinking(*turn), piece)),
            _ => None,
        }
    }

    /// The event's subject, if a later event of the same run and subject replaces it.
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::Message { message } => Some(format!("message:{}", message.id)),
            Self::Run { .. } => Some("run".to_owned()),
            Self::Status { .. } => Some("status".to_owned()),
            Self::Text { turn, .. } | Self::TextPiece { turn, .. } => {
                Some(GrowingText::Answer(*turn).subject())
            }
            Self::Thinking { turn, .. } | Self::ThinkingPiece { turn, .. } => {
                Some(GrowingText::Thinking(*turn).subject())
            }
            Self::Tool { tool } => Some(format!("tool:{}", tool.step)),
            // Each write counts, also when it writes the same paths again, and each piece follows
            // another.
            Self::Files { .. } | Self::Draft { .. } | Self::Withdrawn { .. } => None,
            Self::Preview { .. } => Some("preview".to_owned()),
            Self::Version {
                message: Some(message),
                ..
            } => Some(format!("version:{message}")),
            Self::Version { fragment, .. } => Some(format!("version:{}", fragment.id)),
            Self::Title { .. } => Some("title".to_owned()),
            Self::Notice { .. } => Some("notice".to_owned()),
        }
    }
}

/// A text of a turn that grows while the model writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrowingText {
    /// The answer.
    Answer(u32),
    /// The reasoning.
    Thinking(u32),
}

impl GrowingText {
    pub fn turn(self) -> u32 {
        let (Self::Answer(turn) | Self::Thinking(turn)) = self;
        turn
    }

    /// The subject of its pieces and of the complete text.
    pub fn subject(self) -> String {
        match self {
            Self::Answer(turn) => format!("text:{turn}"),
            Self::Thinking(turn) => format!("thinking:{turn}"),
        }
    }

    /// The event for a new piece of it.
    pub fn grown(self, piece: TextPiece) -> EventKind {
        match self {
            Self::Answer(turn) => EventKind::TextPiece { turn, piece },
            Self::Thinking(turn) => EventKind::ThinkingPiece { turn, piece },
        }
    }

    /// The event for the complete text. Its HTML is not rendered yet.
    pub fn whole(self, text: String) -> EventKind {
        let html = String::new();
        match self {
            Self::Answer(turn) => EventKind::Text { turn, text, html },
            Self::Thinking(turn) => EventKind::Thinking {
                turn,
                text,
                html,
                took: None,
            },
        }
    }
}

/// A piece of a growing text. It replaces everything from its offset on, which is normally the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPiece {
    /// Its offset in the text, in bytes of UTF-8.
    pub offset: usize,
    /// Markdown.
    pub text: String,
    /// The changes to the text's HTML, in order; rendered where the event is handed out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub html: Vec<HtmlPiece>,
}

impl TextPiece {
    /// The length of the text up to the piece's end, in bytes.
    pub fn end(&self) -> usize {
        self.offset + self.text.len()
    }

    /// Adds it to the text. Returns `false` if the text ends before the piece begins.
    pub fn apply(&self, text: &mut String) -> bool {
        if !text.is_char_boundary(self.offset) {
            return false;
        }
        text.truncate(self.offset);
        text.push_str(&self.text);
        true
    }
}

/// A change to a growing text's HTML, which is a list of blocks. Only the last blocks still change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HtmlPiece {
    /// The block that grows, counted from 0; blocks after it are void.
    pub block: usize,
    /// Its offset in the block, in bytes of UTF-8; the block's text from there on is void.
    pub offset: usize,
    pub html: String,
}

impl HtmlPiece {
    /// Adds it to the blocks. Does nothing if the text before it is missing.
    pub fn apply(&self, blocks: &mut Vec<Arc<str>>) {
        let kept = match blocks.get(self.block) {
            Some(block) => block.get(..self.offset),
            None if self.block == blocks.len() && self.offset == 0 => Some(""),
            None => None,
        };
        let Some(kept) = kept else { return };
        let block = format!("{kept}{}", self.html).into();
        blocks.truncate(self.block);
        blocks.push(block);
    }
}

/// A piece of a file that is being written. Pieces of a file follow each other; one whose offset
/// lies within what is there replaces the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftPiece {
    pub path: String,
    /// Its offset in the file, in bytes of UTF-8.
    pub offset: usize,
    pub text: String,
}

/// What the preview shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PreviewState {
    /// There is no sandbox yet.
    None,
    /// The sandbox or its dev server is starting.
    Starting,
    /// The dev server compiles the page.
    Compiling { url: String },
    /// The page answers. `notice` says what went wrong shortly before, such as that the app ran out
    /// of memory and was restarted.
    Ready {
        url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
    },
    /// Nobody has looked for a while, so the sandbox may pause. It wakes on request.
    Asleep { url: String },
    /// The page can't be shown; `reason` is a few lines for the user.
    Failed { url: Option<String>, reason: String },
}

/// A frame from the server on the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum FeedFrame {
    /// An event, in order of `seq`.
    Event { event: Event },
    /// All events saved before the connection have been sent; what follows is live.
    CaughtUp,
    /// The answer to a ping.
    Pong,
    /// The project's members and who has it open; sent at first and on every change, never saved.
    Team { team: Team },
    /// The follower may no longer see the project; the feed ends.
    Gone,
}

/// A frame from the client on the feed; any other frame closes it with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum FeedRequest {
    /// Asks for a pong, to check that the connection is alive.
    Ping,
}
