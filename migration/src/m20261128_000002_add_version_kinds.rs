//! Versions keep more than plain files, and drafts keep the work of runs that gave no result.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum FragmentFiles {
    Table,
    /// `file`, `executable`, `link` (the blob is its target) or `folder` (the blob is empty).
    Kind,
}

#[derive(DeriveIden)]
enum Fragments {
    Table,
    ProjectId,
    /// A draft has the number of the version before it, 0 where there is none.
    Number,
    Draft,
    /// Whether it holds only what its run wrote, over the template.
    Partial,
}

/// The index of versions by their number, which was unique before there were drafts. It has another
/// name: an SQLite connection that has yet to notice that the old one is gone creates no other by
/// the same name.
const UNIQUE: &str = "fragments_project";
const INDEX: &str = "fragments_number";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kind = text(FragmentFiles::Kind).default("file").take();
        add_column(manager, FragmentFiles::Table, kind).await?;
        for column in [Fragments::Draft, Fragments::Partial] {
            add_column(
                manager,
                Fragments::Table,
                boolean(column).default(false).take(),
            )
            .await?;
        }
        manager
            .drop_index(
                Index::drop()
                    .name(UNIQUE)
                    .table(Fragments::Table)
                    .to_owned(),
            )
            .await?;
        manager.create_index(index(INDEX)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drafts = Query::delete()
            .from_table(Fragments::Table)
            .and_where(Expr::col(Fragments::Draft).eq(true))
            .to_owned();
        manager.exec_stmt(drafts).await?;
        manager
            .drop_index(Index::drop().name(INDEX).table(Fragments::Table).to_owned())
            .await?;
        manager
            .create_index(index(UNIQUE).unique().to_owned())
            .await?;
        for column in [Fragments::Draft, Fragments::Partial] {
            drop_column(manager, Fragments::Table, column).await?;
        }
        drop_column(manager, FragmentFiles::Table, FragmentFiles::Kind).await
    }
}

fn index(name: &str) -> IndexCreateStatement {
    Index::create()
        .name(name)
        .table(Fragments::Table)
        .col(Fragments::ProjectId)
        .col(Fragments::Number)
        .to_owned()
}
