//! Fragments: the versions of an app, each the whole tree as paths and hashes; drafts among them,
//! of runs that gave no result.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sea_orm::{
    ActiveValue::Set,
    DeriveEntityModel, ExprTrait as _, QueryOrder,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, SimpleExpr},
};

use super::{
    Result, Store, StoreError,
    blob::{self, Hashed},
    event,
    readable::{self, or_skip},
    run, without_nul,
};
use crate::protocol::{
    AppEntry, AppNode, Event, EventKind, Fragment, FragmentId, MessageId, ProjectId, Run, RunId,
    Timestamp,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "fragments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FragmentId,
    pub project_id: ProjectId,
    pub message_id: MessageId,
    pub run_id: RunId,
    pub number: i32,
    pub title: String,
    pub created_at: i64,
    pub draft: bool,
    pub partial: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The files of a fragment.
mod file {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "fragment_files")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub fragment_id: FragmentId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub path: String,
        pub hash: String,
        pub kind: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many rows one statement writes.
const ROWS_PER_WRITE: usize = 100;
/// How many files one query reads: their contents are in memory twice for a moment.
const FILES_PER_QUERY: usize = 50;

/// A version about to be saved, as a cheap handle.
#[derive(Debug, Clone)]
pub struct NewFragment {
    pub project_title: String,
    pub title: String,
    /// The whole app, or only what its run wrote.
    pub entries: Arc<[AppEntry]>,
    /// Whether the template's files are to stay beside the entries when an app is rebuilt.
    pub partial: bool,
}

/// A version as it was saved.
#[derive(Debug)]
pub struct Version {
    pub fragment: Fragment,
    /// Sorted by path.
    pub entries: Vec<AppEntry>,
    /// As in [`NewFragment`].
    pub partial: bool,
}

impl Model {
    fn into_fragment(self) -> Fragment {
        Fragment {
            id: self.id,
            number: self.number,
            title: self.title,
            draft: self.draft,
            created_at: Timestamp(self.created_at),
        }
    }
}

/// What `fragment_files` calls an entry.
fn kind_of(node: &AppNode) -> &'static str {
    match node {
        AppNode::File {
            executable: false, ..
        } => "file",
        AppNode::File {
            executable: true, ..
        } => "executable",
        AppNode::Link { .. } => "link",
        AppNode::Folder => "folder",
    }
}

/// An entry of a kind that a later version of this program wrote is read as a file.
fn node_of(kind: &str, content: Vec<u8>) -> AppNode {
    match kind {
        "link" => AppNode::Link {
            target: String::from_utf8_lossy(&content).into_owned(),
        },
        "folder" => AppNode::Folder,
        kind => AppNode::File {
            content,
            executable: kind == "executable",
        },
    }
}

impl Store {
    /// The project's latest version or draft; `None` when it has none.
    pub async fn latest_version(&self, project: ProjectId) -> Result<Option<Version>> {
        let Some(latest) = latest(&self.db, project).await? else {
            return Ok(None);
        };
        let files = files_of(&self.db, latest.id).await?;
        let mut entries = Vec::with_capacity(files.len());
        for some in files.chunks(FILES_PER_QUERY) {
            let hashes = some.iter().map(|file| &file.hash);
            let blobs = blob::Entity::find().filter(blob::Column::Hash.is_in(hashes));
            let blobs: HashMap<String, Vec<u8>> = blobs
                .all(&self.db)
                .await?
                .into_iter()
                .map(|blob| (blob.hash, blob.content))
                .collect();
            for file in some {
                let content = blobs.get(&file.hash).ok_or(StoreError::NotFound("blob"));
                // One file that is lost must not take the others with it.
                if let Some(content) = or_skip("file of a version", content) {
                    entries.push(AppEntry {
                        path: file.path.clone(),
                        node: node_of(&file.kind, content.clone()),
                    });
                }
            }
        }
        Ok(Some(Version {
            partial: latest.partial,
            fragment: latest.into_fragment(),
            entries,
        }))
    }

    /// Whether the project has a version or a draft.
    pub async fn has_version(&self, project: ProjectId) -> Result<bool> {
        Ok(latest(&self.db, project).await?.is_some())
    }

    /// The project's latest version or draft, without its files; `None` when it has none.
    pub async fn latest_fragment(&self, project: ProjectId) -> Result<Option<Fragment>> {
        let latest = latest(&self.db, project).await?;
        Ok(latest.map(Model::into_fragment))
    }

    /// The paths of the latest version's files, sorted.
    pub async fn latest_paths(&self, project: ProjectId) -> Result<Vec<String>> {
        let Some(latest) = latest(&self.db, project).await? else {
            return Ok(Vec::new());
        };
        let files = files_of(&self.db, latest.id).await?.into_iter();
        Ok(files
            .filter(|file| file.kind != "folder")
            .map(|file| file.path)
            .collect())
    }

    /// The content of a file of the latest version.
    pub async fn latest_file(&self, project: ProjectId, path: &str) -> Result<Option<Vec<u8>>> {
        let Some(latest) = latest(&self.db, project).await? else {
            return Ok(None);
        };
        let file = file::Entity::find_by_id((latest.id, path.to_owned()))
            .one(&self.db)
            .await?;
        let Some(file) = file.filter(|file| file.kind != "folder") else {
            return Ok(None);
        };
        Ok(blob::Entity::find_by_id(file.hash)
            .one(&self.db)
            .await?
            .map(|blob| blob.content))
    }

