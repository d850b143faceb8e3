//! Credits: what each user has left, and the ledger of how it came to that. The local user, who has
//! no account, may have some, so that neither table refers to the users.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum CreditAccounts {
    Table,
    UserId,
    Balance,
    /// When the user's period began.
    RefilledAt,
}

#[derive(DeriveIden)]
enum CreditEntries {
    Table,
    Id,
    UserId,
    /// The run that was paid or refunded. It may be gone: the ledger stays.
    RunId,
    Reason,
    Amount,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let not_negative = Expr::col(CreditAccounts::Balance).gte(0);
        let accounts = Table::create()
            .table(CreditAccounts::Table)
            .col(text(CreditAccounts::UserId).primary_key())
            .col(big_integer(CreditAccounts::Balance).check(not_negative))
            .col(big_integer_null(CreditAccounts::RefilledAt))
            .to_owned();
        manager.create_table(accounts).await?;
        let entries = Table::create()
            .table(CreditEntries::Table)
            .col(text(CreditEntries::Id).primary_key())
            .col(text(CreditEntries::UserId))
            .col(text_null(CreditEntries::RunId))
            .col(text(CreditEntries::Reason))
            .col(big_integer(CreditEntries::Amount))
            .col(big_integer(CreditEntries::CreatedAt))
            .to_owned();
        manager.create_table(entries).await?;
        // A run is paid once and refunded once.
        let once = Index::create()
            .name("credit_entries_once")
            .table(CreditEntries::Table)
            .col(CreditEntries::RunId)
            .col(CreditEntries::Reason)
            .unique()
            .to_owned();
        manager.create_index(once).await?;
        let of_users = Index::create()
            .name("credit_entries_user")
            .table(CreditEntries::Table)
            .col(CreditEntries::UserId)
            .col(CreditEntries::Id)
            .to_owned();
        manager.create_index(of_users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let entries = Table::drop().table(CreditEntries::Table).to_owned();
        manager.drop_table(entries).await?;
        let accounts = Table::drop().table(CreditAccounts::Table).to_owned();
        manager.drop_table(accounts).await
    }
}
