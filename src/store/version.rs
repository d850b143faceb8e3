//! Versions beside those that runs save: listed, found and read, made by the user's edits, and
//! restored.

use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*, sea_query::Query};

use super::{
    NewFragment, Result, Store, StoreError, Version, blob, edit, event,
    fragment::{self, Column, Entity, FileSet, Origin, file},
    project, readable, run, user, without_nul,
};
use crate::protocol::{
    AppNode, Author, Event, EventKind, Fragment, FragmentId, ProjectId, Timestamp, UserId,
};

/// Why nothing is restored while a run works.
pub const AT_WORK: &str =
    "A run is at work on this project. Stop it or wait for its end, then restore.";

/// A file of a version, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    pub path: String,
    /// `file`, `executable`, `link` or `folder`.
    pub kind: String,
    pub hash: String,
}

impl Store {
    /// The project's versions and drafts, newest first.
    pub async fn list_versions(&self, project: ProjectId) -> Result<Vec<Fragment>> {
        let all = Entity::find()
            .filter(Column::ProjectId.eq(project))
            .order_by_desc(Column::Number)
            .order_by_desc(Column::Id);
        let models = readable::models(&self.db, "version", all).await?;
        let fragments = models.into_iter();
        Ok(fragments.map(fragment::Model::into_fragment).collect())
    }

    /// Whether the project has a version or a draft.
    pub async fn has_version(&self, project: ProjectId) -> Result<bool> {
        Ok(fragment::latest(&self.db, project).await?.is_some())
    }

    /// The version of this project with the id, or `NotFound`.
    pub async fn find_version(&self, project: ProjectId, id: FragmentId) -> Result<Version> {
        let model = find(&self.db, project, id).await?;
        fragment::with_entries(&self.db, model).await
    }

    /// What the version consists of, sorted by path.
    pub async fn version_files(&self, id: FragmentId) -> Result<Vec<StoredFile>> {
        let files = fragment::file_set(&self.db, id).await?.into_iter();
        let stored = files.map(|(path, kind, hash)| StoredFile { path, kind, hash });
        Ok(stored.collect())
    }

    /// What the version has at the path; `None` where that is nothing.
    pub async fn version_file(&self, id: FragmentId, path: &str) -> Result<Option<AppNode>> {
        let file = file::Entity::find_by_id((id, path.to_owned()))
            .one(&self.db)
            .await?;
        let Some(file) = file else { return Ok(None) };
        let blob = blob::Entity::find_by_id(file.hash).one(&self.db).await?;
        let content = blob.ok_or(StoreError::NotFound("file"))?.content;
        Ok(Some(fragment::node_of(&file.kind, content)))
    }

    /// Saves what the user made of the app as a version; `None` when the latest version is the
    /// same. `grows` is the version that this one takes the place of, with its id and number, if
    /// that is still the latest and the user's own: edits of one sitting are one version.
    pub async fn save_version(
        &self,
        project: ProjectId,
        new: &NewFragment,
        grows: Option<FragmentId>,
    ) -> Result<Option<(Fragment, Vec<Event>)>> {
        let hashed = self.prepare(new).await?;
        if fragment::equals_latest(&self.db, project, new.partial, &hashed).await? {
            return Ok(None);
        }
        let new = new.clone();
        self.write(move |tx| {
            Box::pin(async move {
                project::touch(tx, project).await?;
                let fragment = match grows {
                    Some(id) => grow(tx, project, id, &new, &hashed).await?,
                    None => None,
                };
                let mut fragment = match fragment {
                    Some(grown) => grown,
                    None => fragment::insert(tx, project, Origin::User, &new, &hashed).await?,
                };
                let by = edit::last_user(tx, project).await?;
                note_user(tx, &mut fragment, by).await?;
                let event = announce(tx, project, fragment.clone()).await?;
                Ok(Some((fragment, event.into_iter().collect())))
            })
        })
        .await
    }

