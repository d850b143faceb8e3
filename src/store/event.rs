//! Events, for followers to replay. An event replaces the earlier ones of the same run and subject
//! (a turn's pieces by its text, a tool call's start by its end, a status by the next), so the
//! table holds what a new follower needs, not every step towards it.

use sea_orm::{
    ActiveValue::Set, ExprTrait as _, QueryOrder, QuerySelect, Select, entity::prelude::*,
    sea_query::SimpleExpr,
};

use super::{
    Result, Store, from_json, project,
    readable::{self, or_skip},
    to_json,
};
use crate::protocol::{
    Event, EventKind, EventName, FileChange, GrowingText, ProjectId, RunId, Timestamp,
};

/// How many of a project's latest writes are read to find the most recently changed files.
const WRITES_READ: u64 = 40;
/// The names of events that are pieces of a growing text.
const PIECES: [EventName; 2] = [EventName::TextPiece, EventName::ThinkingPiece];
/// How many rows one statement removes, because the number of its parameters is limited.
const ROWS_PER_DELETE: usize = 500;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub run_id: Option<RunId>,
    pub subject: Option<String>,
    pub name: EventName,
    /// JSON.
    pub kind: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn into_event(self) -> Result<Event> {
        Ok(Event {
            project: self.project_id,
            seq: self.seq,
            run: self.run_id,
            at: Timestamp(self.created_at),
            kind: from_json("event", &self.kind)?,
        })
    }
}

impl Store {
    /// Saves the event; `None` when it equals the last one of its subject.
    pub async fn append_event(
        &self,
        project: ProjectId,
        run: Option<RunId>,
        kind: EventKind,
    ) -> Result<Option<Event>> {
        // Project-wide state rarely changes, but is published at every check.
        if run.is_none()
            && let Some(subject) = kind.subject()
            && let Some(last) = self.last_event(project, &subject).await?
            && last.kind == kind
        {
            return Ok(None);
        }
        self.write(move |tx| Box::pin(append(tx, project, run, kind)))
            .await
    }

    /// At most `limit` events of the project after `seq`, in order; empty only when nothing
    /// readable follows.
    pub async fn events_after(
        &self,
        project: ProjectId,
        seq: i64,
        limit: u64,
    ) -> Result<Vec<Event>> {
        let mut seq = seq;
        loop {
            let page = Entity::find()
                .filter(Column::ProjectId.eq(project))
                .filter(Column::Seq.gt(seq))
                .order_by_asc(Column::Seq)
                .limit(limit);
            let last: Option<i64> = page
                .clone()
                .select_only()
                .column(Column::Seq)
                .into_tuple()
                .all(&self.db)
                .await?
                .pop();
            let events = read(&self.db, page).await?;
            // A page with only unreadable rows is not the end.
            match last {
                Some(last) if events.is_empty() => seq = last,
                _ => return Ok(events),
            }
        }
    }

    /// The paths that the project's runs wrote most recently, latest first, each once; at most
    /// `limit`.
    pub async fn files_changed_last(
        &self,
        project: ProjectId,
        limit: usize,
    ) -> Result<Vec<String>> {
        let writes = Entity::find()
            .filter(Column::ProjectId.eq(project))
            // A literal, not a parameter: otherwise SQLite would not use the partial index.
            .filter(Expr::col(Column::Name).eq(literal(EventName::Files)))
            .order_by_desc(Column::Seq)
            .limit(WRITES_READ);
        let mut paths: Vec<String> = Vec::new();
        for event in read(&self.db, writes).await? {
            if let EventKind::Files { files } = event.kind {
                for file in files {
                    if !paths.contains(&file.path) {
                        paths.push(file.path);
                    }
                }
            }
        }
        paths.truncate(limit);
        Ok(paths)
    }

    /// The run's events, in order.
    pub async fn events_of_run(&self, run: RunId) -> Result<Vec<Event>> {
        self.events_of_runs([run]).await
    }

    /// The events of these runs, in order: those of the run that was made first before the next
    /// one's.
    pub async fn events_of_runs(
        &self,
        runs: impl IntoIterator<Item = RunId>,
    ) -> Result<Vec<Event>> {
        let events = Entity::find()
            .filter(Column::RunId.is_in(runs))
            .order_by_asc(Column::RunId)
            .order_by_asc(Column::Seq);
        read(&self.db, events).await
    }

    /// The text that its pieces in a run add up to, as of `seq`; `None` if the pieces are gone
    /// because the whole text was saved or they became void.
    pub async fn growing_text(
        &self,
        run: RunId,
        text: GrowingText,
        seq: i64,
    ) -> Result<Option<String>> {
        let pieces = Entity::find()
            .filter(Column::RunId.eq(run))
            .filter(Column::Subject.eq(text.subject()))
            .filter(Column::Name.is_in(PIECES))
            .filter(Column::Seq.lte(seq))
            .order_by_asc(Column::Seq);
        let pieces = read(&self.db, pieces).await?;
        let mut text = None;
        for event in pieces {
            let so_far = text.get_or_insert_with(String::new);
            if !event
                .kind
                .piece()
                .is_some_and(|(_, piece)| piece.apply(so_far))
            {
                return Ok(None);
            }
        }
        Ok(text)
    }

