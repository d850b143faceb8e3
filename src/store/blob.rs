//! Blobs: file contents by their SHA-256, each stored once, however many versions contain it. The
//! content itself is in the row, or in the bucket (`content`).

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*, sea_query::OnConflict};

pub use super::blob_hash::BlobHash;
use super::{Result, Store, StoreError, loose_object};
use crate::protocol::AppEntry;

/// How many hashes one query looks up.
const HASHES_PER_QUERY: usize = 200;
/// How much one statement writes, in rows and bytes; a single larger blob is written alone.
const ROWS_PER_WRITE: usize = 100;
const BYTES_PER_WRITE: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "blobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: BlobHash,
    pub size: i64,
    /// Empty where the content is in the bucket.
    pub content: Vec<u8>,
    pub in_bucket: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Entries of an app, each with its content's hash.
#[derive(Debug, Clone)]
pub(super) struct Hashed {
    entries: Arc<[AppEntry]>,
    hashes: Arc<[BlobHash]>,
}

impl Hashed {
    /// Hashes the entries on a blocking thread: hundreds of megabytes take seconds.
    pub(super) async fn new(entries: Arc<[AppEntry]>) -> Result<Self> {
        let hashing = tokio::task::spawn_blocking(move || {
            let hashes = entries
                .iter()
                .map(|entry| BlobHash::of(entry.content()))
                .collect();
            Self { entries, hashes }
        });
        hashing
            .await
            .map_err(|error| StoreError::Interrupted(error.to_string()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&AppEntry, &BlobHash)> {
        self.entries.iter().zip(self.hashes.iter())
    }

    /// The contents with their hashes, without copying them.
    fn contents(&self) -> Vec<(BlobHash, Bytes)> {
        let hashes = self.hashes.iter().enumerate();
        let contents = hashes.map(|(at, hash)| {
            let content = EntryContent(self.entries.clone(), at);
            (hash.clone(), Bytes::from_owner(content))
        });
        contents.collect()
    }

    /// The positions of the contents that the database lacks, each content once.
    async fn missing(&self, db: &impl ConnectionTrait) -> Result<Vec<usize>> {
        let mut known = known(db, &self.hashes).await?;
        let missing = (0..self.hashes.len()).filter(|at| known.insert(self.hashes[*at].clone()));
        Ok(missing.collect())
    }

    async fn put(&self, tx: &impl ConnectionTrait, positions: &[usize]) -> Result<()> {
        let contents = positions
            .iter()
            .map(|at| (self.hashes[*at].clone(), self.entries[*at].content()));
        insert(tx, contents.collect()).await
    }

    /// Splits the positions into batches of one statement each.
    fn writes(&self, positions: &[usize]) -> Vec<Vec<usize>> {
        let (mut writes, mut size) = (Vec::<Vec<usize>>::new(), 0);
        for &at in positions {
            let length = self.entries[at].content().len();
            match writes.last_mut() {
                Some(last) if last.len() < ROWS_PER_WRITE && size + length <= BYTES_PER_WRITE => {
                    last.push(at);
                    size += length;
                }
                _ => {
                    writes.push(vec![at]);
                    size = length;
                }
            }
        }
        writes
    }
}

/// The content of the entry at this position.
struct EntryContent(Arc<[AppEntry]>, usize);

impl AsRef<[u8]> for EntryContent {
    fn as_ref(&self) -> &[u8] {
        self.0[self.1].content()
    }
}

impl Store {
    /// Stores the missing contents ahead of the version that names them: as objects, or as rows in
    /// batches, so that other writes can come in between.
    pub(super) async fn put_blobs(&self, contents: &Hashed) -> Result<()> {
        if self.bucket.is_some() {
            return self.put_ahead(contents.contents()).await;
        }
        let missing = contents.missing(&self.db).await?;
        for some in contents.writes(&missing) {
            let contents = contents.clone();
            self.write(move |tx| Box::pin(async move { contents.put(tx, &some).await }))
                .await?;
        }
        Ok(())
    }
}

/// Stores the missing contents: after [`Store::put_blobs`] only the rows of objects, unless a sweep
/// ran in between.
pub(super) async fn put_missing(tx: &impl ConnectionTrait, contents: &Hashed) -> Result<()> {
    let missing = contents.missing(tx).await?;
    for some in contents.writes(&missing) {
        contents.put(tx, &some).await?;
    }
    Ok(())
}

/// Stores the content under its hash, unless it is there already.
pub(super) async fn put(tx: &impl ConnectionTrait, hash: BlobHash, content: &[u8]) -> Result<()> {
    insert(tx, vec![(hash, content)]).await
}

/// Those of the hashes that the database has.
pub(super) async fn known(
    db: &impl ConnectionTrait,
    hashes: &[BlobHash],
) -> Result<BTreeSet<BlobHash>> {
    let mut known = BTreeSet::new();
    for some in hashes.chunks(HASHES_PER_QUERY) {
        let found = Entity::find()
            .select_only()
            .column(Column::Hash)
            .filter(Column::Hash.is_in(some.iter().cloned()));
        known.extend(found.into_tuple::<BlobHash>().all(db).await?);
    }
    Ok(known)
}

/// Adds rows for the contents that have none: without the content where its object is in the
/// bucket.
async fn insert(tx: &impl ConnectionTrait, contents: Vec<(BlobHash, &[u8])>) -> Result<()> {
    let hashes: Vec<BlobHash> = contents.iter().map(|(hash, _)| hash.clone()).collect();
    let known = known(tx, &hashes).await?;
    let unknown = hashes.into_iter().filter(|hash| !known.contains(hash));
    let objects = loose_object::take(tx, unknown).await?;
    let rows = contents.into_iter().map(|(hash, content)| {
        let in_bucket = objects.contains(&hash);
        ActiveModel {
            hash: Set(hash),
            size: Set(i64::try_from(content.len()).unwrap_or(i64::MAX)),
            content: Set(if in_bucket {
                Vec::new()
            } else {
                content.to_vec()
            }),
            in_bucket: Set(in_bucket),
        }
    });
    Entity::insert_many(rows)
        .on_conflict(OnConflict::column(Column::Hash).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
