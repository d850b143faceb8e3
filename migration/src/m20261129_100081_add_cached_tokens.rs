//! How many of the tokens that a step's answers read came from a provider's cache.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Steps {
    Table,
    CachedTokens,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let cached = big_integer(Steps::CachedTokens).default(0).take();
        add_column(manager, Steps::Table, cached).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, Steps::Table, Steps::CachedTokens).await
    }
}
