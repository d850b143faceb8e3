//! Passkeys that sign in to accounts: their public keys, and what they were last seen with.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum Passkeys {
    Table,
    Id,
    UserId,
    Name,
    /// What the authenticator calls it, in base64url.
    CredentialId,
    /// With what belongs to it for good, in hex.
    PublicKey,
    /// The signature counter and what else a sign-in may change, in hex.
    State,
    CreatedAt,
    UsedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_user = ForeignKey::create()
            .from(Passkeys::Table, Passkeys::UserId)
            .to(Users::Table, Users::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(Passkeys::Table)
                    .col(text(Passkeys::Id).primary_key())
                    .col(text(Passkeys::UserId))
                    .col(text(Passkeys::Name))
                    .col(text(Passkeys::CredentialId).unique_key())
                    .col(text(Passkeys::PublicKey))
                    .col(text(Passkeys::State))
                    .col(big_integer(Passkeys::CreatedAt))
                    .col(big_integer_null(Passkeys::UsedAt))
                    .foreign_key(&mut of_user.to_owned())
                    .to_owned(),
            )
            .await?;
        let of_users = Index::create()
            .name("passkeys_user")
            .table(Passkeys::Table)
            .col(Passkeys::UserId)
            .to_owned();
        manager.create_index(of_users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(Passkeys::Table).to_owned();
        manager.drop_table(table).await
    }
}
