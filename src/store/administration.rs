//! Administrators' changes to accounts, each in one transaction with its entry in the audit log.
//! The last administrator can't be demoted or locked.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, DbBackend, FromQueryResult, JoinType, QueryOrder, QuerySelect,
    entity::prelude::*, sea_query::LockType,
};
use serde_json::json;

use super::{
    NewSession, Purpose, Result, Store, StoreError, account,
    audit::{self, Actor, Deed},
    link, project, readable, run, search, second_step, session, user,
};
use crate::protocol::{
    Account, AccountRole, Invitation, Plan, SessionId, Timestamp, UserFilter, UserId, UserState,
    UserSummary,
};

/// The page size.
const PAGE: u64 = 50;

/// A change to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    Plan(Plan),
    Role(AccountRole),
    /// Whether it may not sign in.
    Disabled(bool),
    /// Its address, in normal form and as written.
    Email {
        normal: String,
        written: String,
    },
    /// It signs in without a second step.
    NoSecondStep,
}

#[derive(FromQueryResult)]
struct Count {
    user_id: UserId,
    count: i64,
}

impl Store {
    /// A page of the accounts that match the filter, youngest first, and where the next page
    /// begins.
    pub async fn list_users(
        &self,
        filter: &UserFilter,
    ) -> Result<(Vec<UserSummary>, Option<UserId>)> {
        let mut query = user::Entity::find();
        if let Some(search) = search::wanted(&filter.search) {
            let columns = [
                user::Column::Email.into_expr(),
                user::Column::WrittenEmail.into_expr(),
                user::Column::Name.into_expr(),
                user::Column::Id.into_expr(),
            ];
            query = query.filter(search::any_contains(columns, &search));
        }
        if let Ok(plan) = filter.plan.parse::<Plan>() {
            query = query.filter(user::Column::Plan.eq(plan));
        }
        if let Ok(role) = filter.role.parse::<AccountRole>() {
            query = query.filter(user::Column::Role.eq(role));
        }
        query = match filter.state.parse::<UserState>() {
            Ok(UserState::Active) => query.filter(user::Column::DisabledAt.is_null()),
            Ok(UserState::Disabled) => query.filter(user::Column::DisabledAt.is_not_null()),
            Err(_) => query,
        };
        if let Some(before) = search::wanted(&filter.before) {
            query = query.filter(user::Column::Id.lt(before));
        }
        let page = query.order_by_desc(user::Column::Id).limit(PAGE + 1);
        let mut models = readable::models(&self.db, "user", page).await?;
        let more = models.len() > PAGE as usize;
        models.truncate(PAGE as usize);
        let next = models.last().map(|model| model.id.clone());
        let ids: Vec<UserId> = models.iter().map(|model| model.id.clone()).collect();
        let projects = self.count_projects(&ids).await?;
        let runs = self.count_runs(&ids).await?;
        let count = |counts: &HashMap<UserId, u64>, id: &UserId| {
            counts.get(id).copied().unwrap_or_default()
        };
        let users = models.into_iter().map(|model| UserSummary {
            state: match model.disabled_at {
                Some(_) => UserState::Disabled,
                None => UserState::Active,
            },
            seen_at: model.seen_at.map(Timestamp),
            projects: count(&projects, &model.id),
            runs: count(&runs, &model.id),
            account: model.into(),
        });
        Ok((users.collect(), next.filter(|_| more)))
    }

    async fn count_projects(&self, of: &[UserId]) -> Result<HashMap<UserId, u64>> {
        let query = project::Entity::find()
            .select_only()
            .column_as(project::Column::UserId, "user_id")
            .column_as(project::Column::Id.count(), "count")
            .filter(project::Column::UserId.is_in(of.iter().cloned()))
            .filter(project::Column::DeletedAt.is_null())
            .group_by(project::Column::UserId);
        Ok(counted(query.into_model::<Count>().all(&self.db).await?))
    }

    async fn count_runs(&self, of: &[UserId]) -> Result<HashMap<UserId, u64>> {
        let query = run::Entity::find()
            .select_only()
            .join(JoinType::InnerJoin, run::Relation::Project.def())
            .column_as(project::Column::UserId, "user_id")
            .column_as(run::Column::Id.count(), "count")
            .filter(project::Column::UserId.is_in(of.iter().cloned()))
            .group_by(project::Column::UserId);
        Ok(counted(query.into_model::<Count>().all(&self.db).await?))
    }

