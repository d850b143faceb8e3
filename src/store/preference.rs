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
