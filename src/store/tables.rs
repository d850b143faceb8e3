//! The database as a whole: its tables and applied migrations. A database of a newer version of
//! this program is rejected, because this version does not know what the newer one writes.

use codeflow_migration::{Migrator, MigratorTrait};
use sea_orm::{DbBackend, Statement, Value, entity::prelude::*};

use super::{Result, Store, StoreError};

/// The table of applied migrations.
pub(super) const MIGRATIONS: &str = "seaql_migrations";

/// The table of objects in the bucket that no blob names: about the bucket, and no data of ours.
const LOOSE_OBJECTS: &str = "loose_objects";

/// The kind of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Number,
    Flag,
    Bytes,
    Text,
}

impl Kind {
    /// The kind for a column of this database type.
    fn of(database_type: &str) -> Self {
        let kind = database_type.to_lowercase();
        if kind.contains("bool") {
            Self::Flag
        } else if kind.contains("int") {
            Self::Number
        } else if kind.contains("blob") || kind == "bytea" {
            Self::Bytes
        } else {
            Self::Text
        }
    }
}

/// The names of the migrations that this program knows, in their order.
pub fn known_migrations() -> Vec<String> {
    let files = Migrator::get_migration_files();
    files.iter().map(|file| file.name().to_owned()).collect()
}

/// Fails with `Newer` if a migration was applied that this program doesn't know.
pub(super) async fn expect_known(db: &impl ConnectionTrait) -> Result<()> {
    let known = known_migrations();
    let applied = applied(db).await?;
    match applied.into_iter().find(|name| !known.contains(name)) {
        Some(newer) => Err(StoreError::Newer(newer)),
        None => Ok(()),
    }
}

/// The migrations that were applied, in their order.
pub(super) async fn applied(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    if !names(db).await?.iter().any(|table| table == MIGRATIONS) {
        return Ok(Vec::new());
    }
    let statement = format!("SELECT version FROM {MIGRATIONS} ORDER BY version");
    let statement = Statement::from_string(db.get_database_backend(), statement);
    let rows = db.query_all_raw(statement).await?;
    let versions = rows.iter().map(|row| Ok(row.try_get_by_index(0)?));
    versions.collect()
}

/// All tables of the database, in the order of their names.
pub(super) async fn names(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    let backend = db.get_database_backend();
    let statement = match backend {
        DbBackend::Postgres => {
            "SELECT table_name::text FROM information_schema.tables \
             WHERE table_schema = current_schema() ORDER BY 1"
        }
        _ => {
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') \
             AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY 1"
        }
    };
    let rows = db
        .query_all_raw(Statement::from_string(backend, statement))
        .await?;
    let names = rows.iter().map(|row| Ok(row.try_get_by_index(0)?));
    names.collect()
}

/// The table's columns, with their types in the database.
pub(super) async fn columns(
    db: &impl ConnectionTrait,
    table: &str,
) -> Result<Vec<(String, String)>> {
    let backend = db.get_database_backend();
    let statement = match backend {
        DbBackend::Postgres => {
            "SELECT column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1"
        }
        _ => "SELECT name, type FROM pragma_table_info($1)",
    };
    let statement = Statement::from_sql_and_values(backend, statement, [Value::from(table)]);
    let rows = db.query_all_raw(statement).await?;
    let columns = rows
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    columns.collect()
}

/// The table's columns, with the kind of their values.
pub(super) async fn kinds(db: &impl ConnectionTrait, table: &str) -> Result<Vec<(String, Kind)>> {
    let columns = columns(db, table).await?.into_iter();
    Ok(columns
        .map(|(name, kind)| (name, Kind::of(&kind)))
        .collect())
}

impl Store {
    /// The tables with our data, without the lists of migrations and of loose objects, and the
    /// tables of other programs in the same database.
    pub(super) async fn own_tables(&self, db: &impl ConnectionTrait) -> Result<Vec<String>> {
        let own = self.data_tables();
        let mut tables = names(db).await?;
        let lists = [MIGRATIONS, LOOSE_OBJECTS];
        tables.retain(|table| !lists.contains(&table.as_str()) && own.contains(table));
        Ok(tables)
    }

    /// Empties all tables except that of the installation's id, which identifies our sandboxes.
    pub async fn empty(&self) -> Result<()> {
        let mut tables = self.own_tables(&self.db).await?;
        tables.retain(|table| table != "installation");
        self.write(move |tx| {
            Box::pin(async move {
                // The bucket's objects go with the next server's first sweep.
                let objects = format!(
                    "INSERT INTO {LOOSE_OBJECTS} (hash, state, since) \
                     SELECT hash, 1, 0 FROM blobs WHERE in_bucket ON CONFLICT DO NOTHING"
                );
                tx.execute_unprepared(&objects).await?;
                if tx.get_database_backend() == DbBackend::Postgres {
                    let all = tables.join(", ");
                    tx.execute_unprepared(&format!("TRUNCATE {all}")).await?;
                    return Ok(());
                }
                tx.execute_unprepared("PRAGMA defer_foreign_keys = ON")
                    .await?;
                for table in tables {
                    tx.execute_unprepared(&format!("DELETE FROM {table}"))
                        .await?;
                }
                Ok(())
            })
        })
        .await?;
        self.give_back_space().await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused_in_one_line_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let store = Store::open_file(&file).await.unwrap();
        assert_eq!(applied(&store.db).await.unwrap(), known_migrations());
        assert!(store.is_current().await.unwrap());
        let newer =
            format!("INSERT INTO {MIGRATIONS} VALUES ('m20990101_000001_later', 4070908800)");
        store.db.execute_unprepared(&newer).await.unwrap();
        store.close().await;
        let refused = Store::open_file(&file).await.unwrap_err();
        let line = refused.to_string();
        assert!(
            line.contains("newer version of CodeFlow") && line.contains("m20990101_000001_later"),
            "{line}"
        );
        assert!(!line.contains('\n'), "{line}");
        let store = Store::open_file_as_it_is(&file).await.unwrap();
        assert_eq!(
            applied(&store.db).await.unwrap().len(),
            known_migrations().len() + 1
        );
        assert!(matches!(
            store.is_current().await,
            Err(StoreError::Newer(_))
        ));
        store.close().await;
    }

    #[test]
    fn columns_hold_what_their_types_say() {
        for (database_type, kind) in [
            ("bigint", Kind::Number),
            ("INTEGER", Kind::Number),
            ("boolean", Kind::Flag),
            ("bytea", Kind::Bytes),
            ("blob", Kind::Bytes),
            ("character varying", Kind::Text),
            ("varchar", Kind::Text),
        ] {
            assert_eq!(Kind::of(database_type), kind, "{database_type}");
        }
    }
}
