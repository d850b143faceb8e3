//! The seam between the agent and the engine that makes its work durable: named steps whose outputs
//! are saved, and events.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    llm::ModelError,
    protocol::{EventKind, Spent},
    sandbox::SandboxError,
};

/// How long an attempt at a step may take, where it says nothing else.
const STEP_TIMEOUT: Duration = Duration::from_secs(240);

/// Where a run's steps and events are kept. Its futures are boxed: the compiler can't see through
/// nested ones that they may move between threads.
pub trait Journal: Send + Sync {
    /// The step's saved output, or that of `work`, which is saved before this returns. `work` is
    /// called again after errors that may pass, with waits between, until the engine's patience for
    /// that kind of error is over.
    ///
    /// An output `{ "spent": … }` (a [`Spent`]) is counted as what the step cost.
    fn step<'a, T, F, Fut>(&'a self, step: Step<'a>, work: F) -> BoxFuture<'a, Result<T, RunError>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'a,
        F: FnMut(Attempt) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, RunError>> + Send + 'a;

    /// Notes what the attempt at the step that is under way has cost so far: it counts also when
    /// the attempt fails or never ends.
    fn spend<'a>(&'a self, step: &'a str, spent: Spent) -> BoxFuture<'a, Result<(), RunError>>;

    /// What the attempts at the step cost that gave no output, as far as it was noted: known once
    /// the step has begun.
    fn lost(&self, step: &str) -> Spent;

    /// Saves the event, then tells the project's followers.
    fn publish(&self, kind: EventKind) -> BoxFuture<'_, Result<(), RunError>>;
}

/// A step about to be taken.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    pub name: &'a str,
    /// SHA-256 of what it works on, in hex.
    pub input_digest: String,
    /// The longest that an attempt may take.
    pub timeout: Duration,
    /// Ways to go on when the first one fails for good; see [`Attempt::alternative`].
    pub alternatives: usize,
}

impl<'a> Step<'a> {
    /// A step that works on this input.
    pub fn new(name: &'a str, input: &impl Serialize) -> Self {
        // What can't be told as JSON has the digest of nothing.
        let input = serde_json::to_vec(input).unwrap_or_default();
        Self {
            name,
            input_digest: Sha256::digest(input)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            timeout: STEP_TIMEOUT,
            alternatives: 0,
        }
    }

    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub fn with_alternatives(self, alternatives: usize) -> Self {
        Self {
            alternatives,
            ..self
        }
    }
}

/// An attempt at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1, over restarts too.
    pub number: i32,
    /// Whether the server went away in the middle of the attempt before: what it did may be done,
    /// half or whole.
    pub interrupted: bool,
    /// Which way to take: 0, and each of the step's alternatives in turn when the one before failed
    /// for good.
    pub alternative: usize,
}

/// Why a step did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It may pass: the step is tried again, up to a limit for each kind; then its text is told to
    /// the user.
    #[error(transparent)]
    Transient(#[from] Fault),
    /// It ends the run. Told to the user as it is.
    #[error("{0}")]
    User(String),
    /// A fault of ours: logged, and told as such.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// An error that may pass.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub kind: FaultKind,
    /// For the user, when it does not pass.
    pub message: String,
    /// How long the other side asks to wait.
    pub retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The model's provider wants fewer requests.
    ModelLimited,
    /// The model's provider has no credit left: only another provider helps.
    ModelExhausted,
    /// The model's provider is down or out of reach.
    ModelUnavailable,
    /// The model's provider says nothing.
    ModelSilent,
    /// The model's answer ended early.
    AnswerCut,
    /// The sandbox, or what hosts it, does not answer.
    Sandbox,
    /// The sandbox is asleep or gone.
    SandboxGone,
    /// The attempt took longer than it may.
    Slow,
}

impl RunError {
    /// Whether the sandbox is in doubt.
    pub fn is_sandboxes(&self) -> bool {
        matches!(
            self,
            Self::Transient(Fault {
                kind: FaultKind::Sandbox | FaultKind::SandboxGone,
                ..
            })
        )
    }
}

impl From<ModelError> for RunError {
    fn from(error: ModelError) -> Self {
        let message = error.to_string();
        let (kind, retry_after) = match error {
            ModelError::Limited { retry_after, .. } => (FaultKind::ModelLimited, retry_after),
            ModelError::Unavailable { retry_after, .. } => {
                (FaultKind::ModelUnavailable, retry_after)
            }
            ModelError::Exhausted(_) => (FaultKind::ModelExhausted, None),
            ModelError::Silent(_) => (FaultKind::ModelSilent, None),
            ModelError::Cut(_) => (FaultKind::AnswerCut, None),
            ModelError::Auth(_)
            | ModelError::Invalid(_)
            | ModelError::Overflow(_)
            | ModelError::Filtered(_)
            | ModelError::NotAModel(_)
            | ModelError::Quirk(..)
            | ModelError::SmallContext { .. }
            | ModelError::NoRecording(_) => return Self::User(message),
        };
        Self::Transient(Fault {
            kind,
            message,
            retry_after,
        })
    }
}

impl From<SandboxError> for RunError {
    fn from(error: SandboxError) -> Self {
        let message = sentence(&error.to_string());
        let (kind, retry_after) = match error {
            SandboxError::NotFound => (FaultKind::SandboxGone, None),
            SandboxError::RateLimited { retry_after, .. } => (FaultKind::Sandbox, retry_after),
            SandboxError::Unavailable(_) => (FaultKind::Sandbox, None),
            SandboxError::NoSuchPath(_)
            | SandboxError::Refused(_)
            | SandboxError::Unauthenticated(_)
            | SandboxError::Protocol(_) => {
                return Self::User(message);
            }
        };
        Self::Transient(Fault {
            kind,
            message,
            retry_after,
        })
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
