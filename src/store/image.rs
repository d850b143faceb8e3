//! Images: the blobs that users attach to their messages.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};

use super::{
    Result, Store, StoreError,
    blob::{self, BlobHash},
    readable::or_skip,
};
use crate::protocol::{Image, ImageId, ImageType, Message, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "images")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: BlobHash,
    pub media_type: ImageType,
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
            id: self.hash.as_str().parse().map_err(
                |error: <ImageId as std::str::FromStr>::Err| {
                    StoreError::Corrupt("image id", error.to_string())
                },
            )?,
            width: self.width.unsigned_abs(),
            height: self.height.unsigned_abs(),
        })
    }
}

/// Who uploaded an image.
pub(super) mod owner {
    use sea_orm::entity::prelude::*;

    use super::BlobHash;
    use crate::protocol::UserId;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "image_owners")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: BlobHash,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: UserId,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An image's bytes, as they are served and as the model gets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageContent {
    pub media_type: ImageType,
    pub bytes: Vec<u8>,
}

impl Store {
    /// Stores the user's image, unless the same one is stored already.
    pub async fn add_image(
        &self,
        user: &UserId,
        content: &ImageContent,
        width: u32,
        height: u32,
    ) -> Result<Image> {
        let model = Model {
            hash: BlobHash::of(&content.bytes),
            media_type: content.media_type,
            width: i32::try_from(width).unwrap_or(i32::MAX),
            height: i32::try_from(height).unwrap_or(i32::MAX),
            used_at: Timestamp::now().0,
        };
        let row = ActiveModel {
            hash: Set(model.hash.clone()),
            media_type: Set(model.media_type),
            width: Set(model.width),
            height: Set(model.height),
            used_at: Set(model.used_at),
        };
        let (hash, bytes) = (model.hash.clone(), content.bytes.clone());
        let owner = owner::ActiveModel {
            hash: Set(model.hash.clone()),
            user_id: Set(user.clone()),
        };
        self.put_picture(&bytes).await?;
        self.write(move |tx| {
            Box::pin(async move {
                blob::put(tx, hash, &bytes).await?;
                let mut known = OnConflict::column(Column::Hash);
                Entity::insert(row)
                    .on_conflict(known.update_column(Column::UsedAt).to_owned())
                    .exec_without_returning(tx)
                    .await?;
                let mut known = OnConflict::columns([owner::Column::Hash, owner::Column::UserId]);
                owner::Entity::insert(owner)
                    .on_conflict(known.do_nothing().to_owned())
                    .exec_without_returning(tx)
                    .await?;
                Ok(())
            })
        })
        .await?;
        model.into_image()
    }

    /// The images that the user uploaded and that are still stored.
    pub async fn list_images(&self, user: &UserId) -> Result<Vec<ImageId>> {
        let own = owner::Entity::find().filter(owner::Column::UserId.eq(user.clone()));
        let own = own.all(&self.db).await?;
        Ok(own
            .iter()
            .filter_map(|one| one.hash.as_str().parse().ok())
            .collect())
    }
}

/// Looks up the image to attach to a message, and protects it from the sweep. `NotFound` if it is
/// gone, or not uploaded by this user (`None`: by anyone).
pub(super) async fn attach(
    tx: &impl ConnectionTrait,
    uploader: Option<&UserId>,
    id: &ImageId,
) -> Result<Image> {
    if let Some(user) = uploader {
        let uploaded = owner::Entity::find_by_id((BlobHash::from(id), user.clone()));
        if uploaded.one(tx).await?.is_none() {
            return Err(StoreError::NotFound("image"));
        }
    }
    let kept = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(Timestamp::now().0))
        .filter(Column::Hash.eq(BlobHash::from(id)))
        .exec(tx)
        .await?;
    if kept.rows_affected == 0 {
        return Err(StoreError::NotFound("image"));
    }
    let model = Entity::find_by_id(id).one(tx).await?;
    model.ok_or(StoreError::NotFound("image"))?.into_image()
}

/// Gives each message the image of its hash.
pub(super) async fn with_images(
    db: &impl ConnectionTrait,
    messages: Vec<(Message, Option<BlobHash>)>,
) -> Result<Vec<Message>> {
    let hashes: Vec<BlobHash> = messages
        .iter()
        .filter_map(|(_, hash)| hash.clone())
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
    let with_image = |(message, hash): (Message, Option<BlobHash>)| Message {
        image: hash.and_then(|hash| images.get(&hash).cloned()),
        ..message
    };
    Ok(messages.into_iter().map(with_image).collect())
}