    /// The project's last event of a subject that belongs to no run, such as its preview.
    pub async fn last_event(&self, project: ProjectId, subject: &str) -> Result<Option<Event>> {
        let last = Entity::find()
            .filter(of_subject(project, None, subject))
            .order_by_desc(Column::Seq)
            .limit(1);
        Ok(read(&self.db, last).await?.pop())
    }
}

fn literal(name: EventName) -> SimpleExpr {
    Expr::cust(format!("'{}'", name.as_str()))
}

fn of_subject(project: ProjectId, run: Option<RunId>, subject: &str) -> SimpleExpr {
    let of_run = match run {
        Some(run) => Column::RunId.eq(run),
        None => Column::RunId.is_null().and(Column::ProjectId.eq(project)),
    };
    of_run.and(Column::Subject.eq(subject))
}

/// The events of the query, except unreadable ones.
async fn read(db: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Event>> {
    let models = readable::models(db, "event", query).await?;
    Ok(models
        .into_iter()
        .filter_map(|model| or_skip("event", model.into_event()))
        .collect())
}

/// Removes at most `limit` of the project's events. Returns how many.
pub(super) async fn remove_some(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    limit: u64,
) -> Result<u64> {
    let some = Entity::find()
        .select_only()
        .column(Column::Seq)
        .filter(Column::ProjectId.eq(project))
        .limit(limit);
    let seqs: Vec<i64> = some.into_tuple().all(tx).await?;
    let removed = Entity::delete_many()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Seq.is_in(seqs));
    Ok(removed.exec(tx).await?.rows_affected)
}

/// Saves the event within a transaction; see [`Store::append_event`].
pub(super) async fn append(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    run: Option<RunId>,
    kind: EventKind,
) -> Result<Option<Event>> {
    project::lock(tx, project).await?;
    let json = to_json("event", &kind)?;
    let subject = kind.subject();
    if let Some(subject) = subject.as_deref().filter(|_| kind.replaces()) {
        let same_subject = of_subject(project, run, subject);
        let query = Entity::find().filter(same_subject.clone());
        let earlier = readable::models(tx, "event", query).await?;
        if let [last] = &*earlier
            && last.kind == json
        {
            return Ok(None);
        }
        if !earlier.is_empty() {
            Entity::delete_many().filter(same_subject).exec(tx).await?;
        }
    }
    let (seq, at) = (project::next_seq(tx, project).await?, Timestamp::now());
    Entity::insert(ActiveModel {
        project_id: Set(project),
        seq: Set(seq),
        run_id: Set(run),
        subject: Set(subject),
        name: Set(kind.name()),
        kind: Set(json),
        created_at: Set(at.0),
    })
    .exec_without_returning(tx)
    .await?;
    Ok(Some(Event {
        project,
        seq,
        run,
        at,
        kind,
    }))
}

/// Folds a finished run's events into what new followers need: drafts are removed, the last write
/// lists all written paths, latest first, and the pieces of an unfinished text become one text.
/// Tool uses, messages and states are complete already.
pub(super) async fn compact(tx: &impl ConnectionTrait, run: RunId) -> Result<()> {
    let written = [EventName::Files, EventName::Draft];
    let pieces = Entity::find()
        .filter(Column::RunId.eq(run))
        .filter(Column::Name.is_in(written.into_iter().chain(PIECES)))
        .order_by_asc(Column::Seq);
    let events = read(tx, pieces).await?;
    let Some(project) = events.first().map(|event| event.project) else {
        return Ok(());
    };
    let mut written = Vec::<FileChange>::new();
    let mut write = None;
    let mut texts = Vec::<(GrowingText, i64, String)>::new();
    let mut folded = Vec::new();
    for Event { seq, kind, .. } in events {
        if let Some((of, piece)) = kind.piece() {
            match texts.iter_mut().find(|(known, ..)| *known == of) {
                Some((_, last, text)) => {
                    piece.apply(text);
                    folded.push(std::mem::replace(last, seq));
                }
                None => texts.push((of, seq, piece.text.clone())),
            }
            continue;
        }
        match kind {
            EventKind::Files { files } => {
                // Before the earlier paths, each path once.
                for file in files.into_iter().rev() {
                    written.retain(|earlier| *earlier != file);
                    written.insert(0, file);
                }
                folded.extend(write.replace(seq));
            }
            _ => folded.push(seq),
        }
    }
    if let Some(seq) = write {
        let kind = EventKind::Files { files: written };
        rewrite(tx, project, seq, &kind).await?;
    }
    for (of, seq, text) in texts {
        rewrite(tx, project, seq, &of.whole(text)).await?;
    }
    for seqs in folded.chunks(ROWS_PER_DELETE) {
        Entity::delete_many()
            .filter(Column::ProjectId.eq(project))
            .filter(Column::Seq.is_in(seqs.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Replaces what a saved event says.
async fn rewrite(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    seq: i64,
    kind: &EventKind,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Name, Expr::value(kind.name()))
        .col_expr(Column::Kind, Expr::value(to_json("event", kind)?))
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Seq.eq(seq))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes a finished run's events about its work: its status, texts, tool calls and drafts.
pub(super) async fn trim(tx: &impl ConnectionTrait, run: RunId) -> Result<()> {
    use EventName::{Draft, Status, Text, Thinking, Tool};
    let of_work = [Status, Text, Thinking, Tool, Draft];
    Entity::delete_many()
        .filter(Column::RunId.eq(run))
        .filter(Column::Name.is_in(of_work.into_iter().chain(PIECES)))
        .exec(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
