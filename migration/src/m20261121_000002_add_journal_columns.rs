//! Whose a project is, and what the journal tells of each step: a digest of its input, tokens and
//! money.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Projects {
    Table,
    UserId,
}

#[derive(DeriveIden)]
enum Steps {
    Table,
    /// SHA-256 of the input, in hex.
    InputDigest,
    InputTokens,
    OutputTokens,
    /// Millionths of a US dollar; null where the model's price is not known.
    CostMicros,
}

/// The user of a server without accounts.
const LOCAL: &str = "local";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let user = text(Projects::UserId).default(LOCAL).take();
        add(manager, Projects::Table, user).await?;
        // SQLite adds one column at a time.
        for column in [
            text_null(Steps::InputDigest),
            big_integer(Steps::InputTokens).default(0).take(),
            big_integer(Steps::OutputTokens).default(0).take(),
            big_integer_null(Steps::CostMicros),
        ] {
            add(manager, Steps::Table, column).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            Steps::InputDigest,
            Steps::InputTokens,
            Steps::OutputTokens,
            Steps::CostMicros,
        ] {
            let table = Table::alter()
                .table(Steps::Table)
                .drop_column(column)
                .to_owned();
            manager.alter_table(table).await?;
        }
        let table = Table::alter()
            .table(Projects::Table)
            .drop_column(Projects::UserId)
            .to_owned();
        manager.alter_table(table).await
    }
}

async fn add(
    manager: &SchemaManager<'_>,
    table: impl IntoIden + 'static,
    mut column: ColumnDef,
) -> Result<(), DbErr> {
    let table = Table::alter()
        .table(table.into_iden())
        .add_column(&mut column)
        .to_owned();
    manager.alter_table(table).await
}
