//! Users' preferences, under names that the page chooses.

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

use super::{Result, Store, readable};
use crate::protocol::UserId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "preferences")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// The user's preferences by their names.
    pub async fn preferences(&self, user: &UserId) -> Result<BTreeMap<String, String>> {
        let all = Entity::find().filter(Column::UserId.eq(user.clone()));
        let models = readable::models(&self.db, "preference", all).await?;
        Ok(models
            .into_iter()
            .map(|model| (model.name, model.value))
            .collect())
    }

    /// Keeps a preference of the user in place of the one before.
    pub async fn set_preference(&self, user: &UserId, name: &str, value: &str) -> Result<()> {
        let row = ActiveModel {
            user_id: Set(user.clone()),
            name: Set(name.to_owned()),
            value: Set(value.to_owned()),
        };
        self.write(move |tx| {
            Box::pin(async move {
                let mut known = OnConflict::columns([Column::UserId, Column::Name]);
                Entity::insert(row)
                    .on_conflict(known.update_column(Column::Value).to_owned())
                    .exec_without_returning(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }
}

/// Gives one user's preferences to another, who keeps existing ones.
pub(super) async fn take_over(tx: &impl ConnectionTrait, from: &UserId, to: &UserId) -> Result<()> {
    let own = Entity::find().filter(Column::UserId.eq(to.clone()));
    let own: Vec<String> = own.all(tx).await?.into_iter().map(|one| one.name).collect();
    Entity::update_many()
        .col_expr(Column::UserId, Expr::value(to.clone()))
        .filter(Column::UserId.eq(from.clone()))
        .filter(Column::Name.is_not_in(own))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes all of the user's preferences.
pub(super) async fn remove_all(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    Entity::delete_many()
        .filter(Column::UserId.eq(user.clone()))
        .exec(tx)
        .await?;
    Ok(())
}
