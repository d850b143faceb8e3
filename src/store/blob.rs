//! Blobs: file contents by their SHA-256, each stored once, however many versions contain it.

use std::{collections::BTreeSet, sync::Arc};

use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use sha2::{Digest, Sha256};

use super::{Result, Store, StoreError};
use crate::protocol::{AppEntry, ImageId};

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
    pub content: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The SHA-256 of a content, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash(String);

impl BlobHash {
    pub fn of(content: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(content)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for BlobHash {
    fn from(hash: String) -> Self {
        Self(hash)
    }
}

/// An image is named by the hash of its content.
impl From<&ImageId> for BlobHash {
    fn from(id: &ImageId) -> Self {
        Self(id.as_str().to_owned())
    }
}

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

    /// The positions of the contents that the database lacks, each content once.
    async fn missing(&self, db: &impl ConnectionTrait) -> Result<Vec<usize>> {
        let mut known = BTreeSet::new();
        for some in self.hashes.chunks(HASHES_PER_QUERY) {
            let found = Entity::find()
                .select_only()
                .column(Column::Hash)
                .filter(Column::Hash.is_in(some.iter().cloned()));
            known.extend(found.into_tuple::<BlobHash>().all(db).await?);
        }
        let missing = (0..self.hashes.len()).filter(|at| known.insert(self.hashes[*at].clone()));
        Ok(missing.collect())
    }

    async fn put(&self, tx: &impl ConnectionTrait, positions: &[usize]) -> Result<()> {
        let rows = positions
            .iter()
            .map(|at| row(self.hashes[*at].clone(), self.entries[*at].content()));
        insert(tx, rows.collect()).await
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

impl Store {
    /// Stores the missing contents in batches, so that other writes can come in between.
    pub(super) async fn put_blobs(&self, contents: &Hashed) -> Result<()> {
        let missing = contents.missing(&self.db).await?;
        for some in contents.writes(&missing) {
            let contents = contents.clone();
            self.write(move |tx| Box::pin(async move { contents.put(tx, &some).await }))
                .await?;
        }
        Ok(())
    }
}

/// Stores the missing contents: none after [`Store::put_blobs`], unless a sweep ran in between.
pub(super) async fn put_missing(tx: &impl ConnectionTrait, contents: &Hashed) -> Result<()> {
    let missing = contents.missing(tx).await?;
    for some in contents.writes(&missing) {
        contents.put(tx, &some).await?;
    }
    Ok(())
}

/// Stores the content under its hash, unless it is there already.
pub(super) async fn put(tx: &impl ConnectionTrait, hash: BlobHash, content: &[u8]) -> Result<()> {
    insert(tx, vec![row(hash, content)]).await
}

fn row(hash: BlobHash, content: &[u8]) -> ActiveModel {
    ActiveModel {
        hash: Set(hash),
        size: Set(i64::try_from(content.len()).unwrap_or(i64::MAX)),
        content: Set(content.to_vec()),
    }
}

async fn insert(tx: &impl ConnectionTrait, rows: Vec<ActiveModel>) -> Result<()> {
    Entity::insert_many(rows)
        .on_conflict(OnConflict::column(Column::Hash).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
