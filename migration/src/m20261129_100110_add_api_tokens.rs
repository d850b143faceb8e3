//! Tokens with which programs act in a user's name; of each only its hash.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum ApiTokens {
    Table,
    Id,
    UserId,
    Name,
    TokenHash,
    /// How it begins, for its owner to know it by.
    Prefix,
    CreatedAt,
    /// Empty for one that does not expire.
    ExpiresAt,
    UsedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_user = ForeignKey::create()
            .from(ApiTokens::Table, ApiTokens::UserId)
            .to(Users::Table, Users::Id)
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        manager
            .create_table(
                Table::create()
                    .table(ApiTokens::Table)
                    .col(text(ApiTokens::Id).primary_key())
                    .col(text(ApiTokens::UserId))
                    .col(text(ApiTokens::Name))
                    .col(text(ApiTokens::TokenHash).unique_key())
                    .col(text(ApiTokens::Prefix))
                    .col(big_integer(ApiTokens::CreatedAt))
                    .col(big_integer_null(ApiTokens::ExpiresAt))
                    .col(big_integer_null(ApiTokens::UsedAt))
                    .foreign_key(&mut of_user.to_owned())
                    .to_owned(),
            )
            .await?;
        let of_users = Index::create()
            .name("api_tokens_user")
            .table(ApiTokens::Table)
            .col(ApiTokens::UserId)
            .to_owned();
        manager.create_index(of_users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(ApiTokens::Table).to_owned();
        manager.drop_table(table).await
    }
}
