//! Events: what followers replay. An event replaces the earlier one of the same run and subject (a
//! turn's growing text, a tool call's start by its end, a status by the next), so the table holds
//! what a newcomer needs and not every step towards it.

use sea_orm::{
    ActiveValue::Set, Condition, ExprTrait as _, QueryOrder, QuerySelect, entity::prelude::*,
};

use super::{
    Result, Store, column, from_json, project,
    readable::{self, or_skip},
    to_json,
};
use crate::protocol::{Event, EventKind, ProjectId, RunId, Timestamp};

/// How many of a project's latest writes are looked at to tell what changed last.
const WRITES_LOOKED_AT: u64 = 40;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub run_id: Option<String>,
    pub subject: Option<String>,
    pub kind: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn into_event(self) -> Result<Event> {
        Ok(Event {
            project: column("project id", &self.project_id)?,
            seq: self.seq,
            run: self.run_id.map(|run| column("run id", &run)).transpose()?,
            at: Timestamp(self.created_at),
            kind: from_json("event", &self.kind)?,
        })
    }
}

impl Store {
    /// Saves the event; `None` when it says what the last one of its subject said.
    pub async fn append_event(
        &self,
        project: ProjectId,
        run: Option<RunId>,
        kind: EventKind,
    ) -> Result<Option<Event>> {
        self.write(move |tx| Box::pin(append(tx, project, run, kind)))
            .await
    }

    /// At most `limit` events of the project after `seq`, in order; none only when nothing that can
    /// be read comes after.
    pub async fn events_after(
        &self,
        project: ProjectId,
        seq: i64,
        limit: u64,
    ) -> Result<Vec<Event>> {
        let mut seq = seq;
        loop {
            let page = Entity::find()
                .filter(Column::ProjectId.eq(project.to_string()))
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
            let events = read(readable::models(&self.db, "event", page).await?);
            // A page of nothing but what can't be read is not the end.
            match last {
                Some(last) if events.is_empty() => seq = last,
                _ => return Ok(events),
            }
        }
    }

