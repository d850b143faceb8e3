//! The members of a project and their roles: the one place that maps a user and a project to a
//! role. Users without a role find nothing.

use sea_orm::{
    ActiveValue::Set,
    Condition, FromQueryResult, JoinType, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{ExprTrait as _, IntoCondition as _, OnConflict, Query, SelectStatement},
};

use super::{Actor, Deed, Result, Store, StoreError, audit, project, readable, user};
use crate::protocol::{Member, Membership, ProjectId, ProjectRole, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "project_members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub role: ProjectRole,
    /// The user who invited them.
    pub added_by: Option<UserId>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::project::Entity",
        from = "Column::ProjectId",
        to = "super::project::Column::Id"
    )]
    Project,
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// A project's owner, and another user's role in it.
#[derive(FromQueryResult)]
pub(super) struct RoleRow {
    owner: UserId,
    member: Option<ProjectRole>,
}

impl RoleRow {
    pub(super) fn role_of(&self, user: &UserId) -> Option<ProjectRole> {
        if self.owner == *user {
            return Some(ProjectRole::Owner);
        }
        self.member
    }
}

impl Store {
    /// The user's role in the project, or `NotFound`.
    pub async fn role_in(&self, user: &UserId, id: ProjectId) -> Result<ProjectRole> {
        let found = role_rows(project::Entity::find_by_id(id), user);
        self.role(user, found, "project").await
    }

    /// The user's role in the sandbox's project, or `NotFound`.
    pub async fn role_at(&self, user: &UserId, sandbox: &str) -> Result<ProjectRole> {
        let at = project::Entity::find().filter(project::Column::Sandbox.eq(sandbox));
        self.role(user, role_rows(at, user), "preview").await
    }

    async fn role(
        &self,
        user: &UserId,
        found: Select<project::Entity>,
        what: &'static str,
    ) -> Result<ProjectRole> {
        let found = found.into_model::<RoleRow>().one(&self.db).await?;
        let role = found.and_then(|row| row.role_of(user));
        role.ok_or(StoreError::NotFound(what))
    }

    /// The project's members, those who were in it longest first.
    pub async fn list_members(&self, id: ProjectId) -> Result<Vec<Member>> {
        let members = Entity::find()
            .filter(Column::ProjectId.eq(id))
            .order_by_asc(Column::CreatedAt)
            .find_also_related(user::Entity);
        let members = members.all(&self.db).await?.into_iter();
        let members = members.filter_map(|(member, user)| {
            let user = user?;
            Some(Member {
                name: name_of(&user),
                id: user.id,
                email: user.written_email,
                role: member.role,
            })
        });
        Ok(members.collect())
    }

    /// The projects of others that the user is in, each with its owner's name.
    pub async fn list_memberships(&self, user: &UserId) -> Result<Vec<(ProjectId, Membership)>> {
        let members = Entity::find().filter(Column::UserId.eq(user.clone()));
        let members = readable::models(&self.db, "member", members).await?;
        let projects = project::Entity::find()
            .filter(project::Column::Id.is_in(members.iter().map(|one| one.project_id)))
            .filter(project::Column::DeletedAt.is_null());
        let projects = match members.is_empty() {
            true => Vec::new(),
            false => readable::models(&self.db, "project", projects).await?,
        };
        let owners = projects.iter().map(|project| project.user_id.clone());
        let owners = user::Entity::find().filter(user::Column::Id.is_in(owners));
        let owners = match projects.is_empty() {
            true => Vec::new(),
            false => readable::models(&self.db, "user", owners).await?,
        };
        let memberships = projects.iter().filter_map(|project| {
            let member = members.iter().find(|one| one.project_id == project.id)?;
            let owner = owners.iter().find(|owner| owner.id == project.user_id)?;
            let (owner, role) = (name_of(owner), member.role);
            Some((project.id, Membership { owner, role }))
        });
        Ok(memberships.collect())
    }

