//! Images: the blobs that users attach to their messages.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

use super::{Result, Store, StoreError, blob, readable::or_skip};
use crate::protocol::{Image, ImageId, Message, Timestamp};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "images")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    pub media_type: String,
    pub width: i32,
    pub height: i32,
    pub used_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn into_image(self) -> Result<Image> {
        Ok(Image {
            id: self
                .hash
                .parse()
                .map_err(|error: <ImageId as std::str::FromStr>::Err| {
                    StoreError::Corrupt("image id", error.to_string())
                })?,
            width: self.width.unsigned_abs(),
            height: self.height.unsigned_abs(),
        })
    }
}

/// An image's bytes, as they are served and as the model gets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageContent {
    pub media_type: String,
    pub bytes: Vec<u8>,
}

impl Store {
    /// Stores the image, unless the same one is stored already.
    pub async fn add_image(
        &self,
        content: &ImageContent,
        width: u32,
        height: u32,
    ) -> Result<Image> {
        let model = Model {
            hash: blob::hash(&content.bytes),
            media_type: content.media_type.clone(),
            width: i32::try_from(width).unwrap_or(i32::MAX),
            height: i32::try_from(height).unwrap_or(i32::MAX),
            used_at: Timestamp::now().0,
        };
        let row = ActiveModel {
            hash: Set(model.hash.clone()),
            media_type: Set(model.media_type.clone()),
            width: Set(model.width),
            height: Set(model.height),
            used_at: Set(model.used_at),
        };
        let (hash, bytes) = (model.hash.clone(), content.bytes.clone());
        self.write(move |tx| {
            Box::pin(async move {
                blob::put(tx, hash, &bytes).await?;
                let mut known = OnConflict::column(Column::Hash);
                Entity::insert(row)
                    .on_conflict(known.update_column(Column::UsedAt).to_owned())
                    .exec_without_returning(tx)
                    .await?;
                Ok(())
            })
        })
        .await?;
        model.into_image()
    }

    /// The image's bytes, or `NotFound`, also for a blob that is no image.
    pub async fn image_content(&self, id: &ImageId) -> Result<ImageContent> {
        let model = Entity::find_by_id(id.as_str()).one(&self.db).await?;
        let model = model.ok_or(StoreError::NotFound("image"))?;
        let blob = blob::Entity::find_by_id(model.hash).one(&self.db).await?;
        Ok(ImageContent {
            media_type: model.media_type,
            bytes: blob.ok_or(StoreError::NotFound("image"))?.content,
        })
    }
}

/// The image that is about to be attached to a message; from now on no sweep removes it. `NotFound`
/// when it is gone.
pub(super) async fn attach(tx: &impl ConnectionTrait, id: &ImageId) -> Result<Image> {
    let kept = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(Timestamp::now().0))
        .filter(Column::Hash.eq(id.as_str()))
        .exec(tx)
        .await?;
    if kept.rows_affected == 0 {
        return Err(StoreError::NotFound("image"));
    }
    let model = Entity::find_by_id(id.as_str()).one(tx).await?;
    model.ok_or(StoreError::NotFound("image"))?.into_image()
}

/// Gives each message the image of its hash.
pub(super) async fn with_images(
    db: &impl ConnectionTrait,
    messages: Vec<(Message, Option<String>)>,
) -> Result<Vec<Message>> {
    let hashes: Vec<&String> = messages
        .iter()
        .filter_map(|(_, hash)| hash.as_ref())
        .collect();
    let mut images = HashMap::new();
    if !hashes.is_empty() {
        for model in Entity::find()
            .filter(Column::Hash.is_in(hashes))
            .all(db)
            .await?
        {
            let hash = model.hash.clone();
            images.extend(or_skip("image", model.into_image()).map(|image| (hash, image)));
        }
    }
    let with_image = |(message, hash): (Message, Option<String>)| Message {
        image: hash.and_then(|hash| images.get(&hash).cloned()),
        ..message
    };
    Ok(messages.into_iter().map(with_image).collect())
}
