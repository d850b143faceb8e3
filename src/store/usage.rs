//! What the models' answers have cost each user: sums over the steps of their projects' runs.

use sea_orm::{ExprTrait as _, FromQueryResult, JoinType, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Result, Store, project, run, step};
use crate::protocol::{Spent, UserId, UserUsage};

#[derive(FromQueryResult)]
struct Row {
    user_id: String,
    runs: i64,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cost_micros: Option<i64>,
}

impl Store {
    /// What each user's runs have cost so far, by the users' ids.
    pub async fn list_usage(&self) -> Result<Vec<UserUsage>> {
        // PostgreSQL sums up to NUMERIC.
        let whole = |column: step::Column| Expr::col((step::Entity, column)).sum().cast_as("BIGINT");
        let steps: RelationDef = run::Entity::belongs_to(step::Entity)
            .from(run::Column::Id)
            .to(step::Column::RunId)
            .into();
        let projects: RelationDef = run::Entity::belongs_to(project::Entity)
            .from(run::Column::ProjectId)
            .to(project::Column::Id)
            .into();
        let rows = run::Entity::find()
            .select_only()
            .column_as(Expr::col((project::Entity, project::Column::UserId)), "user_id")
            .column_as(Expr::col((run::Entity, run::Column::Id)).count_distinct(), "runs")
            .column_as(whole(step::Column::InputTokens), "input_tokens")
            .column_as(whole(step::Column::OutputTokens), "output_tokens")
            .column_as(whole(step::Column::CostMicros), "cost_micros")
            .join(JoinType::InnerJoin, projects)
            .join(JoinType::LeftJoin, steps)
            .group_by(Expr::col((project::Entity, project::Column::UserId)))
            .order_by_asc(Expr::col((project::Entity, project::Column::UserId)))
            .into_model::<Row>()
            .all(&self.db)
            .await?;
        let count = |number: Option<i64>| number.unwrap_or_default().unsigned_abs();
        let usage = rows.into_iter().map(|row| UserUsage {
            user: UserId(row.user_id),
            runs: row.runs.unsigned_abs(),
            spent: Spent {
                input_tokens: count(row.input_tokens),
                output_tokens: count(row.output_tokens),
                cost_micros: row.cost_micros.map(i64::unsigned_abs),
            },
        });
        Ok(usage.collect())
    }
}
