//! Reading past rows that can't be read: one that another version of this program wrote, or that
//! was damaged, costs itself and never the page or the project that it belongs to.

use sea_orm::{FromQueryResult, QueryTrait as _, Select, entity::prelude::*};

use super::{Result, StoreError};

/// The query's rows, without those that can't be read in this shape.
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

/// What was read; an unreadable row is logged and left out.
pub(super) fn or_skip<T>(what: &'static str, read: Result<T>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "a row that can't be read is left out: {what}"))
        .ok()
}
