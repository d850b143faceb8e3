//! Loose objects: those in the bucket that no blob names. An object is loose while it is written,
//! until a blob names it in the transaction that needs it, and again when its blob is removed. A
//! loose object that nobody touches for a day is deleted, and not written again for another day: a
//! request to delete it may arrive late. So a blob never names an object that is not there, and
//! every object is either named by a blob or has its row here.

use sea_orm::{
    ActiveValue::Set, ExprTrait as _, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};

use super::{Result, Store, blob_hash::BlobHash, bucket::Bucket};
use crate::protocol::Timestamp;

/// How long an object stays after nothing names it any more, in milliseconds: longer than any save
/// takes, and than a backup that still has its row.
const KEPT: i64 = 24 * 3600 * 1000;
/// Holds for an object that a blob names.
const NAMED: &str = "EXISTS (SELECT 1 FROM blobs \
    WHERE blobs.hash = loose_objects.hash AND blobs.in_bucket)";
/// How many hashes one statement names.
const HASHES_PER_STATEMENT: usize = 200;

/// The states of an object.
mod state {
    pub(super) const BEING_WRITTEN: i32 = 0;
    pub(super) const WRITTEN: i32 = 1;
    pub(super) const BEING_DELETED: i32 = 2;
    pub(super) const DELETED: i32 = 3;
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "loose_objects")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: BlobHash,
    pub state: i32,
    /// When it was last written or given up, in milliseconds since 1970.
    pub since: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// Announces that these objects are about to be written, which keeps them from being deleted.
    /// Returns those that are not there yet and may be written; one that was just deleted is left
    /// out.
    pub(super) async fn announce_objects(&self, hashes: Vec<BlobHash>) -> Result<Vec<BlobHash>> {
        self.write(move |tx| {
            Box::pin(async move {
                let mut missing = Vec::new();
                for some in hashes.chunks(HASHES_PER_STATEMENT) {
                    insert(tx, some, state::BEING_WRITTEN).await?;
                    let unwritten = of(some).filter(Column::State.eq(state::BEING_WRITTEN));
                    let unwritten = unwritten.select_only().column(Column::Hash);
                    missing.extend(unwritten.into_tuple::<BlobHash>().all(tx).await?);
                }
                Ok(missing)
            })
        })
        .await
    }

    /// Records that these objects are in the bucket.
    pub(super) async fn objects_written(&self, hashes: Vec<BlobHash>) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                for some in hashes.chunks(HASHES_PER_STATEMENT) {
                    Entity::update_many()
                        .col_expr(Column::State, Expr::value(state::WRITTEN))
                        .filter(Column::Hash.is_in(some.iter().cloned()))
                        .filter(Column::State.eq(state::BEING_WRITTEN))
                        .exec(tx)
                        .await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Deletes at most `limit` objects that have been loose for a day. Returns how many; 0 without
    /// a bucket.
    pub async fn remove_loose_objects(&self, limit: u64) -> Result<u64> {
        let Some(bucket) = &self.bucket else {
            return Ok(0);
        };
        let hashes = self.condemn_objects(limit).await?;
        self.delete_objects(bucket, hashes).await
    }

    async fn condemn_objects(&self, limit: u64) -> Result<Vec<BlobHash>> {
        let until = Timestamp::now().0 - KEPT;
        let old = Entity::find()
            .select_only()
            .column(Column::Hash)
            .filter(Column::Since.lt(until))
            .limit(limit);
        let old: Vec<BlobHash> = old.into_tuple().all(&self.db).await?;
        if old.is_empty() {
            return Ok(old);
        }
        self.write(move |tx| {
            Box::pin(async move {
                let old_ones = Column::Since.lt(until).and(Column::Hash.is_in(old));
                // Two saves of the same content may leave the row of an object that has its blob.
                let is_named = Column::State
                    .lt(state::BEING_DELETED)
                    .and(Expr::cust(NAMED));
                Entity::delete_many()
                    .filter(old_ones.clone())
                    .filter(Column::State.eq(state::DELETED).or(is_named))
                    .exec(tx)
                    .await?;
                Entity::update_many()
                    .col_expr(Column::State, Expr::value(state::BEING_DELETED))
                    .filter(old_ones.clone())
                    .filter(Expr::cust(NAMED).not())
                    .exec(tx)
                    .await?;
                let condemned = Entity::find()
                    .select_only()
                    .column(Column::Hash)
                    .filter(old_ones)
                    .filter(Column::State.eq(state::BEING_DELETED));
                Ok(condemned.into_tuple().all(tx).await?)
            })
        })
        .await
    }

    async fn delete_objects(&self, bucket: &Bucket, hashes: Vec<BlobHash>) -> Result<u64> {
        if hashes.is_empty() {
            return Ok(0);
        }
        bucket.delete(&hashes).await?;
        let deleted = Entity::update_many()
            .col_expr(Column::State, Expr::value(state::DELETED))
            .col_expr(Column::Since, Expr::value(Timestamp::now().0))
            .filter(Column::Hash.is_in(hashes))
            .filter(Column::State.eq(state::BEING_DELETED));
        self.update(deleted).await
    }

    /// Forgets the loose objects of a bucket that is no longer used.
    pub(super) async fn forget_loose_objects(&self) -> Result<()> {
        self.write(|tx| {
            Box::pin(async move {
                Entity::delete_many().exec(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// The hashes of all loose objects, and of those that were just deleted.
    pub(super) async fn loose_objects(&self) -> Result<Vec<BlobHash>> {
        let all = Entity::find().select_only().column(Column::Hash);
        Ok(all.into_tuple().all(&self.db).await?)
    }

    /// Makes objects that neither a blob nor a row here names loose, so that they are deleted.
    pub(super) async fn loosen_objects(&self, hashes: Vec<BlobHash>) -> Result<()> {
        self.write(move |tx| Box::pin(async move { loosen(tx, &hashes).await }))
            .await
    }
}

/// Makes the objects loose, in the transaction that removes their blobs.
pub(super) async fn loosen(tx: &impl ConnectionTrait, hashes: &[BlobHash]) -> Result<()> {
    for some in hashes.chunks(HASHES_PER_STATEMENT) {
        insert(tx, some, state::WRITTEN).await?;
    }
    Ok(())
}

/// Takes those of the objects that are in the bucket, in the transaction that adds their blobs.
/// Returns them.
pub(super) async fn take(
    tx: &impl ConnectionTrait,
    hashes: impl Iterator<Item = BlobHash>,
) -> Result<Vec<BlobHash>> {
    let there = Entity::find()
        .select_only()
        .column(Column::Hash)
        .filter(Column::Hash.is_in(hashes))
        .filter(Column::State.eq(state::WRITTEN))
        .lock_exclusive();
    let taken: Vec<BlobHash> = there.into_tuple().all(tx).await?;
    if !taken.is_empty() {
        Entity::delete_many()
            .filter(Column::Hash.is_in(taken.iter().cloned()))
            .exec(tx)
            .await?;
    }
    Ok(taken)
}

/// Adds rows in the state. Those that are there keep theirs, and count as touched unless they are
/// deleted.
async fn insert(tx: &impl ConnectionTrait, hashes: &[BlobHash], state: i32) -> Result<()> {
    let now = Timestamp::now().0;
    let rows = hashes.iter().map(|hash| ActiveModel {
        hash: Set(hash.clone()),
        state: Set(state),
        since: Set(now),
    });
    let mut known = OnConflict::column(Column::Hash);
    known
        .update_column(Column::Since)
        .action_and_where(Expr::col((Entity, Column::State)).lt(state::BEING_DELETED));
    Entity::insert_many(rows)
        .on_conflict(known)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

fn of(hashes: &[BlobHash]) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::Hash.is_in(hashes.iter().cloned()))
}
