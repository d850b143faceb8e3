//! Runs: each answers a prompt, from the queue to its end.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use sea_orm::{
    ActiveValue::Set,
    QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{Func, Query, SelectStatement},
};

use super::{Result, Store, StoreError, event, lease, member, readable, user};
use crate::{
    protocol::{
        Event, EventKind, MessageId, ModelProvider, ProjectId, Run, RunId, RunState, Timestamp,
        UserId,
    },
    traces,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RunId,
    pub project_id: ProjectId,
    pub message_id: MessageId,
    pub reply_id: Option<MessageId>,
    pub state: RunState,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub worked_ms: i64,
    pub trimmed: bool,
    /// The user who sent it and pays for it; `None` for the project's owner.
    pub user_id: Option<UserId>,
    /// The trace of the request that created it, which its work continues; `None` where no traces
    /// are sent.
    pub traceparent: Option<String>,
    /// The provider whose key of the user's answers it; `None` for the installation's keys.
    pub own_key: Option<ModelProvider>,
    /// The hash of the ordering user and their key, which finds the run again; `None` without a
    /// key.
    pub order_key: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::project::Entity",
        from = "Column::ProjectId",
        to = "super::project::Column::Id"
    )]
    Project,
    #[sea_orm(
        belongs_to = "super::message::Entity",
        from = "Column::MessageId",
        to = "super::message::Column::Id"
    )]
    Prompt,
    #[sea_orm(
        belongs_to = "super::message::Entity",
        from = "Column::ReplyId",
        to = "super::message::Column::Id"
    )]
    Reply,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(super) fn into_run(self) -> Run {
        Run {
            id: self.id,
            project: self.project_id,
            message: self.message_id,
            state: self.state,
            created_at: Timestamp(self.created_at),
            finished_at: self.finished_at.map(Timestamp),
            spent: None,
        }
    }
}

/// The runs that have not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub queued: u64,
    pub running: u64,
    /// When the longest queued run was created; `None` if none is queued.
    pub waiting_since: Option<Timestamp>,
}

impl Store {
    /// The number of unfinished runs.
    pub async fn backlog(&self) -> Result<Backlog> {
        let by_state = Entity::find()
            .select_only()
            .column(Column::State)
            .column_as(Column::Id.count(), "runs")
            .column_as(Column::CreatedAt.min(), "oldest")
            .filter(unfinished())
            .group_by(Column::State)
            .into_tuple::<(RunState, i64, Option<i64>)>();
        let mut backlog = Backlog::default();
        for (state, runs, oldest) in by_state.all(&self.db).await? {
            if state == RunState::Queued {
                backlog.queued = runs.unsigned_abs();
                backlog.waiting_since = oldest.map(Timestamp);
            } else {
                backlog.running = runs.unsigned_abs();
            }
        }
        Ok(backlog)
    }

    /// The project's runs, oldest first.
    pub async fn list_runs(&self, project: ProjectId) -> Result<Vec<Run>> {
        let models = of_project(&self.db, project).await?.into_iter();
        Ok(models.map(Model::into_run).collect())
    }

    /// The run, or `NotFound`.
    pub async fn find_run(&self, id: RunId) -> Result<Run> {
        Ok(model(&self.db, id).await?.into_run())
    }

    /// The user who sent the run and pays for it, or `NotFound`.
    pub async fn payer_of(&self, run: &Run) -> Result<UserId> {
        match model(&self.db, run.id).await?.user_id {
            Some(user) => Ok(user),
            None => self.user_of(run.project).await,
        }
    }

    /// The trace that the run's work continues (a W3C `traceparent`), or `NotFound`.
    pub async fn traceparent_of(&self, run: RunId) -> Result<Option<String>> {
        Ok(model(&self.db, run).await?.traceparent)
    }

