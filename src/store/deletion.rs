//! Deleted projects: hidden at once, and removed with everything in them a while later, unless the
//! deletion is undone.

use sea_orm::{QueryOrder, entity::prelude::*};

use super::{
    Result, Store, StoreError, event, message,
    project::{Column, Entity},
    readable, sweep,
};
use crate::protocol::{Project, ProjectId, Timestamp, UserId};

/// How many events one statement removes: a long project has tens of thousands.
const EVENTS_AT_A_TIME: u64 = 500;
/// The time of a deletion that can no longer be undone, because the removal has begun.
const BEGUN: i64 = 0;

/// A deleted project that is still stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    pub project: ProjectId,
    /// The time of the deletion; 0 once the removal has begun.
    pub at: Timestamp,
}

impl Store {
    /// Hides the user's project from everything but [`Store::undelete_project`]. `NotFound` when
    /// there is none.
    pub async fn delete_project(&self, user: &UserId, id: ProjectId) -> Result<()> {
        let hidden = Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(Timestamp::now().0))
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user.clone()))
            .filter(Column::DeletedAt.is_null());
        match self.update(hidden).await? {
            0 => Err(StoreError::NotFound("project")),
            _ => Ok(()),
        }
    }

    /// Brings the user's deleted project back. `NotFound` when its removal has begun.
    pub async fn undelete_project(&self, user: &UserId, id: ProjectId) -> Result<Project> {
        let shown = Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(None::<i64>))
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user.clone()))
            .filter(Column::DeletedAt.gt(BEGUN));
        self.update(shown).await?;
        self.expect_project_of(user, id).await?;
        self.find_project(id).await
    }

    /// The deleted projects that are still stored, the longest deleted first.
    pub async fn deleted_projects(&self) -> Result<Vec<Deleted>> {
        let deleted = Entity::find()
            .filter(Column::DeletedAt.is_not_null())
            .order_by_asc(Column::DeletedAt);
        let models = readable::models(&self.db, "project", deleted).await?;
        let deleted = models.into_iter().map(|model| Deleted {
            project: model.id,
            at: Timestamp(model.deleted_at.unwrap_or_default()),
        });
        Ok(deleted.collect())
    }

    /// Begins the removal of a project that was deleted at this time; returns `false` if the
    /// deletion was undone.
    pub async fn begin_removal(&self, deleted: Deleted) -> Result<bool> {
        let begun = Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(BEGUN))
            .filter(Column::Id.eq(deleted.project))
            .filter(Column::DeletedAt.eq(deleted.at.0));
        Ok(self.update(begun).await? > 0)
    }

    /// Removes the project's rows and its images, once its removal has begun. The contents of its
    /// files are left to [`Store::remove_unused_blobs`].
    pub async fn remove_project(&self, id: ProjectId) -> Result<()> {
        loop {
            let removed =
                self.write(move |tx| Box::pin(event::remove_some(tx, id, EVENTS_AT_A_TIME)));
            if removed.await? == 0 {
                break;
            }
        }
        self.write(move |tx| {
            Box::pin(async move {
                let images = message::images_of(tx, id).await?;
                Entity::delete_many()
                    .filter(Column::Id.eq(id))
                    .filter(Column::DeletedAt.eq(BEGUN))
                    .exec(tx)
                    .await?;
                sweep::remove_images(tx, &images).await
            })
        })
        .await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{protocol::NewPrompt, store::testing::with_project};

    #[tokio::test]
    async fn a_deleted_project_is_hidden_comes_back_and_goes_with_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, run) = with_project(&folder).await;
        let (local, stranger) = (UserId::local(), UserId("stranger".to_owned()));
        let prompt = NewPrompt::new("Build").unwrap();
        let (other, ..) = store
            .create_project(&UserId::local(), &prompt, None, "Build")
            .await
            .unwrap();

        store.delete_project(&local, project.id).await.unwrap();
        assert!(matches!(
            store.delete_project(&local, project.id).await,
            Err(StoreError::NotFound(_))
        ));
        assert!(store.find_project(project.id).await.is_err());
        assert!(
            store
                .add_prompt(&local, project.id, &prompt, None)
                .await
                .is_err()
        );
        let listed = store.list_projects(&local).await.unwrap();
        assert_eq!(
            listed.iter().map(|one| one.id).collect::<Vec<_>>(),
            [other.id]
        );

        assert!(store.undelete_project(&stranger, project.id).await.is_err());
        store.undelete_project(&local, project.id).await.unwrap();
        assert!(store.delete_project(&stranger, project.id).await.is_err());
        assert_eq!(store.list_projects(&local).await.unwrap().len(), 2);
        assert!(store.deleted_projects().await.unwrap().is_empty());

        store.delete_project(&local, project.id).await.unwrap();
        let deleted = store.deleted_projects().await.unwrap()[0];
        let undone = Deleted {
            at: Timestamp(deleted.at.0 - 1),
            ..deleted
        };
        assert!(!store.begin_removal(undone).await.unwrap());
        assert!(store.begin_removal(deleted).await.unwrap());
        assert!(store.undelete_project(&local, project.id).await.is_err());
        store.remove_project(project.id).await.unwrap();
        assert!(store.deleted_projects().await.unwrap().is_empty());
        assert!(store.find_run(run.id).await.is_err());
        assert!(store.events_of_run(run.id).await.unwrap().is_empty());
        assert_eq!(store.list_runs(other.id).await.unwrap().len(), 1);
        store.close().await;
    }
}
