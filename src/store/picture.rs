//! Pictures of apps: blobs that versions name, and the ends of journeys.

use sea_orm::{
    ExprTrait as _,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, SimpleExpr},
};

use super::{
    ImageContent, Result, Store, StoreError, blob, fragment, member, message, passed_journey,
};
use crate::protocol::{ImageId, UserId};

impl Store {
    /// The bytes of a picture of an app that the user owns or works on, or `NotFound`: other blobs
    /// are none.
    pub async fn picture_content(&self, user: &UserId, id: &ImageId) -> Result<ImageContent> {
        let shown = fragment::Entity::find()
            .filter(fragment::Column::Picture.eq(id.as_str()))
            .filter(fragment::Column::ProjectId.in_subquery(member::visible_ids(user)));
        if shown.count(&self.db).await? == 0 && !self.ends_a_journey(user, id).await? {
            return Err(StoreError::NotFound("picture"));
        }
        let blob = blob::Entity::find_by_id(id.as_str()).one(&self.db).await?;
        Ok(ImageContent {
            media_type: "image/jpeg".to_owned(),
            bytes: blob.ok_or(StoreError::NotFound("picture"))?.content,
        })
    }

    /// Whether the picture is the end of a journey of such an app.
    async fn ends_a_journey(&self, user: &UserId, id: &ImageId) -> Result<bool> {
        let visible = Query::select()
            .column(message::Column::Id)
            .from(message::Entity)
            .and_where(message::Column::ProjectId.in_subquery(member::visible_ids(user)))
            .to_owned();
        let ends = passed_journey::Entity::find()
            .filter(passed_journey::Column::Picture.eq(id.as_str()))
            .filter(passed_journey::Column::MessageId.in_subquery(visible));
        Ok(ends.count(&self.db).await? > 0)
    }
}

/// Whether a version has a file with this content, or this is a picture.
pub(super) async fn has_blob(db: &impl ConnectionTrait, hash: &str) -> Result<bool> {
    let file = fragment::file::Entity::find().filter(fragment::file::Column::Hash.eq(hash));
    let shown = fragment::Entity::find().filter(fragment::Column::Picture.eq(hash));
    let ends = passed_journey::Entity::find().filter(passed_journey::Column::Picture.eq(hash));
    Ok(file.one(db).await?.is_some()
        || shown.one(db).await?.is_some()
        || ends.one(db).await?.is_some())
}

/// The versions with the picture of this hash, for a query of what is in use.
pub(super) fn pictures_of(hash: SimpleExpr) -> SelectStatement {
    Query::select()
        .expr(Expr::value(1))
        .from(fragment::Entity)
        .and_where(Expr::col((fragment::Entity, fragment::Column::Picture)).eq(hash))
        .to_owned()
}
