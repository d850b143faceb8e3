//! Leftovers and losses in the database, for `codeflow doctor`: unreferenced blobs, and files of
//! versions whose content is gone.

use std::collections::BTreeSet;

use bytes::Bytes;
use sea_orm::{
    Condition, ExprTrait as _, JoinType, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Query, SelectStatement},
};

use super::{
    Result, Store,
    blob::{self, BlobHash},
    fragment, project, sweep, tables,
};
use crate::protocol::{FragmentId, ProjectId};

/// How many files one statement names, each by two values.
const FILES_PER_STATEMENT: usize = 200;

/// A file of a version whose content is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostFile {
    pub project: ProjectId,
    /// The version's number.
    pub version: i32,
    fragment: FragmentId,
    pub path: String,
    pub hash: BlobHash,
}

impl Store {
    /// The number of unreferenced blobs.
    pub async fn count_unused_blobs(&self) -> Result<u64> {
        Ok(sweep::unused_blobs().count(&self.db).await?)
    }

    /// The files of versions whose contents are gone.
    pub async fn lost_files(&self) -> Result<Vec<LostFile>> {
        self.files(Expr::exists(content()).not()).await
    }

    /// The files of versions with these contents, whose objects are lost.
    pub async fn files_with(&self, contents: &BTreeSet<BlobHash>) -> Result<Vec<LostFile>> {
        let contents: Vec<&BlobHash> = contents.iter().collect();
        let mut files = Vec::new();
        for some in contents.chunks(FILES_PER_STATEMENT) {
            let hashes = some.iter().map(|hash| (*hash).clone());
            let with = fragment::file::Column::Hash.is_in(hashes);
            files.extend(self.files(with).await?);
        }
        Ok(files)
    }

    async fn files(&self, which: Expr) -> Result<Vec<LostFile>> {
        let files = fragment::file::Entity::find()
            .select_only()
            .columns([fragment::Column::ProjectId, fragment::Column::Number])
            .columns([
                fragment::file::Column::FragmentId,
                fragment::file::Column::Path,
                fragment::file::Column::Hash,
            ])
            .join(
                JoinType::InnerJoin,
                fragment::file::Relation::Fragment.def(),
            )
            .filter(which)
            .order_by_asc(fragment::file::Column::FragmentId)
            .order_by_asc(fragment::file::Column::Path)
            .into_tuple::<(ProjectId, i32, FragmentId, String, BlobHash)>();
        let files = files.all(&self.db).await?.into_iter();
        let files = files.map(|(project, version, fragment, path, hash)| LostFile {
            project,
            version,
            fragment,
            path,
            hash,
        });
        Ok(files.collect())
    }

    /// Removes the files from their versions, and marks those as partial: a rebuilt app gets the
    /// template's files in their place.
    pub async fn forget_files(&self, lost: &[LostFile]) -> Result<()> {
        let lost = lost.to_vec();
        self.write(move |tx| {
            Box::pin(async move {
                for some in lost.chunks(FILES_PER_STATEMENT) {
                    let files = some.iter().map(|file| {
                        Condition::all()
                            .add(fragment::file::Column::FragmentId.eq(file.fragment))
                            .add(fragment::file::Column::Path.eq(&file.path))
                    });
                    fragment::file::Entity::delete_many()
                        .filter(files.fold(Condition::any(), Condition::add))
                        .exec(tx)
                        .await?;
                    let fragments = some.iter().map(|file| file.fragment);
                    fragment::Entity::update_many()
                        .col_expr(fragment::Column::Partial, Expr::value(true))
                        .filter(fragment::Column::Id.is_in(fragments))
                        .exec(tx)
                        .await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Stores a lost content again under its hash.
    pub async fn put_back(&self, hash: &BlobHash, content: &[u8]) -> Result<()> {
        let blob = blob::Entity::find_by_id(hash.clone()).one(&self.db).await?;
        let object = vec![(hash.clone(), Bytes::copy_from_slice(content))];
        if blob.is_some_and(|blob| blob.in_bucket) {
            return self.expect_bucket()?.put_all(object).await;
        }
        self.put_ahead(object).await?;
        let (hash, content) = (hash.clone(), content.to_owned());
        self.write(move |tx| Box::pin(async move { blob::put(tx, hash, &content).await }))
            .await
    }

    /// Whether exactly the migrations that this program knows are applied. `Newer` if there are
    /// unknown ones.
    pub async fn is_current(&self) -> Result<bool> {
        tables::expect_known(&self.db).await?;
        Ok(tables::applied(&self.db).await? == tables::known_migrations())
    }

    /// The sandboxes that projects have.
    pub async fn sandboxes_of_projects(&self) -> Result<BTreeSet<String>> {
        let noted = project::Entity::find()
            .select_only()
            .column(project::Column::Sandbox)
            .filter(project::Column::Sandbox.is_not_null());
        let noted: Vec<String> = noted.into_tuple().all(&self.db).await?;
        Ok(noted.into_iter().collect())
    }
}

/// The blob of a version's file.
fn content() -> SelectStatement {
    Query::select()
        .expr(Expr::value(1))
        .from(blob::Entity)
        .and_where(
            Expr::col((blob::Entity, blob::Column::Hash))
                .equals((fragment::file::Entity, fragment::file::Column::Hash)),
        )
        .to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        protocol::AppEntry,
        store::{NewFragment, testing::with_project},
    };

    #[tokio::test]
    async fn files_whose_contents_are_gone_are_found_and_put_back_or_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, _) = with_project(&folder).await;
        let entries = [("a.txt", "kept"), ("b.txt", "lost"), ("c.txt", "lost too")];
        let new = NewFragment {
            project_title: String::new(),
            title: "One".to_owned(),
            entries: entries
                .map(|(path, content)| AppEntry::file(path, content.as_bytes().to_vec()))
                .into(),
            partial: false,
            picture: None,
        };
        store.save_version(project.id, &new, None).await.unwrap();
        assert!(store.lost_files().await.unwrap().is_empty());
        assert_eq!(store.count_unused_blobs().await.unwrap(), 0);
        // Done by hand: the program's own connections check references to blobs.
        let damage = "PRAGMA foreign_keys = OFF; DELETE FROM blobs WHERE size != 4 OR \
             hash = (SELECT hash FROM fragment_files WHERE path = 'b.txt'); \
             INSERT INTO blobs (hash, size, content) VALUES ('00', 1, 'x'); \
             PRAGMA foreign_keys = ON";
        store.db.execute_unprepared(damage).await.unwrap();
        assert_eq!(store.count_unused_blobs().await.unwrap(), 1);
        let lost = store.lost_files().await.unwrap();
        let paths: Vec<_> = lost.iter().map(|file| &*file.path).collect();
        assert_eq!(paths, ["b.txt", "c.txt"]);
        assert!(
            lost.iter()
                .all(|file| (file.project, file.version) == (project.id, 1))
        );

        assert_eq!(lost[0].hash, BlobHash::of(b"lost"));
        store.put_back(&lost[0].hash, b"lost").await.unwrap();
        let lost = store.lost_files().await.unwrap();
        assert_eq!(lost.len(), 1);
        store.forget_files(&lost).await.unwrap();
        assert!(store.lost_files().await.unwrap().is_empty());
        let version = store.latest_version(project.id).await.unwrap().unwrap();
        let paths: Vec<_> = version.entries.iter().map(|entry| &*entry.path).collect();
        assert_eq!(paths, ["a.txt", "b.txt"]);
        assert!(version.partial);
        store.close().await;
    }
}
