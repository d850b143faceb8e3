//! What a project's followers hear, and the frames of the feed that carries it.

use serde::{Deserialize, Serialize};

use super::{
    FileChange, Fragment, Message, MessageId, ProjectId, Run, RunId, Status, Timestamp, ToolUse,
};

/// One thing that happened in a project. Saved before anyone hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub project: ProjectId,
    /// Strictly increasing within the project, from 1.
    pub seq: i64,
    /// The run it belongs to; `None` for what concerns the project only.
    pub run: Option<RunId>,
    /// When it was saved.
    pub at: Timestamp,
    pub kind: EventKind,
}

/// What happened. Later variants of the same subject replace earlier ones (a text by its turn, a
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
    /// The model's text of a turn, whole so far; deltas are coalesced. `text` is Markdown, and
    /// `html` the same rendered on the server, as in [`Message`].
    Text {
        turn: u32,
        text: String,
        html: String,
    },
    /// A file that the model is writing grew, within a tool call that has yet to be carried out.
    /// Without a piece, what was written so far in this turn is void: the model is asked again.
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
    /// A run that had ended without a result got a draft, which hangs on this message of its.
    Version {
        message: MessageId,
        fragment: Fragment,
    },
    /// The project got its title.
    Title { title: String },
    /// Something happened to the project that people should know and need not act on; a sentence or
    /// two.
    Notice { text: String },
}

impl EventKind {
    /// What the event is about, where a later event of the same run and subject replaces it.
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::Message { message } => Some(format!("message:{}", message.id)),
            Self::Run { .. } => Some("run".to_owned()),
            Self::Status { .. } => Some("status".to_owned()),
            Self::Text { turn, .. } => Some(format!("text:{turn}")),
            Self::Tool { tool } => Some(format!("tool:{}", tool.step)),
            // Each write is news, also when it writes the same paths again, and each piece follows
            // another.
            Self::Files { .. } | Self::Draft { .. } => None,
            Self::Preview { .. } => Some("preview".to_owned()),
            Self::Version { message, .. } => Some(format!("version:{message}")),
            Self::Title { .. } => Some("title".to_owned()),
            Self::Notice { .. } => Some("notice".to_owned()),
        }
    }
}

/// A piece of a file that is being written. Pieces of a file follow each other; one whose offset
/// lies within what is there replaces the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftPiece {
    pub path: String,
    /// Where in the file it begins, in bytes of UTF-8.
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
    /// The page answers. `notice`: what went wrong shortly before, such as that the app ran out of
    /// memory and was restarted.
    Ready {
        url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
    },
    /// The page can't be shown; `reason` is one line or a few, for the user.
    Failed { url: Option<String>, reason: String },
}

/// A frame from the server on the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum FeedFrame {
    /// An event, in order of `seq`.
    Event { event: Event },
    /// All events saved before the connection was made have been sent; what follows is live.
    CaughtUp,
    /// The answer to a ping.
    Pong,
}

/// A frame from the client on the feed; anything else closes it with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum FeedRequest {
    /// Asks for a pong, to find out whether the connection still lives.
    Ping,
}
