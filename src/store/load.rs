//! Loads a dump (`dump`) into an empty database: first the tables as the dump's version had them,
//! then the rows in one transaction, then the newer migrations.

use std::{collections::HashMap, io::BufRead};

use bytes::Bytes;
use codeflow_migration::{Migrator, MigratorTrait};
use sea_orm::{
    DatabaseTransaction, DbBackend, Statement, Value,
    entity::prelude::*,
    sea_query::{Alias, Expr, Query, SimpleExpr},
};

use super::{
    Result, Store, StoreError,
    blob::BlobHash,
    bucket::Bucket,
    dump::{BlobShelf, FORMAT, Head, IN_BUCKET, Line},
    tables::{self, Kind},
    without_nul,
};

/// How much one statement writes, in values and bytes.
const VALUES_PER_WRITE: usize = 800;
const BYTES_PER_WRITE: usize = 4 << 20;

/// A table of the dump, with its rows that are not written yet.
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
    rows: Vec<Vec<SimpleExpr>>,
    bytes: usize,
    /// Whether the rows' contents go to the bucket, and those that are not written yet.
    to_bucket: bool,
    contents: Vec<(BlobHash, Bytes)>,
}

impl Store {
    /// Whether the database has none of our tables, or no rows in them.
    pub async fn is_empty(&self) -> Result<bool> {
        for table in self.own_tables(&self.db).await? {
            let row = format!("SELECT 1 FROM {table} LIMIT 1");
            let row = Statement::from_string(self.db.get_database_backend(), row);
            if self.db.query_one_raw(row).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Loads the dump into the empty database, before any migration ran, and its contents into the
    /// bucket, if there is one, which must be empty too. Returns the number of rows. All rows are
    /// written, or none.
    pub async fn load(
        &self,
        copy: &mut (impl BufRead + Send),
        shelf: &impl BlobShelf,
    ) -> Result<u64> {
        let head = match next(copy)?.map(|line| serde_json::from_str(&line)) {
            Some(Ok(Line::Head(head))) => head,
            _ => return Err(damaged("its copy of the database does not begin as one")),
        };
        let steps = check(&head)?;
        let applied = tables::applied(&self.db).await?;
        if applied.iter().any(|name| !head.migrations.contains(name)) {
            return Err(StoreError::Conflict(
                "the database has tables of a newer version than the backup; restore into a \
                 database without tables",
            ));
        }
        if let Some(bucket) = &self.bucket
            && bucket.mark().await?.is_some()
        {
            return Err(StoreError::Bucket(format!(
                "{}: the bucket is that of an installation; a backup is restored into an empty one",
                bucket.label()
            )));
        }
        let missing = steps.saturating_sub(applied.len());
        Migrator::up(&self.db, Some(u32::try_from(missing).unwrap_or(u32::MAX))).await?;
        let tx = sea_orm::TransactionTrait::begin(&self.db).await?;
        let constraints = suspend_constraints(&tx).await?;
        let rows = self.fill(&tx, copy, shelf).await?;
        for (table, name, definition) in constraints {
            let restore = format!("ALTER TABLE \"{table}\" ADD CONSTRAINT \"{name}\" {definition}");
            tx.execute_unprepared(&restore).await?;
        }
        tx.commit().await?;
        Migrator::up(&self.db, None).await?;
        if let Some(bucket) = &self.bucket {
            bucket.set_mark(&self.installation().await?).await?;
        }
        Ok(rows)
    }

    async fn fill(
        &self,
        tx: &DatabaseTransaction,
        copy: &mut impl BufRead,
        shelf: &impl BlobShelf,
    ) -> Result<u64> {
        let (mut table, mut written) = (None::<Table>, 0);
        while let Some(line) = next(copy)? {
            if line.starts_with('[') {
                let table = table
                    .as_mut()
                    .ok_or_else(|| damaged("a row has no table"))?;
                table.add(&line, shelf)?;
                written += 1;
                if table.is_full() {
                    table.flush(tx, self.bucket.as_ref()).await?;
                }
                continue;
            }
            if let Some(mut full) = table.take() {
                full.flush(tx, self.bucket.as_ref()).await?;
            }
            match serde_json::from_str(&line) {
                Ok(Line::Table { name, columns }) => {
                    let there: HashMap<_, _> =
                        tables::kinds(tx, &name).await?.into_iter().collect();
                    if columns
                        .iter()
                        .any(|(column, _)| !there.contains_key(column))
                    {
                        return Err(damaged("a table has other columns than its version's"));
                    }
                    table = Some(Table {
                        // An older version's table has no place for where a content is.
                        to_bucket: self.bucket.is_some() && there.contains_key(IN_BUCKET),
                        name,
                        columns,
                        rows: Vec::new(),
                        bytes: 0,
                        contents: Vec::new(),
                    });
                }
                Ok(Line::End { rows }) if rows == written => return Ok(written),
                _ => return Err(damaged("a line can't be read")),
            }
        }
        Err(damaged("the end of its copy of the database is missing"))
    }
}

/// The number of the dump's migrations. Rejects a dump that this program can't read.
fn check(head: &Head) -> Result<usize> {
    let known = tables::known_migrations();
    let newer = head.migrations.iter().find(|name| !known.contains(name));
    if let Some(newer) = newer {
        return Err(StoreError::NewerCopy {
            codeflow: head.codeflow.clone(),
            migration: newer.clone(),
        });
    }
    if head.format != FORMAT {
        return Err(damaged("it has a form that is unknown here"));
    }
    if !known.starts_with(&head.migrations) {
        return Err(damaged("its migrations are not in their order"));
    }
    Ok(head.migrations.len())
}

/// Defers foreign-key checks, so that rows may come in any order. Returns the constraints to
/// recreate: PostgreSQL defers only deferrable ones.
async fn suspend_constraints(tx: &DatabaseTransaction) -> Result<Vec<(String, String, String)>> {
    if tx.get_database_backend() != DbBackend::Postgres {
        tx.execute_unprepared("PRAGMA defer_foreign_keys = ON")
            .await?;
        return Ok(Vec::new());
    }
    let found = "SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid)::text \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
         WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace";
    let found = Statement::from_string(DbBackend::Postgres, found);
    let mut constraints = Vec::new();
    for row in tx.query_all_raw(found).await? {
        let (table, name): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let drop = format!("ALTER TABLE \"{table}\" DROP CONSTRAINT \"{name}\"");
        tx.execute_unprepared(&drop).await?;
        constraints.push((table, name, row.try_get_by_index(2)?));
    }
    Ok(constraints)
}

impl Table {
    /// Adds a row of the dump; a blob's row with its content.
    fn add(&mut self, line: &str, shelf: &impl BlobShelf) -> Result<()> {
        let row: Vec<Option<String>> =
            serde_json::from_str(line).map_err(|_| damaged("a row can't be read"))?;
        if row.len() != self.columns.len() {
            return Err(damaged("a row has other columns than its table"));
        }
        let mut values = Vec::new();
        for ((column, kind), text) in self.columns.iter().zip(row) {
            self.bytes += text.as_ref().map_or(0, String::len);
            if self.name == "blobs"
                && column == "hash"
                && let Some(hash) = &text
            {
                let content = shelf.get(hash).map_err(|error| {
                    damaged(&format!("the blob {hash} can't be read ({error})"))
                })?;
                self.bytes += content.len();
                let is_object = self.to_bucket && !content.is_empty();
                if self.to_bucket {
                    values.push(Expr::value(is_object));
                }
                if is_object {
                    let hash = BlobHash::from(hash.clone());
                    self.contents.push((hash, content.into()));
                    values.push(Expr::value(Vec::<u8>::new()));
                } else {
                    values.push(Expr::value(Value::from(content)));
                }
            }
            values.push(Expr::value(value(*kind, text)?));
        }
        self.rows.push(values);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes >= BYTES_PER_WRITE
            || (self.rows.len() + 1) * (self.columns.len() + 2) > VALUES_PER_WRITE
    }

    async fn flush(&mut self, tx: &DatabaseTransaction, bucket: Option<&Bucket>) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        if let Some(bucket) = bucket {
            bucket.put_all(std::mem::take(&mut self.contents)).await?;
        }
        let names = self.columns.iter().flat_map(|(column, _)| {
            let is_hash = self.name == "blobs" && column == "hash";
            let place = (is_hash && self.to_bucket).then_some(IN_BUCKET);
            let content = is_hash.then_some("content");
            place.into_iter().chain(content).chain([column.as_str()])
        });
        let mut insert = Query::insert();
        insert
            .into_table(Alias::new(&self.name))
            .columns(names.map(Alias::new).collect::<Vec<_>>());
        for row in std::mem::take(&mut self.rows) {
            insert
                .values(row)
                .map_err(|_| damaged("a row has other columns than its table"))?;
        }
        self.bytes = 0;
        tx.execute(&insert).await?;
        Ok(())
    }
}

/// The value of a text in the dump.
fn value(kind: Kind, text: Option<String>) -> Result<Value> {
    let no_number = |_| damaged("a number can't be read");
    Ok(match (kind, text) {
        (Kind::Number, text) => {
            let number = text.map(|text| text.parse::<i64>().map_err(no_number));
            Value::from(number.transpose()?)
        }
        (Kind::Flag, text) => Value::from(text.map(|text| text != "0")),
        (Kind::Bytes, text) => {
            let bytes = text.map(|text| {
                let bytes = hex::decode(text);
                bytes.map_err(|_| damaged("bytes can't be read"))
            });
            Value::from(bytes.transpose()?)
        }
        (Kind::Text, text) => Value::from(text.map(|text| without_nul(&text))),
    })
}

/// The next line, without its line break.
fn next(copy: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    let read = copy
        .read_line(&mut line)
        .map_err(|error| damaged(&error.to_string()))?;
    Ok((read > 0).then(|| line.trim_end_matches('\n').to_owned()))
}

fn damaged(what: &str) -> StoreError {
    StoreError::DamagedCopy(what.to_owned())
}
