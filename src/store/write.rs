//! Writes. On SQLite they take turns within the process, because SQLite's own waiting is polling,
//! which is unfair and gives up after a while.
//!
//! A write runs in a task of its own, from taking its turn to the commit, so it never waits for its
//! caller. A caller that is dropped leaves no transaction open, and one that isn't polled for a
//! while (`select!` over a pinned future) keeps nobody else from writing.

use futures::future::BoxFuture;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait, UpdateMany, entity::prelude::*,
};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{Result, Store, StoreError};

impl Store {
    /// Executes `work` in a transaction, which is committed unless it fails. All of it happens or
    /// nothing; once begun, it continues even if the caller is dropped.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a DatabaseTransaction) -> BoxFuture<'a, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let fence = self.fence.clone();
        self.in_turn(move |db| {
            Box::pin(async move {
                // Takes SQLite's write lock at once: upgrading a read to a write could fail.
                let options = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..TransactionOptions::default()
                };
                let tx = db.begin_with_options(options).await?;
                if let Some(fence) = fence {
                    fence.hold(&tx).await?;
                }
                let done = work(&tx).await?;
                tx.commit().await?;
                Ok(done)
            })
        })
        .await
    }

    /// Executes one statement. Returns the number of changed rows.
    pub(super) async fn update<E: EntityTrait>(&self, change: UpdateMany<E>) -> Result<u64> {
        if self.fence.is_some() {
            let changing =
                self.write(|tx| Box::pin(async move { Ok(change.exec(tx).await?.rows_affected) }));
            return changing.await;
        }
        self.in_turn(move |db| Box::pin(async move { Ok(change.exec(&db).await?.rows_affected) }))
            .await
    }

    /// Executes one statement as it is.
    pub(super) async fn execute(&self, statement: String) -> Result<()> {
        self.in_turn(move |db| {
            Box::pin(async move {
                db.execute_unprepared(&statement).await?;
                Ok(())
            })
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(DatabaseConnection) -> BoxFuture<'static, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let (db, turns) = (self.db.clone(), self.turns.clone());
        let task = async move {
            let _turn = turns.next().await;
            // Skipped if nobody waits for it any more.
            if !answer.is_closed() {
                let _ = answer.send(work(db).await);
            }
        };
        tokio::spawn(task.in_current_span());
        let gone = |_| StoreError::Interrupted("the database's work was given up".to_owned());
        answered.await.map_err(gone)?
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;
    use crate::{
        protocol::{EventKind, ProjectId},
        store::testing::with_project,
    };

    async fn store_with_project(folder: &tempfile::TempDir) -> (Store, ProjectId) {
        let (store, project, _) = with_project(folder).await;
        (store, project.id)
    }

    fn notice(number: usize) -> EventKind {
        EventKind::Title {
            title: number.to_string(),
        }
    }

    #[tokio::test]
    async fn a_write_whose_caller_is_not_polled_keeps_nobody_from_writing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project) = store_with_project(&folder).await;
        for polls in 1..30 {
            let mut paused = Box::pin(store.append_event(project, None, notice(polls)));
            for _ in 0..polls {
                let polled = (&mut paused).now_or_never();
                if polled.is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            let other = store.append_event(project, None, notice(1000 + polls));
            let written = tokio::time::timeout(Duration::from_secs(5), other).await;
            written.unwrap().unwrap();
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_write_whose_caller_is_gone_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project) = store_with_project(&folder).await;
        for delay in 0..60 {
            let writing = store.append_event(project, None, notice(delay));
            let _ = tokio::time::timeout(Duration::from_micros(20 * delay as u64), writing).await;
        }
        let waiting = store.append_event(project, None, notice(1000));
        let last = tokio::time::timeout(Duration::from_secs(5), waiting).await;
        let last = last.unwrap().unwrap().unwrap();
        assert_eq!(store.last_seq(project).await.unwrap(), last.seq);
        store.close().await;
    }

    #[tokio::test]
    async fn a_transaction_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project) = store_with_project(&folder).await;
        let before = store.last_seq(project).await.unwrap();
        let failed: Result<()> = store
            .write(move |tx| {
                Box::pin(async move {
                    super::super::event::append(tx, project, None, notice(1)).await?;
                    Err(StoreError::NotFound("run"))
                })
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(store.last_seq(project).await.unwrap(), before);
        store.close().await;
    }
}