    /// The project's oldest run that has not ended.
    pub async fn next_run(&self, project: ProjectId) -> Result<Option<Run>> {
        let unfinished = Entity::find()
            .filter(Column::ProjectId.eq(project))
            .filter(unfinished())
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id);
        let models = readable::models(&self.db, "run", unfinished).await?;
        Ok(models.into_iter().next().map(Model::into_run))
    }

    /// The runs that have not ended, the longest waiting first: all, or those of a project.
    pub async fn unfinished_runs(
        &self,
        project: Option<ProjectId>,
    ) -> Result<Vec<(ProjectId, RunId)>> {
        let mut runs = Entity::find()
            .select_only()
            .columns([Column::ProjectId, Column::Id])
            .filter(unfinished())
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id);
        if let Some(project) = project {
            runs = runs.filter(Column::ProjectId.eq(project));
        }
        Ok(runs.into_tuple().all(&self.db).await?)
    }

    /// The projects with runs that have not ended, the longest waiting first.
    pub async fn unfinished_projects(&self) -> Result<Vec<ProjectId>> {
        let unfinished = Entity::find()
            .filter(unfinished())
            .order_by_asc(Column::CreatedAt);
        projects_of(&self.db, unfinished).await
    }

    /// At most `limit` of these that no server works on, where several share the database.
    pub async fn unclaimed_projects(&self, limit: u64) -> Result<Vec<ProjectId>> {
        let unclaimed = Entity::find()
            .filter(unfinished())
            .filter(lease::is_free((Entity, Column::ProjectId)))
            .order_by_asc(Column::CreatedAt)
            .limit(limit);
        projects_of(&self.db, unclaimed).await
    }

    /// The run's working time, across restarts of the server.
    pub async fn worked(&self, id: RunId) -> Result<Duration> {
        Ok(Duration::from_millis(
            model(&self.db, id).await?.worked_ms.unsigned_abs(),
        ))
    }

    /// Saves how long the run has been worked on.
    pub async fn set_worked(&self, id: RunId, worked: Duration) -> Result<()> {
        let millis = i64::try_from(worked.as_millis()).unwrap_or(i64::MAX);
        let noted = Entity::update_many()
            .col_expr(Column::WorkedMs, Expr::value(millis))
            .filter(Column::Id.eq(id));
        self.update(noted).await?;
        Ok(())
    }

    /// Marks the run as running. Does nothing if it already is, as after a restart.
    pub async fn start_run(&self, id: RunId) -> Result<(Run, Option<Event>)> {
        self.write(move |tx| Box::pin(start(tx, id))).await
    }
}

async fn start(tx: &impl ConnectionTrait, id: RunId) -> Result<(Run, Option<Event>)> {
    let run = model(tx, id).await?.into_run();
    if run.state != RunState::Queued {
        return Ok((run, None));
    }
    // Only if it is still queued: it may have been cancelled in the meantime.
    let started = Entity::update_many()
        .col_expr(Column::State, Expr::value(RunState::Running))
        .col_expr(Column::StartedAt, Expr::value(Timestamp::now().0))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(RunState::Queued))
        .exec(tx)
        .await?;
    if started.rows_affected == 0 {
        return Ok((model(tx, id).await?.into_run(), None));
    }
    let run = Run {
        state: RunState::Running,
        ..run
    };
    let event = event::append(
        tx,
        run.project,
        Some(id),
        EventKind::Run { run: run.clone() },
    )
    .await?;
    Ok((run, event))
}

/// Ends the run in this state; `false` if it has ended already. The caller settles its credits at
/// the end of the transaction.
pub(super) async fn end(
    tx: &impl ConnectionTrait,
    id: RunId,
    state: RunState,
    at: Timestamp,
) -> Result<bool> {
    // Only if nobody else has ended it in the meantime.
    let ended = Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::FinishedAt, Expr::value(at.0))
        .filter(Column::Id.eq(id))
        .filter(unfinished())
        .exec(tx)
        .await?;
    Ok(ended.rows_affected > 0)
}

/// Records which message is the run's reply.
pub(super) async fn set_reply(
    tx: &impl ConnectionTrait,
    id: RunId,
    reply: MessageId,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::ReplyId, Expr::value(reply))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// The projects of these runs, each once, in the runs' order.
