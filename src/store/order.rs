//! Repeated orders: an order's key is stored with its run, and a repeated order with the same key
//! leads to that run.

use sea_orm::{SqlErr, entity::prelude::*};
use sha2::{Digest as _, Sha256};

use super::{Result, StoreError, message, run};
use crate::protocol::{NewPrompt, ProjectId, Run, UserId};

const OTHER_ORDER: &str = "This Idempotency-Key came with another request before. Send a new \
                           request with a new key.";

/// The stored form of the prompt's key, which includes its user.
pub(super) fn key_of(user: &UserId, prompt: &NewPrompt) -> Option<String> {
    let key = prompt.order_key()?;
    let hash = Sha256::new().chain_update(&user.0).chain_update([0]);
    Some(hex::encode(hash.chain_update(key).finalize()))
}

/// The run of an earlier order with this key. `Conflict` if that order was a different one.
pub(super) async fn find(
    tx: &impl ConnectionTrait,
    user: &UserId,
    project: Option<ProjectId>,
    prompt: &NewPrompt,
) -> Result<Option<Run>> {
    let Some(key) = key_of(user, prompt) else {
        return Ok(None);
    };
    let found = run::Entity::find().filter(run::Column::OrderKey.eq(key));
    let Some(model) = found.one(tx).await? else {
        return Ok(None);
    };
    let asked = message::Entity::find_by_id(model.message_id)
        .one(tx)
        .await?;
    let is_same =
        asked.is_some_and(|asked| asked.content == prompt.as_str() && asked.mode == prompt.mode());
    if !is_same || project.is_some_and(|project| project != model.project_id) {
        return Err(StoreError::Conflict(OTHER_ORDER));
    }
    Ok(Some(model.into_run()))
}

/// Keeps the order's key with its run.
pub(super) async fn keep(
    tx: &impl ConnectionTrait,
    user: &UserId,
    prompt: &NewPrompt,
    run: &Run,
) -> Result<()> {
    if let Some(key) = key_of(user, prompt) {
        run::Entity::update_many()
            .col_expr(run::Column::OrderKey, Expr::value(key))
            .filter(run::Column::Id.eq(run.id))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Executes an order. If the same order arrives twice at once, the later one is retried and finds
/// the other's run.
pub(super) async fn make<T, F: Future<Output = Result<T>>>(once: impl Fn() -> F) -> Result<T> {
    match once().await {
        Err(error) if is_late(&error) => once().await,
        made => made,
    }
}

fn is_late(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else {
        return false;
    };
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
