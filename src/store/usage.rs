//! The cost of the models' answers for each user, summed over the steps of the runs they sent.

use std::collections::HashMap;

use sea_orm::{
    Condition, ExprTrait as _, FromQueryResult, JoinType, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{Func, SimpleExpr},
};

use super::{Result, Store, project, run, step};
use crate::protocol::{RunId, Spent, UserId, UserUsage};

/// The total cost of steps; `None` without any.
#[derive(FromQueryResult)]
pub(super) struct SpentRow {
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cached_tokens: Option<i64>,
    cost_micros: Option<i64>,
    /// 1 if part of it is an estimate.
    estimated: Option<i64>,
}

impl From<SpentRow> for Spent {
    fn from(row: SpentRow) -> Self {
        let count = |number: Option<i64>| number.unwrap_or_default().unsigned_abs();
        Self {
            input_tokens: count(row.input_tokens),
            output_tokens: count(row.output_tokens),
            cached_tokens: count(row.cached_tokens),
            cost_micros: row.cost_micros.map(i64::unsigned_abs),
            estimated: row.estimated.unwrap_or_default() > 0,
        }
    }
}

/// Selects the columns of a [`SpentRow`] in a query that has steps.
pub(super) fn select_spent<E: EntityTrait>(query: Select<E>) -> Select<E> {
    // PostgreSQL sums up to NUMERIC.
    let whole = |column: step::Column| column.sum().cast_as("BIGINT");
    let estimated = Expr::case(step::Column::Estimated.eq(true), 1)
        .finally(0)
        .max();
    query
        .column_as(estimated.cast_as("BIGINT"), "estimated")
        .column_as(whole(step::Column::InputTokens), "input_tokens")
        .column_as(whole(step::Column::OutputTokens), "output_tokens")
        .column_as(whole(step::Column::CachedTokens), "cached_tokens")
        .column_as(whole(step::Column::CostMicros), "cost_micros")
}

/// The user who sent a run, in a query that joins its project.
pub(super) fn payer() -> SimpleExpr {
    Func::coalesce([
        Expr::col((run::Entity, run::Column::UserId)),
        Expr::col((project::Entity, project::Column::UserId)),
    ])
    .into()
}

/// The total cost of a run's steps.
#[derive(FromQueryResult)]
struct OfRun {
    run_id: RunId,
    #[sea_orm(nested)]
    spent: SpentRow,
}

/// The total cost of each run's steps; nothing for a run without steps.
pub(super) async fn of_runs(
    db: &impl ConnectionTrait,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<HashMap<RunId, Spent>> {
    let steps = step::Entity::find()
        .select_only()
        .column(step::Column::RunId);
    let sums = select_spent(steps)
        .filter(step::Column::RunId.is_in(runs))
        .group_by(step::Column::RunId)
        .into_model::<OfRun>()
        .all(db)
        .await?;
    let sums = sums.into_iter();
    Ok(sums.map(|sum| (sum.run_id, sum.spent.into())).collect())
}

#[derive(FromQueryResult)]
struct Row {
    user_id: UserId,
    runs: i64,
    #[sea_orm(nested)]
    spent: SpentRow,
    unpriced: i64,
}

impl Store {
    /// The cost of each of these runs so far; nothing for a run without steps.
    pub async fn spent_by(
        &self,
        runs: impl IntoIterator<Item = RunId>,
    ) -> Result<HashMap<RunId, Spent>> {
        of_runs(&self.db, runs).await
    }

    /// The cost of the user's runs so far; without a user (for administrators), that of each
    /// user's, by user id.
    pub async fn list_usage(&self, of: Option<&UserId>) -> Result<Vec<UserUsage>> {
        let unpriced = step::Column::CostMicros.is_null().and(
            step::Column::InputTokens
                .gt(0)
                .or(step::Column::OutputTokens.gt(0)),
        );
        let runs = run::Entity::find()
            .select_only()
            .column_as(payer(), "user_id")
            .column_as(
                Expr::col((run::Entity, run::Column::Id)).count_distinct(),
                "runs",
            )
            .column_as(
                Expr::case(unpriced, 1).finally(0).max().cast_as("BIGINT"),
                "unpriced",
            )
            .join(JoinType::InnerJoin, run::Relation::Project.def())
            .join(JoinType::LeftJoin, step::Relation::Run.def().rev());
        let own = of.map(|user| payer().eq(user.clone()));
        let runs = runs.filter(Condition::all().add_option(own));
        let rows = select_spent(runs)
            .group_by(payer())
            .order_by_asc(payer())
            .into_model::<Row>()
            .all(&self.db)
            .await?;
        let usage = rows.into_iter().map(|row| UserUsage {
            user: row.user_id,
            runs: row.runs.unsigned_abs(),
            spent: row.spent.into(),
            unpriced: row.unpriced > 0,
        });
        Ok(usage.collect())
    }
}
