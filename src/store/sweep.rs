//! The sweep's queries: unneeded rows are found and removed a few at a time, so that nobody waits
//! long for the database.

use std::time::Duration;

use sea_orm::{
    Condition, DbBackend, ExprTrait as _, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{Alias, Query, SelectStatement},
};

use super::{
    Result, Store, StoreError,
    blob::{self, BlobHash},
    event, fragment, image, loose_object, message, passed_journey, project, readable, run, step,
};
use crate::protocol::{ProjectId, RunId, RunState, Timestamp};

/// A database file is shrunk once this many of its pages are free …
const FREE_PAGES: i64 = 64;
/// … by this many pages at a time.
const PAGES_AT_A_TIME: i64 = 1000;
/// How many images one statement names.
const HASHES_PER_STATEMENT: usize = 200;
/// Within this time an uploaded image gets its message, whatever becomes of older ones.
const UPLOADED_AGAIN: Duration = Duration::from_secs(60);

/// Identifies this database among others that use the same sandbox provider.
mod installation {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "installation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A project with a sandbox that has not been used for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    pub project: ProjectId,
    pub sandbox: String,
}

/// The blobs that no version, image or picture references.
pub(super) fn unused_blobs() -> Select<blob::Entity> {
    blob::Entity::find().filter(is_unused())
}

impl Store {
    /// Like [`Store::installation`], but without creating the id.
    pub async fn installation_if_any(&self) -> Result<Option<String>> {
        let first = installation::Entity::find().order_by_asc(installation::Column::Id);
        Ok(first.one(&self.db).await?.map(|found| found.id))
    }

    /// The id that marks this database's sandboxes at the provider.
    pub async fn installation(&self) -> Result<String> {
        let first = || installation::Entity::find().order_by_asc(installation::Column::Id);
        if let Some(found) = first().one(&self.db).await? {
            return Ok(found.id);
        }
        self.write(move |tx| {
            Box::pin(async move {
                if first().one(tx).await?.is_none() {
                    let id = sea_orm::ActiveValue::Set(RunId::new().to_string());
                    installation::Entity::insert(installation::ActiveModel { id })
                        .exec_without_returning(tx)
                        .await?;
                }
                Ok(())
            })
        })
        .await?;
        // Two servers may each have inserted one: both use the first.
        let found = first().one(&self.db).await?;
        Ok(found.ok_or(StoreError::NotFound("installation"))?.id)
    }

    /// Removes at most `limit` blobs that no version, image or picture references. Returns how
    /// many.
    pub async fn remove_unused_blobs(&self, limit: u64) -> Result<u64> {
        let unused = unused_blobs()
            .select_only()
            .column(blob::Column::Hash)
            .limit(limit);
        let hashes: Vec<BlobHash> = unused.into_tuple().all(&self.db).await?;
        if hashes.is_empty() {
            return Ok(0);
        }
        self.write(move |tx| Box::pin(async move { remove_blobs(tx, &hashes).await }))
            .await
    }

    /// Removes images without a message that were uploaded longer than `age` ago. Returns how many.
    pub async fn remove_unused_images(&self, age: Duration) -> Result<u64> {
        self.write(move |tx| Box::pin(remove_unused_images(tx, before(age))))
            .await
    }

