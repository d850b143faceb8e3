//! Leases: which of several servers on one database changes a project's app.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Projects {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum Leases {
    Table,
    ProjectId,
    /// The server that holds it; empty when it was given back.
    Node,
    /// How many times it has been taken.
    Epoch,
    /// When it ends unless it is renewed, in milliseconds since 1970 by the database's clock.
    Until,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_project = ForeignKey::create()
            .from(Leases::Table, Leases::ProjectId)
            .to(Projects::Table, Projects::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(Leases::Table)
                    .col(text(Leases::ProjectId).primary_key())
                    .col(text(Leases::Node))
                    .col(big_integer(Leases::Epoch))
                    .col(big_integer(Leases::Until))
                    .foreign_key(&mut of_project.to_owned())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(Leases::Table).to_owned();
        manager.drop_table(table).await
    }
}
