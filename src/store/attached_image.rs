//! Images, for those who may see a message that contains one.

use sea_orm::{Condition, entity::prelude::*, sea_query::Query};

use super::{
    ImageContent, Result, Store, StoreError,
    blob::BlobHash,
    image::{self, owner},
    member, message,
};
use crate::protocol::{ImageId, UserId};

impl Store {
    /// The bytes of an image that the user uploaded, or that is part of a message they may see; or
    /// `NotFound`, also for a blob that is not an image.
    pub async fn image_content(&self, user: &UserId, id: &ImageId) -> Result<ImageContent> {
        expect_visible(&self.db, user, id).await?;
        let model = image::Entity::find_by_id(id).one(&self.db).await?;
        let model = model.ok_or(StoreError::NotFound("image"))?;
        let content = self.content(model.hash).await?;
        Ok(ImageContent {
            media_type: model.media_type,
            bytes: content.ok_or(StoreError::NotFound("image"))?,
        })
    }
}

/// Fails with `NotFound` unless the user uploaded the image or may see a message with it.
async fn expect_visible(db: &impl ConnectionTrait, user: &UserId, id: &ImageId) -> Result<()> {
    let uploaded = Query::select()
        .column(owner::Column::Hash)
        .from(owner::Entity)
        .and_where(owner::Column::UserId.eq(user.clone()))
        .and_where(owner::Column::Hash.eq(BlobHash::from(id)))
        .to_owned();
    let sent = Query::select()
        .column(message::Column::ImageHash)
        .from(message::Entity)
        .and_where(message::Column::ImageHash.eq(BlobHash::from(id)))
        .and_where(message::Column::ProjectId.in_subquery(member::visible_ids(user)))
        .to_owned();
    let visible = Condition::any()
        .add(image::Column::Hash.in_subquery(uploaded))
        .add(image::Column::Hash.in_subquery(sent));
    match image::Entity::find_by_id(id)
        .filter(visible)
        .count(db)
        .await?
    {
        0 => Err(StoreError::NotFound("image")),
        _ => Ok(()),
    }
}
