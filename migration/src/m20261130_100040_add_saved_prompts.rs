//! Users' own prompts, saved to be used again.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum SavedPrompts {
    Table,
    Id,
    UserId,
    Name,
    Text,
    SavedAt,
    /// Null unless it was deleted; the sweep removes it a while later.
    DeletedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(SavedPrompts::Table)
            .col(text(SavedPrompts::Id).primary_key())
            .col(text(SavedPrompts::UserId))
            .col(text(SavedPrompts::Name))
            .col(text(SavedPrompts::Text))
            .col(big_integer(SavedPrompts::SavedAt))
            .col(big_integer_null(SavedPrompts::DeletedAt))
            .to_owned();
        manager.create_table(table).await?;
        let of_users = Index::create()
            .name("saved_prompts_user")
            .table(SavedPrompts::Table)
            .col(SavedPrompts::UserId)
            .to_owned();
        manager.create_index(of_users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(SavedPrompts::Table).to_owned();
        manager.drop_table(table).await
    }
}
