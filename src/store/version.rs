//! Versions besides those of runs: listing, finding and reading them, saving the user's edits, and
//! restoring.

use std::collections::HashMap;

use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*, sea_query::Query};

use super::{
    NewFragment, Result, Store, StoreError, Version,
    blob::{self, BlobHash},
    edit, event,
    file_kind::FileKind,
    fragment::{self, Column, Entity, FILES_PER_QUERY, FileSet, Origin, file},
    project, readable, run, user, without_nul,
};
use crate::protocol::{
    AppNode, Author, Event, EventKind, Fragment, FragmentId, ProjectId, Timestamp, UserId,
};

/// Why nothing can be restored while a run works.
pub const AT_WORK: &str =
    "A run is at work on this project. Stop it or wait for its end, then restore.";

/// A file of a version, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    pub path: String,
    pub kind: FileKind,
    pub hash: BlobHash,
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
        self.with_entries(model).await
    }

    /// The version's files, sorted by path.
    pub async fn version_files(&self, id: FragmentId) -> Result<Vec<StoredFile>> {
        let files = fragment::file_set(&self.db, id).await?.into_iter();
        let stored = files.map(|(path, kind, hash)| StoredFile { path, kind, hash });
        Ok(stored.collect())
    }

    /// The version's entry at the path; `None` if there is none, and `LostContent` if there is
    /// nothing left of it.
    pub async fn version_file(&self, id: FragmentId, path: &str) -> Result<Option<AppNode>> {
        let file = file::Entity::find_by_id((id, path.to_owned()));
        let Some(file) = file.one(&self.db).await? else {
            return Ok(None);
        };
        let content = self.content(file.hash).await?;
        let content = content.ok_or(StoreError::LostContent("file"))?;
        Ok(Some(file.kind.node(content)))
    }

    /// What the version has at each of the paths; those where it has nothing, or where its content
    /// is lost, are left out.
    pub async fn version_nodes(
        &self,
        id: FragmentId,
        paths: &[String],
    ) -> Result<HashMap<String, AppNode>> {
        let mut nodes = HashMap::new();
        for some in paths.chunks(FILES_PER_QUERY) {
            let files = file::Entity::find()
                .filter(file::Column::FragmentId.eq(id))
                .filter(file::Column::Path.is_in(some));
            let files = files.all(&self.db).await?;
            let hashes = files.iter().map(|file| file.hash.clone());
            let contents = self.contents(hashes.collect()).await?;
            for file in files {
                let content = contents.get(&file.hash).cloned();
                let content = content.ok_or(StoreError::LostContent("file"));
                if let Some(content) = readable::or_skip("file of a version", content) {
                    nodes.insert(file.path, file.kind.node(content));
                }
            }
        }
        Ok(nodes)
    }

    /// Saves the app with the user's edits as a version; `None` if it equals the latest. `grows` is
    /// the version to replace, with its id and number, if it still is the latest and the user's
    /// own: the edits of one session are one version.
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

    /// Saves the contents of a sandbox that is about to be ended as a draft, unless they equal the
    /// latest version. This does not count as a change of the project.
    pub async fn keep_as_draft(&self, project: ProjectId, new: &NewFragment) -> Result<Vec<Event>> {
        let (new, hashed) = (new.clone(), self.prepare(new).await?);
        self.write(move |tx| {
            Box::pin(async move { keep(tx, project, Origin::Ended, &new, &hashed).await })
        })
        .await
    }

    /// Makes the files of an earlier version the project's latest version, after saving the app's
    /// current files (`unsaved`) as a version of their own unless they equal the latest. The
    /// project is marked, because its sandbox has yet to get the files. `Conflict` while a run
    /// works.
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

    /// The app's version at this time: the latest one saved by then.
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

    /// Records that the project's sandbox has the version's files.
    pub async fn restored(&self, project: ProjectId, id: FragmentId) -> Result<()> {
        let done = project::Entity::update_many()
            .col_expr(project::Column::Restoring, Expr::value(None::<String>))
            .filter(project::Column::Id.eq(project))
            .filter(project::Column::Restoring.eq(id));
        self.update(done).await?;
        Ok(())
    }
}

/// Saves the app's current files as a version, unless they equal the latest.
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

/// Records who edited or restored the version.
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

/// Makes the files of an earlier version, or the bare template, the project's latest version. The
/// project is marked, because its sandbox has yet to get them.
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
            fragment::set_picture(tx, project, restored.id, picture.as_ref()).await?;
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

/// Replaces the files and the title of a user's version; `None` if it isn't the latest, or not the
/// user's.
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

/// Copies another version's files to a version without any.
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
mod tests;