async fn projects_of(db: &impl ConnectionTrait, runs: Select<Entity>) -> Result<Vec<ProjectId>> {
    let models = readable::models(db, "run", runs).await?.into_iter();
    let mut seen = HashSet::new();
    let projects = models.map(|model| model.project_id);
    Ok(projects.filter(|project| seen.insert(*project)).collect())
}

fn unfinished() -> sea_orm::sea_query::SimpleExpr {
    Column::State.is_in([RunState::Queued, RunState::Running])
}

/// Whether the project has a run that has not ended.
pub(super) async fn has_unfinished(db: &impl ConnectionTrait, project: ProjectId) -> Result<bool> {
    let found = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(unfinished());
    Ok(found.count(db).await? > 0)
}

/// The run's row, or `NotFound`.
pub(super) async fn model(db: &impl ConnectionTrait, id: RunId) -> Result<Model> {
    Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or(StoreError::NotFound("run"))
}

/// The ids of the runs that answer the message, for a query of what belongs to them.
pub(super) fn ids_for(message: MessageId) -> SelectStatement {
    let mut runs = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::MessageId.eq(message));
    QuerySelect::query(&mut runs).take()
}

/// The ids of the project's runs that have not ended, for a query of what belongs to them.
pub(super) fn unfinished_ids(project: ProjectId) -> SelectStatement {
    let mut runs = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ProjectId.eq(project))
        .filter(unfinished());
    QuerySelect::query(&mut runs).take()
}

/// The rows of the project's runs, oldest first.
pub(super) async fn of_project(
    db: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Vec<Model>> {
    let runs = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id);
    readable::models(db, "run", runs).await
}

/// The state of the latest run of each project that the user owns or is in.
pub(super) async fn latest_states(
    db: &impl ConnectionTrait,
    user: &UserId,
) -> Result<HashMap<ProjectId, RunState>> {
    let visible = member::visible_ids(user);
    let latest = Query::select()
        .expr(Func::max(Expr::col(Column::Id)))
        .from(Entity)
        .and_where(Column::ProjectId.in_subquery(visible))
        .group_by_col(Column::ProjectId)
        .to_owned();
    let runs = Entity::find().filter(Column::Id.in_subquery(latest));
    let models = readable::models(db, "run", runs).await?.into_iter();
    Ok(models
        .map(|model| (model.project_id, model.state))
        .collect())
}

/// Adds a run that answers the message. The caller charges for it.
pub(super) async fn insert(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    message: MessageId,
    user: &UserId,
    own_key: Option<ModelProvider>,
) -> Result<Run> {
    let run = Run {
        id: RunId::new(),
        project,
        message,
        state: RunState::Queued,
        created_at: Timestamp::now(),
        finished_at: None,
        spent: None,
    };
    save(tx, &run, None, (user::noted(user), own_key)).await?;
    Ok(run)
}

/// Adds a finished run with a result that the agent did not produce, for an existing app.
pub(super) async fn insert_done(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    message: MessageId,
    reply: MessageId,
) -> Result<Run> {
    let now = Timestamp::now();
    let run = Run {
        id: RunId::new(),
        project,
        message,
        state: RunState::Succeeded,
        created_at: now,
        finished_at: Some(now),
        spent: None,
    };
    save(tx, &run, Some(reply), (None, None)).await?;
    Ok(run)
}

async fn save(
    tx: &impl ConnectionTrait,
    run: &Run,
    reply: Option<MessageId>,
    (user, own_key): (Option<UserId>, Option<ModelProvider>),
) -> Result<()> {
    let finished_at = run.finished_at.map(|at| at.0);
    Entity::insert(ActiveModel {
        id: Set(run.id),
        project_id: Set(run.project),
        message_id: Set(run.message),
        reply_id: Set(reply),
        state: Set(run.state),
        created_at: Set(run.created_at.0),
        started_at: Set(finished_at),
        finished_at: Set(finished_at),
        worked_ms: Set(0),
        trimmed: Set(false),
        user_id: Set(user),
        traceparent: Set(traces::traceparent()),
        own_key: Set(own_key),
        order_key: Set(None),
    })
    .exec_without_returning(tx)
    .await?;
    Ok(())
}
