//! Pictures of apps: blobs that versions name, and the ends of journeys.

use sea_orm::{entity::prelude::*, sea_query::Query};

use super::{
    ImageContent, Result, Store, StoreError, blob::BlobHash, fragment, member, message,
    passed_journey,
};
use crate::protocol::{ImageId, ImageType, UserId};

impl Store {
    /// A picture of an app that the user owns or works on, or `NotFound`, also for any other blob.
    pub async fn picture_content(&self, user: &UserId, id: &ImageId) -> Result<ImageContent> {
        let shown = fragment::Entity::find()
            .filter(fragment::Column::Picture.eq(BlobHash::from(id)))
            .filter(fragment::Column::ProjectId.in_subquery(member::visible_ids(user)));
        if shown.count(&self.db).await? == 0 && !self.ends_a_journey(user, id).await? {
            return Err(StoreError::NotFound("picture"));
        }
        let content = self.content(BlobHash::from(id)).await?;
        Ok(ImageContent {
            media_type: ImageType::Jpeg,
            bytes: content.ok_or(StoreError::NotFound("picture"))?,
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
            .filter(passed_journey::Column::Picture.eq(BlobHash::from(id)))
            .filter(passed_journey::Column::MessageId.in_subquery(visible));
        Ok(ends.count(&self.db).await? > 0)
    }
}
