//! The interface between the agent and the engine that makes its work durable: named steps whose
//! outputs are saved, and events.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    llm::ModelError,
    protocol::{EventKind, Spent},
    sandbox::SandboxError,
};

/// How long an attempt at a step may take, unless the step says otherwise.
const STEP_TIMEOUT: Duration = Duration::from_secs(240);

/// Keeps a run's steps and events. Its futures are boxed because the compiler can't prove that
/// nested ones are `Send`.
pub trait Journal: Send + Sync {
    /// Returns the step's saved output, or else runs `work` and saves its output before returning
    /// it. After transient errors `work` is called again, after a wait, as often as the engine
    /// allows for that kind of error.
    ///
    /// An output `{ "spent": …, "model": … }` (a [`Spent`]; a name) records the step's cost, and
    /// the model that answered.
    fn step<'a, T, F, Fut>(&'a self, step: Step<'a>, work: F) -> BoxFuture<'a, Result<T, RunError>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'a,
        F: FnMut(Attempt) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, RunError>> + Send + 'a;

    /// Records what the current attempt at the step has cost so far. It counts even if the attempt
    /// fails or never ends.
    fn spend<'a>(&'a self, step: &'a str, spent: Spent) -> BoxFuture<'a, Result<(), RunError>>;

    /// The recorded cost of failed attempts at the step, known once the step has begun.
    fn lost(&self, step: &str) -> Spent;

    /// Saves the event, then broadcasts it to the project's followers.
    fn publish(&self, kind: EventKind) -> BoxFuture<'_, Result<(), RunError>>;
}

/// A step to execute.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    pub name: &'a str,
    /// SHA-256 of its input, in hex.
    pub input_digest: String,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// The number of alternatives if the first way fails for good; see [`Attempt::alternative`].
    pub alternatives: usize,
}

impl<'a> Step<'a> {
    /// A step with this input.
    pub fn new(name: &'a str, input: &impl Serialize) -> Self {
        // An input that JSON can't represent has the digest of an empty one.
        let input = serde_json::to_vec(input).unwrap_or_default();
        Self {
            name,
            input_digest: hex::encode(Sha256::digest(input)),
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
    /// Counted from 1, across restarts.
    pub number: i32,
    /// Whether the server stopped during the previous attempt, whose work may be partly or
    /// completely done.
    pub interrupted: bool,
    /// The way to take: 0 first, then each of the step's alternatives after the previous one failed
    /// for good.
    pub alternative: usize,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It may be transient: the step is retried, up to a limit for each kind. After that, its
    /// message is shown to people.
    #[error(transparent)]
    Transient(#[from] Fault),
    /// It ends the run, and its text is shown to people.
    #[error("{0}")]
    User(String),
    /// A bug: the log has its details, and people only read that there is one.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// A transient error.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub kind: FaultKind,
    /// The message for people if retrying doesn't help.
    pub message: String,
    /// The wait that the other side asks for.
    pub retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The model's provider limits our rate of requests.
    ModelLimited,
    /// The model's provider has no credit left: only another provider helps.
    ModelExhausted,
    /// The model's provider is down or unreachable.
    ModelUnavailable,
    /// The model's provider sends nothing.
    ModelSilent,
    /// The model's answer ended early.
    AnswerCut,
    /// The sandbox or its host does not answer.
    Sandbox,
    /// The sandbox is asleep or gone.
    SandboxGone,
    /// The bucket with the contents of files can't be used.
    Storage,
    /// The attempt exceeded its time limit.
    Slow,
}

impl FaultKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ModelLimited => "model_limited",
            Self::ModelExhausted => "model_exhausted",
            Self::ModelUnavailable => "model_unavailable",
            Self::ModelSilent => "model_silent",
            Self::AnswerCut => "answer_cut",
            Self::Sandbox => "sandbox",
            Self::SandboxGone => "sandbox_gone",
            Self::Storage => "storage",
            Self::Slow => "slow",
        }
    }
}

impl RunError {
    /// Whether the sandbox is to blame.
    pub fn is_sandbox_fault(&self) -> bool {
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
            | ModelError::OwnKey(_)
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
