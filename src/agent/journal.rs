//! The seam between the agent and the engine that makes its work durable: named steps whose outputs are saved, and events.

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use crate::{llm::ModelError, protocol::EventKind, sandbox::SandboxError};

/// Where a run's steps and events are kept. Its futures are boxed: the compiler can't see through nested ones that they may move
/// between threads.
pub trait Journal: Send + Sync {
    /// The step's saved output, or that of `work`, which is saved before this returns.
    fn step<'a, T, F, Fut>(&'a self, name: &'a str, work: F) -> BoxFuture<'a, Result<T, RunError>>
    where
        T: Serialize + DeserializeOwned + Send + 'a,
        F: FnMut() -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, RunError>> + Send + 'a;

    /// Saves the event, then tells the project's followers.
    fn publish(&self, kind: EventKind) -> BoxFuture<'_, Result<(), RunError>>;
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
