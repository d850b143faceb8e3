//! Messages with a mode, with questions or a plan, and with what they answer.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Messages {
    Table,
    /// `build`, `plan` or `ask`; of a reply, that of its prompt.
    Mode,
    /// JSON: the questions that the message asks, or its plan; null for most.
    Part,
    /// The message whose questions this one answers, or whose plan it approves.
    Answers,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mode = text(Messages::Mode).default("build").take();
        add_column(manager, Messages::Table, mode).await?;
        add_column(manager, Messages::Table, text_null(Messages::Part)).await?;
        add_column(manager, Messages::Table, text_null(Messages::Answers)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [Messages::Answers, Messages::Part, Messages::Mode] {
            drop_column(manager, Messages::Table, column).await?;
        }
        Ok(())
    }
}
