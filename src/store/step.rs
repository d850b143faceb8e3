//! Steps: the journal of a run. A step with an output is never executed again.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set, QueryOrder, QuerySelect, UpdateMany, entity::prelude::*,
    sea_query::OnConflict,
};

use super::{Result, Store, readable, run, without_nul};
use crate::protocol::{MessageId, ProjectId, RunId, Spent, Timestamp};

/// How many times the server may die in the middle of a step before the step is given up.
const MAX_CRASHES: i32 = 3;
/// How many steps one statement names.
const STEPS_PER_STATEMENT: usize = 200;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "steps")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: RunId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub ordinal: i32,
    pub attempt: i32,
    pub input_digest: Option<String>,
    pub output: Option<String>,
    pub error: Option<String>,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cached_tokens: i64,
    pub cost_micros: Option<i64>,
    pub crashes: i32,
    pub stopped: bool,
    pub estimated: bool,
    /// The model that last answered in it.
    pub model: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::run::Entity",
        from = "Column::RunId",
        to = "super::run::Column::Id"
    )]
    Run,
}

impl ActiveModelBehavior for ActiveModel {}

/// A step of a run, as it was saved.
#[derive(Debug, Clone)]
pub struct SavedStep {
    pub name: String,
    /// The number of attempts.
    pub attempt: i32,
    /// The SHA-256 of its input, in hex.
    pub input_digest: Option<String>,
    /// JSON; `None` until it succeeded.
    pub output: Option<String>,
    /// Why the last failed attempt failed, even if a later one succeeded.
    pub error: Option<String>,
    /// When the last attempt began.
    pub started_at: Timestamp,
    /// When the last attempt ended; `None` while it is under way or was interrupted.
    pub finished_at: Option<Timestamp>,
    /// The cost of all its attempts.
    pub spent: Spent,
}

impl Model {
    fn spent(&self) -> Spent {
        Spent {
            input_tokens: self.input_tokens.unsigned_abs(),
            output_tokens: self.output_tokens.unsigned_abs(),
            cached_tokens: self.cached_tokens.unsigned_abs(),
            cost_micros: self.cost_micros.map(i64::unsigned_abs),
            estimated: self.estimated,
        }
    }
}

impl From<Model> for SavedStep {
    fn from(model: Model) -> Self {
        let spent = model.spent();
        Self {
            name: model.name,
            attempt: model.attempt,
            input_digest: model.input_digest,
            output: model.output,
            error: model.error,
            started_at: Timestamp(model.started_at),
            finished_at: model.finished_at.map(Timestamp),
            spent,
        }
    }
}

/// The journal's answer for a step that is about to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It succeeded before: its output (JSON), and the digest of its input at that time.
    AlreadyDone {
        output: String,
        input_digest: Option<String>,
        /// The cost of all its attempts.
        spent: Spent,
    },
    /// A new attempt, recorded as begun.
    Attempt {
        /// Counted from 1.
        number: i32,
        /// Whether the server stopped in the middle of the previous attempt.
        interrupted: bool,
        /// The cost of the previous attempts.
        spent: Spent,
    },
    /// No attempt begins: the server died during so many of them that the step itself is to blame.
    Crashed { times: i32 },
}

impl Store {
    /// The run's steps, in the order of their first attempts.
    pub async fn list_steps(&self, run: RunId) -> Result<Vec<SavedStep>> {
        let steps = Entity::find()
            .filter(Column::RunId.eq(run))
            .order_by_asc(Column::Ordinal);
        let models = readable::models(&self.db, "step", steps).await?;
        Ok(models.into_iter().map(SavedStep::from).collect())
    }

    /// The last output (JSON) of the step with this name in the message's runs; `None` if none of
    /// them got that far.
    pub async fn step_output(&self, message: MessageId, name: &str) -> Result<Option<String>> {
        let output = Entity::find()
            .select_only()
            .column(Column::Output)
            .filter(Column::RunId.in_subquery(run::ids_for(message)))
            .filter(Column::Name.eq(name))
            .filter(Column::Output.is_not_null())
            .order_by_desc(Column::FinishedAt)
            .into_tuple();
        Ok(output.one(&self.db).await?)
    }