    /// Saves what a project's sandbox has, which is about to be ended, as a draft unless the latest
    /// version is the same. The project does not count as changed by that.
    pub async fn keep_as_draft(&self, project: ProjectId, new: &NewFragment) -> Result<Vec<Event>> {
        let (new, hashed) = (new.clone(), self.prepare(new).await?);
        self.write(move |tx| {
            Box::pin(async move { keep(tx, project, Origin::Ended, &new, &hashed).await })
        })
        .await
    }

    /// Makes the files of an earlier version the project's latest version, after saving `unsaved`,
    /// the app as it is, as a version of its own unless the latest is the same. The project is
    /// marked: its sandbox has yet to get the files. `Conflict` while a run works.
    pub async fn restore_version(
        &self,
        project: ProjectId,
        id: FragmentId,
        unsaved: &NewFragment,
        by: &UserId,
    ) -> Result<(Fragment, Vec<Event>)> {
        let (unsaved, hashed) = (unsaved.clone(), self.prepare(unsaved).await?);
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                project::touch(tx, project).await?;
                if run::has_unfinished(tx, project).await? {
                    return Err(StoreError::Conflict(AT_WORK));
                }
                let mut events = keep_unsaved(tx, project, &unsaved, &hashed).await?;
                let (restored, event) = restore(tx, project, Some(id), &by).await?;
                events.extend(event);
                Ok((restored, events))
            })
        })
        .await
    }

    /// The version that the app was at this time: the latest one saved by then.
    pub async fn version_at(
        &self,
        project: ProjectId,
        at: Timestamp,
    ) -> Result<Option<FragmentId>> {
        Ok(latest_at(&self.db, project, at)
            .await?
            .map(|model| model.id))
    }

    /// The version whose files the project's sandbox has yet to get.
    pub async fn restoring(&self, project: ProjectId) -> Result<Option<FragmentId>> {
        Ok(self.project_model(project).await?.restoring)
    }

    /// Notes that the project's sandbox has the files of the version.
    pub async fn restored(&self, project: ProjectId, id: FragmentId) -> Result<()> {
        let done = project::Entity::update_many()
            .col_expr(project::Column::Restoring, Expr::value(None::<String>))
            .filter(project::Column::Id.eq(project))
            .filter(project::Column::Restoring.eq(id));
        self.update(done).await?;
        Ok(())
    }
}

/// Saves the app as it is as a version, unless the latest is the same.
pub(super) async fn keep_unsaved(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    unsaved: &NewFragment,
    hashed: &blob::Hashed,
) -> Result<Vec<Event>> {
    keep(tx, project, Origin::User, unsaved, hashed).await
}

async fn keep(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    origin: Origin,
    unsaved: &NewFragment,
    hashed: &blob::Hashed,
) -> Result<Vec<Event>> {
    if fragment::equals_latest(tx, project, unsaved.partial, hashed).await? {
        return Ok(Vec::new());
    }
    let saved = fragment::insert(tx, project, origin, unsaved, hashed).await?;
    Ok(announce(tx, project, saved).await?.into_iter().collect())
}

/// Notes who edited or restored the version.
async fn note_user(
    tx: &impl ConnectionTrait,
    version: &mut Fragment,
    by: Option<UserId>,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::UserId, Expr::value(by.clone()))
        .filter(Column::Id.eq(version.id))
        .exec(tx)
        .await?;
    version.user = by;
    Ok(())
}

/// Makes the files of an earlier version, or those of the template alone, the project's latest
/// version. The project is marked: its sandbox has yet to get them.
pub(super) async fn restore(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    source: Option<FragmentId>,
    by: &UserId,
) -> Result<(Fragment, Option<Event>)> {
    let mut restored = match source {
        Some(id) => {
            let source = find(tx, project, id).await?;
            let files = fragment::file_set(tx, id).await?;
            let picture = source.picture.clone();
            let (origin, partial) = (Origin::Restored(source.number), source.partial);
            let restored =
                fragment::insert_row(tx, project, origin, source.title, partial, &files).await?;
            copy_files(tx, id, restored.id).await?;
            fragment::set_picture(tx, project, restored.id, picture.as_deref()).await?;
            restored
        }
        None => {
            let title = "The empty app".to_owned();
            fragment::insert_row(tx, project, Origin::Template, title, true, &FileSet::new())
                .await?
        }
    };
    note_user(tx, &mut restored, user::noted(by)).await?;
    project::set_restoring(tx, project, restored.id).await?;
    let event = announce(tx, project, restored.clone()).await?;
    Ok((restored, event))
}

