//! Shares: a project's public link, the version it shows, and whether the showcase lists it.
//! Projects that are deleted, or belong to a disabled user, are not shared.

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};

use super::{
    ImageContent, Result, Store, StoreError, blob::BlobHash, fragment, project, user, version,
};
use crate::protocol::{Fragment, FragmentId, ImageType, ProjectId, Share, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "shares")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    pub slug: String,
    pub version: Option<FragmentId>,
    pub source: bool,
    pub category: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::project::Entity",
        from = "Column::ProjectId",
        to = "super::project::Column::Id"
    )]
    Project,
}

impl Related<project::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Project.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Share {
    fn from(model: Model) -> Self {
        Self {
            slug: model.slug,
            version: model.version,
            source: model.source,
            category: model.category,
        }
    }
}

/// A share as its visitors see it.
#[derive(Debug, Clone)]
pub struct OpenShare {
    pub project: ProjectId,
    pub owner: UserId,
    pub title: String,
    /// Whether visitors may read the files.
    pub source: bool,
    /// The version that is shown.
    pub fragment: Fragment,
    /// The hash of its picture, where there is one.
    pub picture: Option<BlobHash>,
}

/// A share that the showcase lists.
#[derive(Debug, Clone)]
pub struct ListedShare {
    pub slug: String,
    pub title: String,
    pub category: String,
    pub has_picture: bool,
}

impl Store {
    /// The project's share; `None` while it is private.
    pub async fn share_of(&self, project: ProjectId) -> Result<Option<Share>> {
        let model = Entity::find_by_id(project).one(&self.db).await?;
        Ok(model.map(Share::from))
    }

    /// The project's newest version, drafts excluded.
    pub async fn newest_version(&self, project: ProjectId) -> Result<Option<Fragment>> {
        let model = newest(&self.db, project).await?;
        Ok(model.map(fragment::Model::into_fragment))
    }

    /// Shares the project with these settings; a project that is shared already keeps its slug.
    /// `NotFound` if it has no such version, `Conflict` if it has none at all.
    pub async fn set_share(&self, project: ProjectId, share: Share) -> Result<Share> {
        self.write(move |tx| {
            Box::pin(async move {
                match share.version {
                    Some(id) => _ = version::find(tx, project, id).await?,
                    None if newest(tx, project).await?.is_none() => {
                        return Err(StoreError::Conflict(
                            "This project has no version yet. Share it when its first one is there.",
                        ));
                    }
                    None => {}
                }
                let row = ActiveModel {
                    project_id: Set(project),
                    slug: Set(share.slug),
                    version: Set(share.version),
                    source: Set(share.source),
                    category: Set(share.category),
                    created_at: Set(Timestamp::now().0),
                };
                let changed = [Column::Version, Column::Source, Column::Category];
                Entity::insert(row)
                    .on_conflict(
                        OnConflict::column(Column::ProjectId)
                            .update_columns(changed)
                            .to_owned(),
                    )
                    .exec_without_returning(tx)
                    .await?;
                let saved = Entity::find_by_id(project).one(tx).await?;
                Ok(saved.ok_or(StoreError::NotFound("project"))?.into())
            })
        })
        .await
    }