    /// Keeps what an ended run left as a draft, with its reply. Nothing happens when the run has a
    /// version already, when it has no reply, and when nothing differs from the latest version.
    pub async fn save_draft(&self, id: RunId, new: &NewFragment) -> Result<Option<Event>> {
        let model = run::model(&self.db, id).await?;
        let Some(message) = model.reply_id else {
            return Ok(None);
        };
        let run = model.into_run();
        let hashed = Hashed::new(new.entries.clone()).await?;
        if equals_latest(&self.db, run.project, new.partial, &hashed).await? {
            return Ok(None);
        }
        self.put_blobs(&hashed).await?;
        let new = new.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let saved = Entity::find().filter(Column::RunId.eq(id));
                if saved.one(tx).await?.is_some() {
                    return Ok(None);
                }
                let fragment = insert(tx, &run, message, &new, &hashed, true).await?;
                let kind = EventKind::Version { message, fragment };
                event::append(tx, run.project, Some(id), kind).await
            })
        })
        .await
    }

    /// Hashes and stores what the version is made of, so that saving it takes little more than its
    /// paths.
    pub(super) async fn prepare(&self, new: &NewFragment) -> Result<Hashed> {
        let hashed = Hashed::new(new.entries.clone()).await?;
        self.put_blobs(&hashed).await?;
        Ok(hashed)
    }
}

/// Whether the latest version has the same entries.
async fn equals_latest(
    db: &impl ConnectionTrait,
    project: ProjectId,
    partial: bool,
    hashed: &Hashed,
) -> Result<bool> {
    let Some(latest) = latest(db, project).await? else {
        return Ok(false);
    };
    let files = files_of(db, latest.id).await?;
    let before: BTreeSet<(String, String, String)> = files
        .into_iter()
        .map(|file| (file.path, file.kind, file.hash))
        .collect();
    let after = hashed.iter().map(|(entry, hash)| {
        let kind = kind_of(&entry.node).to_owned();
        (entry.path.clone(), kind, hash.to_owned())
    });
    Ok(latest.partial == partial && before == after.collect())
}

/// Drafts follow the version whose number they have, in the order of their making, which is that of
/// their ids.
async fn latest(db: &impl ConnectionTrait, project: ProjectId) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_desc(Column::Number)
        .order_by_desc(Column::Id)
        .one(db)
        .await?)
}

/// The fragment's files, sorted by path.
async fn files_of(db: &impl ConnectionTrait, fragment: FragmentId) -> Result<Vec<file::Model>> {
    Ok(file::Entity::find()
        .filter(file::Column::FragmentId.eq(fragment))
        .order_by_asc(file::Column::Path)
        .all(db)
        .await?)
}

/// The project's fragments by the id of their message.
pub(super) async fn of_project(
    db: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<HashMap<MessageId, Fragment>> {
    let models = readable::models(
        db,
        "version",
        Entity::find().filter(Column::ProjectId.eq(project)),
    )
    .await?;
    let fragments = models.into_iter();
    Ok(fragments
        .map(|model| (model.message_id, model.into_fragment()))
        .collect())
}

/// Whether a version has a file with this content.
pub(super) async fn has_blob(db: &impl ConnectionTrait, hash: &str) -> Result<bool> {
    let file = file::Entity::find()
        .filter(file::Column::Hash.eq(hash))
        .one(db)
        .await?;
    Ok(file.is_some())
}

/// The files of versions with the content of this hash, for a query of what is in use.
pub(super) fn uses_of(hash: SimpleExpr) -> SelectStatement {
    Query::select()
        .expr(Expr::value(1))
        .from(file::Entity)
        .and_where(Expr::col((file::Entity, file::Column::Hash)).eq(hash))
        .to_owned()
}

/// The versions and drafts that were saved when a run ended or after it, for a query of runs.
pub(super) fn made_after_run() -> SelectStatement {
    let of_run = |column: run::Column| Expr::col((run::Entity, column));
    Query::select()
        .expr(Expr::value(1))
        .from(Entity)
        .and_where(Expr::col((Entity, Column::ProjectId)).eq(of_run(run::Column::ProjectId)))
        .and_where(Expr::col((Entity, Column::CreatedAt)).gte(of_run(run::Column::FinishedAt)))
        .to_owned()
}

/// Saves the run's version with the next number of its project, or its draft with the number of the
/// version before.
pub(super) async fn insert(
    tx: &impl ConnectionTrait,
    run: &Run,
    message: MessageId,
    new: &NewFragment,
    hashed: &Hashed,
    draft: bool,
) -> Result<Fragment> {
    let last = latest(tx, run.project).await?.map_or(0, |last| last.number);
    let fragment = Fragment {
        id: FragmentId::new(),
        number: if draft { last } else { last + 1 },
        title: without_nul(&new.title),
        draft,
        created_at: Timestamp::now(),
    };
    Entity::insert(ActiveModel {
        id: Set(fragment.id),
        project_id: Set(run.project),
        message_id: Set(message),
        run_id: Set(run.id),
        number: Set(fragment.number),
        title: Set(fragment.title.clone()),
        created_at: Set(fragment.created_at.0),
        draft: Set(draft),
        partial: Set(new.partial),
    })
    .exec_without_returning(tx)
    .await?;
    let files = hashed.iter().map(|(entry, hash)| file::ActiveModel {
        fragment_id: Set(fragment.id),
        path: Set(entry.path.clone()),
        hash: Set(hash.to_owned()),
        kind: Set(kind_of(&entry.node).to_owned()),
    });
    let files: Vec<_> = files.collect();
    blob::put_missing(tx, hashed).await?;
    for some in files.chunks(ROWS_PER_WRITE) {
        file::Entity::insert_many(some.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    Ok(fragment)
}