/// The version, or `NotFound` where the project has none with the id.
pub(super) async fn find(
    db: &impl ConnectionTrait,
    project: ProjectId,
    id: FragmentId,
) -> Result<fragment::Model> {
    let found = Entity::find_by_id(id).filter(Column::ProjectId.eq(project));
    found.one(db).await?.ok_or(StoreError::NotFound("version"))
}

/// The latest version or draft that was saved by this time.
async fn latest_at(
    db: &impl ConnectionTrait,
    project: ProjectId,
    at: Timestamp,
) -> Result<Option<fragment::Model>> {
    let saved = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::CreatedAt.lte(at.0))
        .order_by_desc(Column::Number)
        .order_by_desc(Column::Id);
    Ok(saved.one(db).await?)
}

async fn announce(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    fragment: Fragment,
) -> Result<Option<Event>> {
    let kind = EventKind::Version {
        message: None,
        fragment,
    };
    event::append(tx, project, None, kind).await
}

/// Gives a version of the user's other files and another title; `None` when it isn't the latest
/// one, or not the user's.
async fn grow(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    id: FragmentId,
    new: &NewFragment,
    hashed: &blob::Hashed,
) -> Result<Option<Fragment>> {
    project::lock(tx, project).await?;
    let newest = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_desc(Column::Number)
        .order_by_desc(Column::Id)
        .limit(2);
    let mut newest = newest.all(tx).await?.into_iter();
    let is_growing = |latest: &fragment::Model| latest.id == id && latest.author == Author::You;
    let Some(latest) = newest.next().filter(is_growing) else {
        return Ok(None);
    };
    let before = match newest.next() {
        Some(before) => fragment::file_set(tx, before.id).await?,
        None => FileSet::new(),
    };
    let grown = fragment::Model {
        title: without_nul(&new.title),
        partial: new.partial,
        changed: Some(fragment::count_changes(&before, &fragment::set_of(hashed))),
        created_at: Timestamp::now().0,
        ..latest
    };
    Entity::update(fragment::ActiveModel::from(grown.clone()).reset_all())
        .exec(tx)
        .await?;
    file::Entity::delete_many()
        .filter(file::Column::FragmentId.eq(id))
        .exec(tx)
        .await?;
    blob::put_missing(tx, hashed).await?;
    fragment::insert_files(tx, id, hashed).await?;
    Ok(Some(grown.into_fragment()))
}

