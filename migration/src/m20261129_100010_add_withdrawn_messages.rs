//! Messages that their user removed or replaced: no longer part of the conversation, and kept.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Messages {
    Table,
    /// Null for a message of the conversation; the message that took its place, or its own id where
    /// none did.
    ReplacedBy,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, Messages::Table, text_null(Messages::ReplacedBy)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, Messages::Table, Messages::ReplacedBy).await
    }
}
