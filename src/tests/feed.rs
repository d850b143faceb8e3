//! What clients of the feed hear while a model writes, when they are slow, and after the run has
//! ended.

use std::collections::HashMap;

use codeflow::protocol::{EventKind, FeedFrame, RunState};
use serde_json::json;

use crate::support::{Feed, Model, Reply, Server, data_dir};

#[tokio::test]
async fn files_are_seen_while_the_model_writes_them_and_are_folded_when_the_run_has_ended() {
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

    // Who comes later needs none of it.
    let mut later = server.feed(project).await;
    later.ended(1).await;
    let count =
        |of: fn(&EventKind) -> bool| later.events.iter().filter(|event| of(&event.kind)).count();
    assert_eq!(count(|kind| matches!(kind, EventKind::Draft { .. })), 0);
    assert_eq!(count(|kind| matches!(kind, EventKind::Files { .. })), 1);
    assert_eq!(count(|kind| matches!(kind, EventKind::Tool { .. })), 2);
}

// The model answers in a thread of its own, while megabytes are read in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_holds_nobody_up_and_is_caught_up_from_the_table() {
    let data = data_dir();
    // Megabytes of growing text, more than lies in the buffers between.
    let words: &'static str = Box::leak("Words and words. ".repeat(6000).into_boxed_str());
    let model = Model::start([(
        "Talk",
        vec![Reply::Slow(1, Box::new(Reply::Text(words))), Reply::done()],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Talk").await;
    let mut slow = Feed::open(&server, &format!("/ws/projects/{project}?after=0")).await;
    while slow.frame().await != FeedFrame::CaughtUp {}
    let mut quick = server.feed(project).await;
    assert_eq!(quick.ended(1).await.0, RunState::Succeeded);
    let texts = |feed: &Feed| {
        let text = |kind: &EventKind| matches!(kind, EventKind::Text { turn: 1, .. });
        feed.events.iter().filter(|event| text(&event.kind)).count()
    };
    assert!(texts(&quick) > 100, "{}", texts(&quick));

    assert_eq!(slow.ended(1).await.0, RunState::Succeeded);
    let (slow, quick) = (texts(&slow), texts(&quick));
    assert!(
        slow < quick,
        "what was replaced meanwhile is not sent: {slow} of {quick}"
    );
}
