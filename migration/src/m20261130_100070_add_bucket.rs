//! Contents in an S3-compatible bucket: which ones are there, and the objects that no
//! content names.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Blobs {
    Table,
    /// Whether the content is an object of the bucket; `content` is empty then.
    InBucket,
}

#[derive(DeriveIden)]
enum LooseObjects {
    Table,
    Hash,
    /// 0 being written, 1 written, 2 being deleted, 3 deleted.
    State,
    /// When it was last written or given up, in milliseconds since 1970.
    Since,
}

/// Without a bucket it is empty.
const THOSE_IN_BUCKET: &str = "idx_blobs_in_bucket";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let in_bucket = boolean(Blobs::InBucket).default(false).take();
        add_column(manager, Blobs::Table, in_bucket).await?;
        let index = format!("CREATE INDEX {THOSE_IN_BUCKET} ON blobs (hash) WHERE in_bucket");
        manager.get_connection().execute_unprepared(&index).await?;
        manager
            .create_table(
                Table::create()
                    .table(LooseObjects::Table)
                    .col(text(LooseObjects::Hash).primary_key())
                    .col(integer(LooseObjects::State))
                    .col(big_integer(LooseObjects::Since))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let loose = Table::drop().table(LooseObjects::Table).to_owned();
        manager.drop_table(loose).await?;
        let index = Index::drop()
            .name(THOSE_IN_BUCKET)
            .table(Blobs::Table)
            .to_owned();
        manager.drop_index(index).await?;
        drop_column(manager, Blobs::Table, Blobs::InBucket).await
    }
}
