//! Runs with the key of the order that made them, so that an order that is sent again makes none.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Runs {
    Table,
    /// The hash of who ordered it and their key; null where they sent none.
    OrderKey,
}

const ONE_RUN_EACH: &str = "runs_order_key";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, Runs::Table, text_null(Runs::OrderKey)).await?;
        let index = Index::create()
            .name(ONE_RUN_EACH)
            .table(Runs::Table)
            .col(Runs::OrderKey)
            .unique()
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop()
            .name(ONE_RUN_EACH)
            .table(Runs::Table)
            .to_owned();
        manager.drop_index(index).await?;
        drop_column(manager, Runs::Table, Runs::OrderKey).await
    }
}