    /// Trims at most `limit` runs that ended longer than `age` ago: their steps keep names, states,
    /// times, tokens and costs, and their events about messages, states and files stay. A project's
    /// newest run stays complete; so does one without a result until something is saved after it,
    /// because a lost sandbox is rebuilt from its steps. `shorten` gets a step's name and output
    /// (JSON), and returns what to keep. Returns the number of trimmed runs.
    pub async fn trim_runs(
        &self,
        age: Duration,
        limit: u64,
        shorten: fn(&str, &str) -> String,
    ) -> Result<usize> {
        let newer = Alias::new("newer");
        let newer_run = Query::select()
            .expr(Expr::value(1))
            .from_as(run::Entity, newer.clone())
            .and_where(
                Expr::col((newer.clone(), run::Column::ProjectId))
                    .equals((run::Entity, run::Column::ProjectId)),
            )
            .and_where(
                Expr::col((newer, run::Column::Id)).gt(Expr::col((run::Entity, run::Column::Id))),
            )
            .to_owned();
        let old = run::Entity::find()
            .select_only()
            .column(run::Column::Id)
            .filter(run::Column::Trimmed.eq(false))
            .filter(run::Column::FinishedAt.lt(before(age)))
            .filter(run::Column::State.is_not_in([RunState::Queued, RunState::Running]))
            .filter(Expr::exists(newer_run))
            .filter(
                run::Column::State
                    .eq(RunState::Succeeded)
                    .or(Expr::exists(fragment::made_after_run())),
            )
            .limit(limit);
        let runs: Vec<RunId> = old.into_tuple().all(&self.db).await?;
        let count = runs.len();
        for run in runs {
            self.write(move |tx| {
                Box::pin(async move {
                    step::trim(tx, run, shorten).await?;
                    event::trim(tx, run).await?;
                    run::Entity::update_many()
                        .col_expr(run::Column::Trimmed, Expr::value(true))
                        .filter(run::Column::Id.eq(run))
                        .exec(tx)
                        .await?;
                    Ok(())
                })
            })
            .await?;
        }
        Ok(count)
    }

    /// Records that the project's app is in use; writes at most once a minute.
    pub async fn note_use(&self, id: ProjectId) -> Result<()> {
        let noted = project::Entity::update_many()
            .col_expr(project::Column::UsedAt, Expr::value(Timestamp::now().0))
            .filter(project::Column::Id.eq(id))
            .filter(
                project::Column::UsedAt
                    .is_null()
                    .or(project::Column::UsedAt.lt(before(Duration::from_secs(60)))),
            );
        self.update(noted).await?;
        Ok(())
    }

    /// The projects with a sandbox that were neither worked on nor viewed for `age`, longest unused
    /// first, except those with an unfinished run.
    pub async fn unused_projects(&self, age: Duration) -> Result<Vec<Unused>> {
        let at_work = Query::select()
            .column(run::Column::ProjectId)
            .from(run::Entity)
            .and_where(run::Column::State.is_in([RunState::Queued, RunState::Running]))
            .to_owned();
        let unused = project::Entity::find()
            .filter(project::Column::Sandbox.is_not_null())
            .filter(project::Column::DeletedAt.is_null())
            .filter(project::Column::UpdatedAt.lt(before(age)))
            .filter(
                project::Column::UsedAt
                    .is_null()
                    .or(project::Column::UsedAt.lt(before(age))),
            )
            .filter(project::Column::Id.not_in_subquery(at_work));
        let mut models = readable::models(&self.db, "project", unused).await?;
        models.sort_by_key(|model| {
            std::cmp::max(model.used_at.unwrap_or_default(), model.updated_at)
        });
        let unused = models.into_iter().filter_map(|model| {
            Some(Unused {
                project: model.id,
                sandbox: model.sandbox?,
            })
        });
        Ok(unused.collect())
    }

    /// Forgets a sandbox that is gone, unless the project has another one already.
    pub async fn forget_sandbox(&self, id: ProjectId, sandbox: &str) -> Result<()> {
        let forgotten = project::Entity::update_many()
            .col_expr(project::Column::Sandbox, Expr::value(None::<String>))
            .col_expr(project::Column::SandboxHost, Expr::value(None::<String>))
            .filter(project::Column::Id.eq(id))
            .filter(project::Column::Sandbox.eq(sandbox));
        self.update(forgotten).await?;
        Ok(())
    }

