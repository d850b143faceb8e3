//! What a link that works once is about, such as the address that it confirms.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum OneTimeLinks {
    Table,
    Detail,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let detail = text_null(OneTimeLinks::Detail);
        add_column(manager, OneTimeLinks::Table, detail).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, OneTimeLinks::Table, OneTimeLinks::Detail).await
    }
}