    /// The paths that the project's runs wrote last, the latest first, each once; at most `limit`.
    pub async fn files_changed_last(
        &self,
        project: ProjectId,
        limit: usize,
    ) -> Result<Vec<String>> {
        let writes = Entity::find()
            .filter(Column::ProjectId.eq(project.to_string()))
            .filter(Column::Kind.starts_with(r#"{"type":"files""#))
            .order_by_desc(Column::Seq)
            .limit(WRITES_LOOKED_AT);
        let mut paths: Vec<String> = Vec::new();
        for event in read(readable::models(&self.db, "event", writes).await?) {
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
            .filter(Column::RunId.eq(run.to_string()))
            .order_by_asc(Column::Seq);
        Ok(read(readable::models(&self.db, "event", events).await?))
    }

    /// The project's last event of a subject that belongs to no run, such as its preview.
    pub async fn last_event(&self, project: ProjectId, subject: &str) -> Result<Option<Event>> {
        let last = Entity::find()
            .filter(Column::ProjectId.eq(project.to_string()))
            .filter(Column::RunId.is_null())
            .filter(Column::Subject.eq(subject))
            .order_by_desc(Column::Seq)
            .limit(1);
        Ok(read(readable::models(&self.db, "event", last).await?).pop())
    }
}

/// The events of the rows that can be read.
fn read(models: Vec<Model>) -> Vec<Event> {
    models
        .into_iter()
        .filter_map(|model| or_skip("event", model.into_event()))
        .collect()
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
    if let Some(subject) = &subject {
        let of_run = match run {
            Some(run) => Column::RunId.eq(run.to_string()),
            None => Column::RunId
                .is_null()
                .and(Column::ProjectId.eq(project.to_string())),
        };
        let same_subject = Entity::find()
            .filter(of_run.clone())
            .filter(Column::Subject.eq(subject));
        let earlier = readable::models(tx, "event", same_subject).await?;
        if earlier.iter().any(|event| event.kind == json) {
            return Ok(None);
        }
        if !earlier.is_empty() {
            Entity::delete_many()
                .filter(of_run)
                .filter(Column::Subject.eq(subject))
                .exec(tx)
                .await?;
        }
    }
    let (seq, at) = (project::next_seq(tx, project).await?, Timestamp::now());
    Entity::insert(ActiveModel {
        project_id: Set(project.to_string()),
        seq: Set(seq),
        run_id: Set(run.map(|run| run.to_string())),
        subject: Set(subject),
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

/// Folds the events of a run that has ended into what newcomers need: files that were being written
/// are written, and of all writes the last one says what was, the latest first. Texts, tool uses,
/// messages and states are whole already.
pub(super) async fn compact(tx: &impl ConnectionTrait, run: RunId) -> Result<()> {
    let pieces = Entity::find()
        .filter(Column::RunId.eq(run.to_string()))
        .filter(Column::Subject.is_null())
        .order_by_desc(Column::Seq);
    let models = readable::models(tx, "event", pieces).await?;
    let (mut last_write, mut written) = (None, Vec::new());
    let mut folded = Vec::new();
    for model in models {
        let (project, seq) = (model.project_id.clone(), model.seq);
        let Some(event) = or_skip("event", model.into_event()) else {
            continue;
        };
        match event.kind {
            EventKind::Files { files } => {
                for file in files {
                    if !written.contains(&file) {
                        written.push(file);
                    }
                }
                if last_write.is_some() {
                    folded.push((project, seq));
                } else {
                    last_write = Some((project, seq));
                }
            }
            EventKind::Draft { .. } => folded.push((project, seq)),
            _ => {}
        }
    }
    if let Some((project, seq)) = last_write {
        let files = EventKind::Files { files: written };
        Entity::update_many()
            .col_expr(Column::Kind, Expr::value(to_json("event", &files)?))
            .filter(Column::ProjectId.eq(project))
            .filter(Column::Seq.eq(seq))
            .exec(tx)
            .await?;
    }
    let Some((project, _)) = folded.first().cloned() else {
        return Ok(());
    };
    // A statement has a limit of parameters.
    for seqs in folded.chunks(500) {
        Entity::delete_many()
            .filter(Column::ProjectId.eq(project.as_str()))
            .filter(Column::Seq.is_in(seqs.iter().map(|(_, seq)| *seq)))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Removes what a run that has ended told while it worked: its status, its texts, its tool calls
/// and drafts.
pub(super) async fn trim(tx: &impl ConnectionTrait, run: &str) -> Result<()> {
    let told = Condition::any()
        .add(Column::Subject.eq("status"))
        .add(Column::Subject.starts_with("text:"))
        .add(Column::Subject.starts_with("tool:"))
        .add(Column::Kind.starts_with(r#"{"type":"draft""#));
    Entity::delete_many()
        .filter(Column::RunId.eq(run))
        .filter(told)
        .exec(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::protocol::{DraftPiece, FileChange, NewPrompt};

    fn writes(paths: &[&str]) -> EventKind {
        let files = paths.iter().map(|path| FileChange {
            path: (*path).to_owned(),
        });
        EventKind::Files {
            files: files.collect(),
        }
    }

    #[tokio::test]
    async fn of_all_writes_of_a_run_one_is_kept_that_tells_every_file_the_latest_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let prompt = NewPrompt::new("Build").unwrap();
        let (project, run, _) = store.create_project(&prompt, None, "Build").await.unwrap();
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
            store
                .append_event(project.id, Some(run.id), kind)
                .await
                .unwrap();
        }
        let before = store.events_of_run(run.id).await.unwrap();
        // Once more, it changes nothing.
        for _ in 0..2 {
            store
                .write(move |tx| Box::pin(compact(tx, run.id)))
                .await
                .unwrap();
        }

        let after = store.events_of_run(run.id).await.unwrap();
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
        let changed = store.files_changed_last(project.id, 4).await.unwrap();
        assert_eq!(changed, ["b", "e", "c", "d"]);
        store.close().await;
    }
}
