//! Pictures of apps: blobs that versions name.

use sea_orm::{
    ExprTrait as _,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, SimpleExpr},
};

use super::{ImageContent, Result, Store, StoreError, blob, fragment, member};
use crate::protocol::{ImageId, UserId};

impl Store {
    /// A picture of an app that the user owns or works on, or `NotFound`, also for any other blob.
    pub async fn picture_content(&self, user: &UserId, id: &ImageId) -> Result<ImageContent> {
        let shown = fragment::Entity::find()
            .filter(fragment::Column::Picture.eq(id.as_str()))
            .filter(fragment::Column::ProjectId.in_subquery(member::visible_ids(user)));
        if shown.count(&self.db).await? == 0 {
            return Err(StoreError::NotFound("picture"));
        }
        let blob = blob::Entity::find_by_id(id.as_str()).one(&self.db).await?;
        Ok(ImageContent {
            media_type: "image/jpeg".to_owned(),
            bytes: blob.ok_or(StoreError::NotFound("picture"))?.content,
        })
    }
}

/// Whether a version has a file with this content, or this picture.
pub(super) async fn has_blob(db: &impl ConnectionTrait, hash: &str) -> Result<bool> {
    let file = fragment::file::Entity::find().filter(fragment::file::Column::Hash.eq(hash));
    let shown = fragment::Entity::find().filter(fragment::Column::Picture.eq(hash));
    Ok(file.one(db).await?.is_some() || shown.one(db).await?.is_some())
}

/// The versions with the picture of this hash, for a query of what is in use.
pub(super) fn pictures_of(hash: SimpleExpr) -> SelectStatement {
    Query::select()
        .expr(Expr::value(1))
        .from(fragment::Entity)
        .and_where(Expr::col((fragment::Entity, fragment::Column::Picture)).eq(hash))
        .to_owned()
}
