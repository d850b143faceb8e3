//! Reading past unreadable rows: a row that is damaged, or was written by another version of this
//! program, is lost alone, without its page or project.

use sea_orm::{FromQueryResult, QueryTrait as _, Select, entity::prelude::*};

use super::{Result, StoreError};

/// The query's rows, except those that can't be read as this type.
pub(super) async fn rows<E: EntityTrait, M: FromQueryResult>(
    db: &impl ConnectionTrait,
    what: &'static str,
    query: Select<E>,
) -> Result<Vec<M>> {
    let rows = db.query_all(&query.into_query()).await?;
    let read = rows
        .iter()
        .map(|row| M::from_query_result(row, "").map_err(StoreError::from));
    Ok(read.filter_map(|read| or_skip(what, read)).collect())
}

/// The entity's rows that the query finds, as far as they can be read.
pub(super) async fn models<E: EntityTrait>(
    db: &impl ConnectionTrait,
    what: &'static str,
    query: Select<E>,
) -> Result<Vec<E::Model>> {
    rows::<E, E::Model>(db, what, query).await
}

/// The value; an unreadable row is logged and skipped.
pub(super) fn or_skip<T>(what: &'static str, read: Result<T>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "a row that can't be read is left out: {what}"))
        .ok()
}
