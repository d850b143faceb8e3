//! The copy of a database, as lines of JSON: what it was made by, then each table with its columns
//! and rows, then how many rows there were. It is read in one transaction, so it is the database of
//! one moment, whatever is written meanwhile; and it is the same from SQLite and PostgreSQL, so one
//! can be moved to the other. The contents of blobs are kept beside it, by their hashes.

use std::io::{self, Write};

use futures::TryStreamExt as _;
use sea_orm::{
    AccessMode, DbBackend, IsolationLevel, Statement, StreamTrait as _, TransactionTrait as _,
    entity::prelude::*,
};
use serde::{Deserialize, Serialize};

use super::{
    Result, Store, StoreError, blob,
    tables::{self, Kind},
};

/// The form of the lines; another number is another form.
pub const FORMAT: u32 = 1;

/// The lines that are not rows. A row is an array of texts, with `null` for what is missing; bytes
/// are in hex, and flags 0 or 1.
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

/// What a copy was made by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    /// The version of the program.
    pub codeflow: String,
    /// Those that had been applied, in their order.
    pub migrations: Vec<String>,
}

/// Where a copy's contents of blobs are kept.
pub trait BlobShelf: Send {
    fn has(&self, hash: &str) -> bool;
    fn put(&mut self, hash: &str, content: &[u8]) -> io::Result<()>;
    /// The content, or an error where it is missing or is not what its hash says.
    fn get(&self, hash: &str) -> io::Result<Vec<u8>>;
}

/// What a copy has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Dumped {
    pub rows: u64,
    /// The hashes of all blobs.
    pub blobs: Vec<String>,
    /// How many of them the shelf did not have before.
    pub new_blobs: u64,
}

impl Store {
    /// Writes a copy of the whole database to `out`, and the blobs that the shelf lacks to it.
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
            // A reader of SQLite's log sees the moment of its first read until it ends.
            _ => (None, None),
        };
        let tx = self.db.begin_with_config(reading.0, reading.1).await?;
        let head = Head {
            format: FORMAT,
            codeflow: env!("CARGO_PKG_VERSION").to_owned(),
            migrations: tables::applied(&tx).await?,
        };
        write(out, &Line::Head(head))?;
        let mut dumped = Dumped::default();
        for name in self.own_tables(&tx).await? {
            let mut columns = tables::kinds(&tx, &name).await?;
            if name == "blobs" {
                columns.retain(|(column, _)| column != "content");
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
        for hash in &dumped.blobs {
            if shelf.has(hash) {
                continue;
            }
            let blob = blob::Entity::find_by_id(hash.clone()).one(&tx).await?;
            let blob = blob.ok_or(StoreError::NotFound("blob"))?;
            shelf.put(hash, &blob.content).map_err(unwritable)?;
            dumped.new_blobs += 1;
        }
        write(out, &Line::End { rows: dumped.rows })?;
        tx.rollback().await?;
        Ok(dumped)
    }
}

/// The column's value as a text, in both databases the same.
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
