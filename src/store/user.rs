//! Users: the owners of projects, where the server has accounts.

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::OnConflict};

use super::{Result, Store, StoreError};
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
    pub seen_at: Option<i64>,
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

/// An account to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address in normal form.
    pub email: String,
    /// The address as its owner wrote it.
    pub written_email: String,
    /// `None` if a one-time link will set the password.
    pub password_hash: Option<String>,
    pub role: AccountRole,
    pub plan: Plan,
}

/// The credentials to check a sign-in against.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: UserId,
    pub password_hash: Option<String>,
    pub disabled: bool,
}

impl Store {
    /// The credentials of the address.
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
        Ok(with_email(&self.db, email).await?.into())
    }

    /// The hash of the user's password.
    pub async fn password_hash(&self, user: &UserId) -> Result<Option<String>> {
        let model = Entity::find_by_id(user.clone()).one(&self.db).await?;
        Ok(model.ok_or(StoreError::NotFound("account"))?.password_hash)
    }

    /// The user's account, or `NotFound`.
    pub async fn account_of(&self, user: &UserId) -> Result<Account> {
        let model = Entity::find_by_id(user.clone()).one(&self.db).await?;
        Ok(model.ok_or(StoreError::NotFound("account"))?.into())
    }

    /// The administrator with the oldest account.
    pub async fn first_administrator(&self) -> Result<Option<UserId>> {
        let administrators = Entity::find()
            .filter(Column::Role.eq(AccountRole::Admin))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id);
        Ok(administrators.one(&self.db).await?.map(|model| model.id))
    }

    /// Sets how the user wants to be called.
    pub async fn set_user_name(&self, user: &UserId, name: &str) -> Result<()> {
        let named = Entity::update_many()
            .col_expr(Column::Name, Expr::value(name))
            .filter(Column::Id.eq(user.clone()));
        self.update(named).await?;
        Ok(())
    }
}

/// The user to record for an action; `None` for the local user, whose projects may get another
/// owner.
pub(super) fn noted(user: &UserId) -> Option<UserId> {
    (*user != UserId::local()).then(|| user.clone())
}

/// Adds the user. `Conflict` when the address is taken.
pub(super) async fn insert(tx: &impl ConnectionTrait, new: NewUser) -> Result<Account> {
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
        seen_at: None,
    };
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
        seen_at: Set(None),
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

/// Gives the user another address. `Conflict` when another account has it.
pub(super) async fn set_email(
    tx: &impl ConnectionTrait,
    user: &UserId,
    normal: String,
    written: String,
) -> Result<()> {
    let taken = Entity::find()
        .filter(Column::Email.eq(normal.clone()))
        .filter(Column::Id.ne(user.clone()));
    if taken.one(tx).await?.is_some() {
        return Err(StoreError::Conflict("The address is taken."));
    }
    // Two at once: the column is unique, so the second one fails.
    Entity::update_many()
        .col_expr(Column::Email, Expr::value(normal))
        .col_expr(Column::WrittenEmail, Expr::value(written))
        .filter(Column::Id.eq(user.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Records the user's last visit.
pub(super) async fn touch(tx: &impl ConnectionTrait, id: UserId, now: i64) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::SeenAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// The user with the address, or `NotFound`.
pub(super) async fn with_email(db: &impl ConnectionTrait, email: &str) -> Result<Model> {
    let found = Entity::find().filter(Column::Email.eq(email));
    found.one(db).await?.ok_or(StoreError::NotFound("account"))
}
