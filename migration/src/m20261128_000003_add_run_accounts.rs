//! What survives a restart besides outputs: how long a run has worked, and how many times the
//! server died in a step. For the sweeps that free disk space: when a project was last used, and
//! the id of this installation.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Runs {
    Table,
    /// Milliseconds of work, across restarts; waiting and downtime don't count.
    WorkedMs,
    /// Whether only its figures are left.
    Trimmed,
}

#[derive(DeriveIden)]
enum Steps {
    Table,
    /// Attempts that ended because the server died.
    Crashes,
    /// Whether the attempt under way ended with an orderly stop of the server.
    Stopped,
}

#[derive(DeriveIden)]
enum Projects {
    Table,
    /// When its app was last opened; null if it never was since this column exists.
    UsedAt,
}

#[derive(DeriveIden)]
enum Installation {
    Table,
    /// Tells this database's sandboxes from those of others at the same provider. One row.
    Id,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(
            manager,
            Runs::Table,
            big_integer(Runs::WorkedMs).default(0).take(),
        )
        .await?;
        add_column(
            manager,
            Runs::Table,
            boolean(Runs::Trimmed).default(false).take(),
        )
        .await?;
        add_column(
            manager,
            Steps::Table,
            integer(Steps::Crashes).default(0).take(),
        )
        .await?;
        add_column(
            manager,
            Steps::Table,
            boolean(Steps::Stopped).default(false).take(),
        )
        .await?;
        add_column(manager, Projects::Table, big_integer_null(Projects::UsedAt)).await?;
        let installation = Table::create()
            .table(Installation::Table)
            .col(text(Installation::Id).primary_key())
            .to_owned();
        manager.create_table(installation).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(Installation::Table).to_owned())
            .await?;
        drop_column(manager, Projects::Table, Projects::UsedAt).await?;
        drop_column(manager, Steps::Table, Steps::Stopped).await?;
        drop_column(manager, Steps::Table, Steps::Crashes).await?;
        drop_column(manager, Runs::Table, Runs::Trimmed).await?;
        drop_column(manager, Runs::Table, Runs::WorkedMs).await
    }
}
