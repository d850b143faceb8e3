//! Credits: a ledger. A run is charged in the transaction that creates it, and refunded once if it
//! produces nothing. Each user's balance is stored beside the ledger and equals the sum of its
//! entries.
//!
//! The balance is the last row that a transaction locks, so that no two transactions deadlock.

use sea_orm::{
    ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};

use super::{
    Result, Store, StoreError,
    credit_account::{self, change},
    readable, step, user,
};
use crate::protocol::{
    CreditEntry, CreditReason, CreditRules, Credits, Plan, RunId, RunState, SessionId, Timestamp,
    UserId,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_entries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub user_id: UserId,
    pub run_id: Option<RunId>,
    pub reason: CreditReason,
    pub amount: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// The same database, with charges for runs; `None`: runs cost nothing.
    pub fn charging(self, rules: Option<CreditRules>) -> Self {
        Self {
            credits: rules,
            ..self
        }
    }

    /// The price of runs; `None` where they cost nothing.
    pub fn credit_rules(&self) -> Option<CreditRules> {
        self.credits
    }

    /// The user's balance; `None` where runs cost nothing.
    pub async fn credits(&self, user: &UserId) -> Result<Option<Credits>> {
        let Some(rules) = self.credits else {
            return Ok(None);
        };
        let plan = plan(&self.db, user).await?;
        let account = credit_account::of(&self.db, user).await?;
        let balance = account.as_ref().map_or(0, |account| account.balance);
        let (now, period) = (Timestamp::now(), account.and_then(|it| it.period(&rules)));
        let period = period.filter(|period| !period.is_over(now));
        Ok(Some(Credits {
            left: match period {
                Some(_) => balance,
                None => balance.max(points(rules, plan)),
            },
            cost: rules.cost,
            next_refill: period.map_or(rules.end(now), |period| period.ends),
        }))
    }

    /// The user's last entries, the latest first.
    pub async fn list_credit_entries(&self, user: &UserId, limit: u64) -> Result<Vec<CreditEntry>> {
        let entries = Entity::find()
            .filter(Column::UserId.eq(user.clone()))
            // Ids sort by the time they were created.
            .order_by_desc(Column::Id)
            .limit(limit);
        let entries = readable::models(&self.db, "credit", entries).await?;
        let entries = entries.into_iter().map(|entry| CreditEntry {
            at: Timestamp(entry.created_at),
            reason: entry.reason,
            amount: entry.amount,
            run: entry.run_id,
        });
        Ok(entries.collect())
    }
}

/// Charges the user for the run. `OutOfCredits` if the balance is too low.
pub(super) async fn charge(
    tx: &impl ConnectionTrait,
    rules: Option<CreditRules>,
    user: &UserId,
    run: RunId,
) -> Result<()> {
    let Some(rules) = rules else {
        return Ok(());
    };
    let account = credit_account::hold(tx, user).await?;
    let plan = plan(tx, user).await?;
    let now = Timestamp::now();
    let period = account.period(&rules).filter(|it| !it.is_over(now));
    let mut left = account.balance;
    if period.is_none() {
        let more = (points(rules, plan) - left).max(0);
        insert(tx, user, None, CreditReason::Refill, more).await?;
        credit_account::begin_period(tx, user, now).await?;
        left += more;
    }
    if left < rules.cost {
        return Err(StoreError::OutOfCredits(Credits {
            left,
            cost: rules.cost,
            next_refill: period.map_or(rules.end(now), |period| period.ends),
        }));
    }
    insert(tx, user, Some(run), CreditReason::Run, -rules.cost).await
}

/// Refunds the run if it ended in this state without an answer. It comes last in its transaction,
/// but before the run's steps are ended.
pub(super) async fn settle(tx: &impl ConnectionTrait, run: RunId, state: RunState) -> Result<()> {
    let came_to_nothing = match state {
        RunState::Failed => true,
        RunState::Cancelled => !step::has_answer(tx, run).await?,
        RunState::Queued | RunState::Running | RunState::Succeeded => false,
    };
    if !came_to_nothing {
        return Ok(());
    }
    let paid = Entity::find()
        .filter(Column::RunId.eq(run))
        .filter(Column::Reason.eq(CreditReason::Run));
    let Some(paid) = paid.one(tx).await? else {
        return Ok(());
    };
    credit_account::hold(tx, &paid.user_id).await?;
    let reason = CreditReason::Refund;
    insert(tx, &paid.user_id, Some(run), reason, -paid.amount).await
}

/// Credits or debits the difference between two plans; no balance falls below zero.
pub(super) async fn change_plan(
    tx: &impl ConnectionTrait,
    rules: Option<CreditRules>,
    user: &UserId,
    from: Plan,
    to: Plan,
) -> Result<()> {
    let Some(rules) = rules.filter(|_| from != to) else {
        return Ok(());
    };
    let account = credit_account::hold(tx, user).await?;
    // Before the first period there is nothing to adjust.
    if account.refilled_at.is_none() {
        return Ok(());
    }
    let more = (points(rules, to) - points(rules, from)).max(-account.balance);
    insert(tx, user, None, CreditReason::Plan, more).await
}

/// Forgets the user's credits.
pub(super) async fn remove_all(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    Entity::delete_many()
        .filter(Column::UserId.eq(user.clone()))
        .exec(tx)
        .await?;
    credit_account::remove(tx, user).await
}

/// The plan's credits at the beginning of a period.
fn points(rules: CreditRules, plan: Plan) -> i64 {
    match plan {
        Plan::Free => rules.free,
        Plan::Pro => rules.pro,
    }
}

/// The user's plan; the local user has the free one.
async fn plan(db: &impl ConnectionTrait, user: &UserId) -> Result<Plan> {
    let found = user::Entity::find_by_id(user.clone()).one(db).await?;
    Ok(found.map(|user| user.plan).unwrap_or_default())
}

/// Adds an entry and updates the balance, unless the run has an entry with this reason. The user's
/// account must be locked.
async fn insert(
    tx: &impl ConnectionTrait,
    user: &UserId,
    run: Option<RunId>,
    reason: CreditReason,
    amount: i64,
) -> Result<()> {
    if amount == 0 && run.is_none() {
        return Ok(());
    }
    let row = ActiveModel {
        id: Set(SessionId::new().to_string()),
        user_id: Set(user.clone()),
        run_id: Set(run),
        reason: Set(reason),
        amount: Set(amount),
        created_at: Set(Timestamp::now().0),
    };
    let once = OnConflict::columns([Column::RunId, Column::Reason])
        .do_nothing()
        .to_owned();
    let inserted = Entity::insert(row)
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    match inserted {
        0 => Ok(()),
        _ => change(tx, user, amount).await,
    }
}
