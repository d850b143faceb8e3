//! Steps: the journal of a run. A step that has an output is never run again.

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::OnConflict};

use super::{Result, Store};
use crate::protocol::{RunId, Timestamp};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "steps")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub ordinal: i32,
    pub attempt: i32,
    pub output: Option<String>,
    pub error: Option<String>,
    pub started_at: i64,
    pub finished_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A step of a run, as it was saved.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    /// How often it was begun.
    pub attempt: i32,
    /// JSON; `None` until it ended well.
    pub output: Option<String>,
}

impl Store {
    /// The run's steps, in the order in which they were first begun.
    pub async fn list_steps(&self, run: RunId) -> Result<Vec<Step>> {
        let models = Entity::find()
            .filter(Column::RunId.eq(run.to_string()))
            .order_by_asc(Column::Ordinal)
            .all(&self.db)
            .await?;
        Ok(models
            .into_iter()
            .map(|model| Step {
                name: model.name,
                attempt: model.attempt,
                output: model.output,
            })
            .collect())
    }

    /// The step's saved output (JSON), or `None` after noting that an attempt begins.
    pub async fn begin_step(&self, run: RunId, name: &str) -> Result<Option<String>> {
        let tx = self.begin().await?;
        let found = Entity::find_by_id((run.to_string(), name.to_owned())).one(&tx).await?;
        if let Some(Model { output: Some(output), .. }) = found {
            return Ok(Some(output));
        }
        let ordinal = match &found {
            Some(step) => step.ordinal,
            None => i32::try_from(Entity::find().filter(Column::RunId.eq(run.to_string())).count(&tx).await?).unwrap_or(i32::MAX),
        };
        let step = ActiveModel {
            run_id: Set(run.to_string()),
            name: Set(name.to_owned()),
            ordinal: Set(ordinal),
            attempt: Set(found.map_or(0, |step| step.attempt) + 1),
            output: Set(None),
            error: Set(None),
            started_at: Set(Timestamp::now().0),
            finished_at: Set(None),
        };
        Entity::insert(step)
            .on_conflict(
                OnConflict::columns([Column::RunId, Column::Name])
                    .update_columns([Column::Attempt, Column::Error, Column::StartedAt])
                    .to_owned(),
            )
            .exec_without_returning(&tx)
            .await?;
        tx.commit().await?;
        Ok(None)
    }

    /// Saves the output (JSON) of a step that was begun.
    pub async fn finish_step(&self, run: RunId, name: &str, output: &str) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::Output, Expr::value(output))
            .col_expr(Column::FinishedAt, Expr::value(Timestamp::now().0))
            .filter(Column::RunId.eq(run.to_string()))
            .filter(Column::Name.eq(name))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Forgets what the run has done, so that it begins anew.
    pub async fn forget_steps(&self, run: RunId) -> Result<()> {
        Entity::delete_many()
            .filter(Column::RunId.eq(run.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Saves why an attempt at a step failed.
    pub async fn fail_step(&self, run: RunId, name: &str, error: &str) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::Error, Expr::value(error))
            .col_expr(Column::FinishedAt, Expr::value(Timestamp::now().0))
            .filter(Column::RunId.eq(run.to_string()))
            .filter(Column::Name.eq(name))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}
