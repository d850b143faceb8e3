//! A user's usage by day and by model, summed over the steps of their runs.

use std::collections::HashMap;

use sea_orm::{
    ExprTrait as _, FromQueryResult, JoinType, QueryOrder, QuerySelect, Select, entity::prelude::*,
    sea_query::Alias,
};

use super::{
    Result, Store, run, step,
    usage::{SpentRow, payer, select_spent},
};
use crate::protocol::{DayUsage, ModelUsage, Timestamp, UserId};

const DAY: i64 = 24 * 3600 * 1000;

#[derive(FromQueryResult)]
struct DayRow {
    day: i64,
    runs: i64,
    #[sea_orm(nested)]
    spent: SpentRow,
}

#[derive(FromQueryResult)]
struct ModelRow {
    model: Option<String>,
    runs: i64,
    #[sea_orm(nested)]
    spent: SpentRow,
}

impl Store {
    /// The usage of the user's runs per UTC day on which they were sent, for the last `days` days
    /// including today, even days without a run.
    pub async fn list_usage_by_day(&self, user: &UserId, days: u32) -> Result<Vec<DayUsage>> {
        let today = Timestamp::now().0.div_euclid(DAY);
        let first = today - i64::from(days.saturating_sub(1));
        // By name, because PostgreSQL treats two parameters with the same value as different.
        let day = Alias::new("day");
        let query = select_spent(
            runs_since(user, first).join(JoinType::LeftJoin, step::Relation::Run.def().rev()),
        )
        .column_as(
            Expr::col((run::Entity, run::Column::CreatedAt)).div(DAY),
            "day",
        )
        .group_by(Expr::col(day));
        let rows = query.into_model::<DayRow>().all(&self.db).await?;
        let mut rows: HashMap<i64, DayRow> = rows.into_iter().map(|row| (row.day, row)).collect();
        let days = (first..=today).map(|day| {
            let row = rows.remove(&day);
            DayUsage {
                day: Timestamp(day * DAY),
                runs: row.as_ref().map_or(0, |row| row.runs.unsigned_abs()),
                spent: row.map(|row| row.spent.into()).unwrap_or_default(),
            }
        });
        Ok(days.collect())
    }

    /// The cost of the models' answers to the user in the last `days` days, by model; the model
    /// with the most runs first.
    pub async fn list_usage_by_model(&self, user: &UserId, days: u32) -> Result<Vec<ModelUsage>> {
        self.by_model(runs_since(user, first_of(days))).await
    }

    /// The cost of the models' answers to all users in the last days, by model, for administrators.
    pub async fn list_all_usage_by_model(&self, days: u32) -> Result<Vec<ModelUsage>> {
        self.by_model(all_runs_since(first_of(days))).await
    }

    async fn by_model(&self, runs: Select<run::Entity>) -> Result<Vec<ModelUsage>> {
        let answered = step::Column::InputTokens
            .gt(0)
            .or(step::Column::OutputTokens.gt(0));
        let query = select_spent(runs.join(JoinType::InnerJoin, step::Relation::Run.def().rev()))
            .column_as(step::Column::Model, "model")
            .filter(answered)
            .group_by(step::Column::Model)
            .order_by_desc(Expr::col(Alias::new("runs")));
        let rows = query.into_model::<ModelRow>().all(&self.db).await?;
        let models = rows.into_iter().map(|row| ModelUsage {
            model: row.model,
            runs: row.runs.unsigned_abs(),
            spent: row.spent.into(),
        });
        Ok(models.collect())
    }
}

/// The number of the first of these days, the last of which is today.
fn first_of(days: u32) -> i64 {
    Timestamp::now().0.div_euclid(DAY) - i64::from(days.saturating_sub(1))
}

/// The user's runs since the day with this number.
fn runs_since(user: &UserId, day: i64) -> Select<run::Entity> {
    all_runs_since(day)
        .join(JoinType::InnerJoin, run::Relation::Project.def())
        .filter(payer().eq(user.clone()))
}

fn all_runs_since(day: i64) -> Select<run::Entity> {
    run::Entity::find()
        .select_only()
        .column_as(
            Expr::col((run::Entity, run::Column::Id)).count_distinct(),
            "runs",
        )
        .filter(run::Column::CreatedAt.gte(day * DAY))
}
