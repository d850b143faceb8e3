//! Edits: what people changed in the Code tab since the latest version, in order.

use std::{collections::BTreeSet, str::FromStr};

use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    Result, Store, StoreError, project,
    readable::{self, or_skip},
    user,
};
use crate::protocol::{ProjectId, Timestamp, UserId, named};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "edits")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub kind: Kind,
    pub path: String,
    pub target: Option<String>,
    pub content: Option<Vec<u8>>,
    pub created_at: i64,
    /// Who made it; `None` for the project's owner.
    pub user_id: Option<UserId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What an edit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Write,
    Folder,
    Move,
    Delete,
}

named!(Kind: Write = "write", Folder = "folder", Move = "move", Delete = "delete");

/// One change of the app's files. Paths are relative to the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The whole file.
    Write {
        path: String,
        content: Vec<u8>,
    },
    Folder {
        path: String,
    },
    Move {
        from: String,
        to: String,
    },
    Delete {
        path: String,
    },
}

/// An edit as it was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedEdit {
    /// Its position among the project's edits.
    pub number: i64,
    pub at: Timestamp,
    pub edit: Edit,
}

impl Edit {
    /// The path to show to people.
    pub fn path(&self) -> &str {
        match self {
            Self::Write { path, .. } | Self::Folder { path } | Self::Delete { path } => path,
            Self::Move { to, .. } => to,
        }
    }

    fn into_row(self, project: ProjectId, number: i64, by: &UserId) -> ActiveModel {
        let (kind, path, target, content) = match self {
            Self::Write { path, content } => (Kind::Write, path, None, Some(content)),
            Self::Folder { path } => (Kind::Folder, path, None, None),
            Self::Move { from, to } => (Kind::Move, from, Some(to), None),
            Self::Delete { path } => (Kind::Delete, path, None, None),
        };
        ActiveModel {
            project_id: Set(project),
            number: Set(number),
            kind: Set(kind),
            path: Set(path),
            target: Set(target),
            content: Set(content),
            created_at: Set(Timestamp::now().0),
            user_id: Set(user::noted(by)),
        }
    }
}

impl Model {
    fn into_edit(self) -> Result<SavedEdit> {
        let path = self.path;
        let edit = match (self.kind, self.target) {
            (Kind::Write, _) => Edit::Write {
                path,
                content: self.content.unwrap_or_default(),
            },
            (Kind::Folder, _) => Edit::Folder { path },
            (Kind::Move, Some(to)) => Edit::Move { from: path, to },
            (Kind::Move, None) => {
                let why = format!("{path} is moved nowhere");
                return Err(StoreError::Corrupt("edit", why));
            }
            (Kind::Delete, _) => Edit::Delete { path },
        };
        Ok(SavedEdit {
            number: self.number,
            at: Timestamp(self.created_at),
            edit,
        })
    }
}

