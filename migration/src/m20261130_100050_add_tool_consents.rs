//! Whether a project's runs may use a tool of an MCP server, as its people decided.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum ToolConsents {
    Table,
    ProjectId,
    Tool,
    Decision,
    DecidedAt,
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
            .table(ToolConsents::Table)
            .col(text(ToolConsents::ProjectId))
            .col(text(ToolConsents::Tool))
            .col(text(ToolConsents::Decision))
            .col(big_integer(ToolConsents::DecidedAt))
            .primary_key(
                Index::create()
                    .col(ToolConsents::ProjectId)
                    .col(ToolConsents::Tool),
            )
            .foreign_key(
                ForeignKey::create()
                    .from(ToolConsents::Table, ToolConsents::ProjectId)
                    .to(Projects::Table, Projects::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(ToolConsents::Table).to_owned();
        manager.drop_table(table).await
    }
}
