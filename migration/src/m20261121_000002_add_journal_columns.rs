//! The owner of a project, and what the journal records of each step: a digest of its input, tokens
//! and money.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

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
        add_column(manager, Projects::Table, user).await?;
        // SQLite adds one column at a time.
        for column in [
            text_null(Steps::InputDigest),
            big_integer(Steps::InputTokens).default(0).take(),
            big_integer(Steps::OutputTokens).default(0).take(),
            big_integer_null(Steps::CostMicros),
        ] {
            add_column(manager, Steps::Table, column).await?;
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
            drop_column(manager, Steps::Table, column).await?;
        }
        drop_column(manager, Projects::Table, Projects::UserId).await
    }
}
