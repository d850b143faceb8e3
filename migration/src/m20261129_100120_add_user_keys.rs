//! Keys of users' own for the models' providers, encrypted; and of each run whether it is answered
//! with one.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum UserKeys {
    Table,
    UserId,
    /// Such as `openai`.
    Provider,
    Sealed,
    /// How the key ends, for its owner to know it by.
    Ending,
    AddedAt,
}

#[derive(DeriveIden)]
enum Runs {
    Table,
    /// The provider whose key of the sender's answers it; null for the installation's keys.
    OwnKey,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_user = ForeignKey::create()
            .from(UserKeys::Table, UserKeys::UserId)
            .to(Users::Table, Users::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        let each = Index::create()
            .col(UserKeys::UserId)
            .col(UserKeys::Provider)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(UserKeys::Table)
                    .col(text(UserKeys::UserId))
                    .col(text(UserKeys::Provider))
                    .col(text(UserKeys::Sealed))
                    .col(text(UserKeys::Ending))
                    .col(big_integer(UserKeys::AddedAt))
                    .primary_key(&mut each.to_owned())
                    .foreign_key(&mut of_user.to_owned())
                    .to_owned(),
            )
            .await?;
        add_column(manager, Runs::Table, text_null(Runs::OwnKey)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, Runs::Table, Runs::OwnKey).await?;
        let table = Table::drop().table(UserKeys::Table).to_owned();
        manager.drop_table(table).await
    }
}
