//! The second step of a sign-in: the secret of an authenticator app, and the recovery codes for a
//! lost app. Each code works once.

use sea_orm::{ActiveValue::Set, PaginatorTrait, entity::prelude::*};

use super::{Result, Store, StoreError};
use crate::protocol::{Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "second_steps")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub secret: String,
    pub confirmed_at: Option<i64>,
    pub last_counter: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The recovery codes.
mod recovery {
    use sea_orm::entity::prelude::*;

    use crate::protocol::UserId;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "recovery_codes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: UserId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub code_hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A user's second step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondStep {
    /// As stored: encrypted.
    pub secret: String,
    /// Whether it is active; `false` while it is being set up.
    pub is_on: bool,
    /// How many recovery codes are left.
    pub codes: u64,
}

impl Store {
    /// The user's second step, active or being set up.
    pub async fn second_step(&self, user: &UserId) -> Result<Option<SecondStep>> {
        let found = Entity::find_by_id(user.clone()).one(&self.db).await?;
        let Some(model) = found else {
            return Ok(None);
        };
        let codes = recovery::Entity::find().filter(recovery::Column::UserId.eq(user.clone()));
        Ok(Some(SecondStep {
            secret: model.secret,
            is_on: model.confirmed_at.is_some(),
            codes: codes.count(&self.db).await?,
        }))
    }

    /// Saves a secret that its owner still has to confirm, in place of an earlier one. `Conflict`
    /// if the second step is active.
    pub async fn begin_second_step(&self, user: &UserId, secret: String) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let before = Entity::find_by_id(user.clone()).one(tx).await?;
                if before.is_some_and(|before| before.confirmed_at.is_some()) {
                    return Err(StoreError::Conflict("Two-step sign-in is on already."));
                }
                Entity::delete_by_id(user.clone()).exec(tx).await?;
                let row = ActiveModel {
                    user_id: Set(user),
                    secret: Set(secret),
                    confirmed_at: Set(None),
                    last_counter: Set(0),
                };
                Entity::insert(row).exec_without_returning(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// Activates the second step with this secret, which a code of the time step `counter`
    /// confirmed. `codes` are the hashes of its recovery codes. `NotFound` if the secret was
    /// replaced, or is active already.
    pub async fn confirm_second_step(
        &self,
        user: &UserId,
        secret: &str,
        counter: i64,
        codes: Vec<String>,
    ) -> Result<()> {
        let (user, secret) = (user.clone(), secret.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let confirmed = Entity::update_many()
                    .col_expr(Column::ConfirmedAt, Expr::value(Timestamp::now().0))
                    .col_expr(Column::LastCounter, Expr::value(counter))
                    .filter(Column::UserId.eq(user.clone()))
                    .filter(Column::Secret.eq(secret))
                    .filter(Column::ConfirmedAt.is_null())
                    .exec(tx)
                    .await?;
                if confirmed.rows_affected == 0 {
                    return Err(StoreError::NotFound("second step"));
                }
                insert_codes(tx, &user, codes).await
            })
        })
        .await
    }

    /// Replaces the user's recovery codes, given by their hashes. `NotFound` if the second step is
    /// off.
    pub async fn renew_recovery_codes(&self, user: &UserId, codes: Vec<String>) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                // A write, so that the second of two simultaneous renewals waits for the first.
                let on = Entity::update_many()
                    .col_expr(Column::LastCounter, Expr::col(Column::LastCounter))
                    .filter(Column::UserId.eq(user.clone()))
                    .filter(Column::ConfirmedAt.is_not_null());
                if on.exec(tx).await?.rows_affected == 0 {
                    return Err(StoreError::NotFound("second step"));
                }
                remove_codes(tx, &user).await?;
                insert_codes(tx, &user, codes).await
            })
        })
        .await
    }

    /// Redeems the code of this time step; `false` if it or a later one was used already.
    pub async fn use_counter(&self, user: &UserId, counter: i64) -> Result<bool> {
        let used = Entity::update_many()
            .col_expr(Column::LastCounter, Expr::value(counter))
            .filter(Column::UserId.eq(user.clone()))
            .filter(Column::ConfirmedAt.is_not_null())
            .filter(Column::LastCounter.lt(counter));
        Ok(self.update(used).await? > 0)
    }

    /// Redeems the recovery code with this hash; `false` if there is none.
    pub async fn use_recovery_code(&self, user: &UserId, hash: &str) -> Result<bool> {
        let key = (user.clone(), hash.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let used = recovery::Entity::delete_by_id(key).exec(tx).await?;
                Ok(used.rows_affected > 0)
            })
        })
        .await
    }

    /// Turns the user's second step off, with its recovery codes.
    pub async fn end_second_step(&self, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| Box::pin(async move { remove(tx, &user).await }))
            .await
    }
}

async fn insert_codes(tx: &impl ConnectionTrait, user: &UserId, codes: Vec<String>) -> Result<()> {
    let rows = codes.into_iter().map(|code| recovery::ActiveModel {
        user_id: Set(user.clone()),
        code_hash: Set(code),
    });
    recovery::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn remove_codes(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    recovery::Entity::delete_many()
        .filter(recovery::Column::UserId.eq(user.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Turns the user's second step off, with its recovery codes.
pub(super) async fn remove(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    remove_codes(tx, user).await?;
    Entity::delete_by_id(user.clone()).exec(tx).await?;
    Ok(())
}
