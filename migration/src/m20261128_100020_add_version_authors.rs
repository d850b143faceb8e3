//! Versions that no run made: their user's edits, and restored ones. A project that its user named
//! keeps its title.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Fragments {
    Table,
    /// Null for a version that no run made, like the next.
    MessageId,
    RunId,
    /// `agent`, `you` or `restore`.
    Author,
    /// Of a restored version: the number of the one whose files it has.
    Restored,
    /// How many files differ from the version before, all of the first; null where that was not
    /// counted.
    Changed,
}

#[derive(DeriveIden)]
enum Projects {
    Table,
    /// Whether its user gave it its title.
    Renamed,
    /// The version whose files its sandbox is about to get; null when it has them.
    Restoring,
}

/// Makes columns nullable in SQLite's own schema, as its documentation describes for constraints
/// (sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes"). Copying the
/// table instead would remove the rows that refer to it.
const FREE_IN_SQLITE: [&str; 3] = [
    "PRAGMA writable_schema = ON",
    r#"UPDATE sqlite_master
       SET sql = replace(replace(sql, '"message_id" text NOT NULL', '"message_id" text'), '"run_id" text NOT NULL', '"run_id" text')
       WHERE type = 'table' AND name = 'fragments'"#,
    // Reads the schema again, and leaves the mode.
    "PRAGMA writable_schema = RESET",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Sqlite {
            for statement in FREE_IN_SQLITE {
                let connection = manager.get_connection();
                connection.execute_unprepared(statement).await?;
            }
        } else {
            for column in [Fragments::MessageId, Fragments::RunId] {
                let freed = Table::alter()
                    .table(Fragments::Table)
                    .modify_column(ColumnDef::new(column).text().null())
                    .to_owned();
                manager.alter_table(freed).await?;
            }
        }
        // Each also makes other connections of SQLite read the schema again.
        let author = text(Fragments::Author).default("agent").take();
        add_column(manager, Fragments::Table, author).await?;
        for column in [Fragments::Restored, Fragments::Changed] {
            add_column(manager, Fragments::Table, integer_null(column)).await?;
        }
        let renamed = boolean(Projects::Renamed).default(false).take();
        add_column(manager, Projects::Table, renamed).await?;
        add_column(manager, Projects::Table, text_null(Projects::Restoring)).await
    }

    /// The columns stay nullable: without the versions that need it, nobody notices.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [Projects::Restoring, Projects::Renamed] {
            drop_column(manager, Projects::Table, column).await?;
        }
        let of_no_run = Query::delete()
            .from_table(Fragments::Table)
            .and_where(Expr::col(Fragments::RunId).is_null())
            .to_owned();
        manager.exec_stmt(of_no_run).await?;
        for column in [Fragments::Changed, Fragments::Restored, Fragments::Author] {
            drop_column(manager, Fragments::Table, column).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        // On one connection, and whole or not at all.
        Some(true)
    }
}
