//! A dump of the database as lines of JSON: a header, then each table with its columns and rows,
//! then the number of rows. It is read in one transaction, so it shows the database at one moment,
//! whatever is written meanwhile. It is the same for SQLite and PostgreSQL, so one can be moved to
//! the other. Blobs are stored beside it, by their hashes.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use futures::TryStreamExt as _;
use sea_orm::{
    AccessMode, DbBackend, IsolationLevel, QuerySelect as _, Statement, StreamTrait as _,
    TransactionTrait as _, entity::prelude::*,
};
use serde::{Deserialize, Serialize};

use super::{
    Result, Store, StoreError,
    blob::{self, BlobHash},
    tables::{self, Kind},
};

/// Where a content is: no part of a dump, which has all contents beside it.
pub(super) const IN_BUCKET: &str = "in_bucket";
/// How many contents are in memory at a time.
const BLOBS_AT_A_TIME: usize = 16;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// The lines that are not rows. A row is an array of texts, with `null` for missing values; bytes
/// are in hex, and flags are 0 or 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Line {
    Head(Head),
    Table {
        name: String,
        columns: Vec<(String, Kind)>,
    },
    End {
        rows: u64,
    },
}

/// The header: what wrote the dump.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    /// The version of the program.
    pub codeflow: String,
    /// The applied migrations, in order.
    pub migrations: Vec<String>,
}

/// The place for a dump's blobs.
pub trait BlobShelf: Send {
    fn has(&self, hash: &str) -> bool;
    fn put(&mut self, hash: &str, content: &[u8]) -> io::Result<()>;
    /// The content; an error if it is missing or doesn't match its hash.
    fn get(&self, hash: &str) -> io::Result<Vec<u8>>;
}

/// The contents of a dump.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Dumped {
    pub rows: u64,
    /// The hashes of all blobs.
    pub blobs: Vec<String>,
    /// How many of them the shelf did not have before.
    pub new_blobs: u64,
}

impl Store {
    /// Dumps the whole database to `out`, and the blobs that the shelf lacks to the shelf.
    pub async fn dump(
        &self,
        out: &mut (impl Write + Send),
        shelf: &mut impl BlobShelf,
    ) -> Result<Dumped> {
        let backend = self.db.get_database_backend();
        let reading = match backend {
            DbBackend::Postgres => (
                Some(IsolationLevel::RepeatableRead),
                Some(AccessMode::ReadOnly),
            ),
            // A reader of SQLite's log keeps seeing the state of its first read.
            _ => (None, None),
        };
        let tx = self.db.begin_with_config(reading.0, reading.1).await?;
        let head = Head {
            format: FORMAT,
            codeflow: env!("CARGO_PKG_VERSION").to_owned(),
            migrations: tables::applied(&tx).await?,
        };
        write(out, &Line::Head(head))?;
        let (mut dumped, mut has_bucket) = (Dumped::default(), false);
        for name in self.own_tables(&tx).await? {
            let mut columns = tables::kinds(&tx, &name).await?;
            if name == "blobs" {
                has_bucket = columns.iter().any(|(column, _)| column == IN_BUCKET);
                columns.retain(|(column, _)| column != "content" && column != IN_BUCKET);
            }
            let values: Vec<String> = columns
                .iter()
                .map(|(column, kind)| text_of(backend, column, *kind))
                .collect();
            let select = format!("SELECT {} FROM {name}", values.join(", "));
            let hash = columns.iter().position(|(column, _)| column == "hash");
            let hash = hash.filter(|_| name == "blobs");
            let width = columns.len();
            write(out, &Line::Table { name, columns })?;
            let select = Statement::from_string(backend, select);
            let mut rows = tx.stream_raw(select).await?;
            while let Some(row) = rows.try_next().await? {
                let row = (0..width).map(|index| row.try_get_by_index::<Option<String>>(index));
                let row = row.collect::<Result<Vec<_>, _>>()?;
                if let Some(hash) = hash.and_then(|at| row[at].clone()) {
                    dumped.blobs.push(hash);
                }
                write(out, &row)?;
                dumped.rows += 1;
            }
        }
        let missing = dumped.blobs.iter().filter(|hash| !shelf.has(hash));
        let missing: Vec<BlobHash> = missing.cloned().map(BlobHash::from).collect();
        for some in missing.chunks(BLOBS_AT_A_TIME) {
            for (hash, content) in self.contents_of(&tx, some, has_bucket).await? {
                shelf.put(hash.as_str(), &content).map_err(unwritable)?;
                dumped.new_blobs += 1;
            }
        }
        write(out, &Line::End { rows: dumped.rows })?;
        tx.rollback().await?;
        Ok(dumped)
    }

    /// The contents of the dump's blobs. `has_bucket`: whether its database knows of buckets.
    async fn contents_of(
        &self,
        tx: &impl ConnectionTrait,
        hashes: &[BlobHash],
        has_bucket: bool,
    ) -> Result<HashMap<BlobHash, Vec<u8>>> {
        let mut objects = Vec::new();
        if has_bucket {
            let there = blob::Entity::find()
                .select_only()
                .column(blob::Column::Hash)
                .filter(blob::Column::Hash.is_in(hashes.iter().cloned()))
                .filter(blob::Column::InBucket.eq(true));
            objects = there.into_tuple().all(tx).await?;
        }
        let blobs = blob::Entity::find()
            .select_only()
            .columns([blob::Column::Hash, blob::Column::Content])
            .filter(blob::Column::Hash.is_in(hashes.iter().cloned()))
            .filter(blob::Column::Hash.is_not_in(objects.iter().cloned()));
        let blobs: Vec<(BlobHash, Vec<u8>)> = blobs.into_tuple().all(tx).await?;
        let mut contents: HashMap<_, _> = blobs.into_iter().collect();
        if !objects.is_empty() {
            contents.extend(self.expect_bucket()?.get_all(objects).await?);
        }
        match hashes.iter().find(|hash| !contents.contains_key(hash)) {
            Some(lost) => Err(StoreError::LostObject(lost.as_str().to_owned())),
            None => Ok(contents),
        }
    }
}

/// The SQL for the column's value as a text, equal in both databases.
fn text_of(backend: DbBackend, column: &str, kind: Kind) -> String {
    match (kind, backend) {
        (Kind::Flag, DbBackend::Postgres) => {
            format!("CAST(CAST(\"{column}\" AS INTEGER) AS TEXT)")
        }
        (Kind::Bytes, DbBackend::Postgres) => format!("encode(\"{column}\", 'hex')"),
        (Kind::Bytes, _) => {
            format!("CASE WHEN \"{column}\" IS NOT NULL THEN LOWER(HEX(\"{column}\")) END")
        }
        _ => format!("CAST(\"{column}\" AS TEXT)"),
    }
}

fn write(out: &mut impl Write, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, line).map_err(|error| unwritable(error.into()))?;
    out.write_all(b"\n").map_err(unwritable)
}

pub(super) fn unwritable(error: io::Error) -> StoreError {
    StoreError::Interrupted(format!("the copy can't be written ({error})"))
}
