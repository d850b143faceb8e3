//! Users' own keys for model providers, in sealed form; and the runs answered with one, which cost
//! no credits.

use sea_orm::{
    ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};
use serde_json::json;

use super::{Actor, Deed, Result, Store, StoreError, audit, readable, run};
use crate::protocol::{ModelId, ModelKey, ModelProvider, RunId, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: ModelProvider,
    pub sealed: String,
    pub ending: String,
    pub added_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for ModelKey {
    fn from(model: Model) -> Self {
        Self {
            provider: model.provider,
            ending: model.ending,
            added_at: Timestamp(model.added_at),
        }
    }
}

impl Store {
    /// The same database, with users' own keys enabled beside these models of the installation. The
    /// first model is the default; the list is empty if the demo answers.
    pub fn with_own_keys(self, configured: Vec<ModelId>) -> Self {
        Self {
            own_keys: Some(configured.into()),
            ..self
        }
    }

    /// Saves a sealed key of the user, in place of an earlier one.
    pub async fn set_user_key(&self, by: &Actor, key: ModelKey, sealed: String) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let row = ActiveModel {
                    user_id: Set(by.user.clone()),
                    provider: Set(key.provider),
                    sealed: Set(sealed),
                    ending: Set(key.ending),
                    added_at: Set(key.added_at.0),
                };
                let replaced = OnConflict::columns([Column::UserId, Column::Provider])
                    .update_columns([Column::Sealed, Column::Ending, Column::AddedAt])
                    .to_owned();
                Entity::insert(row)
                    .on_conflict(replaced)
                    .exec_without_returning(tx)
                    .await?;
                audit::insert(tx, &by, deed("set model key", &by, key.provider)).await
            })
        })
        .await
    }

    /// Removes the user's key of the provider, or `NotFound`.
    pub async fn remove_user_key(&self, by: &Actor, provider: ModelProvider) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let key = (by.user.clone(), provider);
                if Entity::delete_by_id(key).exec(tx).await?.rows_affected == 0 {
                    return Err(StoreError::NotFound("key"));
                }
                audit::insert(tx, &by, deed("remove model key", &by, provider)).await
            })
        })
        .await
    }

    /// The user's keys, without the sealed part.
    pub async fn list_user_keys(&self, user: &UserId) -> Result<Vec<ModelKey>> {
        let own = Entity::find()
            .filter(Column::UserId.eq(user.clone()))
            .order_by_asc(Column::Provider);
        let models = readable::models(&self.db, "key", own).await?;
        Ok(models.into_iter().map(ModelKey::from).collect())
    }

    /// The user's sealed key for the provider; `None` if there is none (any more).
    pub async fn sealed_user_key(
        &self,
        user: &UserId,
        provider: ModelProvider,
    ) -> Result<Option<String>> {
        let found = Entity::find_by_id((user.clone(), provider));
        Ok(found.one(&self.db).await?.map(|model| model.sealed))
    }

    /// The providers for which the user has a key that counts, in the order of the list.
    pub async fn key_providers(&self, user: &UserId) -> Result<Vec<ModelProvider>> {
        match &self.own_keys {
            Some(_) => providers(&self.db, user).await,
            None => Ok(Vec::new()),
        }
    }

    /// The provider whose key answers for the user if no model is named; `None` for the
    /// installation's keys.
    pub async fn usual_own_key(&self, user: &UserId) -> Result<Option<ModelProvider>> {
        that_answers(&self.db, self.own_keys.as_deref(), user, None).await
    }

    /// The provider whose key of the sender's answers the run; `None` for the installation's keys.
    pub async fn own_key_of(&self, id: RunId) -> Result<Option<ModelProvider>> {
        Ok(run::model(&self.db, id).await?.own_key)
    }
}

fn deed(action: &'static str, by: &Actor, provider: ModelProvider) -> Deed {
    let details = json!({ "provider": provider });
    Deed::new(action, "user", &by.user, by.name.clone()).with(details)
}

async fn providers(db: &impl ConnectionTrait, user: &UserId) -> Result<Vec<ModelProvider>> {
    let own = Entity::find()
        .filter(Column::UserId.eq(user.clone()))
        .select_only()
        .column(Column::Provider)
        .into_tuple::<ModelProvider>();
    let own = own.all(db).await?;
    let mut all = ModelProvider::ALL.to_vec();
    all.retain(|provider| own.contains(provider));
    Ok(all)
}

/// The provider whose key of the user's answers a message for this model, or for the default model;
/// `None` for the installation's keys.
pub(super) async fn that_answers(
    db: &impl ConnectionTrait,
    configured: Option<&[ModelId]>,
    user: &UserId,
    model: Option<&ModelId>,
) -> Result<Option<ModelProvider>> {
    let Some(configured) = configured else {
        return Ok(None);
    };
    Ok(choose(configured, &providers(db, user).await?, model))
}

fn choose(
    configured: &[ModelId],
    keys: &[ModelProvider],
    model: Option<&ModelId>,
) -> Option<ModelProvider> {
    let with_key = |model: &ModelId| model.provider().filter(|it| keys.contains(it));
    let named = model.and_then(with_key);
    if named.is_some() || model.is_some_and(|model| configured.contains(model)) {
        return named;
    }
    // As the run chooses: the first configured model, unless that is the demo.
    match configured.first() {
        Some(first) => with_key(first),
        None => keys.first().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_answered_with_the_key_of_its_model_s_provider_where_there_is_one() {
        use ModelProvider::{Anthropic, Gemini, OpenAi};
        let (openai, custom) = (ModelId::new("openai", "a"), ModelId::new("custom", "b"));
        let claude = ModelId::new("anthropic", "c");
        let configured = [openai.clone(), custom.clone()];
        for (keys, model, expected) in [
            (&[][..], None, None),
            (&[Gemini], None, None),
            (&[OpenAi], None, Some(OpenAi)),
            (&[OpenAi], Some(&custom), None),
            (&[OpenAi, Anthropic], Some(&claude), Some(Anthropic)),
            // Somebody else's message asked for it, or the key is gone.
            (&[], Some(&claude), None),
            (&[OpenAi], Some(&claude), Some(OpenAi)),
        ] {
            assert_eq!(
                choose(&configured, keys, model),
                expected,
                "{keys:?} {model:?}"
            );
        }
        assert_eq!(choose(&[], &[Anthropic, Gemini], None), Some(Anthropic));
        assert_eq!(choose(&[], &[], Some(&claude)), None);
    }
}
