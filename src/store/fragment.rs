//! Fragments: the versions of an app, each a complete tree of paths and hashes. Among them are
//! drafts, left by runs without a result and by sandboxes that were ended with unsaved changes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use sea_orm::{
    ActiveValue::Set,
    DeriveEntityModel, ExprTrait as _, QueryOrder,
    entity::prelude::*,
    sea_query::{Query, SelectStatement},
};

use super::{
    Result, Store, StoreError,
    blob::{self, BlobHash, Hashed},
    event,
    file_kind::FileKind,
    project,
    readable::{self, or_skip},
    run, without_nul,
};
use crate::protocol::{
    AppEntry, Author, Event, EventKind, Fragment, FragmentId, MessageId, ProjectId, RunId,
    Timestamp, UserId,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "fragments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FragmentId,
    pub project_id: ProjectId,
    /// `None` for a version that no run made; so is the next field.
    pub message_id: Option<MessageId>,
    pub run_id: Option<RunId>,
    pub number: i32,
    pub title: String,
    pub created_at: i64,
    pub draft: bool,
    pub partial: bool,
    pub author: Author,
    pub restored: Option<i32>,
    pub changed: Option<i32>,
    pub picture: Option<BlobHash>,
    /// Whose edits it has, or who restored it; `None` for the project's owner, and for a run's.
    pub user_id: Option<UserId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The files of a fragment.
pub(super) mod file {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "fragment_files")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub fragment_id: FragmentId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub path: String,
        pub hash: BlobHash,
        pub kind: FileKind,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::Entity",
            from = "Column::FragmentId",
            to = "super::Column::Id"
        )]
        Fragment,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many rows one statement writes.
const ROWS_PER_WRITE: usize = 100;
/// How many files one query reads: their contents are in memory twice for a moment.
pub(super) const FILES_PER_QUERY: usize = 50;

/// A version about to be saved, as a cheap handle.
#[derive(Debug, Clone)]
pub struct NewFragment {
    pub project_title: String,
    pub title: String,
    /// The whole app, or only what its run wrote.
    pub entries: Arc<[AppEntry]>,
    /// Whether a rebuilt app also keeps the template's files.
    pub partial: bool,
    /// A picture of the app, as JPEG.
    pub picture: Option<Arc<[u8]>>,
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

/// The origin of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A run that ended with this message.
    Run { run: RunId, message: MessageId },
    /// A run that ended without a result, with this message.
    Draft { run: RunId, message: MessageId },
    /// The user's own changes.
    User,
    /// The contents of a sandbox when it was ended, whoever changed them.
    Ended,
    /// The version with this number.
    Restored(i32),
    /// The template, without any files of the app's own.
    Template,
}

impl Origin {
    fn author(self) -> Author {
        match self {
            Self::Run { .. } | Self::Draft { .. } => Author::Agent,
            Self::User | Self::Ended => Author::You,
            Self::Restored(_) | Self::Template => Author::Restore,
        }
    }
}

/// A version's files as they are stored: path, kind and hash of each.
pub(super) type FileSet = BTreeSet<(String, FileKind, BlobHash)>;

impl Model {
    pub(super) fn into_fragment(self) -> Fragment {
        Fragment {
            id: self.id,
            number: self.number,
            title: self.title,
            draft: self.draft,
            author: self.author,
            user: self.user_id,
            restored: self.restored,
            changed: self.changed,
            picture: self.picture.and_then(|hash| hash.as_str().parse().ok()),
            created_at: Timestamp(self.created_at),
        }
    }
}