    /// Makes the project private: its link is dead for good.
    pub async fn end_share(&self, project: ProjectId) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                Entity::delete_by_id(project).exec(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// The share with this slug, or `NotFound`.
    pub async fn find_share(&self, slug: &str) -> Result<OpenShare> {
        Ok(open(&self.db, slug).await?.0)
    }

    /// A picture of the shared app, or `NotFound`.
    pub async fn share_picture(&self, slug: &str) -> Result<ImageContent> {
        let absent = || StoreError::NotFound("picture");
        let picture = self.find_share(slug).await?.picture;
        let content = self.content(picture.ok_or_else(absent)?).await?;
        Ok(ImageContent {
            media_type: ImageType::Jpeg,
            bytes: content.ok_or_else(absent)?,
        })
    }

    /// The shares that the showcase lists, newest first; at most `most`.
    pub async fn listed_shares(&self, most: u64) -> Result<Vec<ListedShare>> {
        let shares = Entity::find()
            .filter(Column::Category.is_not_null())
            .find_also_related(project::Entity)
            .filter(project::Column::DeletedAt.is_null())
            .order_by_desc(Column::CreatedAt)
            .limit(most)
            .all(&self.db)
            .await?;
        if shares.is_empty() {
            return Ok(Vec::new());
        }
        let owners = shares
            .iter()
            .filter_map(|(_, of)| Some(of.as_ref()?.user_id.clone()));
        let disabled = user::Entity::find()
            .filter(user::Column::Id.is_in(owners))
            .filter(user::Column::DisabledAt.is_not_null());
        let disabled = disabled.all(&self.db).await?.into_iter();
        let disabled: HashSet<UserId> = disabled.map(|user| user.id).collect();
        let pinned = shares.iter().filter_map(|(share, _)| share.version);
        let pinned = fragment::Entity::find().filter(fragment::Column::Id.is_in(pinned));
        let pinned = pinned.all(&self.db).await?.into_iter();
        let pictures: HashMap<FragmentId, bool> = pinned
            .map(|version| (version.id, version.picture.is_some()))
            .collect();
        let listed = shares.into_iter().filter_map(|(share, of)| {
            let of = of.filter(|of| !disabled.contains(&of.user_id))?;
            Some(ListedShare {
                has_picture: match share.version {
                    Some(id) => pictures.get(&id).copied().unwrap_or_default(),
                    None => of.picture.is_some(),
                },
                slug: share.slug,
                title: of.title,
                category: share.category?,
            })
        });
        Ok(listed.collect())
    }
}

/// The share with this slug and the version that it shows, or `NotFound`.
pub(super) async fn open(
    db: &impl ConnectionTrait,
    slug: &str,
) -> Result<(OpenShare, fragment::Model)> {
    let absent = || StoreError::NotFound("shared app");
    let share = Entity::find().filter(Column::Slug.eq(slug));
    let share = share.one(db).await?.ok_or_else(absent)?;
    let of = project::Entity::find_by_id(share.project_id)
        .filter(project::Column::DeletedAt.is_null())
        .one(db)
        .await?
        .ok_or_else(absent)?;
    let owner = user::Entity::find_by_id(of.user_id.clone()).one(db).await?;
    if owner.is_some_and(|owner| owner.disabled_at.is_some()) {
        return Err(absent());
    }
    let shown = match share.version {
        Some(id) => Some(version::find(db, of.id, id).await?),
        None => newest(db, of.id).await?,
    };
    let shown = shown.ok_or_else(absent)?;
    let shared = OpenShare {
        project: of.id,
        owner: of.user_id,
        title: of.title,
        source: share.source,
        // Not every version has a picture; the project's is that of its latest version with one.
        picture: match share.version {
            Some(_) => shown.picture.clone(),
            None => of.picture,
        },
        fragment: shown.clone().into_fragment(),
    };
    Ok((shared, shown))
}

/// The project's newest version that is no draft.
async fn newest(db: &impl ConnectionTrait, project: ProjectId) -> Result<Option<fragment::Model>> {
    let versions = fragment::Entity::find()
        .filter(fragment::Column::ProjectId.eq(project))
        .filter(fragment::Column::Draft.eq(false))
        .order_by_desc(fragment::Column::Number)
        .order_by_desc(fragment::Column::Id);
    Ok(versions.one(db).await?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        protocol::{AppEntry, NewPrompt},
        store::NewFragment,
    };

    fn new(content: &str) -> NewFragment {
        NewFragment {
            project_title: "App".to_owned(),
            title: content.to_owned(),
            entries: [AppEntry::file("a.txt", content.as_bytes().to_vec())].into(),
            partial: false,
            picture: None,
        }
    }

    fn share(slug: &str, version: Option<FragmentId>, category: Option<&str>) -> Share {
        Share {
            slug: slug.to_owned(),
            version,
            source: false,
            category: category.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn a_share_shows_its_version_or_the_newest_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let (owner, visitor) = (UserId::local(), UserId("visitor".to_owned()));
        let empty = NewPrompt::new("Build").unwrap();
        let (empty, ..) = store
            .create_project(&owner, &empty, None, "Empty")
            .await
            .unwrap();
        let refused = store.set_share(empty.id, share("none", None, None)).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))));

        let one = new("one");
        let project = store.create_ready_project(&owner, "p", "r", &one);
        let project = project.await.unwrap().id;
        let first = store.newest_version(project).await.unwrap().unwrap();
        assert!(store.share_of(project).await.unwrap().is_none());
        let strange = share("s", Some(FragmentId::new()), None);
        assert!(store.set_share(project, strange).await.is_err());
        let pinned = share("s", Some(first.id), Some("Games"));
        store.set_share(project, pinned).await.unwrap();
        store
            .save_version(project, &new("two"), None)
            .await
            .unwrap();
        assert_eq!(store.find_share("s").await.unwrap().fragment.title, "one");
        let listed = store.listed_shares(10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (&*listed[0].category, listed[0].has_picture),
            ("Games", false)
        );

        // A share keeps its address when it is changed.
        let changed = store
            .set_share(project, share("other", None, None))
            .await
            .unwrap();
        assert_eq!(changed.slug, "s");
        assert_eq!(store.find_share("s").await.unwrap().fragment.title, "two");
        assert!(store.listed_shares(10).await.unwrap().is_empty());

        let remixed = store.remix(&visitor, "s").await.unwrap();
        assert_eq!(store.user_of(remixed.id).await.unwrap(), visitor);
        let files = store
            .latest_version(remixed.id)
            .await
            .unwrap()
            .unwrap()
            .entries;
        assert_eq!(files[0].content(), b"two");

        store.delete_project(&owner, project).await.unwrap();
        assert!(store.find_share("s").await.is_err());
        store.undelete_project(&owner, project).await.unwrap();
        store.find_share("s").await.unwrap();
        store.end_share(project).await.unwrap();
        assert!(store.find_share("s").await.is_err());
        assert!(store.remix(&visitor, "s").await.is_err());
        store.close().await;
    }
}
