//! Links that work once: for the first administrator, for those who are invited, and for a new
//! password.

use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{Result, Store, StoreError};
use crate::protocol::{Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_links")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: String,
    pub purpose: String,
    pub user_id: Option<UserId>,
    pub created_at: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Makes the first administrator's account.
    Administrator,
    /// Makes an account where only the invited may.
    Invite,
    /// Sets the password of an account.
    Reset,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Invite => "invite",
            Self::Reset => "reset",
        }
    }
}

impl Store {
    /// Saves a link by its token's hash. An administrator's takes the place of those before.
    pub async fn add_link(
        &self,
        hash: &str,
        purpose: Purpose,
        user: Option<UserId>,
        expires_at: Timestamp,
    ) -> Result<()> {
        let row = ActiveModel {
            token_hash: Set(hash.to_owned()),
            purpose: Set(purpose.as_str().to_owned()),
            user_id: Set(user),
            created_at: Set(Timestamp::now().0),
            expires_at: Set(expires_at.0),
        };
        self.write(move |tx| {
            Box::pin(async move {
                if purpose == Purpose::Administrator {
                    Entity::delete_many()
                        .filter(Column::Purpose.eq(purpose.as_str()))
                        .exec(tx)
                        .await?;
                }
                Entity::insert(row).exec_without_returning(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// Whether the link with this token's hash can be used.
    pub async fn is_link(&self, hash: &str, purpose: Purpose) -> Result<bool> {
        Ok(usable(hash, purpose).one(&self.db).await?.is_some())
    }
}

fn usable(hash: &str, purpose: Purpose) -> sea_orm::Select<Entity> {
    Entity::find_by_id(hash)
        .filter(Column::Purpose.eq(purpose.as_str()))
        .filter(Column::ExpiresAt.gt(Timestamp::now().0))
}

/// Uses up the link, and returns whom it is for. `NotFound` when it is used or expired, or for
/// something else.
pub(super) async fn use_up(
    tx: &impl ConnectionTrait,
    hash: &str,
    purpose: Purpose,
) -> Result<Option<UserId>> {
    let found = usable(hash, purpose).one(tx).await?;
    let link = found.ok_or(StoreError::NotFound("link"))?;
    let removed = Entity::delete_by_id(hash).exec(tx).await?;
    match removed.rows_affected {
        0 => Err(StoreError::NotFound("link")),
        _ => Ok(link.user_id),
    }
}

/// Removes all links of the user.
pub(super) async fn remove_of(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    Entity::delete_many()
        .filter(Column::UserId.eq(user.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes the links that have expired.
pub(super) async fn remove_expired(tx: &impl ConnectionTrait) -> Result<()> {
    Entity::delete_many()
        .filter(Column::ExpiresAt.lte(Timestamp::now().0))
        .exec(tx)
        .await?;
    Ok(())
}
