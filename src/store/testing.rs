//! What the store's tests begin with.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use tempfile::TempDir;

use super::Store;
use crate::protocol::{NewPrompt, Project, Run, UserId};

/// A new database with a project of the local user, whose first run has not begun.
pub async fn with_project(folder: &TempDir) -> (Store, Project, Run) {
    let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
    let prompt = NewPrompt::new("Build").unwrap();
    let (project, run, _) = store
        .create_project(&UserId::local(), &prompt, None, "Build")
        .await
        .unwrap();
    (store, project, run)
}
