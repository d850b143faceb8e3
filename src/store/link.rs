//! One-time links: for the first administrator, for invited users and sign-ups, for a new password
//! or address, and between the steps of a sign-in.

use std::str::FromStr;

use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{Result, Store, StoreError};
use crate::protocol::{SessionId, Timestamp, UserId, named};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_links")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: String,
    pub purpose: Purpose,
    pub user_id: Option<UserId>,
    pub created_at: i64,
    pub expires_at: i64,
    pub detail: Option<String>,
    /// Its id, for where the token must stay unknown.
    pub id: Option<SessionId>,
    /// The administrator who created it; `None` if a command did.
    pub made_by: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The purpose of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Creates the first administrator's account.
    Administrator,
    /// Creates an account where sign-up is by invitation.
    Invite,
    /// Creates an account with the address that it was sent to, which is its detail.
    SignUp,
    /// Sets the password of an account.
    Reset,
    /// Confirms an account's new address, which is its detail.
    Email,
    /// Proves that the password was right, until the code is entered too.
    SecondStep,
    /// A challenge for a new passkey; its detail is the state that checks the answer.
    NewPasskey,
    /// A challenge for a sign-in with a passkey; its detail is the state that checks the answer.
    Passkey,
    /// A pending sign-in with another service, with its state as the detail.
    Outside,
}

/// A link as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub user: Option<UserId>,
    pub detail: Option<String>,
}

named!(
    Purpose: Administrator = "administrator", Invite = "invite", SignUp = "sign-up",
    Reset = "reset", Email = "email", SecondStep = "second-step", NewPasskey = "new-passkey",
    Passkey = "passkey", Outside = "outside"
);

impl Store {
    /// Saves a link by its token's hash. A link for the administrator, or to confirm a user's
    /// address, replaces the earlier ones.
    pub async fn add_link(
        &self,
        hash: &str,
        purpose: Purpose,
        link: Link,
        expires_at: Timestamp,
    ) -> Result<()> {
        let row = ActiveModel {
            token_hash: Set(hash.to_owned()),
            purpose: Set(purpose),
            user_id: Set(link.user.clone()),
            created_at: Set(Timestamp::now().0),
            expires_at: Set(expires_at.0),
            detail: Set(link.detail),
            id: Set(Some(SessionId::new())),
            made_by: Set(None),
        };
        self.write(move |tx| {
            Box::pin(async move {
                let before = Entity::delete_many().filter(Column::Purpose.eq(purpose));
                match (purpose, link.user) {
                    (Purpose::Administrator, _) => _ = before.exec(tx).await?,
                    (Purpose::Email, Some(user)) => {
                        before.filter(Column::UserId.eq(user)).exec(tx).await?;
                    }
                    _ => {}
                }
                Entity::insert(row).exec_without_returning(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// Whether the link with this token's hash is valid.
    pub async fn is_link(&self, hash: &str, purpose: Purpose) -> Result<bool> {
        Ok(usable(hash, purpose).one(&self.db).await?.is_some())
    }

    /// The link with this token's hash. `NotFound` if it is used, expired, or for another purpose.
    pub async fn find_link(&self, hash: &str, purpose: Purpose) -> Result<Link> {
        let found = usable(hash, purpose).one(&self.db).await?;
        let model = found.ok_or(StoreError::NotFound("link"))?;
        Ok(Link {
            user: model.user_id,
            detail: model.detail,
        })
    }

    /// Redeems the link. `NotFound` as in [`Store::find_link`].
    pub async fn use_link(&self, hash: &str, purpose: Purpose) -> Result<()> {
        let hash = hash.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                use_up(tx, &hash, purpose).await?;
                Ok(())
            })
        })
        .await
    }
}

fn usable(hash: &str, purpose: Purpose) -> sea_orm::Select<Entity> {
    Entity::find_by_id(hash)
        .filter(Column::Purpose.eq(purpose))
        .filter(Column::ExpiresAt.gt(Timestamp::now().0))
}

/// Redeems the link, and returns its user. `NotFound` if it is used, expired, or for another
/// purpose.
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