    /// Returns the space of removed rows to the disk, a little at a time. PostgreSQL does so by
    /// itself.
    pub async fn give_back_space(&self) -> Result<()> {
        if self.db.get_database_backend() != DbBackend::Sqlite {
            return Ok(());
        }
        let mut free = self.free_pages().await?;
        while free >= FREE_PAGES {
            self.execute(format!("PRAGMA incremental_vacuum({PAGES_AT_A_TIME})"))
                .await?;
            let left = self.free_pages().await?;
            if left >= free {
                break;
            }
            free = left;
        }
        // Passive: the other modes block writers until the readers are done. The log is truncated
        // at the next write.
        self.db
            .execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)")
            .await?;
        Ok(())
    }

    async fn free_pages(&self) -> Result<i64> {
        Ok(super::pragma(&self.db, "freelist_count").await?)
    }
}

async fn remove_unused_images(tx: &impl ConnectionTrait, until: i64) -> Result<u64> {
    let unused = image::Entity::find()
        .select_only()
        .column(image::Column::Hash)
        .filter(unused_images(until));
    let hashes: Vec<BlobHash> = unused.into_tuple().all(tx).await?;
    remove(tx, &hashes, until).await
}

/// Removes those of the images that no message has any more, unless they were uploaded again in the
/// last minute.
pub(super) async fn remove_images(tx: &impl ConnectionTrait, hashes: &[BlobHash]) -> Result<()> {
    remove(tx, hashes, before(UPLOADED_AGAIN)).await?;
    Ok(())
}

/// Removes those of the images that no message has and that were uploaded before `until`, with
/// their contents where nothing else has these. Returns how many images.
async fn remove(tx: &impl ConnectionTrait, hashes: &[BlobHash], until: i64) -> Result<u64> {
    let mut removed = 0;
    for some in hashes.chunks(HASHES_PER_STATEMENT) {
        let images = image::Entity::delete_many()
            .filter(image::Column::Hash.is_in(some.iter().cloned()))
            .filter(unused_images(until));
        removed += images.exec(tx).await?.rows_affected;
        remove_blobs(tx, some).await?;
    }
    Ok(removed)
}

/// Removes those of the blobs that are not used, and leaves their objects to the sweep. Returns how
/// many.
async fn remove_blobs(tx: &impl ConnectionTrait, hashes: &[BlobHash]) -> Result<u64> {
    let of = |hashes: &[BlobHash]| blob::Column::Hash.is_in(hashes.iter().cloned());
    let objects = unused_blobs()
        .select_only()
        .column(blob::Column::Hash)
        .filter(of(hashes))
        .filter(blob::Column::InBucket.eq(true));
    let objects: Vec<BlobHash> = objects.into_tuple().all(tx).await?;
    loose_object::loosen(tx, &objects).await?;
    let is_known = blob::Column::InBucket.eq(false).or(of(&objects));
    let removed = blob::Entity::delete_many()
        .filter(of(hashes))
        .filter(is_unused())
        // Others would leave objects that nothing knows of.
        .filter(is_known);
    Ok(removed.exec(tx).await?.rows_affected)
}

fn unused_images(until: i64) -> Condition {
    Condition::all()
        .add(image::Column::UsedAt.lt(until))
        .add(image::Column::Hash.not_in_subquery(message::image_hashes()))
}

