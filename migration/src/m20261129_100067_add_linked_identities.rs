//! Identities of other services with which an account signs in.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum LinkedIdentities {
    Table,
    /// The service, by its address.
    Issuer,
    /// Who it is there; never given to somebody else, as names and addresses are.
    Subject,
    UserId,
    /// How its owner knows it, such as an e-mail address.
    Label,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_user = ForeignKey::create()
            .from(LinkedIdentities::Table, LinkedIdentities::UserId)
            .to(Users::Table, Users::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(LinkedIdentities::Table)
                    .col(text(LinkedIdentities::Issuer))
                    .col(text(LinkedIdentities::Subject))
                    .col(text(LinkedIdentities::UserId))
                    .col(text(LinkedIdentities::Label))
                    .col(big_integer(LinkedIdentities::CreatedAt))
                    .primary_key(
                        Index::create()
                            .col(LinkedIdentities::Issuer)
                            .col(LinkedIdentities::Subject),
                    )
                    .foreign_key(&mut of_user.to_owned())
                    .to_owned(),
            )
            .await?;
        let of_users = Index::create()
            .name("linked_identities_user")
            .table(LinkedIdentities::Table)
            .col(LinkedIdentities::UserId)
            .to_owned();
        manager.create_index(of_users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(LinkedIdentities::Table).to_owned();
        manager.drop_table(table).await
    }
}
