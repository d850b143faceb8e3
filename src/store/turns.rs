//! Turns for writers: on SQLite one writer at a time, first come, first served.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, DbBackend};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The turns of one database; none on PostgreSQL, which allows concurrent writers.
#[derive(Debug, Clone)]
pub struct Turns(Option<Arc<Mutex<()>>>);

impl Turns {
    pub fn of(db: &DatabaseConnection) -> Self {
        let takes_turns = db.get_database_backend() == DbBackend::Sqlite;
        Self(takes_turns.then(Arc::default))
    }

    /// Waits for a turn, which lasts until the guard is dropped.
    pub async fn next(self) -> Option<OwnedMutexGuard<()>> {
        match self.0 {
            Some(turn) => Some(turn.lock_owned().await),
            None => None,
        }
    }
}
