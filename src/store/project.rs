//! Projects: one conversation and its app each.

use sea_orm::{
    ActiveValue::Set, DbBackend, ExprTrait as _, QuerySelect, entity::prelude::*,
    sea_query::LockType,
};

use super::{Result, Store, StoreError, blob::BlobHash, without_nul};
use crate::protocol::{FragmentId, Project, ProjectId, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectId,
    pub user_id: UserId,
    pub title: String,
    pub sandbox: Option<String>,
    /// The host that has the sandbox, where there are several.
    pub sandbox_host: Option<String>,
    pub last_seq: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub used_at: Option<i64>,
    /// Whether its user chose the title.
    pub renamed: bool,
    /// The version whose files its sandbox will get.
    pub restoring: Option<FragmentId>,
    pub deleted_at: Option<i64>,
    pub picture: Option<BlobHash>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(super) fn into_project(self) -> Project {
        Project {
            id: self.id,
            title: self.title,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        }
    }
}

impl Store {
    /// The project, or `NotFound`.
    pub async fn find_project(&self, id: ProjectId) -> Result<Project> {
        Ok(self.project_model(id).await?.into_project())
    }

    /// Returns if the project is the user's, and fails with `NotFound` otherwise.
    pub(super) async fn expect_project_of(&self, user: &UserId, id: ProjectId) -> Result<()> {
        let own = Entity::find_by_id(id)
            .filter(Column::UserId.eq(user.clone()))
            .filter(Column::DeletedAt.is_null());
        match own.count(&self.db).await? {
            0 => Err(StoreError::NotFound("project")),
            _ => Ok(()),
        }
    }

    /// The sequence number of the project's newest event (0 before the first), or `NotFound`.
    pub async fn last_seq(&self, id: ProjectId) -> Result<i64> {
        Ok(self.project_model(id).await?.last_seq)
    }

    /// The project's owner.
    pub async fn user_of(&self, id: ProjectId) -> Result<UserId> {
        Ok(self.project_model(id).await?.user_id)
    }

    /// The id of the project's sandbox, when it has one.
    pub async fn sandbox_of(&self, id: ProjectId) -> Result<Option<String>> {
        Ok(self.project_model(id).await?.sandbox)
    }

    /// Records the project's sandbox, with its host where there are several, in place of this
    /// previous one. Returns `false` if the project has another one meanwhile.
    pub async fn set_sandbox(
        &self,
        id: ProjectId,
        previous: Option<&str>,
        sandbox: &str,
        host: Option<&str>,
    ) -> Result<bool> {
        let is_previous = match previous {
            Some(previous) => Column::Sandbox.eq(previous),
            None => Column::Sandbox.is_null(),
        };
        let noted = Entity::update_many()
            .col_expr(Column::Sandbox, Expr::value(sandbox))
            .col_expr(Column::SandboxHost, Expr::value(host))
            .filter(Column::Id.eq(id))
            .filter(is_previous);
        Ok(self.update(noted).await? > 0)
    }

    /// The recorded host of a project's sandbox.
    pub async fn host_of_sandbox(&self, sandbox: &str) -> Result<Option<String>> {
        let found = Entity::find().filter(Column::Sandbox.eq(sandbox));
        let model = found.one(&self.db).await?;
        Ok(model.and_then(|model| model.sandbox_host))
    }

    /// The id of the project's sandbox, also while its deletion can be undone.
    pub async fn sandbox_kept_for(&self, id: ProjectId) -> Result<Option<String>> {
        let model = Entity::find_by_id(id).one(&self.db).await?;
        Ok(model.ok_or(StoreError::NotFound("project"))?.sandbox)
    }

    pub(super) async fn project_model(&self, id: ProjectId) -> Result<Model> {
        there(&self.db, id).await
    }
}