/// Gives a version that has no files those of another.
pub(super) async fn copy_files(
    tx: &impl ConnectionTrait,
    from: FragmentId,
    to: FragmentId,
) -> Result<()> {
    let columns = [file::Column::Path, file::Column::Kind, file::Column::Hash];
    let files = Query::select()
        .expr(Expr::value(to))
        .columns(columns)
        .from(file::Entity)
        .and_where(file::Column::FragmentId.eq(from))
        .to_owned();
    let mut copying = Query::insert();
    copying
        .into_table(file::Entity)
        .columns([
            file::Column::FragmentId,
            file::Column::Path,
            file::Column::Kind,
            file::Column::Hash,
        ])
        .select_from(files)
        .map_err(|error| StoreError::Corrupt("a statement", error.to_string()))?;
    tx.execute(&copying).await?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::protocol::{AppEntry, NewPrompt, UserId};

    fn new(title: &str, files: &[(&str, &str)]) -> NewFragment {
        let entries = files
            .iter()
            .map(|(path, content)| AppEntry::file(*path, content.as_bytes().to_vec()));
        NewFragment {
            project_title: String::new(),
            title: title.to_owned(),
            entries: entries.collect(),
            partial: false,
            picture: None,
        }
    }

    async fn paths(store: &Store, project: ProjectId, id: FragmentId) -> Vec<String> {
        let version = store.find_version(project, id).await.unwrap();
        let texts = version.entries.into_iter().map(|entry| {
            let content = String::from_utf8_lossy(entry.content()).into_owned();
            format!("{}={content}", entry.path)
        });
        texts.collect()
    }

    #[tokio::test]
    async fn a_sitting_is_one_version_and_restoring_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let prompt = NewPrompt::new("Build").unwrap();
        let (project, run, _) = store
            .create_project(&UserId::local(), &prompt, None, "Build")
            .await
            .unwrap();
        let id = project.id;
        let save =
            async |new: &NewFragment, grows| store.save_version(id, new, grows).await.unwrap();

        let (first, _) = save(&new("One", &[("a", "1")]), None).await.unwrap();
        assert_eq!(
            (first.number, first.author, first.changed),
            (1, Author::You, Some(1))
        );
        assert!(save(&new("Same", &[("a", "1")]), None).await.is_none());
        let (second, _) = save(&new("Two", &[("a", "2")]), None).await.unwrap();
        let grown = new("Two, too", &[("a", "2"), ("b", "2"), ("c", "2")]);
        let (grown, events) = save(&grown, Some(second.id)).await.unwrap();
        assert_eq!(
            (grown.id, grown.number, grown.changed),
            (second.id, 2, Some(3))
        );
        assert_eq!((grown.title.as_str(), events.len()), ("Two, too", 1));
        // Only the latest grows.
        let (third, _) = save(&new("Three", &[("a", "3")]), Some(first.id))
            .await
            .unwrap();
        assert_eq!(third.number, 3);

        let refused = store
            .restore_version(id, first.id, &new("", &[("a", "3")]), &UserId::local())
            .await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(_))),
            "the run has not ended"
        );
        store.abandon_run(run.id).await.unwrap();
        let unsaved = new("Unsaved", &[("a", "4")]);
        let (restored, events) = store
            .restore_version(id, first.id, &unsaved, &UserId::local())
            .await
            .unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(
            (
                restored.number,
                restored.author,
                restored.restored,
                restored.title.as_str()
            ),
            (5, Author::Restore, Some(1), "One")
        );
        assert_eq!(store.restoring(id).await.unwrap(), Some(restored.id));
        store.restored(id, first.id).await.unwrap();
        assert_eq!(
            store.restoring(id).await.unwrap(),
            Some(restored.id),
            "another one"
        );
        store.restored(id, restored.id).await.unwrap();
        assert_eq!(store.restoring(id).await.unwrap(), None);

        let versions = store.list_versions(id).await.unwrap();
        let mut all = Vec::new();
        for version in &versions {
            all.push((
                version.number,
                paths(&store, id, version.id).await.join(" "),
            ));
        }
        let expected = [
            (5, "a=1"),
            (4, "a=4"),
            (3, "a=3"),
            (2, "a=2 b=2 c=2"),
            (1, "a=1"),
        ];
        assert_eq!(
            all,
            expected.map(|(number, files)| (number, files.to_owned()))
        );
        let stranger = store
            .create_project(&UserId::local(), &prompt, None, "Other")
            .await
            .unwrap()
            .0
            .id;
        let foreign = store
            .restore_version(stranger, first.id, &unsaved, &UserId::local())
            .await;
        assert!(foreign.is_err());
        assert!(store.find_version(stranger, first.id).await.is_err());
        store.close().await;
    }

    #[tokio::test]
    async fn a_project_that_its_user_named_keeps_its_title() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let prompt = NewPrompt::new("Build").unwrap();
        let (project, run, _) = store
            .create_project(&UserId::local(), &prompt, None, "Build")
            .await
            .unwrap();
        let event = store.rename_project(project.id, "Mine").await.unwrap();
        assert!(event.is_some());
        let reply = super::super::Reply::Result {
            content: "Done".to_owned(),
            fragment: NewFragment {
                project_title: "The run's".to_owned(),
                ..new("One", &[("a", "1")])
            },
            journeys: Vec::new(),
        };
        store.finish_run(run.id, &reply).await.unwrap();
        assert_eq!(store.find_project(project.id).await.unwrap().title, "Mine");
        let versions = store.list_versions(project.id).await.unwrap();
        assert_eq!(versions[0].author, Author::Agent);
        store.close().await;
    }
}
