//! What clients of the feed receive while a model writes, when they are slow, and after the run has
//! ended.

use std::collections::HashMap;

use codeflow::protocol::{Event, EventKind, FeedFrame, RunState};
use serde_json::json;

use crate::support::{Feed, Model, Reply, Server, chunk, data_dir};

#[tokio::test]
async fn a_text_grows_in_pieces_whoever_joins_or_reloads_in_its_middle_and_is_whole_at_its_end() {
    let data = data_dir();
    let said = "# Käse\n\nSome **bold words**, and a list:\n\n- one\n- two\n\n```\nlet a = \"b\";\n```\n\n".repeat(12);
    let answer: &'static str =
        Box::leak(format!("{said}<task_summary>Talked.</task_summary>").into_boxed_str());
    let half = Reply::Text(answer).cut(30);
    let slowly = Reply::Slow(15, Box::new(Reply::Text(answer)));
    let model = Model::start([("Talk", vec![Reply::InTurn(vec![half, slowly])])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Talk").await;
    let mut first = server.feed(project).await;
    first
        .find(|kind| match kind {
            EventKind::TextPiece { piece, .. } => piece.text.contains("let a").then_some(()),
            _ => None,
        })
        .await;
    // The interrupted attempt is void, and the next has begun.
    first
        .find(|kind| match kind {
            EventKind::Text { text, .. } => text.is_empty().then_some(()),
            _ => None,
        })
        .await;
    let length = shown(&first.events).0.len();
    while shown(&first.events).0.len() < length + 300 {
        first.event().await;
    }
    let reloaded = server.workspace(project).await;
    let before = first.events.clone();
    let after = before.last().unwrap().seq;
    let mut again = Feed::open(&server, &format!("/ws/projects/{project}?after={after}")).await;
    let mut joined = server.feed(project).await;
    for feed in [&mut first, &mut again, &mut joined] {
        assert_eq!(feed.ended(1).await.0, RunState::Succeeded);
    }

    let (text, html) = shown(&first.events);
    assert_eq!(text, said.trim());
    assert!(html.contains("<strong>bold words</strong>") && html.contains("Käse</h1>"));
    let continued = [before, again.events.clone()].concat();
    for events in [&first.events, &joined.events, &continued] {
        assert_eq!(shown(events), (text.clone(), html.clone()));
        assert_eq!(gaps(events), 0);
    }
    let pieces = first.events.iter();
    let pieces = pieces.filter(|event| matches!(event.kind, EventKind::TextPiece { .. }));
    assert!(pieces.count() > 10);
    let so_far = reloaded.events.iter().find_map(|event| match &event.kind {
        EventKind::TextPiece { piece, .. } => Some(piece.clone()),
        _ => None,
    });
    let so_far = so_far.expect("the workspace has what was said so far");
    assert!(so_far.offset == 0 && text.starts_with(&so_far.text) && !so_far.html.is_empty());

    // A late client gets the whole text and none of its pieces.
    let mut later = server.feed(project).await;
    later.ended(1).await;
    let kinds = later.events.iter().map(|event| event.kind.name().as_str());
    let texts: Vec<_> = kinds.filter(|name| name.starts_with("text")).collect();
    assert_eq!(texts, ["text"]);
    assert_eq!(later.said(1), text);
}

/// The text and HTML of the first turn, as the events leave them.
fn shown(events: &[Event]) -> (String, String) {
    let (mut text, mut html) = (String::new(), String::new());
    for event in events {
        match &event.kind {
            EventKind::Text {
                turn: 1,
                text: whole,
                html: rendered,
            } => {
                text.clone_from(whole);
                html.clone_from(rendered);
            }
            EventKind::TextPiece { turn: 1, piece } => assert!(piece.apply(&mut text)),
            _ => {}
        }
    }
    (text, html)
}

/// How many pieces neither continue the text where it ended nor have all of it so far.
fn gaps(events: &[Event]) -> usize {
    let (mut text, mut gaps) = (String::new(), 0);
    for event in events {
        match &event.kind {
            EventKind::Text { text: whole, .. } => text.clone_from(whole),
            EventKind::TextPiece { piece, .. } => {
                let continues = piece.offset == text.len();
                let is_whole = piece.offset == 0 && piece.text.starts_with(&text);
                gaps += usize::from(!continues && !is_whole);
                piece.apply(&mut text);
            }
            _ => {}
        }
    }
    gaps
}

#[tokio::test]
async fn files_show_while_the_model_writes_them_and_fold_when_the_run_ends() {
    let data = data_dir();
    let content = "<h1>\"Käse\" & Brot</h1>\n".repeat(12);
    // As models write them: the path before the content.
    let file = format!(
        "{{\"files\":[{{\"path\":\"index.html\",\"content\":{}}}]}}",
        json!(content)
    );
    let slowly = Reply::Slow(
        10,
        Box::new(Reply::Calls(vec![("createOrUpdateFiles", file.clone())])),
    );
    let half = Reply::Calls(vec![("createOrUpdateFiles", file)]).cut(50);
    let model = Model::start([(
        "Build",
        vec![
            Reply::InTurn(vec![half, slowly]),
            Reply::write("second.txt", "2"),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    assert_eq!(feed.ended(1).await.0, RunState::Succeeded);

    let (mut pieces, mut voided) = (0, 0);
    let mut drafts: HashMap<String, String> = HashMap::new();
    for event in &feed.events {
        if let EventKind::Draft { turn: 1, piece } = &event.kind {
            let Some(piece) = piece else {
                drafts.clear();
                voided += 1;
                continue;
            };
            let draft = drafts.entry(piece.path.clone()).or_default();
            assert_eq!(
                draft.len(),
                piece.offset,
                "each piece follows the one before"
            );
            draft.push_str(&piece.text);
            pieces += 1;
        }
    }
    assert!(pieces > 3, "{pieces} pieces");
    assert_eq!(voided, 1, "what a cut answer had begun is void");
    assert_eq!(drafts, HashMap::from([("index.html".to_owned(), content)]));

    // A late client needs none of it.
    let mut later = server.feed(project).await;
    later.ended(1).await;
    let count =
        |of: fn(&EventKind) -> bool| later.events.iter().filter(|event| of(&event.kind)).count();
    assert_eq!(count(|kind| matches!(kind, EventKind::Draft { .. })), 0);
    assert_eq!(count(|kind| matches!(kind, EventKind::Files { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, EventKind::Tool { .. })), 2);
}

/// Of an answer's piece. It is twice as large as JSON, as quotation marks are.
const PIECE_BYTES: usize = 80_000;
/// The text that a client which does not read has not been sent: as JSON it is 8 MB, of which 4 MB
/// (tcp_wmem) lie in the buffers.
const BUFFERED_BYTES: usize = 50 * PIECE_BYTES;

/// An answer in large pieces. Its HTML is that of the beginning alone.
fn talk() -> Reply {
    let words = format!("Words {}\n\n", "\"".repeat(PIECE_BYTES));
    let summary = "<task_summary>Talked.</task_summary>";
    let rest = vec![
        chunk(json!({ "content": summary }), None),
        chunk(json!({}), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let piece = chunk(json!({ "content": words }), None);
    Reply::Repeated(60, piece, rest)
}

// The model answers in a thread of its own, while megabytes are read in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_holds_nobody_up_and_is_caught_up_from_the_table() {
    let data = data_dir();
    let model = Model::start([("Talk", vec![talk()])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Talk").await;
    let path = format!("/ws/projects/{project}?after=0");
    let mut slow = Feed::open_without_buffer(&server, &path).await;
    while slow.frame().await != FeedFrame::CaughtUp {}
    let mut quick = server.feed(project).await;
    let text_bytes = |feed: &Feed| {
        let pieces = feed.events.iter().map(|event| match &event.kind {
            EventKind::TextPiece { turn: 1, piece } => piece.text.len(),
            _ => 0,
        });
        pieces.sum::<usize>()
    };
    // More than lies in the buffers, however many pieces it comes in: those that arrive together
    // are one event. Then more events than the server keeps for who is late, and some text.
    while text_bytes(&quick) < BUFFERED_BYTES {
        quick.event().await;
    }
    for title in 1..=80 {
        let form = [
            ("project", &*project.to_string()),
            ("title", &title.to_string()),
        ];
        let (status, _) = server.post("/api/projects/rename", &form).await;
        assert_eq!(status, 200);
    }
    let before = text_bytes(&quick);
    while text_bytes(&quick) < before + 5 * PIECE_BYTES {
        quick.event().await;
    }
    model.release();
    assert_eq!(quick.ended(1).await.0, RunState::Succeeded);

    assert_eq!(slow.ended(1).await.0, RunState::Succeeded);
    let (slow, quick) = (text_bytes(&slow), text_bytes(&quick));
    assert!(
        slow < quick,
        "what was replaced meanwhile is not sent: {slow} of {quick}"
    );
}
