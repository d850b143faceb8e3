//! The conversation's messages, and the versions attached to them.

use serde::{Deserialize, Serialize};

use super::{
    FragmentId, Image, ImageId, MessageId, MessagePart, Mode, ModelId, PassedJourney, ProjectId,
    RunId, Timestamp, UserId,
};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::User, Self::Assistant]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no role"))
    }
}

/// What a message is: every user message is a `Prompt`; a run ends with one of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    Prompt,
    /// The app that was built, with its version; in the modes that build nothing, the answer.
    Result,
    Error,
    /// Questions, which wait for the user's answers.
    Questions,
    /// A plan, which waits for the user's approval.
    Plan,
}

impl MessageKind {
    const ALL: [Self; 5] = [
        Self::Prompt,
        Self::Result,
        Self::Error,
        Self::Questions,
        Self::Plan,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Result => "result",
            Self::Error => "error",
            Self::Questions => "questions",
            Self::Plan => "plan",
        }
    }
}

impl std::str::FromStr for MessageKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no kind of message"))
    }
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub project: ProjectId,
    /// The run that the message started (a prompt) or ended (a result or an error).
    pub run: Option<RunId>,
    pub role: Role,
    /// Who wrote a prompt; `None` for the project's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    pub kind: MessageKind,
    /// The mode of the message; of a reply, that of its prompt.
    #[serde(default)]
    pub mode: Mode,
    /// The source text: the user's plain text, the assistant's Markdown.
    pub content: String,
    /// The assistant's Markdown rendered on the server (raw HTML dropped, no remote images), in
    /// blocks with [`BLOCK_BOUNDARY`](super::BLOCK_BOUNDARY) between them; empty for the user's.
    pub html: String,
    /// The attached image.
    #[serde(default)]
    pub image: Option<Image>,
    /// Questions or a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<MessagePart>,
    /// The message whose questions this one answers, or whose plan it approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<MessageId>,
    /// The model that the prompt asks for; `None` for the first configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// The version that a `Result` made, or the draft that an `Error` left.
    pub fragment: Option<Fragment>,
    /// The app's journeys that passed before a `Result`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journeys: Vec<PassedJourney>,
    pub created_at: Timestamp,
}

/// Who made a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// A run.
    #[default]
    Agent,
    /// The user, by editing files.
    You,
    /// The user, by restoring an earlier version.
    Restore,
}

impl Author {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::You => "you",
            Self::Restore => "restore",
        }
    }
}

impl std::str::FromStr for Author {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Agent, Self::You, Self::Restore]
            .into_iter()
            .find(|author| author.as_str() == text)
            .ok_or_else(|| format!("{text:?} makes no versions"))
    }
}

/// A saved version of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    pub id: FragmentId,
    /// 1 for the project's first version, then counting up. A draft has the number of the version
    /// before it, or 0 if there is none.
    pub number: i32,
    pub title: String,
    /// Whether it was left by a run without a result, or saved from a sandbox that was removed: it
    /// may not work.
    #[serde(default)]
    pub draft: bool,
    #[serde(default)]
    pub author: Author,
    /// For a version that no run made: who edited or restored it; `None` for the project's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// For a restored version: the number of the version it restores; `None` if that is the bare
    /// template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<i32>,
    /// The number of files that differ from the version before (for the first version, all files);
    /// `None` where it was not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<i32>,
    /// A picture of the app, for lists of versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<ImageId>,
    pub created_at: Timestamp,
}
