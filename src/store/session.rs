//! Sessions: sign-ins that have not ended. A session ends some time after its last request, and at
//! the latest at a time fixed at its beginning.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*};

use super::{Result, Store, StoreError, api_token, link, readable, user};
use crate::protocol::{Account, SessionId, SessionSummary, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub user_id: UserId,
    pub token_hash: String,
    pub agent: String,
    pub address: String,
    pub created_at: i64,
    pub seen_at: i64,
    pub expires_at: i64,
    /// The administrator who acts as the user.
    pub acting_user_id: Option<UserId>,
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

/// How many sessions one query looks up.
const IDS_PER_QUERY: usize = 500;

/// A session about to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub user: UserId,
    /// The token's hash.
    pub token: String,
    pub agent: String,
    pub address: String,
    pub expires_at: Timestamp,
}

/// A session that a request belongs to.
#[derive(Debug, Clone)]
pub struct OpenSession {
    pub id: SessionId,
    pub seen_at: Timestamp,
    pub account: Account,
    /// The administrator who acts as the account's owner.
    pub acting: Option<UserId>,
}

impl Store {
    /// Begins a session, and ends the one with this token's hash that the browser had before.
    pub async fn add_session(
        &self,
        new: NewSession,
        replaced: Option<String>,
    ) -> Result<SessionId> {
        self.write(move |tx| Box::pin(async move { insert(tx, new, replaced, None).await }))
            .await
    }

    /// The session with this token's hash, and its account; `None` if it has ended or the account
    /// is disabled. `idle` is how long it may go without a request.
    pub async fn find_session(&self, token: &str, idle: Duration) -> Result<Option<OpenSession>> {
        let found = Entity::find()
            .filter(Column::TokenHash.eq(token))
            .filter(open(idle))
            .find_also_related(user::Entity)
            .filter(user::Column::DisabledAt.is_null());
        let Some((session, Some(user))) = found.one(&self.db).await? else {
            return Ok(None);
        };
        Ok(Some(OpenSession {
            id: session.id,
            seen_at: Timestamp(session.seen_at),
            acting: session.acting_user_id,
            account: user.into(),
        }))
    }

    /// Whether the session has not ended.
    pub async fn is_session_open(&self, id: SessionId, idle: Duration) -> Result<bool> {
        let found = Entity::find_by_id(id)
            .filter(open(idle))
            .find_also_related(user::Entity)
            .filter(user::Column::DisabledAt.is_null());
        Ok(found.one(&self.db).await?.is_some())
    }

    /// The hash of the session's token, as a key that only the server knows; `None` if the session
    /// has ended.
    pub async fn session_key(&self, id: SessionId, idle: Duration) -> Result<Option<String>> {
        let found = Entity::find_by_id(id)
            .filter(open(idle))
            .find_also_related(user::Entity)
            .filter(user::Column::DisabledAt.is_null());
        let found = found.one(&self.db).await?;
        Ok(found.map(|(session, _)| session.token_hash))
    }

    /// The session's user, or `NotFound` if it has ended.
    pub async fn user_of_session(&self, id: SessionId) -> Result<UserId> {
        let found = Entity::find_by_id(id).one(&self.db).await?;
        Ok(found.ok_or(StoreError::NotFound("session"))?.user_id)
    }

    /// The sessions among these that have not ended.
    pub async fn open_among(
        &self,
        ids: Vec<SessionId>,
        idle: Duration,
    ) -> Result<HashSet<SessionId>> {
        let mut found = HashSet::new();
        for ids in ids.chunks(IDS_PER_QUERY) {
            let sessions = Entity::find()
                .filter(Column::Id.is_in(ids.iter().copied()))
                .filter(open(idle))
                .find_also_related(user::Entity)
                .filter(user::Column::DisabledAt.is_null());
            let sessions = sessions.all(&self.db).await?.into_iter();
            found.extend(sessions.map(|(session, _)| session.id));
        }
        Ok(found)
    }