impl Store {
    /// Saves the user's edit after the project's earlier ones. Consecutive writes of the same file
    /// become one edit, of the last writer.
    pub async fn add_edit(&self, user: &UserId, project: ProjectId, edit: Edit) -> Result<()> {
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                project::touch(tx, project).await?;
                let last = of_project(project)
                    .order_by_desc(Column::Number)
                    .limit(1)
                    .select_only()
                    .column(Column::Number)
                    .into_tuple::<i64>()
                    .one(tx)
                    .await?;
                if let (Some(number), Edit::Write { path, .. }) = (last, &edit) {
                    Entity::delete_by_id((project, number))
                        .filter(Column::Kind.eq(Kind::Write))
                        .filter(Column::Path.eq(path))
                        .exec(tx)
                        .await?;
                }
                let number = last.map_or(1, |number| number + 1);
                Entity::insert(edit.into_row(project, number, &user))
                    .exec_without_returning(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// The project's edits since its latest version, in order.
    pub async fn list_edits(&self, project: ProjectId) -> Result<Vec<SavedEdit>> {
        let edits = of_project(project).order_by_asc(Column::Number);
        let models = readable::models(&self.db, "edit", edits).await?;
        let edits = models.into_iter().map(Model::into_edit);
        Ok(edits.filter_map(|edit| or_skip("edit", edit)).collect())
    }

    /// Forgets the project's edits up to this one, because a version contains them.
    pub async fn forget_edits(&self, project: ProjectId, up_to: i64) -> Result<()> {
        let forgetting = Entity::delete_many()
            .filter(Column::ProjectId.eq(project))
            .filter(Column::Number.lte(up_to));
        self.write(move |tx| {
            Box::pin(async move {
                forgetting.exec(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// The paths that were edited since the project's latest version.
    pub async fn edited_paths(&self, project: ProjectId) -> Result<BTreeSet<String>> {
        let rows: Vec<(String, Option<String>)> = of_project(project)
            .select_only()
            .column(Column::Path)
            .column(Column::Target)
            .into_tuple()
            .all(&self.db)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(path, target)| target.unwrap_or(path))
            .collect())
    }

    /// The projects with edits that are not in a version yet.
    pub async fn edited_projects(&self) -> Result<Vec<ProjectId>> {
        Ok(Entity::find()
            .select_only()
            .column(Column::ProjectId)
            .distinct()
            .into_tuple()
            .all(&self.db)
            .await?)
    }
}

/// The author of the project's last edit since its latest version.
pub(super) async fn last_user(
    db: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Option<UserId>> {
    let last = of_project(project).order_by_desc(Column::Number);
    let last = last.select_only().column(Column::UserId);
    let last = last.into_tuple::<Option<UserId>>().one(db).await?;
    Ok(last.flatten())
}

fn of_project(project: ProjectId) -> Select<Entity> {
    Entity::find().filter(Column::ProjectId.eq(project))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{protocol::NewPrompt, store::testing::with_project};

    #[tokio::test]
    async fn edits_are_kept_in_order_and_writing_a_file_again_replaces_the_edit_before() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, _) = with_project(&folder).await;
        let write = |path: &str, content: &str| Edit::Write {
            path: path.to_owned(),
            content: content.into(),
        };
        let moved = Edit::Move {
            from: "a".to_owned(),
            to: "b".to_owned(),
        };
        for edit in [
            write("a", "1"),
            write("a", "2"),
            moved.clone(),
            write("a", "3"),
        ] {
            store
                .add_edit(&UserId::local(), project.id, edit)
                .await
                .unwrap();
        }
        let edits = store.list_edits(project.id).await.unwrap();
        let kept: Vec<_> = edits.iter().map(|saved| saved.edit.clone()).collect();
        assert_eq!(kept, [write("a", "2"), moved, write("a", "3")]);
        assert_eq!(store.edited_projects().await.unwrap(), [project.id]);

        store
            .forget_edits(project.id, edits[1].number)
            .await
            .unwrap();
        let left = store.list_edits(project.id).await.unwrap();
        assert_eq!(left, edits[2..]);
        store.forget_edits(project.id, i64::MAX).await.unwrap();
        assert_eq!(store.edited_projects().await.unwrap(), []);
        store.close().await;
    }

    #[tokio::test]
    async fn an_edit_of_an_unknown_kind_costs_only_itself_and_is_an_error_that_names_the_column() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let (user, prompt) = (UserId::local(), NewPrompt::new("Build").unwrap());
        let made = store.create_project(&user, &prompt, None, "Build").await;
        let project = made.unwrap().0.id;
        let delete = |path: &str| Edit::Delete {
            path: path.to_owned(),
        };
        for path in ["a", "b"] {
            store.add_edit(&user, project, delete(path)).await.unwrap();
        }
        let unknown = "UPDATE edits SET kind = 'copy' WHERE path = 'b'";
        store.db.execute_unprepared(unknown).await.unwrap();
        let one = of_project(project).order_by_desc(Column::Number);
        let numbered = one.clone().select_only().column(Column::Kind);
        let numbered = numbered.into_tuple::<Kind>().one(&store.db).await;
        let errors = [
            StoreError::from(one.one(&store.db).await.unwrap_err()),
            StoreError::from(numbered.unwrap_err()),
        ];
        for error in errors {
            let words = error.to_string();
            assert!(words.contains("the column kind holds no"), "{words}");
            assert!(words.contains("“copy” is none of write, folder"), "{words}");
        }
        store.add_edit(&user, project, delete("c")).await.unwrap();
        let edits = store.list_edits(project).await.unwrap();
        let read: Vec<_> = edits
            .iter()
            .map(|one| (one.number, one.edit.path()))
            .collect();
        assert_eq!(read, [(1, "a"), (3, "c")]);
        store.close().await;
    }
}
