//! Who uploaded an image. It is stored once, however many users have the same one. What is there
//! belongs to the local user, as projects do.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum ImageOwners {
    Table,
    Hash,
    UserId,
}

#[derive(DeriveIden)]
enum Images {
    Table,
    Hash,
}

#[derive(DeriveIden)]
enum Projects {
    Table,
    UserId,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(ImageOwners::Table)
            .col(text(ImageOwners::Hash))
            .col(text(ImageOwners::UserId))
            .primary_key(
                Index::create()
                    .col(ImageOwners::Hash)
                    .col(ImageOwners::UserId),
            )
            .foreign_key(
                ForeignKey::create()
                    .from(ImageOwners::Table, ImageOwners::Hash)
                    .to(Images::Table, Images::Hash)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(table).await?;
        let known = Query::select()
            .column(Images::Hash)
            .expr(Expr::value("local"))
            .from(Images::Table)
            .to_owned();
        let mut owning = Query::insert();
        owning
            .into_table(ImageOwners::Table)
            .columns([ImageOwners::Hash, ImageOwners::UserId])
            .select_from(known)
            .map_err(|error| DbErr::Migration(error.to_string()))?;
        manager.execute(owning).await?;
        let of_users = Index::create()
            .name("projects_user")
            .table(Projects::Table)
            .col(Projects::UserId)
            .to_owned();
        manager.create_index(of_users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop()
            .name("projects_user")
            .table(Projects::Table)
            .to_owned();
        manager.drop_index(index).await?;
        let table = Table::drop().table(ImageOwners::Table).to_owned();
        manager.drop_table(table).await
    }
}
