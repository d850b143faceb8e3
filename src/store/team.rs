//! A project's people: current and former members, and their runs.

use sea_orm::{
    Condition, FromQueryResult, JoinType, QueryOrder, QuerySelect, entity::prelude::*,
    sea_query::Query,
};

use super::{
    Result, Store, StoreError, fragment,
    member::{self, RoleRow},
    message, project, readable, run, user,
};
use crate::protocol::{Person, ProjectId, ProjectRole, Run, RunId, UserId};

#[derive(FromQueryResult)]
struct RunRow {
    #[sea_orm(nested)]
    run: run::Model,
    #[sea_orm(nested)]
    role: RoleRow,
}

impl Store {
    /// The run, and the user's role in its project, or `NotFound`.
    pub async fn find_run_for(&self, user: &UserId, id: RunId) -> Result<(Run, ProjectRole)> {
        let found = run::Entity::find_by_id(id)
            .join(JoinType::InnerJoin, run::Relation::Project.def())
            .join(JoinType::LeftJoin, member::membership(user))
            .filter(project::Column::DeletedAt.is_null())
            .column_as(project::Column::UserId, "owner")
            .column_as(member::Column::Role, "member");
        let found = found.into_model::<RunRow>().one(&self.db).await?;
        let found = found.and_then(|row| Some((row.role.role_of(user)?, row.run)));
        let (role, run) = found.ok_or(StoreError::NotFound("run"))?;
        Ok((run.into_run(), role))
    }

    /// A project's people: its owner, its members, and former members who sent or changed
    /// something.
    pub async fn list_people(&self, id: ProjectId) -> Result<Vec<Person>> {
        let owner = self.user_of(id).await?;
        let wrote = Query::select()
            .column(message::Column::UserId)
            .from(message::Entity)
            .and_where(message::Column::ProjectId.eq(id))
            .and_where(message::Column::UserId.is_not_null())
            .to_owned();
        let changed = Query::select()
            .column(fragment::Column::UserId)
            .from(fragment::Entity)
            .and_where(fragment::Column::ProjectId.eq(id))
            .and_where(fragment::Column::UserId.is_not_null())
            .to_owned();
        let members = Query::select()
            .column(member::Column::UserId)
            .from(member::Entity)
            .and_where(member::Column::ProjectId.eq(id))
            .to_owned();
        let known = Condition::any()
            .add(user::Column::Id.eq(owner.clone()))
            .add(user::Column::Id.in_subquery(members))
            .add(user::Column::Id.in_subquery(wrote))
            .add(user::Column::Id.in_subquery(changed));
        let people = user::Entity::find()
            .filter(known)
            .order_by_asc(user::Column::CreatedAt)
            .order_by_asc(user::Column::Id);
        let people = readable::models(&self.db, "user", people).await?;
        let members = member::Entity::find().filter(member::Column::ProjectId.eq(id));
        let members = readable::models(&self.db, "member", members).await?;
        let role_of = |user: &UserId| {
            let mut members = members.iter();
            match *user == owner {
                true => Some(ProjectRole::Owner),
                false => members.find(|one| one.user_id == *user).map(|one| one.role),
            }
        };
        let mut people: Vec<Person> = people
            .iter()
            .map(|model| Person {
                id: model.id.clone(),
                name: member::name_of(model),
                role: role_of(&model.id),
            })
            .collect();
        people.sort_by_key(|person| match person.role {
            Some(ProjectRole::Owner) => 0,
            Some(_) => 1,
            None => 2,
        });
        Ok(people)
    }
}
