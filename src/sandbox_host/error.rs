//! Errors of the host, which `control` maps to E2B's statuses.

use std::io;

/// Why the control plane refuses a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    /// The request is invalid; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The sandbox's state does not allow it.
    #[error("{0}")]
    Conflict(String),
    #[error("template '{0}' not found; build it with: codeflow template build {0}")]
    NoTemplate(String),
    #[error("Sandbox \"{0}\" doesn't exist or you don't have access to it")]
    NoSandbox(String),
    #[error("snapshot '{0}' not found")]
    NoSnapshot(String),
    /// The machine's disk is full.
    #[error("{0}")]
    NoSpace(String),
    /// No more sandboxes can run at the same time.
    #[error("{0}")]
    Full(String),
    /// The host takes no new sandboxes.
    #[error("this host is being drained; codeflow sandbox-host undrain ends that")]
    Draining,
    /// Nothing can run here; the text says what to install.
    #[error("{0}")]
    NoRuntime(String),
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

impl HostError {
    pub(super) fn of_making(error: anyhow::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        match error.downcast_ref::<io::Error>() {
            Some(full) if full.kind() == io::ErrorKind::StorageFull => {
                Self::NoSpace(full.to_string())
            }
            _ => Self::Internal(error),
        }
    }
}
