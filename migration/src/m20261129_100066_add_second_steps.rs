//! The second step of a sign-in: a secret that an authenticator app has too, and codes for the day
//! on which the app is lost.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum SecondSteps {
    Table,
    UserId,
    /// Encrypted with a key that is not in the database.
    Secret,
    /// When its owner proved to have it; null while it is being set up.
    ConfirmedAt,
    /// The time step of the code that was used last: it and those before are of no use any more.
    LastCounter,
}

#[derive(DeriveIden)]
enum RecoveryCodes {
    Table,
    UserId,
    /// SHA-256 of the code, in hex.
    CodeHash,
}

/// A foreign key on a user: the row goes with the account.
fn of_user(
    from: impl IntoIden + 'static,
    column: impl IntoIden + 'static,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(from.into_iden(), column.into_iden())
        .to(Users::Table, Users::Id)
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(SecondSteps::Table)
                    .col(text(SecondSteps::UserId).primary_key())
                    .col(text(SecondSteps::Secret))
                    .col(big_integer_null(SecondSteps::ConfirmedAt))
                    .col(big_integer(SecondSteps::LastCounter))
                    .foreign_key(&mut of_user(SecondSteps::Table, SecondSteps::UserId))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(RecoveryCodes::Table)
                    .col(text(RecoveryCodes::UserId))
                    .col(text(RecoveryCodes::CodeHash))
                    .primary_key(
                        Index::create()
                            .col(RecoveryCodes::UserId)
                            .col(RecoveryCodes::CodeHash),
                    )
                    .foreign_key(&mut of_user(RecoveryCodes::Table, RecoveryCodes::UserId))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let codes = Table::drop().table(RecoveryCodes::Table).to_owned();
        manager.drop_table(codes).await?;
        let steps = Table::drop().table(SecondSteps::Table).to_owned();
        manager.drop_table(steps).await
    }
}
