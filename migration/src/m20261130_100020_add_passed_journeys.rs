//! The journeys that passed when runs ended with results, each with a picture of its end.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Messages {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum PassedJourneys {
    Table,
    MessageId,
    /// Their order, from 0.
    Ordinal,
    Title,
    /// The blob's hash: a JPEG. Null where there is none.
    Picture,
}

const INDEX: &str = "passed_journeys_picture";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_message = ForeignKey::create()
            .from(PassedJourneys::Table, PassedJourneys::MessageId)
            .to(Messages::Table, Messages::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        let each = Index::create()
            .col(PassedJourneys::MessageId)
            .col(PassedJourneys::Ordinal)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(PassedJourneys::Table)
                    .col(text(PassedJourneys::MessageId))
                    .col(integer(PassedJourneys::Ordinal))
                    .col(text(PassedJourneys::Title))
                    .col(text_null(PassedJourneys::Picture))
                    .primary_key(&mut each.to_owned())
                    .foreign_key(&mut of_message.to_owned())
                    .to_owned(),
            )
            .await?;
        let index = Index::create()
            .name(INDEX)
            .table(PassedJourneys::Table)
            .col(PassedJourneys::Picture)
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(PassedJourneys::Table).to_owned();
        manager.drop_table(table).await
    }
}
