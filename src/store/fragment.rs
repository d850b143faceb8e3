//! Fragments: the versions of an app, each the whole tree as paths and hashes.

use sea_orm::{
    ActiveValue::Set,
    DeriveEntityModel, ExprTrait as _, QueryOrder,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, SimpleExpr},
};

use super::{
    Result, Store, StoreError, blob, column,
    readable::{self, or_skip},
    without_nul,
};
use crate::protocol::{Fragment, FragmentId, MessageId, ProjectId, Run, Timestamp};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "fragments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub project_id: String,
    pub message_id: String,
    pub run_id: String,
    pub number: i32,
    pub title: String,
    pub created_at: i64,
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
        pub fragment_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub path: String,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A version about to be saved.
#[derive(Debug)]
pub struct NewFragment {
    pub project_title: String,
    pub title: String,
    /// The whole tree: paths relative to the app, and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Store {
    /// The files of the project's latest version, sorted by path; `None` when it has none.
    pub async fn latest_files(&self, project: ProjectId) -> Result<Option<Vec<(String, Vec<u8>)>>> {
        let latest = Entity::find()
            .filter(Column::ProjectId.eq(project.to_string()))
            .order_by_desc(Column::Number)
            .one(&self.db)
            .await?;
        let Some(latest) = latest else {
            return Ok(None);
        };
        let entries = file::Entity::find()
            .filter(file::Column::FragmentId.eq(latest.id))
            .order_by_asc(file::Column::Path)
            .all(&self.db)
            .await?;
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            let blob = blob::Entity::find_by_id(entry.hash).one(&self.db).await?;
            // One file that is lost must not take the others with it.
            if let Some(blob) = or_skip("file of a version", blob.ok_or(StoreError::NotFound("blob"))) {
                files.push((entry.path, blob.content));
            }
        }
        Ok(Some(files))
    }
}

/// The project's fragments by the id of their message.
pub(super) async fn of_project(db: &impl ConnectionTrait, project: ProjectId) -> Result<Vec<(String, Fragment)>> {
    let models = readable::models(db, "version", Entity::find().filter(Column::ProjectId.eq(project.to_string()))).await?;
    let fragments = models.into_iter().map(|model| {
        let fragment = Fragment {
            id: column("fragment id", &model.id)?,
            number: model.number,
            title: model.title,
            created_at: Timestamp(model.created_at),
        };
        Ok((model.message_id, fragment))
    });
    Ok(fragments.filter_map(|read| or_skip("version", read)).collect())
}

/// Whether a version has a file with this content.
pub(super) async fn has_blob(db: &impl ConnectionTrait, hash: &str) -> Result<bool> {
    let file = file::Entity::find().filter(file::Column::Hash.eq(hash)).one(db).await?;
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

/// Saves the run's version with the next number of its project.
pub(super) async fn insert(tx: &impl ConnectionTrait, run: &Run, message: MessageId, new: &NewFragment) -> Result<Fragment> {
    let last = Entity::find()
        .filter(Column::ProjectId.eq(run.project.to_string()))
        .order_by_desc(Column::Number)
        .one(tx)
        .await?;
    let fragment = Fragment {
        id: FragmentId::new(),
        number: last.map_or(0, |last| last.number) + 1,
        title: without_nul(&new.title),
        created_at: Timestamp::now(),
    };
    Entity::insert(ActiveModel {
        id: Set(fragment.id.to_string()),
        project_id: Set(run.project.to_string()),
        message_id: Set(message.to_string()),
        run_id: Set(run.id.to_string()),
        number: Set(fragment.number),
        title: Set(fragment.title.clone()),
        created_at: Set(fragment.created_at.0),
    })
    .exec_without_returning(tx)
    .await?;
    for (path, content) in &new.files {
        let hash = blob::put(tx, content).await?;
        file::Entity::insert(file::ActiveModel {
            fragment_id: Set(fragment.id.to_string()),
            path: Set(path.clone()),
            hash: Set(hash),
        })
        .exec_without_returning(tx)
        .await?;
    }
    Ok(fragment)
}
