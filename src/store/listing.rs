//! The list of projects: each with the state of its latest run and its latest picture.

use sea_orm::{QueryOrder, entity::prelude::*};

use super::{
    Result, Store,
    project::{Column, Entity, Model},
    readable, run,
};
use crate::protocol::{ProjectSummary, Timestamp, UserId};

impl Store {
    /// The user's projects, the one worked on last first.
    pub async fn list_projects(&self, user: &UserId) -> Result<Vec<ProjectSummary>> {
        let all = Entity::find()
            .filter(Column::UserId.eq(user.clone()))
            .filter(Column::DeletedAt.is_null())
            .order_by_desc(Column::UpdatedAt)
            .order_by_desc(Column::Id);
        let models = readable::models(&self.db, "project", all).await?;
        let states = run::latest_states(&self.db, user).await?;
        let summary = |model: Model| ProjectSummary {
            id: model.id,
            title: model.title,
            status: states.get(&model.id).copied().into(),
            picture: model.picture.and_then(|hash| hash.parse().ok()),
            created_at: Timestamp(model.created_at),
            updated_at: Timestamp(model.updated_at),
        };
        Ok(models.into_iter().map(summary).collect())
    }
}
