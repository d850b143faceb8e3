//! All users' projects, for administrators: owners, number of versions, latest run, and size.

use std::collections::HashMap;

use sea_orm::{
    ExprTrait as _, FromQueryResult, JoinType, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{Alias, Query},
};

use super::{Result, Store, StoreError, blob, fragment, project, readable, run, search, user};
use crate::protocol::{
    ProjectFilter, ProjectId, ProjectOverview, RunId, RunState, Timestamp, UserId,
};

/// How many projects a page has.
const PAGE: u64 = 50;

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    project: project::Model,
    owner: Option<String>,
}

#[derive(FromQueryResult)]
struct Count {
    project_id: ProjectId,
    count: i64,
}

impl Store {
    /// A page of all projects that match the filter, youngest first, and where the next page
    /// begins.
    pub async fn list_all_projects(
        &self,
        filter: &ProjectFilter,
    ) -> Result<(Vec<ProjectOverview>, Option<ProjectId>)> {
        let mut query = with_owners();
        if let Some(search) = search::wanted(&filter.search) {
            let columns = [
                project::Column::Title.into_expr(),
                project::Column::Id.into_expr(),
                project::Column::UserId.into_expr(),
                user::Column::WrittenEmail.into_expr(),
            ];
            query = query.filter(search::any_contains(columns, &search));
        }
        if let Ok(before) = filter.before.parse::<ProjectId>() {
            query = query.filter(project::Column::Id.lt(before));
        }
        let page = query.order_by_desc(project::Column::Id).limit(PAGE + 1);
        let mut rows: Vec<Row> = readable::rows(&self.db, "project", page).await?;
        let more = rows.len() > PAGE as usize;
        rows.truncate(PAGE as usize);
        let next = rows.last().map(|row| row.project.id);
        Ok((self.overviews(rows).await?, next.filter(|_| more)))
    }

    /// A user's project, or `NotFound`.
    pub async fn overview(&self, id: ProjectId) -> Result<ProjectOverview> {
        let found = with_owners().filter(project::Column::Id.eq(id));
        let rows: Vec<Row> = readable::rows(&self.db, "project", found).await?;
        let overview = self.overviews(rows).await?.pop();
        overview.ok_or(StoreError::NotFound("project"))
    }

    async fn overviews(&self, rows: Vec<Row>) -> Result<Vec<ProjectOverview>> {
        let ids: Vec<ProjectId> = rows.iter().map(|row| row.project.id).collect();
        let versions = self.count_versions(&ids).await?;
        let sizes = self.measure(&ids).await?;
        let runs = self.last_runs(&ids).await?;
        let overviews = rows.into_iter().map(|row| {
            let id = row.project.id;
            let owner_id = row.project.user_id;
            ProjectOverview {
                id,
                title: row.project.title,
                owner: row.owner.unwrap_or_else(|| owner_id.to_string()),
                owner_id,
                versions: versions.get(&id).copied().unwrap_or_default(),
                bytes: sizes.get(&id).copied().unwrap_or_default(),
                last_run: runs.get(&id).copied(),
                created_at: Timestamp(row.project.created_at),
                updated_at: Timestamp(row.project.updated_at),
            }
        });
        Ok(overviews.collect())
    }

    /// The titles and owners of these projects.
    pub async fn name_projects(
        &self,
        ids: &[ProjectId],
    ) -> Result<HashMap<ProjectId, (String, UserId)>> {
        let found = project::Entity::find().filter(project::Column::Id.is_in(ids.iter().copied()));
        let models = readable::models(&self.db, "project", found).await?;
        let named = models.into_iter();
        Ok(named
            .map(|model| (model.id, (model.title, model.user_id)))
            .collect())
    }

    async fn count_versions(&self, of: &[ProjectId]) -> Result<HashMap<ProjectId, u64>> {
        let query = fragment::Entity::find()
            .select_only()
            .column_as(fragment::Column::ProjectId, "project_id")
            .column_as(fragment::Column::Id.count(), "count")
            .filter(fragment::Column::ProjectId.is_in(of.iter().copied()))
            .filter(fragment::Column::Draft.eq(false))
            .group_by(fragment::Column::ProjectId);
        Ok(by_project(query.into_model::<Count>().all(&self.db).await?))
    }

    /// The size of the versions' files in bytes; equal contents count once per project.
    async fn measure(&self, of: &[ProjectId]) -> Result<HashMap<ProjectId, u64>> {
        let (kept, hash, id) = (
            Alias::new("kept"),
            Alias::new("hash"),
            Alias::new("project_id"),
        );
        let contents = Query::select()
            .distinct()
            .column((fragment::Entity, fragment::Column::ProjectId))
            .column((fragment::file::Entity, fragment::file::Column::Hash))
            .from(fragment::Entity)
            .inner_join(
                fragment::file::Entity,
                Expr::col((fragment::file::Entity, fragment::file::Column::FragmentId))
                    .equals((fragment::Entity, fragment::Column::Id)),
            )
            .and_where(
                Expr::col((fragment::Entity, fragment::Column::ProjectId))
                    .is_in(of.iter().copied()),
            )
            .to_owned();
        let sum = Expr::col((blob::Entity, blob::Column::Size)).sum();
        let sizes = Query::select()
            .column((kept.clone(), id.clone()))
            .expr_as(sum.cast_as(Alias::new("BIGINT")), Alias::new("count"))
            .from_subquery(contents, kept.clone())
            .inner_join(
                blob::Entity,
                Expr::col((blob::Entity, blob::Column::Hash)).equals((kept.clone(), hash)),
            )
            .group_by_col((kept, id))
            .to_owned();
        let rows = self.db.query_all(&sizes).await?;
        let counts = rows.iter().map(|row| Count::from_query_result(row, ""));
        Ok(by_project(counts.collect::<Result<_, _>>()?))
    }

    async fn last_runs(&self, of: &[ProjectId]) -> Result<HashMap<ProjectId, (RunId, RunState)>> {
        let latest = Query::select()
            .expr(Expr::col(run::Column::Id).max())
            .from(run::Entity)
            .and_where(Expr::col(run::Column::ProjectId).is_in(of.iter().copied()))
            .group_by_col(run::Column::ProjectId)
            .to_owned();
        let query = run::Entity::find().filter(run::Column::Id.in_subquery(latest));
        let models = readable::models(&self.db, "run", query).await?;
        let runs = models.into_iter();
        Ok(runs
            .map(|model| (model.project_id, (model.id, model.state)))
            .collect())
    }
}

fn by_project(counts: Vec<Count>) -> HashMap<ProjectId, u64> {
    let counts = counts.into_iter();
    counts
        .map(|row| (row.project_id, row.count.unsigned_abs()))
        .collect()
}

/// All projects, each with its owner's address.
fn with_owners() -> Select<project::Entity> {
    project::Entity::find()
        .filter(project::Column::DeletedAt.is_null())
        .join(JoinType::LeftJoin, owner())
        .column_as(user::Column::WrittenEmail, "owner")
}

/// The account of a project's owner, if there is one.
fn owner() -> RelationDef {
    project::Entity::belongs_to(user::Entity)
        .from(project::Column::UserId)
        .to(user::Column::Id)
        .into()
}
