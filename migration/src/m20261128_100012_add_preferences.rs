//! What a user prefers, such as the theme, on all devices.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Preferences {
    Table,
    UserId,
    Name,
    Value,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Preferences::Table)
            .col(text(Preferences::UserId))
            .col(text(Preferences::Name))
            .col(text(Preferences::Value))
            .primary_key(
                Index::create()
                    .col(Preferences::UserId)
                    .col(Preferences::Name),
            )
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(Preferences::Table).to_owned();
        manager.drop_table(table).await
    }
}
