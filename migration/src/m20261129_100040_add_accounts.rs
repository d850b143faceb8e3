//! Accounts: users, their sessions, and links that work once. Secrets are kept as their hashes.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    /// The address in the form that addresses are compared in.
    Email,
    /// The address as its owner wrote it.
    WrittenEmail,
    Name,
    /// In the PHC string format; null for an account that has none yet.
    PasswordHash,
    Role,
    Plan,
    DisabledAt,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    Id,
    UserId,
    /// SHA-256 of the token, in hex.
    TokenHash,
    Agent,
    Address,
    CreatedAt,
    SeenAt,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum OneTimeLinks {
    Table,
    /// SHA-256 of the token, in hex.
    TokenHash,
    Purpose,
    /// Whose password it sets; null for one that makes an account.
    UserId,
    CreatedAt,
    ExpiresAt,
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
                    .table(Users::Table)
                    .col(text(Users::Id).primary_key())
                    .col(text(Users::Email).unique_key())
                    .col(text(Users::WrittenEmail))
                    .col(text(Users::Name))
                    .col(text_null(Users::PasswordHash))
                    .col(text(Users::Role))
                    .col(text(Users::Plan))
                    .col(big_integer_null(Users::DisabledAt))
                    .col(big_integer(Users::CreatedAt))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Sessions::Table)
                    .col(text(Sessions::Id).primary_key())
                    .col(text(Sessions::UserId))
                    .col(text(Sessions::TokenHash).unique_key())
                    .col(text(Sessions::Agent))
                    .col(text(Sessions::Address))
                    .col(big_integer(Sessions::CreatedAt))
                    .col(big_integer(Sessions::SeenAt))
                    .col(big_integer(Sessions::ExpiresAt))
                    .foreign_key(&mut of_user(Sessions::Table, Sessions::UserId))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(OneTimeLinks::Table)
                    .col(text(OneTimeLinks::TokenHash).primary_key())
                    .col(text(OneTimeLinks::Purpose))
                    .col(text_null(OneTimeLinks::UserId))
                    .col(big_integer(OneTimeLinks::CreatedAt))
                    .col(big_integer(OneTimeLinks::ExpiresAt))
                    .foreign_key(&mut of_user(OneTimeLinks::Table, OneTimeLinks::UserId))
                    .to_owned(),
            )
            .await?;
        let of_sessions = Index::create()
            .name("sessions_user")
            .table(Sessions::Table)
            .col(Sessions::UserId)
            .to_owned();
        manager.create_index(of_sessions).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for mut table in [
            Table::drop().table(OneTimeLinks::Table).to_owned(),
            Table::drop().table(Sessions::Table).to_owned(),
            Table::drop().table(Users::Table).to_owned(),
        ] {
            manager.drop_table(std::mem::take(&mut table)).await?;
        }
        Ok(())
    }
}
