//! What the table keeps of a run, and how a growing text becomes a complete one.

use super::*;
use crate::{
    protocol::{DraftPiece, FileChange, TextPiece},
    store::testing::with_project,
};

fn writes(paths: &[&str]) -> EventKind {
    let files = paths.iter().map(|path| FileChange {
        path: (*path).to_owned(),
    });
    EventKind::Files {
        files: files.collect(),
    }
}

async fn run_in(folder: &tempfile::TempDir) -> (Store, ProjectId, RunId) {
    let (store, project, run) = with_project(folder).await;
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
async fn a_text_takes_the_place_of_its_pieces_and_an_unfinished_one_is_kept_as_far_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let (store, project, run) = run_in(&folder).await;
    let append = async |kind| store.append_event(project, Some(run), kind).await.unwrap();
    for kind in [piece(1, 0, "Kä"), piece(1, 3, "se"), piece(2, 0, "other")] {
        append(kind).await;
    }
    let third = append(piece(1, 3, "sebrot")).await.unwrap().seq;
    let grown = async |seq| {
        store
            .growing_text(run, GrowingText::Answer(1), seq)
            .await
            .unwrap()
    };
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
    let thought = |offset, text: &str| match piece(2, offset, text) {
        EventKind::TextPiece { turn, piece } => EventKind::ThinkingPiece { turn, piece },
        kind => kind,
    };
    append(thought(0, "Hm")).await;
    append(thought(2, ".")).await;
    let thinking = GrowingText::Thinking(2);
    let grown = store.growing_text(run, thinking, i64::MAX).await.unwrap();
    assert_eq!(grown.as_deref(), Some("Hm."));
    store
        .write(move |tx| Box::pin(compact(tx, run)))
        .await
        .unwrap();
    let kinds = store.events_of_run(run).await.unwrap().into_iter();
    let texts: Vec<_> = kinds
        .map(|event| event.kind)
        .filter(|kind| {
            kind.subject()
                .is_some_and(|subject| subject.starts_with('t'))
        })
        .filter(|kind| !matches!(kind, EventKind::Title { .. }))
        .collect();
    let thinking = thinking.whole("Hm.".to_owned());
    assert_eq!(
        texts,
        [text(1, "Käsebrot."), text(2, "otherwise"), thinking]
    );
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
    // The second time, it changes nothing.
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
