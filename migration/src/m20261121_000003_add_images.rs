//! Images that users attach to their messages: which blobs are images, and which message has which.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Images {
    Table,
    /// The blob's: SHA-256 of the content, in hex.
    Hash,
    MediaType,
    /// In pixels, as is the height.
    Width,
    Height,
    /// When it was last uploaded or attached: an image that no message has is removed some time
    /// later.
    UsedAt,
}

#[derive(DeriveIden)]
enum Messages {
    Table,
    ImageHash,
}

#[derive(DeriveIden)]
enum Blobs {
    Table,
    Hash,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Images::Table)
                    .col(text(Images::Hash).primary_key())
                    .col(text(Images::MediaType))
                    .col(integer(Images::Width))
                    .col(integer(Images::Height))
                    .col(big_integer(Images::UsedAt))
                    .foreign_key(
                        ForeignKey::create()
                            .from(Images::Table, Images::Hash)
                            .to(Blobs::Table, Blobs::Hash),
                    )
                    .to_owned(),
            )
            .await?;
        add_column(manager, Messages::Table, text_null(Messages::ImageHash)).await?;
        let mut index = Index::create();
        index
            .name("messages_image")
            .table(Messages::Table)
            .col(Messages::ImageHash);
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(
                Index::drop()
                    .name("messages_image")
                    .table(Messages::Table)
                    .to_owned(),
            )
            .await?;
        drop_column(manager, Messages::Table, Messages::ImageHash).await?;
        manager
            .drop_table(Table::drop().table(Images::Table).to_owned())
            .await
    }
}