impl Store {
    /// The project's latest version or draft; `None` when it has none.
    pub async fn latest_version(&self, project: ProjectId) -> Result<Option<Version>> {
        let Some(latest) = latest(&self.db, project).await? else {
            return Ok(None);
        };
        Ok(Some(self.with_entries(latest).await?))
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
            .filter(|file| file.kind != FileKind::Folder)
            .map(|file| file.path)
            .collect())
    }

    /// The content of a file of the latest version; `None` if it has no such file.
    pub async fn latest_file(&self, project: ProjectId, path: &str) -> Result<Option<Vec<u8>>> {
        let Some(latest) = latest(&self.db, project).await? else {
            return Ok(None);
        };
        let file = file::Entity::find_by_id((latest.id, path.to_owned()))
            .one(&self.db)
            .await?;
        let Some(file) = file.filter(|file| file.kind != FileKind::Folder) else {
            return Ok(None);
        };
        let content = self.content(file.hash).await?;
        Ok(Some(content.ok_or(StoreError::LostContent("file"))?))
    }

    /// Saves a finished run's work as a draft attached to its reply. Does nothing if the run
    /// already has a version, has no reply, or its work equals the latest version.
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
                let origin = Origin::Draft { run: id, message };
                let fragment = insert(tx, run.project, origin, &new, &hashed).await?;
                let message = Some(message);
                let kind = EventKind::Version { message, fragment };
                event::append(tx, run.project, Some(id), kind).await
            })
        })
        .await
    }

    /// The version with its contents. One lost file does not lose the others.
    pub(super) async fn with_entries(&self, model: Model) -> Result<Version> {
        let files = files_of(&self.db, model.id).await?;
        let mut entries = Vec::with_capacity(files.len());
        for some in files.chunks(FILES_PER_QUERY) {
            let hashes = some.iter().map(|file| file.hash.clone());
            let contents = self.contents(hashes.collect()).await?;
            for file in some {
                let content = contents.get(&file.hash);
                let content = content.ok_or(StoreError::LostContent("file"));
                if let Some(content) = or_skip("file of a version", content) {
                    entries.push(AppEntry {
                        path: file.path.clone(),
                        node: file.kind.node(content.clone()),
                    });
                }
            }
        }
        Ok(Version {
            partial: model.partial,
            fragment: model.into_fragment(),
            entries,
        })
    }

    /// Hashes and stores the version's contents in advance, so that saving it takes little more
    /// than writing its paths.
    pub(super) async fn prepare(&self, new: &NewFragment) -> Result<Hashed> {
        let hashed = Hashed::new(new.entries.clone()).await?;
        self.put_blobs(&hashed).await?;
        if let Some(picture) = &new.picture {
            self.put_picture(picture).await?;
        }
        Ok(hashed)
    }

    /// Stores a picture in advance.
    pub(super) async fn put_picture(&self, picture: &[u8]) -> Result<()> {
        let content = Bytes::copy_from_slice(picture);
        self.put_ahead(vec![(BlobHash::of(picture), content)]).await
    }
}

/// Whether the latest version has the same entries.
pub(super) async fn equals_latest(
    db: &impl ConnectionTrait,
    project: ProjectId,
    partial: bool,
    hashed: &Hashed,
) -> Result<bool> {
    let Some(latest) = latest(db, project).await? else {
        return Ok(false);
    };
    Ok(latest.partial == partial && file_set(db, latest.id).await? == set_of(hashed))
}

/// The files of a version, for comparison.
pub(super) async fn file_set(db: &impl ConnectionTrait, id: FragmentId) -> Result<FileSet> {
    let files = files_of(db, id).await?.into_iter();
    Ok(files
        .map(|file| (file.path, file.kind, file.hash))
        .collect())
}

pub(super) fn set_of(hashed: &Hashed) -> FileSet {
    let entries = hashed.iter();
    entries
        .map(|(entry, hash)| (entry.path.clone(), FileKind::of(&entry.node), hash.clone()))
        .collect()
}

/// The number of differing files and links.
pub(super) fn count_changes(before: &FileSet, after: &FileSet) -> i32 {
    let paths: BTreeSet<&str> = before
        .symmetric_difference(after)
        .filter(|(_, kind, _)| *kind != FileKind::Folder)
        .map(|(path, ..)| path.as_str())
        .collect();
    i32::try_from(paths.len()).unwrap_or(i32::MAX)
}

/// Drafts follow the version whose number they share, ordered by id, that is by creation.
pub(super) async fn latest(db: &impl ConnectionTrait, project: ProjectId) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_desc(Column::Number)
        .order_by_desc(Column::Id)
        .one(db)
        .await?)
}