/// The time this long ago, in milliseconds since 1970.
pub(super) fn before(age: Duration) -> i64 {
    Timestamp::now().0 - i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

/// Holds for blobs that are in no version and are no image or picture.
fn is_unused() -> Condition {
    let everywhere = [
        uses(fragment::file::Column::Hash),
        uses(fragment::Column::Picture),
        uses(passed_journey::Column::Picture),
        uses(image::Column::Hash),
    ];
    let mut unused = Condition::all();
    for uses in everywhere {
        unused = unused.add(Expr::exists(uses).not());
    }
    unused
}

/// The rows that name a blob in this column, for a query of blobs.
fn uses(column: impl ColumnTrait) -> SelectStatement {
    Query::select()
        .expr(Expr::value(1))
        .from(column.entity_name())
        .and_where(Expr::col(column.as_column_ref()).equals((blob::Entity, blob::Column::Hash)))
        .to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        protocol::{AppEntry, NewPrompt, UserId},
        store::testing::with_project,
    };

    #[tokio::test]
    async fn a_database_made_without_auto_vacuum_gives_space_back_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let size = || std::fs::metadata(&path).unwrap().len();
        // A file from before databases could shrink.
        let old = sea_orm::Database::connect(format!("sqlite:{}?mode=rwc", path.display()))
            .await
            .unwrap();
        old.execute_unprepared("CREATE TABLE old (text TEXT)")
            .await
            .unwrap();
        assert_eq!(super::super::pragma(&old, "auto_vacuum").await.unwrap(), 0);
        old.close().await.unwrap();

        let store = Store::open_file(&path).await.unwrap();
        let (project, ..) = store
            .create_project(
                &UserId::local(),
                &NewPrompt::new("Build").unwrap(),
                None,
                "Build",
            )
            .await
            .unwrap();
        let entries = (0..600_u32).map(|number| {
            let content = number.to_be_bytes().repeat(4096);
            AppEntry::file(number.to_string(), content)
        });
        let hashed = blob::Hashed::new(entries.collect()).await.unwrap();
        store.put_blobs(&hashed).await.unwrap();
        store
            .db
            .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
            .await
            .unwrap();
        let full = size();
        assert!(full > 9 << 20, "{full}");
        let mut removed = 0;
        loop {
            let some = store.remove_unused_blobs(200).await.unwrap();
            assert!(some <= 200);
            removed += some;
            if some == 0 {
                break;
            }
        }
        assert_eq!(removed, 600);
        store.give_back_space().await.unwrap();
        store.note_use(project.id).await.unwrap();
        assert!(size() < full / 10, "{} of {full}", size());
        assert!(store.find_project(project.id).await.is_ok());
        store.close().await;
    }

    #[tokio::test]
    async fn the_steps_of_a_failed_run_are_kept_until_a_later_version_has_its_work() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, failed) = with_project(&folder).await;
        let prompt = NewPrompt::new("Build").unwrap();
        store.begin_step(failed.id, "turn-1", "").await.unwrap();
        let (output, spent) = ("\"what it wrote\"", crate::protocol::Spent::default());
        store
            .finish_step(failed.id, "turn-1", output, spent, None)
            .await
            .unwrap();
        let error = super::super::Reply::Error {
            content: "It failed.".to_owned(),
        };
        store.finish_run(failed.id, &error).await.unwrap();
        let (later, _) = store
            .add_prompt(&UserId::local(), project.id, &prompt, None)
            .await
            .unwrap();
        let trim = async || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let trimmed = store.trim_runs(Duration::ZERO, 10, |_, _| "null".to_owned());
            trimmed.await.unwrap()
        };
        assert_eq!(trim().await, 0);
        let kept = store.list_steps(failed.id).await.unwrap();
        assert_eq!(kept[0].output.as_deref(), Some(output));

        let result = super::super::Reply::Result {
            content: "Done.".to_owned(),
            fragment: super::super::NewFragment {
                project_title: "App".to_owned(),
                title: "App".to_owned(),
                entries: [AppEntry::file("a", b"a".to_vec())].into(),
                partial: false,
                picture: None,
            },
            journeys: Vec::new(),
        };
        store.finish_run(later.id, &result).await.unwrap();
        assert_eq!(trim().await, 1, "the newest run stays whole");
        let trimmed = store.list_steps(failed.id).await.unwrap();
        assert_eq!(trimmed[0].output.as_deref(), Some("null"));
        store.close().await;
    }

    #[tokio::test]
    async fn an_installation_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let store = Store::open_file(&path).await.unwrap();
        let name = store.installation().await.unwrap();
        assert_eq!(store.installation().await.unwrap(), name);
        store.close().await;
        let store = Store::open_file(&path).await.unwrap();
        assert_eq!(store.installation().await.unwrap(), name);
        store.close().await;
    }
}
