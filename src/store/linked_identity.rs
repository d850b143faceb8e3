//! Identities of other services that sign in to an account.

use sea_orm::{
    ActiveValue::Set, PaginatorTrait, QueryOrder, entity::prelude::*, sea_query::OnConflict,
};

use super::{NewUser, Result, Store, StoreError, user};
use crate::protocol::{Account, LinkedIdentity, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "linked_identities")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issuer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    pub user_id: UserId,
    pub label: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// The user whose account the identity signs in to.
    pub async fn user_linked_to(&self, issuer: &str, subject: &str) -> Result<Option<UserId>> {
        let found = Entity::find_by_id((issuer.to_owned(), subject.to_owned()));
        Ok(found.one(&self.db).await?.map(|model| model.user_id))
    }

    /// Creates an account that the identity signs in to. `Conflict` if the address or the identity
    /// already belongs to an account.
    pub async fn create_linked_user(
        &self,
        new: NewUser,
        issuer: &str,
        subject: &str,
        label: &str,
    ) -> Result<Account> {
        let [issuer, subject, label] = [issuer, subject, label].map(str::to_owned);
        self.write(move |tx| {
            Box::pin(async move {
                let account = user::insert(tx, new).await?;
                insert(tx, &account.id, issuer, subject, label).await?;
                Ok(account)
            })
        })
        .await
    }

    /// Lets the identity sign in to the user's account. `Conflict` when it signs in to another.
    pub async fn link_identity(
        &self,
        user: &UserId,
        issuer: &str,
        subject: &str,
        label: &str,
    ) -> Result<()> {
        let user = user.clone();
        let [issuer, subject, label] = [issuer, subject, label].map(str::to_owned);
        self.write(move |tx| {
            Box::pin(async move {
                let key = (issuer.clone(), subject.clone());
                match Entity::find_by_id(key).one(tx).await? {
                    Some(known) if known.user_id == user => Ok(()),
                    _ => insert(tx, &user, issuer, subject, label).await,
                }
            })
        })
        .await
    }

    /// The identities that sign in to the user's account, the oldest first.
    pub async fn list_identities(&self, user: &UserId) -> Result<Vec<LinkedIdentity>> {
        let found = Entity::find()
            .filter(Column::UserId.eq(user.clone()))
            .order_by_asc(Column::CreatedAt);
        let models = found.all(&self.db).await?.into_iter();
        let identities = models.map(|model| LinkedIdentity {
            issuer: model.issuer,
            subject: model.subject,
            label: model.label,
            created_at: Timestamp(model.created_at),
        });
        Ok(identities.collect())
    }

    /// Unlinks the identity from the user's account, or `NotFound`. `Conflict` if it is the only
    /// way to sign in.
    pub async fn unlink_identity(&self, user: &UserId, issuer: &str, subject: &str) -> Result<()> {
        let user = user.clone();
        let key = (issuer.to_owned(), subject.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let others = count(tx, &user).await?.saturating_sub(1);
                let model = user::Entity::find_by_id(user.clone()).one(tx).await?;
                let has_password = model.is_some_and(|model| model.password_hash.is_some());
                if others == 0 && !has_password {
                    return Err(StoreError::Conflict(
                        "Nothing else signs in to this account. Set a password first.",
                    ));
                }
                let removed = Entity::delete_by_id(key)
                    .filter(Column::UserId.eq(user))
                    .exec(tx)
                    .await?;
                match removed.rows_affected {
                    0 => Err(StoreError::NotFound("identity")),
                    _ => Ok(()),
                }
            })
        })
        .await
    }
}

/// How many identities sign in to the user's account.
pub(super) async fn count(tx: &impl ConnectionTrait, user: &UserId) -> Result<u64> {
    let own = Entity::find().filter(Column::UserId.eq(user.clone()));
    Ok(own.count(tx).await?)
}

async fn insert(
    tx: &impl ConnectionTrait,
    user: &UserId,
    issuer: String,
    subject: String,
    label: String,
) -> Result<()> {
    let row = ActiveModel {
        issuer: Set(issuer),
        subject: Set(subject),
        user_id: Set(user.clone()),
        label: Set(label),
        created_at: Set(Timestamp::now().0),
    };
    let known = OnConflict::columns([Column::Issuer, Column::Subject]);
    let inserted = Entity::insert(row)
        .on_conflict({ known }.do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    match inserted {
        0 => Err(StoreError::Conflict("The identity is linked already.")),
        _ => Ok(()),
    }
}
