//! Runs as the dashboard shows them: their users, their cost and all their steps.

use serde::{Deserialize, Serialize};

use super::{Run, RunId, RunState, Spent, Timestamp, UserId};

/// Which runs to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    pub state: Option<RunState>,
    /// Part of the project's title, the prompt, the project's id or the run's, in upper or lower
    /// case. Empty finds all.
    pub search: String,
    /// Only runs made before this one: the `next` of the page before.
    pub before: Option<RunId>,
}

/// Some of the runs that a [`RunFilter`] finds, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPage {
    pub runs: Vec<RunSummary>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<RunId>,
    /// The server's clock at the time of the answer. The page counts a running run's time from
    /// here.
    pub at: Timestamp,
}

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    pub run: Run,
    /// Whose project it is.
    pub user: UserId,
    pub project_title: String,
    /// The beginning of the prompt that it answers.
    pub prompt: String,
    /// The cost of its steps so far.
    pub spent: Spent,
    /// The beginning of the message that ended it, if it failed.
    pub error: Option<String>,
    /// `None` while it waits for its turn, or if it never got one.
    pub started_at: Option<Timestamp>,
}

/// A run with all its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetails {
    pub summary: RunSummary,
    /// In the order in which they were first begun.
    pub steps: Vec<StepSummary>,
    /// The server's clock when it answered.
    pub at: Timestamp,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Under way, or to be retried when the server is back.
    Running,
    /// Has an output and is never executed again.
    Succeeded,
    /// The last attempt failed.
    Failed,
    /// The run ended in the middle of it.
    Interrupted,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSummary {
    pub name: String,
    pub state: StepState,
    /// The number of attempts.
    pub attempt: i32,
    /// When the last attempt began.
    pub started_at: Timestamp,
    /// When the last attempt ended; `None` while it is under way or was interrupted.
    pub finished_at: Option<Timestamp>,
    /// Formatted for people; long outputs are cut with a note.
    pub output: Option<String>,
    /// Why the last failed attempt failed, even if a later attempt succeeded.
    pub error: Option<String>,
    pub spent: Spent,
}