/// The fragment's files, sorted by path.
pub(super) async fn files_of(
    db: &impl ConnectionTrait,
    fragment: FragmentId,
) -> Result<Vec<file::Model>> {
    let files = file::Entity::find()
        .filter(file::Column::FragmentId.eq(fragment))
        .order_by_asc(file::Column::Path);
    readable::models(db, "file of a version", files).await
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
        .filter_map(|model| Some((model.message_id?, model.into_fragment())))
        .collect())
}

/// The versions and drafts saved at or after a run's end, for a query of runs.
pub(super) fn made_after_run() -> SelectStatement {
    let of_run = |column: run::Column| Expr::col((run::Entity, column));
    Query::select()
        .expr(Expr::value(1))
        .from(Entity)
        .and_where(Expr::col((Entity, Column::ProjectId)).eq(of_run(run::Column::ProjectId)))
        .and_where(Expr::col((Entity, Column::CreatedAt)).gte(of_run(run::Column::FinishedAt)))
        .to_owned()
}

/// Saves a version with the project's next number, or a draft with the number of the version before
/// it.
pub(super) async fn insert(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    origin: Origin,
    new: &NewFragment,
    hashed: &Hashed,
) -> Result<Fragment> {
    let title = without_nul(&new.title);
    let saved = insert_row(tx, project, origin, title, new.partial, &set_of(hashed)).await?;
    blob::put_missing(tx, hashed).await?;
    insert_files(tx, saved.id, hashed).await?;
    if let Some(picture) = &new.picture {
        let hash = BlobHash::of(picture);
        blob::put(tx, hash.clone(), picture).await?;
        set_picture(tx, project, saved.id, Some(&hash)).await?;
    }
    Ok(saved)
}

/// Saves a version's row; these are its files, which are not written here.
pub(super) async fn insert_row(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    origin: Origin,
    title: String,
    partial: bool,
    files: &FileSet,
) -> Result<Fragment> {
    project::lock(tx, project).await?;
    let last = latest(tx, project).await?;
    let before = match &last {
        Some(last) => file_set(tx, last.id).await?,
        None => FileSet::new(),
    };
    let last = last.map_or(0, |last| last.number);
    let draft = matches!(origin, Origin::Draft { .. } | Origin::Ended);
    let (run, message) = match origin {
        Origin::Run { run, message } | Origin::Draft { run, message } => (Some(run), Some(message)),
        Origin::User | Origin::Ended | Origin::Restored(_) | Origin::Template => (None, None),
    };
    let model = Model {
        id: FragmentId::new(),
        project_id: project,
        message_id: message,
        run_id: run,
        number: if draft { last } else { last + 1 },
        title,
        created_at: Timestamp::now().0,
        draft,
        partial,
        author: origin.author(),
        restored: match origin {
            Origin::Restored(number) => Some(number),
            _ => None,
        },
        changed: Some(count_changes(&before, files)),
        picture: None,
        user_id: None,
    };
    // Every column is set.
    Entity::insert(ActiveModel::from(model.clone()).reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(model.into_fragment())
}

/// Saves the files of a version that has none yet.
pub(super) async fn insert_files(
    tx: &impl ConnectionTrait,
    id: FragmentId,
    hashed: &Hashed,
) -> Result<()> {
    let files = hashed.iter().map(|(entry, hash)| file::ActiveModel {
        fragment_id: Set(id),
        path: Set(entry.path.clone()),
        hash: Set(hash.clone()),
        kind: Set(FileKind::of(&entry.node)),
    });
    let files: Vec<_> = files.collect();
    for some in files.chunks(ROWS_PER_WRITE) {
        file::Entity::insert_many(some.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Gives the version, and its project, the picture with this blob's hash; does nothing without one.
pub(super) async fn set_picture(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    id: FragmentId,
    picture: Option<&BlobHash>,
) -> Result<()> {
    let Some(picture) = picture else {
        return Ok(());
    };
    Entity::update_many()
        .col_expr(Column::Picture, Expr::value(picture.clone()))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    project::set_picture(tx, project, picture).await
}