    /// Gives a member another role. `NotFound` when the project has no such member.
    pub async fn set_member_role(
        &self,
        by: &Actor,
        id: ProjectId,
        user: &UserId,
        role: ProjectRole,
    ) -> Result<()> {
        let (by, user) = (by.clone(), user.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let title = project::there(tx, id).await?.title;
                let changed = Entity::update_many()
                    .col_expr(Column::Role, Expr::value(role))
                    .filter(Column::ProjectId.eq(id))
                    .filter(Column::UserId.eq(user.clone()));
                if changed.exec(tx).await?.rows_affected == 0 {
                    return Err(StoreError::NotFound("member"));
                }
                let details = serde_json::json!({ "user": user, "role": role });
                let deed = Deed::new("change project role", "project", id, title);
                audit::insert(tx, &by, deed.with(details)).await
            })
        })
        .await
    }

    /// Removes a member from the project, or `NotFound`. Members may remove themselves.
    pub async fn remove_member(&self, by: &Actor, id: ProjectId, user: &UserId) -> Result<()> {
        let (by, user) = (by.clone(), user.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let title = project::there(tx, id).await?.title;
                let removed = Entity::delete_by_id((id, user.clone())).exec(tx).await?;
                if removed.rows_affected == 0 {
                    return Err(StoreError::NotFound("member"));
                }
                let action = match by.user == user {
                    true => "leave project",
                    false => "remove from project",
                };
                let deed = Deed::new(action, "project", id, title);
                let deed = deed.with(serde_json::json!({ "user": user }));
                audit::insert(tx, &by, deed).await
            })
        })
        .await
    }
}

/// Adds the user to the project, unless they are in it already.
pub(super) async fn add(
    tx: &impl ConnectionTrait,
    id: ProjectId,
    user: &UserId,
    role: ProjectRole,
    added_by: &UserId,
) -> Result<()> {
    let row = ActiveModel {
        project_id: Set(id),
        user_id: Set(user.clone()),
        role: Set(role),
        added_by: Set(Some(added_by.clone())),
        created_at: Set(Timestamp::now().0),
    };
    let mut known = OnConflict::columns([Column::ProjectId, Column::UserId]);
    Entity::insert(row)
        .on_conflict(known.do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// A user's name for others.
pub(super) fn name_of(user: &user::Model) -> String {
    if !user.name.is_empty() {
        return user.name.clone();
    }
    let address = &user.written_email;
    let local = address.rsplit_once('@').map(|(local, _)| local);
    local.unwrap_or(address).to_owned()
}

/// The projects that the user owns or is in, for a query of what is in them.
pub(super) fn visible_ids(user: &UserId) -> SelectStatement {
    Query::select()
        .column(project::Column::Id)
        .from(project::Entity)
        .cond_where(visible(user))
        .and_where(project::Column::DeletedAt.is_null())
        .to_owned()
}

/// Whether a query's project is the user's, or one they are in.
pub(super) fn visible(user: &UserId) -> Condition {
    let member = Query::select()
        .column(Column::ProjectId)
        .from(Entity)
        .and_where(Column::UserId.eq(user.clone()))
        .to_owned();
    let project = |column: project::Column| Expr::col((project::Entity, column));
    Condition::any()
        .add(project(project::Column::UserId).eq(user.clone()))
        .add(project(project::Column::Id).in_subquery(member))
}

/// What the user is in the projects that the query finds.
fn role_rows(projects: Select<project::Entity>, user: &UserId) -> Select<project::Entity> {
    projects
        .select_only()
        .column_as(project::Column::UserId, "owner")
        .column_as(Column::Role, "member")
        .join(JoinType::LeftJoin, membership(user))
        .filter(project::Column::DeletedAt.is_null())
}

/// A project's row of this member, if there is one.
pub(super) fn membership(user: &UserId) -> RelationDef {
    let user = user.clone();
    let of_project: RelationDef = project::Entity::belongs_to(Entity)
        .from(project::Column::Id)
        .to(Column::ProjectId)
        .into();
    of_project.on_condition(move |_, members| {
        Expr::col((members, Column::UserId))
            .eq(user.clone())
            .into_condition()
    })
}