    /// Changes the account. `NotFound` if there is none; `Conflict` if no administrator would be
    /// left. Disabling an account ends its sessions.
    pub async fn change_account(
        &self,
        by: &Actor,
        id: &UserId,
        change: AccountChange,
    ) -> Result<()> {
        let (by, id, credits) = (by.clone(), id.clone(), self.credits);
        self.write(move |tx| {
            Box::pin(async move {
                let found = account_of(tx, &id).await?;
                let (action, details) = match change {
                    AccountChange::Plan(plan) => {
                        account::give_plan(tx, credits, &found, plan).await?;
                        let (from, to) = (found.plan.as_str(), plan.as_str());
                        ("set plan", json!({ "from": from, "to": to }))
                    }
                    AccountChange::Role(role) => {
                        if role != AccountRole::Admin {
                            expect_another_administrator(tx, &found).await?;
                            session::end_acting(tx, &id).await?;
                        }
                        set(tx, &id, user::Column::Role, Expr::value(role)).await?;
                        if role == AccountRole::Admin {
                            account::take_over_if_first(tx, &id).await?;
                        }
                        let (from, to) = (found.role.as_str(), role.as_str());
                        ("set role", json!({ "from": from, "to": to }))
                    }
                    AccountChange::Disabled(true) => {
                        expect_another_administrator(tx, &found).await?;
                        let now = Expr::value(Some(Timestamp::now().0));
                        set(tx, &id, user::Column::DisabledAt, now).await?;
                        session::end_all(tx, &id, None).await?;
                        session::end_acting(tx, &id).await?;
                        ("disable account", json!({}))
                    }
                    AccountChange::Disabled(false) => {
                        let never = Expr::value(None::<i64>);
                        set(tx, &id, user::Column::DisabledAt, never).await?;
                        ("enable account", json!({}))
                    }
                    AccountChange::Email { normal, written } => {
                        let details = json!({ "to": written });
                        user::set_email(tx, &id, normal, written).await?;
                        ("set email", details)
                    }
                    AccountChange::NoSecondStep => {
                        second_step::remove(tx, &id).await?;
                        ("end two-step sign-in", json!({}))
                    }
                };
                let deed = Deed::new(action, "user", &id, found.written_email);
                audit::insert(tx, &by, deed.with(details)).await
            })
        })
        .await
    }

