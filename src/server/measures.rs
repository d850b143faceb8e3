//! What `/metrics` is made of beyond what is counted, and who may read it.

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;

/// How many sandboxes of this process's host there are, by state.
pub type SandboxCounts = Arc<dyn Fn() -> Vec<(&'static str, usize)> + Send + Sync>;

/// What `/metrics` is made of, and who may read it.
pub struct Measures {
    /// Whoever sends it may read (`METRICS_TOKEN`).
    pub token: Option<SecretString>,
    /// `None` where another machine hosts the sandboxes.
    pub sandboxes: Option<SandboxCounts>,
    /// Its disk is measured.
    pub data_dir: PathBuf,
}
