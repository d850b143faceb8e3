//! Models' visible reasoning: people read it while it grows and afterwards, and no other provider
//! gets it.

use codeflow::protocol::{Event, EventKind, RunState};
use serde_json::json;

use crate::support::{Model, Reply, Server, Wire, data_dir};

const THOUGHT: &str = "**The list first**, then the form.\n\nKäse is what it sells.";
const ALL: [Wire; 3] = [Wire::Chat, Wire::Responses, Wire::Messages];

fn thinking(thought: &'static str, reply: Reply) -> Reply {
    Reply::Thinking(thought, Box::new(reply))
}

fn borrowed<'a>(env: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    env.iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// The whole thinking of the first turn: text and HTML. All such events say the same.
fn whole(events: &[Event]) -> (String, String) {
    let found = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Thinking {
            turn: 1,
            text,
            html,
            took: Some(_),
        } => Some((text.clone(), html.clone())),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no thinking in {events:#?}"))
}

/// How many pieces of thinking there are, and what they add up to.
fn pieces(events: &[Event]) -> (usize, String) {
    let (mut count, mut text) = (0, String::new());
    for event in events {
        if let EventKind::ThinkingPiece { turn: 1, piece } = &event.kind {
            assert!(piece.apply(&mut text) && !piece.html.is_empty());
            count += 1;
        }
    }
    (count, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_grows_in_pieces_over_every_protocol_and_stays_after_a_reload_and_a_restart() {
    for wire in ALL {
        let slowly = Reply::Slow(
            15,
            Box::new(thinking(THOUGHT, Reply::Text("It is a shop."))),
        );
        let model = Model::start([("What is it?", vec![slowly])]).await;
        let data = data_dir();
        let own = model.env_of(wire);
        let env = borrowed(&own);
        let server = Server::start_and(data.path(), &model, &env);
        let form = [("prompt", "What is it?"), ("mode", "ask")];
        let (_, id) = server.post("/api/projects/create", &form).await;
        let project = serde_json::from_value(id).unwrap();
        let mut feed = server.feed(project).await;
        let message = feed.succeeded(1).await;
        assert_eq!(message.content, "It is a shop.", "{wire:?}");

        let (count, grown) = pieces(&feed.events);
        assert!(
            count > 2 && THOUGHT.starts_with(&grown),
            "{wire:?}: {grown}"
        );
        let (text, html) = whole(&feed.events);
        assert_eq!(text, THOUGHT, "{wire:?}");
        assert!(html.contains("<strong>The list first</strong>"), "{html}");
        // It comes before the words that it led to.
        let first = |name| {
            let mut names = feed.events.iter().map(|event| event.kind.name().as_str());
            names.position(|other| other == name)
        };
        assert!(first("thinking_piece") < first("text_piece"));

        let expected = (text, html);
        let reloaded = server.workspace(project).await.events;
        assert_eq!(whole(&reloaded), expected, "{wire:?}");
        assert_eq!(pieces(&reloaded).0, 0);
        server.stop();
        let server = Server::start_and(data.path(), &model, &env);
        let restarted = server.workspace(project).await.events;
        assert_eq!(whole(&restarted), expected, "{wire:?}");
        assert_eq!(model.refused(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_a_broken_answer_had_thought_is_void() {
    let half = thinking(
        "I will never end this thought, and say so at length.",
        Reply::done(),
    )
    .cut(30);
    let replies = vec![Reply::InTurn(vec![half, thinking(THOUGHT, Reply::done())])];
    let data = data_dir();
    let model = Model::start([("Build", replies)]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    let (_, grown) = pieces(&feed.events);
    assert!(THOUGHT.starts_with(&grown), "{grown}");
    let kept = server.workspace(project).await.events;
    let kept: Vec<_> = kept
        .iter()
        .filter(|event| event.kind.name().as_str().starts_with("thinking"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert_eq!(whole(&[kept[0].clone()]).0, THOUGHT);
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_goes_back_to_its_own_provider_alone() {
    let look = || Reply::call("listFiles", json!({ "path": "." }));
    for (first_wire, second_wire) in [
        (Wire::Chat, Wire::Responses),
        (Wire::Responses, Wire::Messages),
        (Wire::Messages, Wire::Chat),
    ] {
        let what = format!("{first_wire:?} to {second_wire:?}");
        let begun = vec![thinking(THOUGHT, look()), Reply::Status(402, "empty")];
        let first = Model::start([("Build", begun)]).await;
        let second = Model::start([("Build", vec![look(), Reply::done()])]).await;
        let own = [first.env_of(first_wire), second.fallback_env(second_wire)].concat();
        let data = data_dir();
        let server = Server::start_and(data.path(), &first, &borrowed(&own));
        let project = server.create("Build").await;
        let mut feed = server.feed(project).await;
        let (state, message) = feed.ended(1).await;
        assert_eq!(state, RunState::Succeeded, "{what}: {}", message.content);
        assert_eq!(whole(&feed.events).0, THOUGHT, "{what}");
        let has_thought = |request: &serde_json::Value| request.to_string().contains("Käse");
        assert!(has_thought(&first.turns()[1]), "{what}");
        assert!(!second.requests().iter().any(has_thought), "{what}");
        for model in [&first, &second] {
            assert_eq!(model.refused(), Vec::<String>::new(), "{what}");
        }
    }
}
