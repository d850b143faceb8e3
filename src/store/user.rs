//! Users: who owns projects where the server has accounts. The first administrator takes over what
//! the local user had.

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::OnConflict};

use super::{Result, Store, StoreError, link, preference, project, session};
use crate::protocol::{Account, AccountRole, Plan, SessionId, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    pub email: String,
    pub written_email: String,
    pub name: String,
    pub password_hash: Option<String>,
    pub role: AccountRole,
    pub plan: Plan,
    pub disabled_at: Option<i64>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Account {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            email: model.written_email,
            name: model.name,
            role: model.role,
            plan: model.plan,
            created_at: Timestamp(model.created_at),
        }
    }
}

/// An account about to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address in the form that addresses are compared in.
    pub email: String,
    /// The address as its owner wrote it.
    pub written_email: String,
    /// `None` for one whose password a one-time link will set.
    pub password_hash: Option<String>,
    pub role: AccountRole,
    pub plan: Plan,
}

/// What a sign-in is compared with.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: UserId,
    pub password_hash: Option<String>,
    pub disabled: bool,
}

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
                insert(tx, new).await
            })
        })
        .await
    }

    /// What the address signs in with.
    pub async fn find_credentials(&self, email: &str) -> Result<Option<Credentials>> {
        let found = Entity::find().filter(Column::Email.eq(email));
        Ok(found.one(&self.db).await?.map(|model| Credentials {
            user: model.id,
            password_hash: model.password_hash,
            disabled: model.disabled_at.is_some(),
        }))
    }

    /// The account with the address, or `NotFound`.
    pub async fn find_account(&self, email: &str) -> Result<Account> {
        let found = Entity::find().filter(Column::Email.eq(email));
        let model = found.one(&self.db).await?;
        Ok(model.ok_or(StoreError::NotFound("account"))?.into())
    }

    /// The hash of the user's password.
    pub async fn password_hash(&self, user: &UserId) -> Result<Option<String>> {
        let model = Entity::find_by_id(user.clone()).one(&self.db).await?;
        Ok(model.ok_or(StoreError::NotFound("account"))?.password_hash)
    }

    /// The administrator whose account is the oldest.
    pub async fn first_administrator(&self) -> Result<Option<UserId>> {
        let administrators = Entity::find()
            .filter(Column::Role.eq(AccountRole::Admin))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id);
        Ok(administrators.one(&self.db).await?.map(|model| model.id))
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

    /// Replaces the password of the user whom the link with this token's hash is for, ends all
    /// sessions, and uses up the link. `NotFound` when it is used or expired.
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

    /// Removes the user with sessions, links and preferences, and hides the user's projects, whose
    /// removal is due at once; their runs are left to be stopped.
    pub async fn delete_user(&self, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                project::hide_all(tx, &user).await?;
                preference::remove_all(tx, &user).await?;
                // Sessions and links go with it.
                Entity::delete_by_id(user).exec(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// Sets how the user wants to be called.
    pub async fn set_user_name(&self, user: &UserId, name: &str) -> Result<()> {
        let named = Entity::update_many()
            .col_expr(Column::Name, Expr::value(name))
            .filter(Column::Id.eq(user.clone()));
        self.update(named).await?;
        Ok(())
    }

    /// Sets the plan of the account with the address, or `NotFound`.
    pub async fn set_plan(&self, email: &str, plan: Plan) -> Result<()> {
        self.set_of(email, Column::Plan, Expr::value(plan)).await
    }

    /// Sets the role of the account with the address, or `NotFound`. The first administrator takes
    /// over what the local user had.
    pub async fn set_role(&self, email: &str, role: AccountRole) -> Result<()> {
        let email = email.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let found = Entity::find().filter(Column::Email.eq(email));
                let model = found.one(tx).await?;
                let id = model.ok_or(StoreError::NotFound("account"))?.id;
                if role == AccountRole::Admin {
                    take_over_if_first(tx, &id).await?;
                }
                Entity::update_many()
                    .col_expr(Column::Role, Expr::value(role))
                    .filter(Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    async fn set_of(
        &self,
        email: &str,
        column: Column,
        value: sea_orm::sea_query::SimpleExpr,
    ) -> Result<()> {
        let set = Entity::update_many()
            .col_expr(column, value)
            .filter(Column::Email.eq(email));
        match self.update(set).await? {
            0 => Err(StoreError::NotFound("account")),
            _ => Ok(()),
        }
    }
}

async fn insert(tx: &impl ConnectionTrait, new: NewUser) -> Result<Account> {
    let model = Model {
        // Sorts by the time it was created, as other ids do.
        id: UserId(SessionId::new().to_string()),
        email: new.email,
        written_email: new.written_email,
        name: String::new(),
        password_hash: new.password_hash,
        role: new.role,
        plan: new.plan,
        disabled_at: None,
        created_at: Timestamp::now().0,
    };
    if model.role == AccountRole::Admin {
        take_over_if_first(tx, &model.id).await?;
    }
    let row = ActiveModel {
        id: Set(model.id.clone()),
        email: Set(model.email.clone()),
        written_email: Set(model.written_email.clone()),
        name: Set(model.name.clone()),
        password_hash: Set(model.password_hash.clone()),
        role: Set(model.role),
        plan: Set(model.plan),
        disabled_at: Set(None),
        created_at: Set(model.created_at),
    };
    let inserted = Entity::insert(row)
        .on_conflict(OnConflict::column(Column::Email).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        return Err(StoreError::Conflict("The address is taken."));
    }
    Ok(model.into())
}

/// Gives what belongs to the local user to the administrator, unless there was one before.
async fn take_over_if_first(tx: &impl ConnectionTrait, id: &UserId) -> Result<()> {
    let others = Entity::find().filter(Column::Role.eq(AccountRole::Admin));
    if others.one(tx).await?.is_none() {
        project::take_over(tx, &UserId::local(), id).await?;
        preference::take_over(tx, &UserId::local(), id).await?;
    }
    Ok(())
}

async fn replace_password(tx: &impl ConnectionTrait, user: &UserId, hash: String) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(hash))
        .filter(Column::Id.eq(user.clone()))
        .exec(tx)
        .await?;
    link::remove_of(tx, user).await
}