    /// Saves a link that sets the account's password, by its token's hash.
    pub async fn add_reset_link(
        &self,
        by: &Actor,
        id: &UserId,
        hash: String,
        expires_at: Timestamp,
    ) -> Result<()> {
        let (by, id) = (by.clone(), id.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let found = account_of(tx, &id).await?;
                let row = link::ActiveModel {
                    token_hash: Set(hash),
                    purpose: Set(Purpose::Reset),
                    user_id: Set(Some(id.clone())),
                    created_at: Set(Timestamp::now().0),
                    expires_at: Set(expires_at.0),
                    detail: Set(None),
                    id: Set(Some(SessionId::new())),
                    made_by: Set(Some(by.name.clone())),
                };
                link::Entity::insert(row).exec_without_returning(tx).await?;
                let deed = Deed::new("make reset link", "user", &id, found.written_email);
                let details = json!({ "expires_at": expires_at.0 });
                audit::insert(tx, &by, deed.with(details)).await
            })
        })
        .await
    }

    /// Saves an invitation, by its token's hash.
    pub async fn add_invitation(
        &self,
        by: &Actor,
        hash: String,
        expires_at: Timestamp,
    ) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let id = SessionId::new();
                let row = link::ActiveModel {
                    token_hash: Set(hash),
                    purpose: Set(Purpose::Invite),
                    user_id: Set(None),
                    created_at: Set(Timestamp::now().0),
                    expires_at: Set(expires_at.0),
                    detail: Set(None),
                    id: Set(Some(id)),
                    made_by: Set(Some(by.name.clone())),
                };
                link::Entity::insert(row).exec_without_returning(tx).await?;
                let deed = Deed::new("make invitation", "invitation", id, "");
                let details = json!({ "expires_at": expires_at.0 });
                audit::insert(tx, &by, deed.with(details)).await
            })
        })
        .await
    }

    /// The unused invitations, youngest first.
    pub async fn list_invitations(&self) -> Result<Vec<Invitation>> {
        let open = link::Entity::find()
            .filter(link::Column::Purpose.eq(Purpose::Invite))
            .filter(link::Column::Id.is_not_null())
            .filter(link::Column::ExpiresAt.gt(Timestamp::now().0))
            .order_by_desc(link::Column::Id);
        let models = readable::models(&self.db, "link", open).await?;
        let invitations = models.into_iter().filter_map(|model| {
            Some(Invitation {
                id: model.id?,
                made_by: model.made_by.unwrap_or_default(),
                created_at: Timestamp(model.created_at),
                expires_at: Timestamp(model.expires_at),
            })
        });
        Ok(invitations.collect())
    }

    /// Revokes the invitation, or `NotFound`.
    pub async fn revoke_invitation(&self, by: &Actor, id: SessionId) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let removed = link::Entity::delete_many()
                    .filter(link::Column::Id.eq(id))
                    .filter(link::Column::Purpose.eq(Purpose::Invite))
                    .exec(tx)
                    .await?;
                if removed.rows_affected == 0 {
                    return Err(StoreError::NotFound("invitation"));
                }
                let deed = Deed::new("revoke invitation", "invitation", id, "");
                audit::insert(tx, &by, deed).await
            })
        })
        .await
    }

    /// Begins a session as the account, in place of the administrator's own. `Conflict` if the
    /// account is an administrator's or disabled.
    pub async fn sign_in_as(
        &self,
        by: &Actor,
        new: NewSession,
        replaced: Option<String>,
    ) -> Result<Account> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let found = account_of(tx, &new.user).await?;
                if found.role == AccountRole::Admin {
                    return Err(StoreError::Conflict(
                        "Nobody signs in as an administrator but themselves.",
                    ));
                }
                if found.disabled_at.is_some() {
                    return Err(StoreError::Conflict(
                        "This account is disabled. Enable it first.",
                    ));
                }
                let name = found.written_email.clone();
                let deed = Deed::new("sign in as", "user", &found.id, name);
                let details = json!({ "until": new.expires_at.0 });
                session::insert(tx, new, replaced, Some(by.user.clone())).await?;
                audit::insert(tx, &by, deed.with(details)).await?;
                Ok(found.into())
            })
        })
        .await
    }
}

fn counted(counts: Vec<Count>) -> HashMap<UserId, u64> {
    let counts = counts.into_iter();
    counts
        .map(|row| (row.user_id, row.count.unsigned_abs()))
        .collect()
}

async fn account_of(tx: &impl ConnectionTrait, id: &UserId) -> Result<user::Model> {
    let found = user::Entity::find_by_id(id.clone()).one(tx).await?;
    found.ok_or(StoreError::NotFound("account"))
}

async fn set(
    tx: &impl ConnectionTrait,
    id: &UserId,
    column: user::Column,
    value: Expr,
) -> Result<()> {
    user::Entity::update_many()
        .col_expr(column, value)
        .filter(user::Column::Id.eq(id.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Fails if no other account can administrate.
async fn expect_another_administrator(
    tx: &impl ConnectionTrait,
    account: &user::Model,
) -> Result<()> {
    if account.role != AccountRole::Admin || account.disabled_at.is_some() {
        return Ok(());
    }
    let mut administrators = user::Entity::find()
        .filter(user::Column::Role.eq(AccountRole::Admin))
        .filter(user::Column::DisabledAt.is_null());
    // Two administrators who demote each other at the same time must wait for each other. On
    // SQLite, writers take turns anyway.
    if tx.get_database_backend() == DbBackend::Postgres {
        administrators = administrators.lock(LockType::Update);
    }
    let administrators = administrators.all(tx).await?;
    if administrators.iter().all(|other| other.id == account.id) {
        return Err(StoreError::Conflict(
            "This is the last administrator. Make somebody else one first.",
        ));
    }
    Ok(())
}
