//! Pictures of the apps: of each version, and of each project's latest one that has any.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Fragments {
    Table,
    /// The blob's hash: a JPEG. Null where there is none.
    Picture,
}

#[derive(DeriveIden)]
enum Projects {
    Table,
    Picture,
}

const INDEX: &str = "fragments_picture";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, Fragments::Table, text_null(Fragments::Picture)).await?;
        add_column(manager, Projects::Table, text_null(Projects::Picture)).await?;
        let index = Index::create()
            .name(INDEX)
            .table(Fragments::Table)
            .col(Fragments::Picture)
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name(INDEX).table(Fragments::Table).to_owned();
        manager.drop_index(index).await?;
        drop_column(manager, Projects::Table, Projects::Picture).await?;
        drop_column(manager, Fragments::Table, Fragments::Picture).await
    }
}
