//! Each user's balance of credits. The ledger is in `credit`.

use sea_orm::{
    ActiveValue::Set, ExprTrait as _, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};

use super::{Result, StoreError};
use crate::protocol::{CreditRules, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Never negative: the database refuses it.
    pub balance: i64,
    /// When the user's period began; `None` before the first charge.
    pub refilled_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The period that a refill is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    pub ends: Timestamp,
}

impl Period {
    pub fn is_over(self, now: Timestamp) -> bool {
        now.0 >= self.ends.0
    }
}

impl Model {
    /// The user's period, which may be over; `None` before the first.
    pub(super) fn period(&self, rules: &CreditRules) -> Option<Period> {
        let began = Timestamp(self.refilled_at?);
        Some(Period {
            ends: rules.end(began),
        })
    }
}

/// The user's account; `None` before the first charge.
pub(super) async fn of(db: &impl ConnectionTrait, user: &UserId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(user.clone()).one(db).await?)
}

/// The user's account, created if it is missing, and locked until the transaction ends.
pub(super) async fn hold(tx: &impl ConnectionTrait, user: &UserId) -> Result<Model> {
    let empty = ActiveModel {
        user_id: Set(user.clone()),
        balance: Set(0),
        refilled_at: Set(None),
    };
    let made = OnConflict::column(Column::UserId).do_nothing().to_owned();
    Entity::insert(empty)
        .on_conflict(made)
        .exec_without_returning(tx)
        .await?;
    // SQLite needs no lock, and has none: its writers take turns.
    let held = Entity::find_by_id(user.clone()).lock_exclusive();
    held.one(tx)
        .await?
        .ok_or(StoreError::NotFound("credit account"))
}

pub(super) async fn begin_period(
    tx: &impl ConnectionTrait,
    user: &UserId,
    now: Timestamp,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::RefilledAt, Expr::value(now.0))
        .filter(Column::UserId.eq(user.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Adds the amount, which may be negative, to the user's balance.
pub(super) async fn change(tx: &impl ConnectionTrait, user: &UserId, amount: i64) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Balance, Expr::col(Column::Balance).add(amount))
        .filter(Column::UserId.eq(user.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn remove(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    Entity::delete_by_id(user.clone()).exec(tx).await?;
    Ok(())
}
