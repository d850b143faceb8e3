//! The seam between the agent and the engine that makes its work durable: named steps whose outputs are saved, and events.

use serde::{Serialize, de::DeserializeOwned};

use crate::{llm::ModelError, protocol::EventKind, sandbox::SandboxError};

/// Where a run's steps and events are kept.
pub trait Journal: Send + Sync {
    /// The step's saved output, or that of `work`, which is saved before this returns.
    fn step<T, F, Fut>(&self, name: &str, work: F) -> impl Future<Output = Result<T, RunError>> + Send
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, RunError>> + Send;

    /// Saves the event, then tells the project's followers.
    fn publish(&self, kind: EventKind) -> impl Future<Output = Result<(), RunError>> + Send;
}

/// Why a run ends without a result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Told to the user as it is.
    #[error("{0}")]
    User(String),
    /// A fault of ours: logged, and told as such.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl From<ModelError> for RunError {
    fn from(error: ModelError) -> Self {
        Self::User(error.to_string())
    }
}

impl From<SandboxError> for RunError {
    fn from(error: SandboxError) -> Self {
        let text = error.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        Self::User(format!("{first}{}.", letters.as_str().trim_end_matches('.')))
    }
}
