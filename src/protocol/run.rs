//! A run, its state, and its status line.

use serde::{Deserialize, Serialize};

use super::{MessageId, ProjectId, RunId, Spent, Timestamp};

/// Where a run stands. Its name in lower case is the conversation's `data-run-state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for its turn.
    Queued,
    /// Is being worked on, or will resume when the server is back.
    Running,
    /// Ended with a RESULT message and a fragment, or with an answer, questions or a plan.
    Succeeded,
    /// Ended with an ERROR message.
    Failed,
    /// Was stopped by its user; what was written is kept.
    Cancelled,
}

impl RunState {
    /// In the order of a run's life.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen in the run.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl std::str::FromStr for RunState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no run state"))
    }
}

/// One run of the agent, started by one user message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    pub project: ProjectId,
    /// The user message that started it.
    pub message: MessageId,
    pub state: RunState,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// The cost of its answers, once it has ended; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// What a run is doing, as the page's status line says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    StartingSandbox,
    LookingAtImage,
    Thinking,
    InstallingPackages,
    RunningCommand,
    GeneratingFiles,
    ReadingFiles,
    DownloadingImages,
    CheckingApp,
    GeneratingUrl,
    GeneratingName,
    Saving,
    /// A transient error: the step will be retried.
    Retrying,
    Ready,
}

impl Status {
    /// The sentence shown to the user.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StartingSandbox => "Starting the sandbox...",
            Self::LookingAtImage => "Looking at the image...",
            Self::Thinking => "Thinking...",
            Self::InstallingPackages => "Installing packages...",
            Self::RunningCommand => "Running a command...",
            Self::GeneratingFiles => "Generating project files...",
            Self::ReadingFiles => "Reading project files...",
            Self::DownloadingImages => "Downloading images...",
            Self::CheckingApp => "Checking the app...",
            Self::GeneratingUrl => "Generating sandbox url...",
            Self::GeneratingName => "Generating project name...",
            Self::Saving => "Saving to db...",
            Self::Retrying => "Trying again...",
            Self::Ready => "Demo is ready",
        }
    }
}

/// A tool call as the conversation shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    /// The step's name, `turn-<n>-<tool>-<k>`: one tool use, whatever its state.
    pub step: String,
    /// The tool's name, such as `terminal`.
    pub tool: String,
    /// What it works on, in one line: a command, or paths.
    pub title: String,
    /// Its output or error, shortened for people; `None` while it runs.
    pub output: Option<String>,
    /// Whether the tool answered with an error.
    pub failed: bool,
    /// Its duration in milliseconds, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<u64>,
}
