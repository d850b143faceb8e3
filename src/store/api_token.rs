//! Tokens with which programs act in a user's name, by their hashes.

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*};

use super::{Result, Store, StoreError, readable, user};
use crate::protocol::{Account, ApiToken, ApiTokenId, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiTokenId,
    pub user_id: UserId,
    pub name: String,
    pub token_hash: String,
    pub prefix: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
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

/// The maximum number of tokens per user.
const MAX_TOKENS: u64 = 50;
/// How long an expired token is listed, in milliseconds.
const RETENTION_MS: i64 = 30 * 24 * 3600 * 1000;

/// A request's token.
#[derive(Debug, Clone)]
pub struct FoundToken {
    pub summary: ApiToken,
    pub account: Account,
    pub disabled: bool,
}

impl From<Model> for ApiToken {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            prefix: model.prefix,
            created_at: Timestamp(model.created_at),
            expires_at: model.expires_at.map(Timestamp),
            expired: model.expires_at.is_some_and(|at| at <= Timestamp::now().0),
            used_at: model.used_at.map(Timestamp),
        }
    }
}

impl Store {
    /// Saves a token of the user by its hash. `Conflict` when they have too many.
    pub async fn add_api_token(
        &self,
        user: &UserId,
        hash: &str,
        prefix: &str,
        name: &str,
        expires_at: Option<Timestamp>,
    ) -> Result<ApiToken> {
        let model = Model {
            id: ApiTokenId::new(),
            user_id: user.clone(),
            name: name.to_owned(),
            token_hash: hash.to_owned(),
            prefix: prefix.to_owned(),
            created_at: Timestamp::now().0,
            expires_at: expires_at.map(|at| at.0),
            used_at: None,
        };
        self.write(move |tx| {
            Box::pin(async move {
                let own = Entity::find().filter(Column::UserId.eq(model.user_id.clone()));
                if own.count(tx).await? >= MAX_TOKENS {
                    return Err(StoreError::Conflict(
                        "You have 50 API tokens, the most there can be. Revoke one that you don't \
                         need.",
                    ));
                }
                let row = ActiveModel {
                    id: Set(model.id),
                    user_id: Set(model.user_id.clone()),
                    name: Set(model.name.clone()),
                    token_hash: Set(model.token_hash.clone()),
                    prefix: Set(model.prefix.clone()),
                    created_at: Set(model.created_at),
                    expires_at: Set(model.expires_at),
                    used_at: Set(None),
                };
                Entity::insert(row).exec_without_returning(tx).await?;
                Ok(model.into())
            })
        })
        .await
    }

    /// The token with this hash, and its account; `None` if there is none (any more).
    pub async fn find_api_token(&self, hash: &str) -> Result<Option<FoundToken>> {
        let found = Entity::find()
            .filter(Column::TokenHash.eq(hash))
            .find_also_related(user::Entity);
        let Some((token, Some(user))) = found.one(&self.db).await? else {
            return Ok(None);
        };
        Ok(Some(FoundToken {
            summary: token.into(),
            disabled: user.disabled_at.is_some(),
            account: user.into(),
        }))
    }

    /// Records a request with the user's token.
    pub async fn touch_api_token(&self, user: &UserId, id: ApiTokenId) -> Result<()> {
        let (user, now) = (user.clone(), Timestamp::now().0);
        self.write(move |tx| {
            Box::pin(async move {
                Entity::update_many()
                    .col_expr(Column::UsedAt, Expr::value(now))
                    .filter(Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                user::touch(tx, user, now).await
            })
        })
        .await
    }

    /// The user's tokens, the newest first.
    pub async fn list_api_tokens(&self, user: &UserId) -> Result<Vec<ApiToken>> {
        let own = Entity::find()
            .filter(Column::UserId.eq(user.clone()))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id);
        let models = readable::models(&self.db, "API token", own).await?;
        Ok(models.into_iter().map(ApiToken::from).collect())
    }

    /// Removes one of the user's tokens, or `NotFound`.
    pub async fn remove_api_token(&self, user: &UserId, id: ApiTokenId) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let removed = Entity::delete_many()
                    .filter(Column::Id.eq(id))
                    .filter(Column::UserId.eq(user))
                    .exec(tx)
                    .await?;
                match removed.rows_affected {
                    0 => Err(StoreError::NotFound("API token")),
                    _ => Ok(()),
                }
            })
        })
        .await
    }
}

/// Removes tokens that expired long ago.
pub(super) async fn remove_expired(tx: &impl ConnectionTrait) -> Result<()> {
    Entity::delete_many()
        .filter(Column::ExpiresAt.lt(Timestamp::now().0.saturating_sub(RETENTION_MS)))
        .exec(tx)
        .await?;
    Ok(())
}
