//! Events: what followers replay. An event replaces the earlier ones of the same run and subject (a
//! turn's pieces by its text, a tool call's start by its end, a status by the next), so the table
//! holds what a newcomer needs and not every step towards it.

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
    Event, EventKind, FileChange, ProjectId, RunId, TextPiece, Timestamp, text_subject,
};

/// How many of a project's latest writes are read to find what changed last.
const WRITES_READ: u64 = 40;
/// How many rows one statement removes: it has a limit of parameters.
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
    /// See [`EventKind::name`].
    pub name: String,
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
        // What a project's watchers see changes seldom, and is published at each look.
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
            // A page of nothing but unreadable rows is not the end.
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
            // A literal, not a parameter: only so does SQLite use the partial index.
            .filter(Expr::cust("name = 'files'"))
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
        let events = Entity::find()
            .filter(Column::RunId.eq(run))
            .order_by_asc(Column::Seq);
        read(&self.db, events).await
    }

    /// The text that the pieces of a run's turn add up to, as of `seq`; `None` when the pieces no
    /// longer exist, because the whole text was saved or they became void.
    pub async fn growing_text(&self, run: RunId, turn: u32, seq: i64) -> Result<Option<String>> {
        let pieces = Entity::find()
            .filter(Column::RunId.eq(run))
            .filter(Column::Subject.eq(text_subject(turn)))
            .filter(Column::Name.eq("text_piece"))
            .filter(Column::Seq.lte(seq))
            .order_by_asc(Column::Seq);
        let pieces = read(&self.db, pieces).await?.into_iter();
        let mut text = None;
        for piece in pieces.filter_map(|event| text_piece(event.kind)) {
            let so_far = text.get_or_insert_with(String::new);
            if !piece.apply(so_far) {
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

fn of_subject(project: ProjectId, run: Option<RunId>, subject: &str) -> SimpleExpr {
    let of_run = match run {
        Some(run) => Column::RunId.eq(run),
        None => Column::RunId.is_null().and(Column::ProjectId.eq(project)),
    };
    of_run.and(Column::Subject.eq(subject))
}

fn text_piece(kind: EventKind) -> Option<TextPiece> {
    match kind {
        EventKind::TextPiece { piece, .. } => Some(piece),
        _ => None,
    }
}

/// The events that the query finds, as far as they can be read.
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
        name: Set(kind.name().to_owned()),
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

/// Folds the events of a finished run into what newcomers need: drafts go, the last write lists
/// every path that was written, latest first, and the pieces of a text that was never finished
/// become one text. Tool uses, messages and states are whole already.
pub(super) async fn compact(tx: &impl ConnectionTrait, run: RunId) -> Result<()> {
    let pieces = Entity::find()
        .filter(Column::RunId.eq(run))
        .filter(Column::Name.is_in(["files", "draft", "text_piece"]))
        .order_by_asc(Column::Seq);
    let events = read(tx, pieces).await?;
    let Some(project) = events.first().map(|event| event.project) else {
        return Ok(());
    };
    let mut written = Vec::<FileChange>::new();
    let mut write = None;
    let mut texts = Vec::<(u32, i64, String)>::new();
    let mut folded = Vec::new();
    for Event { seq, kind, .. } in events {
        match kind {
            EventKind::Files { files } => {
                // In front of what was written before, each path once.
                for file in files.into_iter().rev() {
                    written.retain(|earlier| *earlier != file);
                    written.insert(0, file);
                }
                folded.extend(write.replace(seq));
            }
            EventKind::TextPiece { turn, piece } => match texts.last_mut() {
                Some((of, last, text)) if *of == turn => {
                    piece.apply(text);
                    folded.push(std::mem::replace(last, seq));
                }
                _ => texts.push((turn, seq, piece.text)),
            },
            _ => folded.push(seq),
        }
    }
    if let Some(seq) = write {
        let kind = EventKind::Files { files: written };
        rewrite(tx, project, seq, &kind).await?;
    }
    for (turn, seq, text) in texts {
        let html = String::new();
        rewrite(tx, project, seq, &EventKind::Text { turn, text, html }).await?;
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

/// Removes what a run that has ended published of its work: its status, its texts, its tool calls
/// and drafts.
pub(super) async fn trim(tx: &impl ConnectionTrait, run: RunId) -> Result<()> {
    let of_work = ["status", "text", "text_piece", "tool", "draft"];
    Entity::delete_many()
        .filter(Column::RunId.eq(run))
        .filter(Column::Name.is_in(of_work))
        .exec(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::protocol::{DraftPiece, FileChange, NewPrompt, UserId};

    fn writes(paths: &[&str]) -> EventKind {
        let files = paths.iter().map(|path| FileChange {
            path: (*path).to_owned(),
        });
        EventKind::Files {
            files: files.collect(),
        }
    }

    async fn run_in(folder: &tempfile::TempDir) -> (Store, ProjectId, RunId) {
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let prompt = NewPrompt::new("Build").unwrap();
        let (project, run, _) = store
            .create_project(&UserId::local(), &prompt, None, "Build")
            .await
            .unwrap();
        (store, project.id, run.id)
    }

    fn piece(turn: u32, offset: usize, text: &str) -> EventKind {
        let (text, html) = (text.to_owned(), Vec::new());
        EventKind::TextPiece {
            turn,
            piece: TextPiece { offset, text, html },
        }
    }

    fn text(turn: u32, text: &str) -> EventKind {
        let (text, html) = (text.to_owned(), String::new());
        EventKind::Text { turn, text, html }
    }

    #[tokio::test]
    async fn a_text_takes_the_place_of_its_pieces_and_an_unfinished_one_is_kept_as_far_as_it_came()
    {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, run) = run_in(&folder).await;
        let append = async |kind| store.append_event(project, Some(run), kind).await.unwrap();
        for kind in [piece(1, 0, "Kä"), piece(1, 3, "se"), piece(2, 0, "other")] {
            append(kind).await;
        }
        let third = append(piece(1, 3, "sebrot")).await.unwrap().seq;
        let grown = async |seq| store.growing_text(run, 1, seq).await.unwrap();
        assert_eq!(grown(third).await.as_deref(), Some("Käsebrot"));
        assert_eq!(grown(third - 1).await.as_deref(), Some("Käse"));

        append(text(1, "Käsebrot.")).await;
        assert_eq!(grown(i64::MAX).await, None);
        assert_eq!(
            append(text(1, "Käsebrot.")).await,
            None,
            "it is there already"
        );
        append(piece(2, 5, "wise")).await;
        store
            .write(move |tx| Box::pin(compact(tx, run)))
            .await
            .unwrap();
        let kinds = store.events_of_run(run).await.unwrap().into_iter();
        let texts: Vec<_> = kinds
            .map(|event| event.kind)
            .filter(|kind| matches!(kind, EventKind::Text { .. } | EventKind::TextPiece { .. }))
            .collect();
        assert_eq!(texts, [text(1, "Käsebrot."), text(2, "otherwise")]);
        store.close().await;
    }

    #[tokio::test]
    async fn an_unchanged_event_of_a_project_takes_no_write_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, _) = run_in(&folder).await;
        let preview = || EventKind::Preview {
            preview: crate::protocol::PreviewState::Starting,
        };
        let first = store.append_event(project, None, preview()).await.unwrap();
        assert!(first.is_some());
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let writer = store.clone();
        let writing = tokio::spawn(async move {
            let hold = writer.write(move |_| {
                Box::pin(async move {
                    begun.send(()).unwrap();
                    ended.await.unwrap();
                    Ok(())
                })
            });
            hold.await.unwrap();
        });
        has_begun.await.unwrap();
        let again = store.append_event(project, None, preview()).await.unwrap();
        assert_eq!(again, None);
        end.send(()).unwrap();
        writing.await.unwrap();
        store.close().await;
    }

    #[tokio::test]
    async fn of_all_writes_of_a_run_one_is_kept_with_every_file_the_latest_first() {
        let folder = tempfile::tempdir().unwrap();
        let (store, project, run) = run_in(&folder).await;
        let piece = DraftPiece {
            path: "c".to_owned(),
            offset: 0,
            text: "c".to_owned(),
        };
        for kind in [
            writes(&["a", "b"]),
            writes(&["c", "d"]),
            EventKind::Draft {
                turn: 3,
                piece: Some(piece),
            },
            writes(&["b", "e"]),
        ] {
            store.append_event(project, Some(run), kind).await.unwrap();
        }
        let before = store.events_of_run(run).await.unwrap();
        // Once more, it changes nothing.
        for _ in 0..2 {
            store
                .write(move |tx| Box::pin(compact(tx, run)))
                .await
                .unwrap();
        }

        let after = store.events_of_run(run).await.unwrap();
        let last = before.last().unwrap().seq;
        let kept: Vec<(i64, EventKind)> = after
            .into_iter()
            .map(|event| (event.seq, event.kind))
            .collect();
        let others = before.iter().filter(|event| {
            !matches!(
                event.kind,
                EventKind::Files { .. } | EventKind::Draft { .. }
            )
        });
        let others = others.map(|event| (event.seq, event.kind.clone()));
        let expected: Vec<(i64, EventKind)> = others
            .chain([(last, writes(&["b", "e", "c", "d", "a"]))])
            .collect();
        assert_eq!(kept, expected);
        let changed = store.files_changed_last(project, 4).await.unwrap();
        assert_eq!(changed, ["b", "e", "c", "d"]);
        store.close().await;
    }
}
