//! The list of projects: each with the state of its latest run and its latest picture.

use std::collections::HashMap;

use sea_orm::{Condition, QueryOrder, entity::prelude::*};

use super::{
    Result, Store, member,
    project::{Column, Entity, Model},
    readable, run,
};
use crate::protocol::{Membership, ProjectId, ProjectSummary, Timestamp, UserId};

impl Store {
    /// The user's own projects, the one worked on last first.
    pub async fn list_projects(&self, user: &UserId) -> Result<Vec<ProjectSummary>> {
        let own = Condition::all().add(Column::UserId.eq(user.clone()));
        self.summaries(user, own).await
    }

    /// The user's own projects and those of others that they are in, the one worked on last first.
    pub async fn list_visible_projects(&self, user: &UserId) -> Result<Vec<ProjectSummary>> {
        let mut all = self.summaries(user, member::visible(user)).await?;
        let mut shared: HashMap<ProjectId, Membership> =
            self.list_memberships(user).await?.into_iter().collect();
        for project in &mut all {
            project.shared = shared.remove(&project.id);
        }
        Ok(all)
    }

    async fn summaries(&self, user: &UserId, which: Condition) -> Result<Vec<ProjectSummary>> {
        let all = Entity::find()
            .filter(which)
            .filter(Column::DeletedAt.is_null())
            .order_by_desc(Column::UpdatedAt)
            .order_by_desc(Column::Id);
        let models = readable::models(&self.db, "project", all).await?;
        let states = run::latest_states(&self.db, user).await?;
        let summary = |model: Model| ProjectSummary {
            id: model.id,
            title: model.title,
            status: states.get(&model.id).copied().into(),
            picture: model.picture.and_then(|hash| hash.as_str().parse().ok()),
            created_at: Timestamp(model.created_at),
            updated_at: Timestamp(model.updated_at),
            shared: None,
        };
        Ok(models.into_iter().map(summary).collect())
    }
}
