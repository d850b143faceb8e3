//! An event's kind as a column, so that queries need not look into its JSON.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Events {
    Table,
    ProjectId,
    Seq,
    /// The tag of the JSON in `kind`, such as `text`; empty where that can't be read.
    Name,
}

/// The index of a project's events of a kind.
const INDEX: &str = "events_project_name";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = text(Events::Name).default("").take();
        add_column(manager, Events::Table, column).await?;
        // Rows that were damaged may hold no JSON, so it is not parsed: all begin with their tag.
        let tag = match manager.get_database_backend() {
            DbBackend::Postgres => "split_part(kind, '\"', 4)",
            _ => "substr(kind, 10, instr(substr(kind, 10), '\"') - 1)",
        };
        let filling = format!("UPDATE events SET name = {tag} WHERE kind LIKE '{{\"type\":\"%'");
        manager
            .get_connection()
            .execute_unprepared(&filling)
            .await?;
        let index = Index::create()
            .name(INDEX)
            .table(Events::Table)
            .col(Events::ProjectId)
            .col(Events::Name)
            .col(Events::Seq)
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name(INDEX).table(Events::Table).to_owned();
        manager.drop_index(index).await?;
        drop_column(manager, Events::Table, Events::Name).await
    }
}
