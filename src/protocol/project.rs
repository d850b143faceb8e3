//! Projects, and the prompt that starts one.

use serde::{Deserialize, Serialize};

use super::{
    ApiError, Event, Fragment, ImageId, Membership, Message, MessageId, Mode, ModelChoice,
    OfferedModel, PreviewState, ProjectId, Run, RunState, Team, Timestamp, text::one_line,
};

/// The longest prompt or message, in characters (Unicode scalar values).
pub const PROMPT_MAX_CHARS: usize = 10_000;
/// The longest title that a user may give, in characters.
pub const TITLE_MAX_CHARS: usize = 100;

/// A project, without what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub title: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A project as the home page lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSummary {
    pub id: ProjectId,
    pub title: String,
    pub status: ProjectStatus,
    /// The app's latest picture.
    pub picture: Option<ImageId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The owner and the role, for somebody else's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Membership>,
}

impl ProjectSummary {
    /// Where the picture is found on the app's own origin.
    pub fn picture_path(&self) -> Option<String> {
        let picture = self.picture.as_ref()?;
        Some(format!("/api/pictures/{picture}"))
    }
}

/// A project's status: that of its latest run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectStatus {
    /// Nothing has been asked for yet.
    Empty,
    Building,
    Ready,
    Failed,
    Stopped,
}

impl ProjectStatus {
    /// Its name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "New",
            Self::Building => "Building",
            Self::Ready => "Ready",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }
}

impl From<Option<RunState>> for ProjectStatus {
    fn from(latest: Option<RunState>) -> Self {
        match latest {
            None => Self::Empty,
            Some(RunState::Queued | RunState::Running) => Self::Building,
            Some(RunState::Succeeded) => Self::Ready,
            Some(RunState::Failed) => Self::Failed,
            Some(RunState::Cancelled) => Self::Stopped,
        }
    }
}

/// An app of the showcase, which a project can start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShowcaseApp {
    /// Its name in URLs.
    pub slug: String,
    pub title: String,
    /// A one-sentence description.
    pub description: String,
    pub category: String,
    /// The prompt that it was built from.
    pub prompt: String,
    /// The path of its picture, for an app that somebody shared at `/s/{slug}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
}

/// The header whose key identifies an order that is sent again.
pub const ORDER_KEY: &str = "idempotency-key";
/// The maximum length of such a key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// A prompt that was checked: not blank, at most [`PROMPT_MAX_CHARS`]; with its mode and model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrompt {
    text: String,
    mode: Mode,
    answers: Option<MessageId>,
    model: ModelChoice,
    order_key: Option<String>,
}

/// Why a prompt is refused; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    #[error("Describe what you want to build first.")]
    Empty,
    #[error("That is {chars} characters; at most 10,000 fit. Please shorten it.")]
    TooLong { chars: usize },
}

impl NewPrompt {
    /// Trims and checks the text; the form and the server both call this. It asks for a build.
    pub fn new(text: &str) -> Result<Self, PromptError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PromptError::Empty);
        }
        let chars = text.chars().count();
        if chars > PROMPT_MAX_CHARS {
            return Err(PromptError::TooLong { chars });
        }
        Ok(Self {
            text: text.to_owned(),
            mode: Mode::default(),
            answers: None,
            model: ModelChoice::default(),
            order_key: None,
        })
    }

    /// Sets the mode.
    pub fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Makes it the answer to this message's questions, or the approval of its plan.
    pub fn answering(self, answers: Option<MessageId>) -> Self {
        Self { answers, ..self }
    }

    /// Sets the model.
    pub fn asking(self, model: ModelChoice) -> Self {
        Self { model, ..self }
    }

    /// Reads the key of an order from the header [`ORDER_KEY`], if it was sent. Fails with an error
    /// of that field if the key is malformed.
    pub fn read_order_key(sent: Option<&[u8]>) -> Result<Option<String>, ApiError> {
        let Some(sent) = sent else {
            return Ok(None);
        };
        let key = std::str::from_utf8(sent).unwrap_or_default().trim();
        if (1..=MAX_KEY_BYTES).contains(&key.len()) {
            return Ok(Some(key.to_owned()));
        }
        Err(ApiError::invalid(
            ORDER_KEY,
            "The Idempotency-Key has 1 to 255 letters, digits and signs, such as a UUID.",
        ))
    }

    /// Sets the order's key: sending it again returns the run that the first request started.
    pub fn ordered_with(self, order_key: Option<String>) -> Self {
        Self { order_key, ..self }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn order_key(&self) -> Option<&str> {
        self.order_key.as_deref()
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn answers(&self) -> Option<MessageId> {
        self.answers
    }

    pub fn model(&self) -> &ModelChoice {
        &self.model
    }
}

impl From<NewPrompt> for String {
    fn from(prompt: NewPrompt) -> Self {
        prompt.text
    }
}

/// A project's title as the user typed it, checked: one line, not blank, not too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectTitle(String);

/// Why a title is refused; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TitleError {
    #[error("A project needs a title. Type one, or press Escape to keep the old one.")]
    Empty,
    #[error(
        "That is {chars} characters; a title has at most {TITLE_MAX_CHARS}. Please shorten it."
    )]
    TooLong { chars: usize },
}

impl ProjectTitle {
    /// Collapses white space and checks the text; the form and the server both call this.
    pub fn new(text: &str) -> Result<Self, TitleError> {
        let title = one_line(text);
        match title.chars().count() {
            0 => Err(TitleError::Empty),
            chars if chars > TITLE_MAX_CHARS => Err(TitleError::TooLong { chars }),
            _ => Ok(Self(title)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The workspace's initial contents, and where its feed begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    pub project: Project,
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Oldest first.
    pub runs: Vec<Run>,
    /// The events of unfinished runs and of the latest one. Those of earlier runs are fetched on
    /// demand.
    pub events: Vec<Event>,
    pub preview: PreviewState,
    /// The newest version or draft.
    #[serde(default)]
    pub version: Option<Fragment>,
    /// News about the project since its latest version.
    #[serde(default)]
    pub notice: Option<String>,
    /// The feed continues after this event.
    pub after: i64,
    pub model: ModelNotice,
    /// The number of earlier prompts that were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier: u64,
    /// Who is in the project.
    #[serde(default)]
    pub team: Team,
}

/// An earlier part of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// The runs that answer them, oldest first.
    pub runs: Vec<Run>,
    /// The number of prompts before these.
    pub earlier: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The model that builds, for the page to name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelNotice {
    /// Whether recorded builds stand in for a real model.
    pub demo: bool,
    /// The provider's and the model's name, such as `openai · gpt-6-sol`.
    pub label: String,
    /// The prompts that the demo has recordings for; empty with a real model.
    pub demo_prompts: Vec<String>,
    /// The models that a message may ask for, the default first; empty where there is no choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<OfferedModel>,
    /// Whether the default model is asked with the visitor's own key and costs no credits.
    #[serde(default)]
    pub own_key: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_and_neither_blank_nor_long() {
        assert_eq!(
            ProjectTitle::new(" My\n  shop\t\0 ").map(|title| title.0),
            Ok("My shop".to_owned())
        );
        assert_eq!(ProjectTitle::new(" \n"), Err(TitleError::Empty));
        let long = "ü".repeat(TITLE_MAX_CHARS + 1);
        assert_eq!(
            ProjectTitle::new(&long),
            Err(TitleError::TooLong { chars: 101 })
        );
        assert!(ProjectTitle::new(&long[2..]).is_ok());
    }
}
