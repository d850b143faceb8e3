//! One lock per project: two changes to the same app wait for each other.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::protocol::ProjectId;

/// A lock for each project, as a cheap handle; first come, first served.
#[derive(Debug, Clone, Default)]
pub struct ProjectLocks {
    locks: Arc<Mutex<HashMap<ProjectId, Weak<tokio::sync::Mutex<()>>>>>,
}

impl ProjectLocks {
    /// Waits for the project's lock, which is held until what this returns is dropped.
    pub async fn lock(&self, project: ProjectId) -> OwnedMutexGuard<()> {
        self.of(project).lock_owned().await
    }

    fn of(&self, project: ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock();
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(&project).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(project, Arc::downgrade(&lock));
        lock
    }
}
