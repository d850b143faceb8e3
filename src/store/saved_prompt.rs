//! Users' own prompts, saved to be used again. A deleted one is hidden, so that the deletion can be
//! undone, until the sweep removes it.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, QueryOrder, Select, UpdateMany, entity::prelude::*};

use super::{Result, Store, StoreError, readable, sweep::before, without_nul};
use crate::protocol::{SavedPrompt, SavedPromptId, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "saved_prompts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SavedPromptId,
    pub user_id: UserId,
    pub name: String,
    pub text: String,
    pub saved_at: i64,
    pub deleted_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The maximum number of saved prompts per user.
const MAX_PROMPTS: u64 = 200;
const MISSING: StoreError = StoreError::NotFound("saved prompt");

impl From<Model> for SavedPrompt {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            text: model.text,
            saved_at: Timestamp(model.saved_at),
        }
    }
}

impl Store {
    /// The user's saved prompts, the one saved last first.
    pub async fn list_saved_prompts(&self, user: &UserId) -> Result<Vec<SavedPrompt>> {
        let own = of(user)
            .order_by_desc(Column::SavedAt)
            .order_by_desc(Column::Id);
        let models = readable::models(&self.db, "saved prompt", own).await?;
        Ok(models.into_iter().map(SavedPrompt::from).collect())
    }

    /// Saves a prompt of the user. `Conflict` when they have too many.
    pub async fn save_prompt(&self, user: &UserId, name: &str, text: &str) -> Result<SavedPrompt> {
        let model = Model {
            id: SavedPromptId::new(),
            user_id: user.clone(),
            name: without_nul(name),
            text: without_nul(text),
            saved_at: Timestamp::now().0,
            deleted_at: None,
        };
        self.write(move |tx| {
            Box::pin(async move {
                expect_room(tx, &model.user_id).await?;
                let row = ActiveModel {
                    id: Set(model.id),
                    user_id: Set(model.user_id.clone()),
                    name: Set(model.name.clone()),
                    text: Set(model.text.clone()),
                    saved_at: Set(model.saved_at),
                    deleted_at: Set(None),
                };
                Entity::insert(row).exec_without_returning(tx).await?;
                Ok(model.into())
            })
        })
        .await
    }

    /// Gives one of the user's saved prompts another name and text, or `NotFound`.
    pub async fn change_saved_prompt(
        &self,
        user: &UserId,
        id: SavedPromptId,
        name: &str,
        text: &str,
    ) -> Result<SavedPrompt> {
        let (name, text) = (without_nul(name), without_nul(text));
        let saved_at = Timestamp::now();
        let change = Entity::update_many()
            .col_expr(Column::Name, Expr::value(name.clone()))
            .col_expr(Column::Text, Expr::value(text.clone()))
            .col_expr(Column::SavedAt, Expr::value(saved_at.0));
        self.change_one(user, id, change).await?;
        Ok(SavedPrompt {
            id,
            name,
            text,
            saved_at,
        })
    }

    /// Hides one of the user's saved prompts from everything but
    /// [`Store::undelete_saved_prompt`], or `NotFound`.
    pub async fn delete_saved_prompt(&self, user: &UserId, id: SavedPromptId) -> Result<()> {
        let deleted_at = Expr::value(Timestamp::now().0);
        let change = Entity::update_many().col_expr(Column::DeletedAt, deleted_at);
        self.change_one(user, id, change).await
    }

    /// Changes one of the user's prompts that is not deleted, or `NotFound`.
    async fn change_one(
        &self,
        user: &UserId,
        id: SavedPromptId,
        change: UpdateMany<Entity>,
    ) -> Result<()> {
        let change = change
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user.clone()))
            .filter(Column::DeletedAt.is_null());
        match self.update(change).await? {
            0 => Err(MISSING),
            _ => Ok(()),
        }
    }

    /// Brings one of the user's deleted prompts back; one that was not deleted stays as it is.
    /// `NotFound` if it is gone, `Conflict` if there is no room for it any more.
    pub async fn undelete_saved_prompt(
        &self,
        user: &UserId,
        id: SavedPromptId,
    ) -> Result<SavedPrompt> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let found = Entity::find_by_id(id).filter(Column::UserId.eq(user.clone()));
                let model = found.one(tx).await?.ok_or(MISSING)?;
                if model.deleted_at.is_some() {
                    expect_room(tx, &user).await?;
                    Entity::update_many()
                        .col_expr(Column::DeletedAt, Expr::value(None::<i64>))
                        .filter(Column::Id.eq(id))
                        .exec(tx)
                        .await?;
                }
                Ok(model.into())
            })
        })
        .await
    }

    /// Removes the prompts that were deleted longer than `age` ago. Returns how many.
    pub async fn remove_deleted_prompts(&self, age: Duration) -> Result<u64> {
        let until = before(age);
        self.write(move |tx| {
            Box::pin(async move {
                let old = Entity::delete_many().filter(Column::DeletedAt.lte(until));
                Ok(old.exec(tx).await?.rows_affected)
            })
        })
        .await
    }
}

