//! Projects, their conversations and versions, and the runs that produce them. Ids are UUIDs as
//! text, times are milliseconds since the Unix epoch.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Projects {
    Table,
    Id,
    Title,
    /// The id of the project's sandbox, at whichever provider.
    Sandbox,
    /// The seq of the newest event, from which the next one is counted.
    LastSeq,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum Messages {
    Table,
    Id,
    ProjectId,
    Role,
    Kind,
    Content,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Runs {
    Table,
    Id,
    ProjectId,
    /// The prompt that asked for the run.
    MessageId,
    /// The result or error that ended it.
    ReplyId,
    State,
    CreatedAt,
    StartedAt,
    FinishedAt,
}

#[derive(DeriveIden)]
enum Steps {
    Table,
    RunId,
    Name,
    Ordinal,
    Attempt,
    Output,
    Error,
    StartedAt,
    FinishedAt,
}

#[derive(DeriveIden)]
enum Events {
    Table,
    ProjectId,
    Seq,
    RunId,
    /// What the event replaces: an earlier event of the same run and subject.
    Subject,
    Kind,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Fragments {
    Table,
    Id,
    ProjectId,
    MessageId,
    RunId,
    Number,
    Title,
    CreatedAt,
}

#[derive(DeriveIden)]
enum FragmentFiles {
    Table,
    FragmentId,
    Path,
    Hash,
}

#[derive(DeriveIden)]
enum Blobs {
    Table,
    /// SHA-256 of the content, in hex.
    Hash,
    Size,
    Content,
}

/// A foreign key on `from.column`: the row is deleted with the one it refers to.
fn cascade(
    from: impl IntoIden + 'static,
    column: impl IntoIden + 'static,
    to: impl IntoIden + 'static,
    id: impl IntoIden + 'static,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(from.into_iden(), column.into_iden())
        .to(to.into_iden(), id.into_iden())
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Projects::Table)
                    .col(text(Projects::Id).primary_key())
                    .col(text(Projects::Title))
                    .col(text_null(Projects::Sandbox))
                    .col(big_integer(Projects::LastSeq).default(0))
                    .col(big_integer(Projects::CreatedAt))
                    .col(big_integer(Projects::UpdatedAt))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Messages::Table)
                    .col(text(Messages::Id).primary_key())
                    .col(text(Messages::ProjectId))
                    .col(text(Messages::Role))
                    .col(text(Messages::Kind))
                    .col(text(Messages::Content))
                    .col(big_integer(Messages::CreatedAt))
                    .foreign_key(&mut cascade(
                        Messages::Table,
                        Messages::ProjectId,
                        Projects::Table,
                        Projects::Id,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Runs::Table)
                    .col(text(Runs::Id).primary_key())
                    .col(text(Runs::ProjectId))
                    .col(text(Runs::MessageId))
                    .col(text_null(Runs::ReplyId))
                    .col(text(Runs::State))
                    .col(big_integer(Runs::CreatedAt))
                    .col(big_integer_null(Runs::StartedAt))
                    .col(big_integer_null(Runs::FinishedAt))
                    .foreign_key(&mut cascade(
                        Runs::Table,
                        Runs::ProjectId,
                        Projects::Table,
                        Projects::Id,
                    ))
                    .foreign_key(&mut cascade(
                        Runs::Table,
                        Runs::MessageId,
                        Messages::Table,
                        Messages::Id,
                    ))
                    .foreign_key(&mut cascade(
                        Runs::Table,
                        Runs::ReplyId,
                        Messages::Table,
                        Messages::Id,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Steps::Table)
                    .col(text(Steps::RunId))
                    .col(text(Steps::Name))
                    .col(integer(Steps::Ordinal))
                    .col(integer(Steps::Attempt))
                    .col(text_null(Steps::Output))
                    .col(text_null(Steps::Error))
                    .col(big_integer(Steps::StartedAt))
                    .col(big_integer_null(Steps::FinishedAt))
                    .primary_key(Index::create().col(Steps::RunId).col(Steps::Name))
                    .foreign_key(&mut cascade(
                        Steps::Table,
                        Steps::RunId,
                        Runs::Table,
                        Runs::Id,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Events::Table)
                    .col(text(Events::ProjectId))
                    .col(big_integer(Events::Seq))
                    .col(text_null(Events::RunId))
                    .col(text_null(Events::Subject))
                    .col(text(Events::Kind))
                    .col(big_integer(Events::CreatedAt))
                    .primary_key(Index::create().col(Events::ProjectId).col(Events::Seq))
                    .foreign_key(&mut cascade(
                        Events::Table,
                        Events::ProjectId,
                        Projects::Table,
                        Projects::Id,
                    ))
                    .foreign_key(&mut cascade(
                        Events::Table,
                        Events::RunId,
                        Runs::Table,
                        Runs::Id,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Fragments::Table)
                    .col(text(Fragments::Id).primary_key())
                    .col(text(Fragments::ProjectId))
                    .col(text(Fragments::MessageId).unique_key())
                    .col(text(Fragments::RunId).unique_key())
                    .col(integer(Fragments::Number))
                    .col(text(Fragments::Title))
                    .col(big_integer(Fragments::CreatedAt))
                    .foreign_key(&mut cascade(
                        Fragments::Table,
                        Fragments::ProjectId,
                        Projects::Table,
                        Projects::Id,
                    ))
                    .foreign_key(&mut cascade(
                        Fragments::Table,
                        Fragments::MessageId,
                        Messages::Table,
                        Messages::Id,
                    ))
                    .foreign_key(&mut cascade(
                        Fragments::Table,
                        Fragments::RunId,
                        Runs::Table,
                        Runs::Id,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Blobs::Table)
                    .col(text(Blobs::Hash).primary_key())
                    .col(big_integer(Blobs::Size))
                    .col(blob(Blobs::Content))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(FragmentFiles::Table)
                    .col(text(FragmentFiles::FragmentId))
                    .col(text(FragmentFiles::Path))
                    .col(text(FragmentFiles::Hash))
                    .primary_key(
                        Index::create()
                            .col(FragmentFiles::FragmentId)
                            .col(FragmentFiles::Path),
                    )
                    .foreign_key(&mut cascade(
                        FragmentFiles::Table,
                        FragmentFiles::FragmentId,
                        Fragments::Table,
                        Fragments::Id,
                    ))
                    // A blob that a version names can't be removed.
                    .foreign_key(
                        ForeignKey::create()
                            .from(FragmentFiles::Table, FragmentFiles::Hash)
                            .to(Blobs::Table, Blobs::Hash),
                    )
                    .to_owned(),
            )
            .await?;

        for mut index in [
            Index::create()
                .name("projects_updated_at")
                .table(Projects::Table)
                .col(Projects::UpdatedAt)
                .to_owned(),
            Index::create()
                .name("messages_project")
                .table(Messages::Table)
                .col(Messages::ProjectId)
                .col(Messages::CreatedAt)
                .to_owned(),
            Index::create()
                .name("runs_project")
                .table(Runs::Table)
                .col(Runs::ProjectId)
                .col(Runs::CreatedAt)
                .to_owned(),
            Index::create()
                .name("runs_state")
                .table(Runs::Table)
                .col(Runs::State)
                .to_owned(),
            Index::create()
                .name("runs_message")
                .table(Runs::Table)
                .col(Runs::MessageId)
                .to_owned(),
            Index::create()
                .name("events_run")
                .table(Events::Table)
                .col(Events::RunId)
                .col(Events::Subject)
                .to_owned(),
            Index::create()
                .name("events_subject")
                .table(Events::Table)
                .col(Events::ProjectId)
                .col(Events::Subject)
                .to_owned(),
            Index::create()
                .name("fragments_project")
                .table(Fragments::Table)
                .col(Fragments::ProjectId)
                .col(Fragments::Number)
                .unique()
                .to_owned(),
            Index::create()
                .name("fragment_files_hash")
                .table(FragmentFiles::Table)
                .col(FragmentFiles::Hash)
                .to_owned(),
        ] {
            index.if_not_exists();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            FragmentFiles::Table.into_iden(),
            Blobs::Table.into_iden(),
            Fragments::Table.into_iden(),
            Events::Table.into_iden(),
            Steps::Table.into_iden(),
            Runs::Table.into_iden(),
            Messages::Table.into_iden(),
            Projects::Table.into_iden(),
        ] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