/// Adds a project of the user with this title.
pub(super) async fn insert(
    tx: &impl ConnectionTrait,
    user: &UserId,
    title: &str,
) -> Result<Project> {
    let now = Timestamp::now();
    let project = Project {
        id: ProjectId::new(),
        title: without_nul(title),
        created_at: now,
        updated_at: now,
    };
    let row = ActiveModel {
        id: Set(project.id),
        user_id: Set(user.clone()),
        title: Set(project.title.clone()),
        sandbox: Set(None),
        sandbox_host: Set(None),
        last_seq: Set(0),
        created_at: Set(now.0),
        updated_at: Set(now.0),
        used_at: Set(None),
        deleted_at: Set(None),
        renamed: Set(false),
        restoring: Set(None),
        picture: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(project)
}

/// Hides all projects of a deleted user; nobody can restore them.
pub(super) async fn hide_all(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::DeletedAt, Expr::value(1_i64))
        .filter(Column::UserId.eq(user.clone()))
        .filter(Column::DeletedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// The project's row; `NotFound` also once it was deleted.
pub(super) async fn there(db: &impl ConnectionTrait, id: ProjectId) -> Result<Model> {
    let found = Entity::find_by_id(id).filter(Column::DeletedAt.is_null());
    found.one(db).await?.ok_or(StoreError::NotFound("project"))
}

/// Gives the project its latest picture, by the blob's hash.
pub(super) async fn set_picture(
    tx: &impl ConnectionTrait,
    id: ProjectId,
    picture: &BlobHash,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Picture, Expr::value(picture.clone()))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Sets the project's last change to now. `NotFound` when there is no such project.
pub(super) async fn touch(tx: &impl ConnectionTrait, id: ProjectId) -> Result<()> {
    let updated = Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(Timestamp::now().0))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Err(StoreError::NotFound("project"));
    }
    Ok(())
}

/// Sets the project's title, unless its user chose one. Returns whether it was set.
pub(super) async fn set_title(
    tx: &impl ConnectionTrait,
    id: ProjectId,
    title: &str,
) -> Result<bool> {
    let named = Entity::update_many()
        .col_expr(Column::Title, Expr::value(without_nul(title)))
        .filter(Column::Id.eq(id))
        .filter(Column::Renamed.eq(false))
        .exec(tx)
        .await?;
    Ok(named.rows_affected > 0)
}

/// Gives the project a title of its user's, which no run replaces. `NotFound` when there is none.
pub(super) async fn rename(tx: &impl ConnectionTrait, id: ProjectId, title: &str) -> Result<()> {
    let renamed = Entity::update_many()
        .col_expr(Column::Title, Expr::value(title))
        .col_expr(Column::Renamed, Expr::value(true))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    if renamed.rows_affected == 0 {
        return Err(StoreError::NotFound("project"));
    }
    Ok(())
}

/// Records the version whose files the project's sandbox will get.
pub(super) async fn set_restoring(
    tx: &impl ConnectionTrait,
    id: ProjectId,
    version: FragmentId,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Restoring, Expr::value(version))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Locks the project's row until the transaction ends. SQLite needs none: its writers take turns.
pub(super) async fn lock(tx: &impl ConnectionTrait, id: ProjectId) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let locked = Entity::find_by_id(id).lock(LockType::NoKeyUpdate);
        locked
            .one(tx)
            .await?
            .ok_or(StoreError::NotFound("project"))?;
    }
    Ok(())
}

/// The next event's sequence number. The row stays locked until the transaction ends, so numbers
/// are assigned in the order of commits.
pub(super) async fn next_seq(tx: &impl ConnectionTrait, id: ProjectId) -> Result<i64> {
    let updated = Entity::update_many()
        .col_expr(Column::LastSeq, Expr::col(Column::LastSeq).add(1))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Err(StoreError::NotFound("project"));
    }
    let model = Entity::find_by_id(id).one(tx).await?;
    Ok(model.ok_or(StoreError::NotFound("project"))?.last_seq)
}