/// The user's prompts that are not deleted.
fn of(user: &UserId) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.clone()))
        .filter(Column::DeletedAt.is_null())
}

async fn expect_room(tx: &impl ConnectionTrait, user: &UserId) -> Result<()> {
    match of(user).count(tx).await? {
        ..MAX_PROMPTS => Ok(()),
        _ => Err(StoreError::Conflict(
            "You have 200 saved prompts, the most there can be. Delete one that you don't need.",
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn is_missing<T>(result: &Result<T>) -> bool {
        matches!(result, Err(StoreError::NotFound(_)))
    }

    #[tokio::test]
    async fn a_saved_prompt_is_its_user_s_alone_and_a_deletion_can_be_undone_until_the_sweep() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let (ada, eve) = (UserId("ada".to_owned()), UserId("eve".to_owned()));
        let shop = store.save_prompt(&ada, "Shop", "Build\0 a shop").await;
        let shop = shop.unwrap();
        assert_eq!(shop.text, "Build a shop");
        let id = shop.id;
        assert!(store.list_saved_prompts(&eve).await.unwrap().is_empty());
        let changed = store.change_saved_prompt(&eve, id, "Mine", "Mine").await;
        assert!(is_missing(&changed));
        assert!(is_missing(&store.delete_saved_prompt(&eve, id).await));

        store.delete_saved_prompt(&ada, id).await.unwrap();
        assert!(store.list_saved_prompts(&ada).await.unwrap().is_empty());
        assert!(is_missing(&store.delete_saved_prompt(&ada, id).await));
        let changed = store.change_saved_prompt(&ada, id, "Late", "Late").await;
        assert!(is_missing(&changed));
        assert!(is_missing(&store.undelete_saved_prompt(&eve, id).await));
        let hour = Duration::from_secs(3600);
        assert_eq!(store.remove_deleted_prompts(hour).await.unwrap(), 0);
        for _ in 0..2 {
            let back = store.undelete_saved_prompt(&ada, id).await.unwrap();
            assert_eq!(back, shop);
        }
        assert_eq!(
            store.remove_deleted_prompts(Duration::ZERO).await.unwrap(),
            0
        );
        assert_eq!(store.list_saved_prompts(&ada).await.unwrap(), [shop]);

        store.delete_saved_prompt(&ada, id).await.unwrap();
        let removed = store.remove_deleted_prompts(Duration::ZERO).await;
        assert_eq!(removed.unwrap(), 1);
        assert!(is_missing(&store.undelete_saved_prompt(&ada, id).await));
        store.close().await;
    }

    #[tokio::test]
    async fn the_library_is_full_at_200_also_for_a_prompt_that_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let ada = UserId("ada".to_owned());
        let first = store.save_prompt(&ada, "First", "First").await.unwrap().id;
        for number in 1..MAX_PROMPTS {
            let name = number.to_string();
            store.save_prompt(&ada, &name, "Build").await.unwrap();
        }
        let full = |result: Result<SavedPrompt>| matches!(result, Err(StoreError::Conflict(_)));
        assert!(full(store.save_prompt(&ada, "More", "More").await));
        store.delete_saved_prompt(&ada, first).await.unwrap();
        store.save_prompt(&ada, "More", "More").await.unwrap();
        assert!(full(store.undelete_saved_prompt(&ada, first).await));
        let listed = store.list_saved_prompts(&ada).await.unwrap();
        assert_eq!((listed.len(), &*listed[0].name), (200, "More"));
        store.close().await;
    }
}
