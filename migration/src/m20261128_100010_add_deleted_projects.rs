//! Projects that were deleted stay for a moment, so that it can be undone.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Projects {
    Table,
    /// When it was deleted: everything of it goes a while after. Null while it is there.
    DeletedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let deleted = big_integer_null(Projects::DeletedAt);
        add_column(manager, Projects::Table, deleted).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, Projects::Table, Projects::DeletedAt).await
    }
}
