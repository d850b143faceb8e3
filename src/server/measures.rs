//! The inputs of `/metrics` besides its counters, and who may read it.

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;

/// The number of this process's sandboxes, by state.
pub type SandboxCounts = Arc<dyn Fn() -> Vec<(&'static str, usize)> + Send + Sync>;

/// The inputs of `/metrics`, and who may read it.
pub struct Measures {
    /// The token that allows reading (`METRICS_TOKEN`).
    pub token: Option<SecretString>,
    /// `None` where another machine hosts the sandboxes.
    pub sandboxes: Option<SandboxCounts>,
    /// The folder whose disk is measured.
    pub data_dir: PathBuf,
}
