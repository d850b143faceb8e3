//! Runs as the dashboard lists them, and the replay of a failed run. A page takes two queries: the
//! runs with their project, prompt and reply, and the cost of their steps.

use sea_orm::{
    Condition, FromQueryResult, JoinType, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{Alias, Func, SimpleExpr},
};

use super::{
    Result, Store, StoreError, event, member, message, project,
    prompt::{self, Payment},
    readable, run, search, usage,
};
use crate::protocol::{
    Event, EventKind, Run, RunFilter, RunId, RunState, RunSummary, Spent, Timestamp, UserId,
};

/// How many runs a page has.
const PAGE: u64 = 50;
/// How much of a prompt and of an error message a list shows, in characters.
const SHOWN_TEXT: usize = 240;

/// A run joined with its project, prompt and reply.
#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    run: run::Model,
    owner: UserId,
    project_title: String,
    prompt: String,
    error: Option<String>,
}

impl Store {
    /// At most 50 runs that match the filter, newest first, and where the next page begins: those
    /// of the projects that the user owns or is in, or all users' if no user is given (for
    /// administrators).
    pub async fn list_run_page(
        &self,
        user: Option<&UserId>,
        filter: &RunFilter,
    ) -> Result<(Vec<RunSummary>, Option<RunId>)> {
        let mut query = summaries(user);
        if let Some(state) = filter.state {
            query = query.filter(run::Column::State.eq(state));
        }
        if let Some(before) = filter.before {
            // Ids sort by the time they were created.
            query = query.filter(run::Column::Id.lt(before));
        }
        if let Some(search) = search::wanted(&filter.search) {
            let columns = [
                project::Column::Title.into_expr(),
                message::Column::Content.into_expr(),
                run::Column::Id.into_expr(),
                run::Column::ProjectId.into_expr(),
            ];
            query = query.filter(search::any_contains(columns, &search));
        }
        // One extra row tells whether there is another page.
        let page = query.order_by_desc(run::Column::Id).limit(PAGE + 1);
        let mut rows: Vec<Row> = readable::rows(&self.db, "run", page).await?;
        let more = rows.len() > PAGE as usize;
        rows.truncate(PAGE as usize);
        let next = rows.last().map(|row| row.run.id).filter(|_| more);
        let runs = self.with_sums(rows).await?;
        Ok((runs, next))
    }

    /// The run for the dashboard of a user who owns its project or is in it, or `NotFound`; without
    /// a user (for administrators), anybody's run.
    pub async fn find_run_summary(&self, user: Option<&UserId>, id: RunId) -> Result<RunSummary> {
        let found = summaries(user).filter(run::Column::Id.eq(id));
        let rows = readable::rows(&self.db, "run", found).await?;
        self.with_sums(rows)
            .await?
            .pop()
            .ok_or(StoreError::NotFound("run"))
    }

    /// Creates another run for the message of a failed or stopped one. `Conflict` for any other
    /// run, `OutOfCredits` if the user's balance is too low.
    pub async fn replay_run(&self, user: &UserId, id: RunId) -> Result<(Run, Vec<Event>)> {
        let (payment, user) = (self.payment(), user.clone());
        self.write(move |tx| Box::pin(async move { replay(tx, &payment, &user, id).await }))
            .await
    }

    async fn with_sums(&self, rows: Vec<Row>) -> Result<Vec<RunSummary>> {
        let mut sums = usage::of_runs(&self.db, rows.iter().map(|row| row.run.id)).await?;
        let summaries = rows.into_iter().map(|row| {
            let spent = sums.remove(&row.run.id);
            row.into_summary(spent.unwrap_or_default())
        });
        Ok(summaries.collect())
    }
}

async fn replay(
    tx: &impl ConnectionTrait,
    payment: &Payment,
    user: &UserId,
    id: RunId,
) -> Result<(Run, Vec<Event>)> {
    let earlier = run::model(tx, id).await?.into_run();
    match earlier.state {
        RunState::Failed | RunState::Cancelled => {}
        RunState::Succeeded => {
            return Err(StoreError::Conflict(
                "This run succeeded, so there is nothing to replay. Send a message to change the \
                 app.",
            ));
        }
        RunState::Queued | RunState::Running => {
            return Err(StoreError::Conflict(
                "This run has not ended yet. Cancel it first to replay it.",
            ));
        }
    }
    project::touch(tx, earlier.project).await?;
    project::there(tx, earlier.project).await?;
    let model = message::model_of(tx, earlier.message).await?;
    let asked_for = (earlier.message, model.as_ref());
    let run = prompt::insert_run(tx, payment, user, earlier.project, asked_for).await?;
    let event = event::append(
        tx,
        run.project,
        Some(run.id),
        EventKind::Run { run: run.clone() },
    )
    .await?;
    Ok((run, event.into_iter().collect()))
}

impl Row {
    fn into_summary(self, spent: Spent) -> RunSummary {
        let started_at = self.run.started_at.map(Timestamp);
        let run = self.run.into_run();
        RunSummary {
            user: self.owner,
            project_title: self.project_title,
            prompt: beginning(self.prompt),
            spent,
            error: self
                .error
                .filter(|_| run.state == RunState::Failed)
                .map(beginning),
            started_at,
            run,
        }
    }
}

/// The runs of the projects that the user owns or is in, or all runs; each with its project and the
/// beginnings of its prompt and reply, one character longer than shown.
fn summaries(user: Option<&UserId>) -> Select<run::Entity> {
    let reply = Alias::new("reply");
    let first_letters = |text: SimpleExpr| {
        SimpleExpr::from(Func::cust("SUBSTR").args([
            text,
            Expr::value(1),
            Expr::value(SHOWN_TEXT as i32 + 1),
        ]))
    };
    let visible = user.map(member::visible);
    run::Entity::find()
        .filter(Condition::all().add_option(visible))
        .join(JoinType::InnerJoin, run::Relation::Project.def())
        .join(JoinType::InnerJoin, run::Relation::Prompt.def())
        .join_as(
            JoinType::LeftJoin,
            run::Relation::Reply.def(),
            reply.clone(),
        )
        .column_as(project::Column::UserId, "owner")
        .column_as(project::Column::Title, "project_title")
        .column_as(
            first_letters(message::Column::Content.into_expr()),
            "prompt",
        )
        .column_as(
            first_letters(Expr::col((reply, message::Column::Content))),
            "error",
        )
}

/// The text, with an ellipsis where it was cut.
fn beginning(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}
