//! Teams: who works on a project beside its owner, the invitations to it, and who sent, edited and
//! restored what.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum ProjectMembers {
    Table,
    ProjectId,
    UserId,
    /// `viewer` or `editor`.
    Role,
    /// Who invited them.
    AddedBy,
    CreatedAt,
}

#[derive(DeriveIden)]
enum ProjectInvitations {
    Table,
    /// What it is called where the token must not be known.
    Id,
    ProjectId,
    Role,
    /// The address whose account alone may accept it, and as it was written; null for whoever has
    /// the link.
    Email,
    WrittenEmail,
    TokenHash,
    CreatedAt,
    ExpiresAt,
    UsedBy,
    UsedAt,
    RevokedAt,
}

#[derive(DeriveIden)]
enum Projects {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum Messages {
    Table,
    /// Who wrote it; null for the agent, and for the project's owner where nobody was noted.
    UserId,
}

#[derive(DeriveIden)]
enum Runs {
    Table,
    /// Who sent it and pays for it; null for the project's owner.
    UserId,
}

#[derive(DeriveIden)]
enum Edits {
    Table,
    /// Who made it; null for the project's owner.
    UserId,
}

#[derive(DeriveIden)]
enum Fragments {
    Table,
    /// Whose edits it has, or who restored it; null for the project's owner, and for a run's.
    UserId,
}

const MEMBERS_OF_USER: &str = "idx-project_members-user_id";
const INVITATIONS_OF_PROJECT: &str = "idx-project_invitations-project_id";
const RUNS_OF_USER: &str = "idx-runs-user_id";

fn project_key(table: impl IntoIden, column: impl IntoIden) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table.into_iden(), column.into_iden())
        .to(Projects::Table, Projects::Id)
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use ProjectInvitations as Invitation;
        use ProjectMembers as Member;
        let members = Table::create()
            .table(Member::Table)
            .col(text(Member::ProjectId))
            .col(text(Member::UserId))
            .col(text(Member::Role))
            .col(text_null(Member::AddedBy))
            .col(big_integer(Member::CreatedAt))
            .primary_key(
                Index::create()
                    .col(Member::ProjectId)
                    .col(Member::UserId)
                    .primary(),
            )
            .foreign_key(&mut project_key(Member::Table, Member::ProjectId))
            .foreign_key(
                ForeignKey::create()
                    .from(Member::Table, Member::UserId)
                    .to(Users::Table, Users::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(members).await?;
        let invitations = Table::create()
            .table(Invitation::Table)
            .col(text(Invitation::Id).primary_key())
            .col(text(Invitation::ProjectId))
            .col(text(Invitation::Role))
            .col(text_null(Invitation::Email))
            .col(text_null(Invitation::WrittenEmail))
            .col(text(Invitation::TokenHash).unique_key())
            .col(big_integer(Invitation::CreatedAt))
            .col(big_integer(Invitation::ExpiresAt))
            .col(text_null(Invitation::UsedBy))
            .col(big_integer_null(Invitation::UsedAt))
            .col(big_integer_null(Invitation::RevokedAt))
            .foreign_key(&mut project_key(Invitation::Table, Invitation::ProjectId))
            .to_owned();
        manager.create_table(invitations).await?;
        add_column(manager, Messages::Table, text_null(Messages::UserId)).await?;
        add_column(manager, Runs::Table, text_null(Runs::UserId)).await?;
        add_column(manager, Edits::Table, text_null(Edits::UserId)).await?;
        add_column(manager, Fragments::Table, text_null(Fragments::UserId)).await?;
        for index in [
            Index::create()
                .name(MEMBERS_OF_USER)
                .table(Member::Table)
                .col(Member::UserId)
                .to_owned(),
            Index::create()
                .name(INVITATIONS_OF_PROJECT)
                .table(Invitation::Table)
                .col(Invitation::ProjectId)
                .to_owned(),
            Index::create()
                .name(RUNS_OF_USER)
                .table(Runs::Table)
                .col(Runs::UserId)
                .to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop()
            .name(RUNS_OF_USER)
            .table(Runs::Table)
            .to_owned();
        manager.drop_index(index).await?;
        drop_column(manager, Fragments::Table, Fragments::UserId).await?;
        drop_column(manager, Edits::Table, Edits::UserId).await?;
        drop_column(manager, Runs::Table, Runs::UserId).await?;
        drop_column(manager, Messages::Table, Messages::UserId).await?;
        let invitations = Table::drop().table(ProjectInvitations::Table).to_owned();
        manager.drop_table(invitations).await?;
        let members = Table::drop().table(ProjectMembers::Table).to_owned();
        manager.drop_table(members).await
    }
}
