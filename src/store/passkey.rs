//! Passkeys that sign in to accounts: their public keys, and the state that a sign-in changes.

use sea_orm::{
    ActiveValue::Set, PaginatorTrait, QueryOrder, entity::prelude::*, sea_query::OnConflict,
};

use super::{Result, Store, StoreError, linked_identity, readable, user};
use crate::protocol::{Passkey, PasskeyId, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "passkeys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PasskeyId,
    pub user_id: UserId,
    pub name: String,
    pub credential_id: String,
    pub public_key: String,
    pub state: String,
    pub created_at: i64,
    pub used_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The maximum number of passkeys per user.
const MAX_PASSKEYS: u64 = 20;

/// A passkey's key and state.
#[derive(Debug, Clone)]
pub struct PasskeyKey {
    /// The credential id, in base64url.
    pub credential: String,
    /// In hex, as is the state.
    pub public_key: String,
    pub state: String,
}

/// The passkey that somebody signs in with.
#[derive(Debug, Clone)]
pub struct FoundPasskey {
    pub id: PasskeyId,
    pub user: UserId,
    pub disabled: bool,
    pub public_key: String,
    pub state: String,
}

impl From<Model> for Passkey {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            created_at: Timestamp(model.created_at),
            used_at: model.used_at.map(Timestamp),
        }
    }
}

impl Store {
    /// Adds the passkey to the user's account. `Conflict` if the account has too many, or the
    /// passkey is already known.
    pub async fn add_passkey(&self, user: &UserId, name: &str, key: PasskeyKey) -> Result<Passkey> {
        let model = Model {
            id: PasskeyId::new(),
            user_id: user.clone(),
            name: name.to_owned(),
            credential_id: key.credential,
            public_key: key.public_key,
            state: key.state,
            created_at: Timestamp::now().0,
            used_at: None,
        };
        self.write(move |tx| {
            Box::pin(async move {
                let own = Entity::find().filter(Column::UserId.eq(model.user_id.clone()));
                if own.count(tx).await? >= MAX_PASSKEYS {
                    return Err(StoreError::Conflict(
                        "You have 20 passkeys, the most there can be. Remove one that you don't \
                         need.",
                    ));
                }
                let row = ActiveModel {
                    id: Set(model.id),
                    user_id: Set(model.user_id.clone()),
                    name: Set(model.name.clone()),
                    credential_id: Set(model.credential_id.clone()),
                    public_key: Set(model.public_key.clone()),
                    state: Set(model.state.clone()),
                    created_at: Set(model.created_at),
                    used_at: Set(None),
                };
                let known = OnConflict::column(Column::CredentialId);
                let inserted = Entity::insert(row)
                    .on_conflict({ known }.do_nothing().to_owned())
                    .exec_without_returning(tx)
                    .await?;
                match inserted {
                    0 => Err(StoreError::Conflict("This passkey was added already.")),
                    _ => Ok(model.into()),
                }
            })
        })
        .await
    }

    /// The passkey with this credential id; `None` if there is none (any more).
    pub async fn find_passkey(&self, credential: &str) -> Result<Option<FoundPasskey>> {
        let found = Entity::find()
            .filter(Column::CredentialId.eq(credential))
            .find_also_related(user::Entity);
        let Some((passkey, Some(user))) = found.one(&self.db).await? else {
            return Ok(None);
        };
        Ok(Some(FoundPasskey {
            id: passkey.id,
            user: passkey.user_id,
            disabled: user.disabled_at.is_some(),
            public_key: passkey.public_key,
            state: passkey.state,
        }))
    }

    /// Records a sign-in with the passkey, which changes its state. Returns `false` if its state is
    /// no longer that of `passkey`, or it is gone: of two simultaneous sign-ins only one counts.
    pub async fn use_passkey(&self, passkey: &FoundPasskey, state: String) -> Result<bool> {
        let used = Entity::update_many()
            .col_expr(Column::State, Expr::value(state))
            .col_expr(Column::UsedAt, Expr::value(Timestamp::now().0))
            .filter(Column::Id.eq(passkey.id))
            .filter(Column::State.eq(passkey.state.clone()));
        Ok(self.update(used).await? > 0)
    }

    /// The user's passkeys, the oldest first.
    pub async fn list_passkeys(&self, user: &UserId) -> Result<Vec<Passkey>> {
        let models = readable::models(&self.db, "passkey", of(user)).await?;
        Ok(models.into_iter().map(Passkey::from).collect())
    }

    /// The credential ids of the user's passkeys, in base64url.
    pub async fn passkey_credentials(&self, user: &UserId) -> Result<Vec<String>> {
        let models = readable::models(&self.db, "passkey", of(user)).await?;
        Ok(models
            .into_iter()
            .map(|model| model.credential_id)
            .collect())
    }

    /// Gives one of the user's passkeys another name, or `NotFound`.
    pub async fn rename_passkey(&self, user: &UserId, id: PasskeyId, name: &str) -> Result<()> {
        let renamed = Entity::update_many()
            .col_expr(Column::Name, Expr::value(name))
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user.clone()));
        match self.update(renamed).await? {
            0 => Err(StoreError::NotFound("passkey")),
            _ => Ok(()),
        }
    }

    /// Removes one of the user's passkeys, or `NotFound`. `Conflict` if it is the only way to sign
    /// in to the account.
    pub async fn remove_passkey(&self, user: &UserId, id: PasskeyId) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let removed = Entity::delete_many()
                    .filter(Column::Id.eq(id))
                    .filter(Column::UserId.eq(user.clone()))
                    .exec(tx)
                    .await?;
                if removed.rows_affected == 0 {
                    return Err(StoreError::NotFound("passkey"));
                }
                let owner = user::Entity::find_by_id(user.clone()).one(tx).await?;
                let has_password = owner.is_some_and(|owner| owner.password_hash.is_some());
                let others = of(&user).count(tx).await? + linked_identity::count(tx, &user).await?;
                if others == 0 && !has_password {
                    return Err(StoreError::Conflict(
                        "Nothing else signs in to this account. Set a password first.",
                    ));
                }
                Ok(())
            })
        })
        .await
    }
}

fn of(user: &UserId) -> sea_orm::Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.clone()))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        protocol::{AccountRole, Plan},
        store::NewUser,
    };

    #[tokio::test]
    async fn the_last_way_to_sign_in_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let new = NewUser {
            email: "a@example.com".to_owned(),
            written_email: "a@example.com".to_owned(),
            password_hash: None,
            role: AccountRole::User,
            plan: Plan::Free,
        };
        let user = store.create_user(new, None).await.unwrap().id;
        let add = async |credential: &str| {
            let key = PasskeyKey {
                credential: credential.to_owned(),
                public_key: String::new(),
                state: String::new(),
            };
            store.add_passkey(&user, "Phone", key).await.unwrap().id
        };
        let is_last = async |passkey| {
            let removed = store.remove_passkey(&user, passkey).await;
            matches!(removed, Err(StoreError::Conflict(_)))
        };
        let (first, second) = (add("a").await, add("b").await);
        assert!(!is_last(first).await);
        assert!(is_last(second).await);
        let listed = store.list_passkeys(&user).await.unwrap();
        assert_eq!(
            listed.iter().map(|one| one.id).collect::<Vec<_>>(),
            [second]
        );
        let linked = store.link_identity(&user, "issuer", "subject", "a").await;
        linked.unwrap();
        assert!(!is_last(second).await);
    }
}
