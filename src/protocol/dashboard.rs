//! Runs as the dashboard shows them: their users, what they cost and every step they took.

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
    /// The server's clock when it answered: how long a run has been at work is counted from here.
    pub at: Timestamp,
}

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    pub run: Run,
    /// Whose project it is.
    pub user: UserId,
    pub project_title: String,
    /// The beginning of the message that it answers.
    pub prompt: String,
    /// What its steps cost so far.
    pub spent: Spent,
    /// The beginning of the message that ended it, when it failed.
    pub error: Option<String>,
    /// `None` while it waits for its turn, and if it never got one.
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
    /// Is under way, or will be tried again when the server is back.
    Running,
    /// Has an output, and is never run again.
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
    /// How many times it was begun.
    pub attempt: i32,
    /// When the last attempt began.
    pub started_at: Timestamp,
    /// When the last attempt ended; `None` while it is under way or was interrupted.
    pub finished_at: Option<Timestamp>,
    /// For people: laid out in lines, and cut with a note where it is long.
    pub output: Option<String>,
    /// Why an attempt failed: the last one that did, even if a later one succeeded.
    pub error: Option<String>,
    pub spent: Spent,
}
