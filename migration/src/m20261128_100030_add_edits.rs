//! Edits: what people changed in the Code tab since the latest version. A lost sandbox gets them
//! again, and a version takes their place.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Edits {
    Table,
    ProjectId,
    /// Counted from 1 in each project: edits are repeated in this order.
    Number,
    /// `write`, `folder`, `move` or `delete`.
    Kind,
    Path,
    /// Where it was moved to.
    Target,
    /// What was written.
    Content,
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
        manager
            .create_table(
                Table::create()
                    .table(Edits::Table)
                    .col(text(Edits::ProjectId))
                    .col(big_integer(Edits::Number))
                    .col(text(Edits::Kind))
                    .col(text(Edits::Path))
                    .col(text_null(Edits::Target))
                    .col(blob_null(Edits::Content))
                    .col(big_integer(Edits::CreatedAt))
                    .primary_key(Index::create().col(Edits::ProjectId).col(Edits::Number))
                    .foreign_key(
                        ForeignKey::create()
                            .from(Edits::Table, Edits::ProjectId)
                            .to(Projects::Table, Projects::Id)
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(Edits::Table).to_owned())
            .await
    }
}