    /// Records a request of the session.
    pub async fn touch_session(&self, session: &OpenSession) -> Result<()> {
        let (id, now) = (session.id, Timestamp::now().0);
        let user = session.account.id.clone();
        let user = session.acting.is_none().then_some(user);
        self.write(move |tx| {
            Box::pin(async move {
                Entity::update_many()
                    .col_expr(Column::SeenAt, Expr::value(now))
                    .filter(Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                match user {
                    Some(user) => user::touch(tx, user, now).await,
                    None => Ok(()),
                }
            })
        })
        .await
    }

    /// The user's sessions, most recently used first; none of them is marked as current.
    pub async fn list_sessions(
        &self,
        user: &UserId,
        idle: Duration,
    ) -> Result<Vec<SessionSummary>> {
        let sessions = Entity::find()
            .filter(Column::UserId.eq(user.clone()))
            .filter(open(idle))
            .order_by_desc(Column::SeenAt)
            .order_by_desc(Column::Id);
        let models = readable::models(&self.db, "session", sessions).await?;
        let summaries = models.into_iter().map(|model| SessionSummary {
            id: model.id,
            current: false,
            agent: model.agent,
            address: model.address,
            created_at: Timestamp(model.created_at),
            seen_at: Timestamp(model.seen_at),
        });
        Ok(summaries.collect())
    }

    /// Ends one of the user's sessions, or `NotFound`.
    pub async fn end_session(&self, user: &UserId, id: SessionId) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let ended = Entity::delete_many()
                    .filter(Column::Id.eq(id))
                    .filter(Column::UserId.eq(user))
                    .exec(tx)
                    .await?;
                match ended.rows_affected {
                    0 => Err(StoreError::NotFound("session")),
                    _ => Ok(()),
                }
            })
        })
        .await
    }

    /// Ends the user's sessions except `kept`.
    pub async fn end_sessions(&self, user: &UserId, kept: Option<SessionId>) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| Box::pin(async move { end_all(tx, &user, kept).await }))
            .await
    }

    /// Removes ended sessions, expired links, and long expired tokens.
    pub async fn remove_ended_sessions(&self, idle: Duration) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                Entity::delete_many()
                    .filter(open(idle).not())
                    .exec(tx)
                    .await?;
                link::remove_expired(tx).await?;
                api_token::remove_expired(tx).await
            })
        })
        .await
    }
}

/// Begins a session, used by `acting` on the user's behalf, and ends the one with this token's
/// hash.
pub(super) async fn insert(
    tx: &impl ConnectionTrait,
    new: NewSession,
    replaced: Option<String>,
    acting: Option<UserId>,
) -> Result<SessionId> {
    if let Some(token) = replaced {
        Entity::delete_many()
            .filter(Column::TokenHash.eq(token))
            .exec(tx)
            .await?;
    }
    let (id, now) = (SessionId::new(), Timestamp::now().0);
    if acting.is_none() {
        user::touch(tx, new.user.clone(), now).await?;
    }
    let row = ActiveModel {
        id: Set(id),
        user_id: Set(new.user),
        token_hash: Set(new.token),
        agent: Set(new.agent),
        address: Set(new.address),
        created_at: Set(now),
        seen_at: Set(now),
        expires_at: Set(new.expires_at.0),
        acting_user_id: Set(acting),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

/// Ends the sessions in which the administrator acts as other users.
pub(super) async fn end_acting(tx: &impl ConnectionTrait, administrator: &UserId) -> Result<()> {
    Entity::delete_many()
        .filter(Column::ActingUserId.eq(administrator.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Ends the user's sessions except `kept`.
pub(super) async fn end_all(
    tx: &impl ConnectionTrait,
    user: &UserId,
    kept: Option<SessionId>,
) -> Result<()> {
    let mut ended = Entity::delete_many().filter(Column::UserId.eq(user.clone()));
    if let Some(kept) = kept {
        ended = ended.filter(Column::Id.ne(kept));
    }
    ended.exec(tx).await?;
    Ok(())
}

/// Matches sessions that have not ended.
fn open(idle: Duration) -> sea_orm::Condition {
    let now = Timestamp::now().0;
    let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
    sea_orm::Condition::all()
        .add(Column::ExpiresAt.gt(now))
        .add(Column::SeenAt.gt(now.saturating_sub(idle)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        protocol::{AccountRole, Plan},
        store::NewUser,
    };

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_clock_that_jumps_neither_ends_a_session_nor_keeps_one_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let new = NewUser {
            email: "ada@example.com".to_owned(),
            written_email: "ada@example.com".to_owned(),
            password_hash: None,
            role: AccountRole::User,
            plan: Plan::Free,
        };
        let user = store.create_user(new, None).await.unwrap().id;
        let now = Timestamp::now().0;
        let new = NewSession {
            user,
            token: "hash".to_owned(),
            agent: String::new(),
            address: String::new(),
            expires_at: Timestamp(now + 1_000_000_000),
        };
        let id = store.add_session(new, None).await.unwrap();
        let find = async || store.find_session("hash", HOUR).await.unwrap();
        let seen = async |at: i64| {
            let moved = Entity::update_many()
                .col_expr(Column::SeenAt, Expr::value(at))
                .filter(Column::Id.eq(id));
            store.update(moved).await.unwrap();
        };
        // The clock was set back by a year: the session stays open, and its last use follows the
        // clock.
        seen(now + 365 * 24 * 3_600_000).await;
        let open = find().await.unwrap();
        store.touch_session(&open).await.unwrap();
        let open = find().await.unwrap();
        assert!((now..now + 600_000).contains(&open.seen_at.0));
        // The clock was set forward: a session that was unused for too long has ended.
        seen(now - 2 * 3_600_000).await;
        assert!(find().await.is_none());
        store.close().await;
    }
}
