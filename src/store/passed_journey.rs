//! The journeys that passed when a run ended with a result, each with a picture of its end.

use std::{collections::HashMap, sync::Arc};

use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::SelectStatement};

use super::{
    Result,
    blob::{self, BlobHash},
    readable, without_nul,
};
use crate::protocol::{MessageId, PassedJourney};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "passed_journeys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    pub title: String,
    pub picture: Option<BlobHash>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A journey that passed, about to be saved.
#[derive(Debug, Clone)]
pub struct NewPassedJourney {
    pub title: String,
    /// What it ended with: a JPEG.
    pub picture: Option<Arc<[u8]>>,
}

/// Saves the journeys that passed before the message.
pub(super) async fn insert(
    tx: &impl ConnectionTrait,
    message: MessageId,
    passed: &[NewPassedJourney],
) -> Result<Vec<PassedJourney>> {
    let mut saved = Vec::with_capacity(passed.len());
    for (ordinal, journey) in (0..).zip(passed) {
        let hash = journey.picture.as_deref().map(BlobHash::of);
        if let Some((hash, picture)) = hash.clone().zip(journey.picture.as_deref()) {
            blob::put(tx, hash, picture).await?;
        }
        let model = Model {
            message_id: message,
            ordinal,
            title: without_nul(&journey.title),
            picture: hash,
        };
        Entity::insert(ActiveModel {
            message_id: Set(message),
            ordinal: Set(ordinal),
            title: Set(model.title.clone()),
            picture: Set(model.picture.clone()),
        })
        .exec_without_returning(tx)
        .await?;
        saved.push(model.into_passed());
    }
    Ok(saved)
}

/// The journeys that passed before the messages with these ids, by message, in their order.
pub(super) async fn of_messages(
    db: &impl ConnectionTrait,
    ids: SelectStatement,
) -> Result<HashMap<MessageId, Vec<PassedJourney>>> {
    let found = Entity::find()
        .filter(Column::MessageId.in_subquery(ids))
        .order_by_asc(Column::MessageId)
        .order_by_asc(Column::Ordinal);
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    for model in readable::models(db, "journey", found).await? {
        let passed = all.entry(model.message_id).or_default();
        passed.push(model.into_passed());
    }
    Ok(all)
}

impl Model {
    fn into_passed(self) -> PassedJourney {
        PassedJourney {
            title: self.title,
            picture: self.picture.and_then(|hash| hash.as_str().parse().ok()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        protocol::{ImageId, UserId},
        store::{NewFragment, Reply, StoreError, testing::with_project},
    };

    #[tokio::test]
    async fn pictures_of_ends_are_for_those_of_the_project_and_go_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, run) = with_project(&folder).await;
        let local = UserId::local();
        let journey = |title: &str, picture: Option<&[u8]>| NewPassedJourney {
            title: title.to_owned(),
            picture: picture.map(Into::into),
        };
        let reply = Reply::Result {
            content: "Done.".to_owned(),
            fragment: NewFragment {
                project_title: "App".to_owned(),
                title: "App".to_owned(),
                entries: [].into(),
                partial: false,
                picture: None,
            },
            journeys: vec![
                journey("Buy", Some(b"a picture")),
                journey("Rent", Some(b"a picture")),
                journey("Look", None),
            ],
        };
        store.finish_run(run.id, &reply).await.unwrap();
        let messages = store.list_messages(project.id).await.unwrap();
        let id: ImageId = BlobHash::of(b"a picture").as_str().parse().unwrap();
        let passed = |title: &str, picture: Option<&ImageId>| PassedJourney {
            title: title.to_owned(),
            picture: picture.cloned(),
        };
        let all = [
            passed("Buy", Some(&id)),
            passed("Rent", Some(&id)),
            passed("Look", None),
        ];
        assert_eq!(messages[1].journeys, all);
        assert!(messages[0].journeys.is_empty());

        assert_eq!(store.remove_unused_blobs(10).await.unwrap(), 0);
        let picture = store.picture_content(&local, &id).await.unwrap();
        assert_eq!(picture.bytes, b"a picture");
        let stranger = UserId("stranger".to_owned());
        let refused = store.picture_content(&stranger, &id).await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))));

        store.delete_project(&local, project.id).await.unwrap();
        let deleted = store.deleted_projects().await.unwrap()[0];
        assert!(store.begin_removal(deleted).await.unwrap());
        store.remove_project(project.id).await.unwrap();
        assert_eq!(store.remove_unused_blobs(10).await.unwrap(), 1);
        store.close().await;
    }
}