    /// The step's saved output, or a new attempt; neither if the server died in `MAX_CRASHES`
    /// attempts.
    pub async fn begin_step(&self, run: RunId, name: &str, input_digest: &str) -> Result<Begun> {
        let (name, input_digest) = (name.to_owned(), input_digest.to_owned());
        self.write(move |tx| Box::pin(begin(tx, run, name, input_digest)))
            .await
    }

    /// Saves a step's output (JSON), the cost of all its attempts, and the model that answered.
    pub async fn finish_step(
        &self,
        run: RunId,
        name: &str,
        output: &str,
        spent: Spent,
        model: Option<&str>,
    ) -> Result<()> {
        let finished = Entity::update_many()
            .col_expr(Column::Output, Expr::value(output))
            .col_expr(Column::Model, Expr::value(model))
            .col_expr(Column::FinishedAt, Expr::value(Timestamp::now().0));
        self.update(of_step(with_spent(finished, spent), run, name))
            .await?;
        Ok(())
    }

    /// Saves the cost of all attempts at a step so far, including the current one, which counts
    /// even if it never ends.
    pub async fn spend_step(&self, run: RunId, name: &str, spent: Spent) -> Result<()> {
        let spending = with_spent(Entity::update_many(), spent);
        self.update(of_step(spending, run, name)).await?;
        Ok(())
    }

    /// Marks the current steps of the project's runs as stopped by an orderly shutdown, which is
    /// not a crash.
    pub async fn stop_steps(&self, project: ProjectId) -> Result<()> {
        let stopped = Entity::update_many()
            .col_expr(Column::Stopped, Expr::value(true))
            .filter(Column::FinishedAt.is_null())
            .filter(Column::RunId.in_subquery(run::unfinished_ids(project)));
        self.update(stopped).await?;
        Ok(())
    }

    /// Saves the error of a failed attempt at a step.
    pub async fn fail_step(&self, run: RunId, name: &str, error: &str) -> Result<()> {
        let failed = Entity::update_many()
            .col_expr(Column::Error, Expr::value(without_nul(error)))
            .col_expr(Column::FinishedAt, Expr::value(Timestamp::now().0));
        self.update(of_step(failed, run, name)).await?;
        Ok(())
    }
}

