//! Shares: projects that whoever has the link may open. A project has one link at most.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Shares {
    Table,
    ProjectId,
    /// The secret part of its link.
    Slug,
    /// The version that is shown; null for always the newest.
    Version,
    Source,
    /// Where the showcase lists it; null for nowhere.
    Category,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Projects {
    Table,
    Id,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Shares::Table)
            .col(text(Shares::ProjectId).primary_key())
            .col(text(Shares::Slug).unique_key())
            .col(text_null(Shares::Version))
            .col(boolean(Shares::Source))
            .col(text_null(Shares::Category))
            .col(big_integer(Shares::CreatedAt))
            .foreign_key(
                ForeignKey::create()
                    .from(Shares::Table, Shares::ProjectId)
                    .to(Projects::Table, Projects::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(Shares::Table).to_owned();
        manager.drop_table(table).await
    }
}
