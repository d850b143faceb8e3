//! The host of a project's sandbox, where there are several.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Projects {
    Table,
    Sandbox,
    /// The address of the host that has the sandbox; null where there is only one.
    SandboxHost,
}

/// Previews are found by their sandbox.
const BY_SANDBOX: &str = "idx-projects-sandbox";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, Projects::Table, text_null(Projects::SandboxHost)).await?;
        let by_sandbox = Index::create()
            .name(BY_SANDBOX)
            .table(Projects::Table)
            .col(Projects::Sandbox)
            .to_owned();
        manager.create_index(by_sandbox).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let by_sandbox = Index::drop()
            .name(BY_SANDBOX)
            .table(Projects::Table)
            .to_owned();
        manager.drop_index(by_sandbox).await?;
        drop_column(manager, Projects::Table, Projects::SandboxHost).await
    }
}
