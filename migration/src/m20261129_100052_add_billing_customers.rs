//! Which customer at Stripe a user is.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum BillingCustomers {
    Table,
    /// As Stripe calls it.
    Id,
    UserId,
    Subscribed,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let customers = Table::create()
            .table(BillingCustomers::Table)
            .col(text(BillingCustomers::Id).primary_key())
            .col(text(BillingCustomers::UserId))
            .col(boolean(BillingCustomers::Subscribed))
            .col(big_integer(BillingCustomers::CreatedAt))
            .foreign_key(
                ForeignKey::create()
                    .from(BillingCustomers::Table, BillingCustomers::UserId)
                    .to(Users::Table, Users::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(customers).await?;
        let of_users = Index::create()
            .name("billing_customers_user")
            .table(BillingCustomers::Table)
            .col(BillingCustomers::UserId)
            .to_owned();
        manager.create_index(of_users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let customers = Table::drop().table(BillingCustomers::Table).to_owned();
        manager.drop_table(customers).await
    }
}