async fn begin(
    tx: &impl ConnectionTrait,
    run: RunId,
    name: String,
    input_digest: String,
) -> Result<Begun> {
    let found = Entity::find_by_id((run, name.clone())).one(tx).await?;
    if let Some(step) = &found
        && let Some(output) = &step.output
    {
        return Ok(Begun::AlreadyDone {
            output: output.clone(),
            input_digest: step.input_digest.clone(),
            spent: step.spent(),
        });
    }
    // An attempt that neither ended nor was stopped in an orderly way died with its process.
    let died = found
        .as_ref()
        .is_some_and(|step| step.finished_at.is_none() && !step.stopped);
    let crashes = found.as_ref().map_or(0, |step| step.crashes) + i32::from(died);
    if crashes >= MAX_CRASHES {
        let ended = Entity::update_many()
            .col_expr(Column::Crashes, Expr::value(crashes))
            .col_expr(Column::FinishedAt, Expr::value(Timestamp::now().0));
        of_step(ended, run, &name).exec(tx).await?;
        return Ok(Begun::Crashed { times: crashes });
    }
    let ordinal = match &found {
        Some(step) => step.ordinal,
        None => i32::try_from(
            Entity::find()
                .filter(Column::RunId.eq(run))
                .count(tx)
                .await?,
        )
        .unwrap_or(i32::MAX),
    };
    let number = found.as_ref().map_or(0, |step| step.attempt) + 1;
    let interrupted = found
        .as_ref()
        .is_some_and(|step| step.finished_at.is_none());
    let spent = found.map(|step| step.spent()).unwrap_or_default();
    let step = ActiveModel {
        run_id: Set(run),
        name: Set(name),
        ordinal: Set(ordinal),
        attempt: Set(number),
        input_digest: Set(Some(input_digest)),
        output: Set(None),
        error: Set(None),
        started_at: Set(Timestamp::now().0),
        finished_at: Set(None),
        input_tokens: Set(0),
        output_tokens: Set(0),
        cached_tokens: Set(0),
        cost_micros: Set(None),
        crashes: Set(crashes),
        stopped: Set(false),
        estimated: Set(false),
        model: Set(None),
    };
    Entity::insert(step)
        .on_conflict(
            OnConflict::columns([Column::RunId, Column::Name])
                .update_columns([
                    Column::Attempt,
                    Column::InputDigest,
                    Column::StartedAt,
                    Column::FinishedAt,
                    Column::Crashes,
                    Column::Stopped,
                ])
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(Begun::Attempt {
        number,
        interrupted,
        spent,
    })
}

fn of_step(change: UpdateMany<Entity>, run: RunId, name: &str) -> UpdateMany<Entity> {
    change
        .filter(Column::RunId.eq(run))
        .filter(Column::Name.eq(name))
}

fn with_spent(change: UpdateMany<Entity>, spent: Spent) -> UpdateMany<Entity> {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    change
        .col_expr(Column::InputTokens, Expr::value(count(spent.input_tokens)))
        .col_expr(
            Column::OutputTokens,
            Expr::value(count(spent.output_tokens)),
        )
        .col_expr(
            Column::CachedTokens,
            Expr::value(count(spent.cached_tokens)),
        )
        .col_expr(
            Column::CostMicros,
            Expr::value(spent.cost_micros.map(count)),
        )
        .col_expr(Column::Estimated, Expr::value(spent.estimated))
}

/// When the first of these runs began its first step; `None` if none has.
pub(super) async fn first_start(
    db: &impl ConnectionTrait,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<Option<Timestamp>> {
    let first: Option<i64> = Entity::find()
        .select_only()
        .column(Column::StartedAt)
        .filter(Column::RunId.is_in(runs))
        .order_by_asc(Column::RunId)
        .order_by_asc(Column::Ordinal)
        .into_tuple()
        .one(db)
        .await?;
    Ok(first.map(Timestamp))
}

/// Shortens the outputs of a finished run; `shorten` gets a step's name and its output.
pub(super) async fn trim(
    tx: &impl ConnectionTrait,
    run: RunId,
    shorten: impl Fn(&str, &str) -> String,
) -> Result<()> {
    let outputs: Vec<(String, String)> = Entity::find()
        .select_only()
        .columns([Column::Name, Column::Output])
        .filter(Column::RunId.eq(run))
        .filter(Column::Output.is_not_null())
        .into_tuple()
        .all(tx)
        .await?;
    // Most of them are shortened to the same.
    let mut steps_by_output = BTreeMap::<String, Vec<String>>::new();
    for (name, output) in outputs {
        let shortened = shorten(&name, &output);
        steps_by_output.entry(shortened).or_default().push(name);
    }
    for (output, names) in steps_by_output {
        for some in names.chunks(STEPS_PER_STATEMENT) {
            Entity::update_many()
                .col_expr(Column::Output, Expr::value(&output))
                .filter(Column::RunId.eq(run))
                .filter(Column::Name.is_in(some))
                .exec(tx)
                .await?;
        }
    }
    Ok(())
}

/// Ends the unfinished steps of a finished run. They succeeded if the run did: the result is saved
/// before the last step ends.
pub(super) async fn end(tx: &impl ConnectionTrait, run: RunId, well: bool) -> Result<()> {
    let mut ended =
        Entity::update_many().col_expr(Column::FinishedAt, Expr::value(Timestamp::now().0));
    if well {
        ended = ended.col_expr(Column::Output, Expr::value("null"));
    }
    ended
        .filter(Column::RunId.eq(run))
        .filter(Column::FinishedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Whether the model has answered in the run.
pub(super) async fn has_answer(db: &impl ConnectionTrait, run: RunId) -> Result<bool> {
    let answers = Entity::find()
        .filter(Column::RunId.eq(run))
        .filter(Column::Name.starts_with("turn-"))
        .filter(Column::Output.is_not_null());
    Ok(answers.count(db).await? > 0)
}
