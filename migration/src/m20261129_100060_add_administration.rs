//! Administration: the audit log, when a user was last seen, sessions that an administrator began
//! as somebody else, and invitations that can be listed.

use sea_orm_migration::{prelude::*, schema::*};

use super::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum AuditEntries {
    Table,
    /// Sorts by the time it was written.
    Id,
    At,
    /// Null for the local user.
    ActorId,
    /// The actor's address, which stays when the account is gone.
    Actor,
    Action,
    SubjectKind,
    SubjectId,
    /// The subject as it was called then.
    Subject,
    /// JSON, without secrets.
    Details,
    Address,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    SeenAt,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    /// The administrator who began it as somebody else.
    ActingUserId,
}

#[derive(DeriveIden)]
enum OneTimeLinks {
    Table,
    /// What it is called where the token must not be known; null for those that aren't listed.
    Id,
    /// Who made it.
    MadeBy,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(AuditEntries::Table)
                    .col(text(AuditEntries::Id).primary_key())
                    .col(big_integer(AuditEntries::At))
                    .col(text_null(AuditEntries::ActorId))
                    .col(text(AuditEntries::Actor))
                    .col(text(AuditEntries::Action))
                    .col(text(AuditEntries::SubjectKind))
                    .col(text(AuditEntries::SubjectId))
                    .col(text(AuditEntries::Subject))
                    .col(text(AuditEntries::Details))
                    .col(text(AuditEntries::Address))
                    .to_owned(),
            )
            .await?;
        add_column(manager, Users::Table, big_integer_null(Users::SeenAt)).await?;
        add_column(manager, Sessions::Table, text_null(Sessions::ActingUserId)).await?;
        add_column(manager, OneTimeLinks::Table, text_null(OneTimeLinks::Id)).await?;
        add_column(
            manager,
            OneTimeLinks::Table,
            text_null(OneTimeLinks::MadeBy),
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, OneTimeLinks::Table, OneTimeLinks::MadeBy).await?;
        drop_column(manager, OneTimeLinks::Table, OneTimeLinks::Id).await?;
        drop_column(manager, Sessions::Table, Sessions::ActingUserId).await?;
        drop_column(manager, Users::Table, Users::SeenAt).await?;
        let dropped = Table::drop().table(AuditEntries::Table).to_owned();
        manager.drop_table(dropped).await
    }
}
