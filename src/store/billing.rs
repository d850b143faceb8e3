//! Which users are which customers at Stripe, and whether those are subscribed.

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::OnConflict};

use super::{Result, Store, StoreError, account, user};
use crate::protocol::{Plan, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_customers")]
pub struct Model {
    /// The customer's id at Stripe.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub user_id: UserId,
    pub subscribed: bool,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A customer at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingCustomer {
    pub id: String,
    pub subscribed: bool,
}

impl Store {
    /// The user's customers, the subscribed one first. A checkout in two windows at once may create
    /// two.
    pub async fn billing_customers(&self, user: &UserId) -> Result<Vec<BillingCustomer>> {
        let own = Entity::find()
            .filter(Column::UserId.eq(user.clone()))
            .order_by_desc(Column::Subscribed)
            .order_by_desc(Column::CreatedAt);
        let own = own.all(&self.db).await?.into_iter();
        let own = own.map(|model| BillingCustomer {
            id: model.id,
            subscribed: model.subscribed,
        });
        Ok(own.collect())
    }

    /// The user's customer.
    pub async fn billing_customer(&self, user: &UserId) -> Result<Option<BillingCustomer>> {
        Ok(self.billing_customers(user).await?.into_iter().next())
    }

    /// Saves whether the customer is subscribed. A change also changes the plan of the customer's
    /// user, which is `user` for a customer that is not known yet. `NotFound` if there is no such
    /// user.
    pub async fn set_subscribed(
        &self,
        customer: &str,
        user: Option<UserId>,
        subscribed: bool,
    ) -> Result<()> {
        let (customer, credits) = (customer.to_owned(), self.credits);
        self.write(move |tx| {
            Box::pin(async move {
                let known = Entity::find_by_id(customer.clone()).one(tx).await?;
                let user = known.map(|known| known.user_id).or(user);
                let user = user.ok_or(StoreError::NotFound("account"))?;
                let user = user::Entity::find_by_id(user).one(tx).await?;
                let user = user.ok_or(StoreError::NotFound("account"))?;
                let new = ActiveModel {
                    id: Set(customer.clone()),
                    user_id: Set(user.id.clone()),
                    subscribed: Set(false),
                    created_at: Set(Timestamp::now().0),
                };
                let known = OnConflict::column(Column::Id).do_nothing().to_owned();
                Entity::insert(new)
                    .on_conflict(known)
                    .exec_without_returning(tx)
                    .await?;
                // An event without news must not overwrite a plan that was set in the meantime.
                let changed = Entity::update_many()
                    .col_expr(Column::Subscribed, Expr::value(subscribed))
                    .filter(Column::Id.eq(customer))
                    .filter(Column::Subscribed.ne(subscribed))
                    .exec(tx)
                    .await?;
                if changed.rows_affected == 0 {
                    return Ok(());
                }
                let paying = Entity::find()
                    .filter(Column::UserId.eq(user.id.clone()))
                    .filter(Column::Subscribed.eq(true));
                let plan = match paying.count(tx).await? {
                    0 => Plan::Free,
                    _ => Plan::Pro,
                };
                account::give_plan(tx, credits, &user, plan).await
            })
        })
        .await
    }
}
