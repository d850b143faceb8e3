//! Changes to an account together with its belongings, each in one transaction. The first
//! administrator takes over what the local user had.

use sea_orm::{entity::prelude::*, sea_query::Query};

use super::{
    Actor, Deed, NewUser, Result, Store, StoreError, audit, credit,
    image::owner::{self, Column as Owner},
    link,
    preference::{self, Column as Preference},
    project::{self, Column as Project},
    saved_prompt::{self, Column as Prompt},
    session, user,
};
use crate::protocol::{Account, AccountRole, CreditRules, Plan, UserId};

impl Store {
    /// Makes the account, using up the one-time link with this token's hash and purpose where one
    /// is given: `NotFound` when that is used or expired. `Conflict` when the address is taken; the
    /// link stays then.
    pub async fn create_user(
        &self,
        new: NewUser,
        link: Option<(String, link::Purpose)>,
    ) -> Result<Account> {
        self.write(move |tx| {
            Box::pin(async move {
                if let Some((hash, purpose)) = link {
                    link::use_up(tx, &hash, purpose).await?;
                }
                make(tx, new).await
            })
        })
        .await
    }

    /// Makes the account for somebody else, who is noted. `Conflict` when the address is taken.
    pub async fn create_user_for(&self, by: &Actor, new: NewUser) -> Result<Account> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let account = make(tx, new).await?;
                let deed = Deed::new("create account", "user", &account.id, &account.email);
                let (role, plan) = (account.role, account.plan);
                let details = serde_json::json!({ "role": role, "plan": plan });
                audit::insert(tx, &by, deed.with(details)).await?;
                Ok(account)
            })
        })
        .await
    }

    /// Replaces the user's password, and ends the user's sessions and links.
    pub async fn set_password(&self, user: &UserId, hash: String) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                replace_password(tx, &user, hash).await?;
                session::end_all(tx, &user, None).await
            })
        })
        .await
    }

    /// Replaces the password of the user of the link with this token's hash, ends all sessions, and
    /// redeems the link. `NotFound` if the link is used or expired.
    pub async fn reset_password(&self, link: &str, hash: String) -> Result<UserId> {
        let link = link.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let user = link::use_up(tx, &link, link::Purpose::Reset).await?;
                let user = user.ok_or(StoreError::NotFound("link"))?;
                replace_password(tx, &user, hash).await?;
                session::end_all(tx, &user, None).await?;
                Ok(user)
            })
        })
        .await
    }

    /// Changes the account's address to the one that the link with this token's hash confirms, and
    /// redeems the link. `NotFound` if the link is used or expired. `Conflict`, which keeps the
    /// link valid, if another account has the address.
    pub async fn change_email(&self, link: &str, normal: &str, written: &str) -> Result<()> {
        let (link, normal) = (link.to_owned(), normal.to_owned());
        let written = written.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let user = link::use_up(tx, &link, link::Purpose::Email).await?;
                let user = user.ok_or(StoreError::NotFound("link"))?;
                user::set_email(tx, &user, normal, written).await?;
                // Other links were sent to the old address.
                link::remove_of(tx, &user).await
            })
        })
        .await
    }

    /// Deletes the user with their sessions, links, preferences, saved prompts and credits, and
    /// hides their projects for immediate removal. The caller stops the projects' runs.
    pub async fn delete_user(&self, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                project::hide_all(tx, &user).await?;
                // The sweep deletes the images that no message has.
                remove_all::<owner::Entity>(tx, Owner::UserId, &user).await?;
                remove_all::<preference::Entity>(tx, Preference::UserId, &user).await?;
                remove_all::<saved_prompt::Entity>(tx, Prompt::UserId, &user).await?;
                credit::remove_all(tx, &user).await?;
                session::end_acting(tx, &user).await?;
                // Sessions and links go with it.
                user::Entity::delete_by_id(user).exec(tx).await?;
                Ok(())
            })
        })
        .await
    }
}

async fn make(tx: &impl ConnectionTrait, new: NewUser) -> Result<Account> {
    let is_administrator = new.role == AccountRole::Admin;
    let account = user::insert(tx, new).await?;
    if is_administrator {
        take_over_if_first(tx, &account.id).await?;
    }
    Ok(account)
}

/// Gives the local user's belongings to the administrator, unless there was one before.
pub(super) async fn take_over_if_first(tx: &impl ConnectionTrait, id: &UserId) -> Result<()> {
    let others = user::Entity::find()
        .filter(user::Column::Role.eq(AccountRole::Admin))
        .filter(user::Column::Id.ne(id.clone()));
    if others.one(tx).await?.is_none() {
        take_over::<project::Entity>(tx, Project::UserId, Project::Id, id).await?;
        take_over::<owner::Entity>(tx, Owner::UserId, Owner::Hash, id).await?;
        take_over::<preference::Entity>(tx, Preference::UserId, Preference::Name, id).await?;
        take_over::<saved_prompt::Entity>(tx, Prompt::UserId, Prompt::Id, id).await?;
    }
    Ok(())
}

/// Gives the local user's rows to another user, except those whose key that user has already.
async fn take_over<E: EntityTrait>(
    tx: &impl ConnectionTrait,
    user: E::Column,
    key: E::Column,
    to: &UserId,
) -> Result<()> {
    let own = Query::select()
        .column(key)
        .from(E::default())
        .and_where(user.eq(to.clone()))
        .to_owned();
    E::update_many()
        .col_expr(user, Expr::value(to.clone()))
        .filter(user.eq(UserId::local()))
        .filter(key.not_in_subquery(own))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes all of the user's rows.
async fn remove_all<E: EntityTrait>(
    tx: &impl ConnectionTrait,
    user: E::Column,
    id: &UserId,
) -> Result<()> {
    E::delete_many()
        .filter(user.eq(id.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Gives the user the plan and its credits.
pub(super) async fn give_plan(
    tx: &impl ConnectionTrait,
    credits: Option<CreditRules>,
    user: &user::Model,
    plan: Plan,
) -> Result<()> {
    user::Entity::update_many()
        .col_expr(user::Column::Plan, Expr::value(plan))
        .filter(user::Column::Id.eq(user.id.clone()))
        .exec(tx)
        .await?;
    credit::change_plan(tx, credits, &user.id, user.plan, plan).await
}

async fn replace_password(tx: &impl ConnectionTrait, user: &UserId, hash: String) -> Result<()> {
    user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(hash))
        .filter(user::Column::Id.eq(user.clone()))
        .exec(tx)
        .await?;
    link::remove_of(tx, user).await
}
