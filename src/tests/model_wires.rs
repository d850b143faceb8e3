//! Protocols other than chat completions, over HTTP: the same builds, the same faults, fallback
//! between providers of different kinds, and chats whose prefix never changes. The scripted server
//! refuses what real ones refuse.

use codeflow::protocol::{EventKind, MessageKind, RunState};
use serde_json::{Value, json};

use crate::support::{Feed, Model, Reply, Server, Wire, data_dir, until};

const NEW: [Wire; 2] = [Wire::Responses, Wire::Messages];
const ALL: [Wire; 3] = [Wire::Chat, Wire::Responses, Wire::Messages];

/// Leaves a line behind each time it is executed.
fn mark() -> Reply {
    Reply::call("terminal", json!({ "command": "echo once >> marks" }))
}

fn marks() -> Reply {
    Reply::call("readFiles", json!({ "files": ["marks"] }))
}

fn borrowed<'a>(env: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    env.iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// A run of the model over this protocol: its outcome and its final message.
async fn run(model: &Model, wire: Wire, env: &[(&str, &str)]) -> (RunState, String, Feed) {
    let data = data_dir();
    let own = model.env_of(wire);
    let server = Server::start_and(data.path(), model, &[&borrowed(&own)[..], env].concat());
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(
        message.kind == MessageKind::Result,
        state == RunState::Succeeded
    );
    assert_eq!(model.refused(), Vec::<String>::new());
    (state, message.content, feed)
}

/// The command was executed once.
fn assert_once(feed: &Feed, what: &str) {
    let read = feed.tool("turn-2-readFiles-1").output.unwrap();
    assert_eq!(read, "=== marks\nonce\n\n", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_built_over_every_protocol_and_what_a_provider_wants_back_comes_back() {
    for wire in NEW {
        let two = Reply::Calls(vec![
            (
                "terminal",
                json!({ "command": "echo once >> marks" }).to_string(),
            ),
            ("listFiles", json!({ "path": "." }).to_string()),
        ]);
        let model = Model::start([("Build", vec![two, marks(), Reply::done()])]).await;
        let (state, content, feed) = run(&model, wire, &[]).await;
        assert_eq!(state, RunState::Succeeded, "{wire:?}: {content}");
        assert_once(&feed, "over every protocol");
        let turns = model.turns();
        assert_eq!(turns.len(), 3);
        let sent = turns[2]["sent"].to_string();
        // The server seals its reasoning, and each answer's seal came back.
        let seals = sent.matches("sealed by the scripted server").count();
        assert_eq!(seals, if wire == Wire::Messages { 4 } else { 2 }, "{sent}");
        if wire == Wire::Responses {
            assert_eq!(sent.matches("hologram").count(), 2, "{sent}");
            let key = turns[0]["sent"]["prompt_cache_key"].as_str().unwrap();
            assert!(key.starts_with("codeflow-"), "{key}");
        }
        let spent = feed.events.iter().find_map(|event| match &event.kind {
            EventKind::Run { run } if run.state == RunState::Succeeded => run.spent,
            _ => None,
        });
        let spent = spent.unwrap();
        assert_eq!(
            (spent.input_tokens, spent.output_tokens),
            (4 * 7, 4 * 3),
            "{wire:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_gets_over_the_same_failures() {
    let overloaded = || Reply::Status(529, "overloaded_error");
    for wire in NEW {
        for failures in [
            vec![
                Reply::Later(429, "1"),
                Reply::Status(500, "oops"),
                overloaded(),
            ],
            vec![Reply::Dropped, mark().cut(0)],
            // In mid-text, in mid-arguments, and after all without the answer's end.
            vec![Reply::Text("I will first look at").cut(50), mark().cut(70)],
            vec![mark().cut(100)],
            vec![Reply::Silent(60, Box::new(mark()))],
            vec![failed_within(wire)],
        ] {
            let what = format!("{wire:?}: {failures:?}");
            let asked = failures.len() + 1;
            let is_silent = matches!(failures[0], Reply::Silent(..));
            let first = Reply::InTurn(failures.into_iter().chain([mark()]).collect());
            let model = Model::start([("Build", vec![first, marks(), Reply::done()])]).await;
            let short = [("AI_SILENCE_SECONDS", "3")];
            let env = if is_silent { &short[..] } else { &[] };
            let (state, content, feed) = run(&model, wire, env).await;
            assert_eq!(state, RunState::Succeeded, "{what}: {content}");
            assert_once(&feed, &what);
            assert_eq!(model.asked_for(1), asked, "{what}");
        }
    }
}

/// A good status, and an error in the stream.
fn failed_within(wire: Wire) -> Reply {
    let error = match wire {
        Wire::Messages => {
            json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } })
        }
        _ => json!({ "type": "error", "code": "server_error", "message": "on fire" }),
    };
    Reply::Raw(vec![format!("event: error\ndata: {error}\n\n")])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_reports_the_same_permanent_failures() {
    for wire in NEW {
        for (failure, attempts, said) in [
            (Reply::Status(401, "bad key"), 1, "refused the key"),
            (Reply::Status(402, "empty"), 1, "no credit left"),
            (Reply::Status(404, "no such model"), 1, "AI_MODEL"),
            (Reply::Later(429, "3600"), 1, "at its limit"),
            (
                Reply::Body("text/html", vec![b"<html><title>Sign in</title>".to_vec()]),
                1,
                "is not a model",
            ),
        ] {
            let model = Model::start([("Build", vec![failure])]).await;
            let (state, content, _) = run(&model, wire, &[]).await;
            assert_eq!(state, RunState::Failed);
            assert!(content.contains(said), "{wire:?}: {content}");
            assert_eq!(model.asked_for(1), attempts, "{wire:?}: {content}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_another_kind_takes_over_and_a_crash_in_between_loses_nothing() {
    for first_wire in ALL {
        for second_wire in ALL.into_iter().filter(|wire| *wire != first_wire) {
            let what = format!("{first_wire:?} to {second_wire:?}");
            let first = Model::start([("Build", vec![mark(), Reply::Status(402, "empty")])]).await;
            let script = vec![mark(), marks().held(), Reply::done()];
            let second = Model::start([("Build", script)]).await;
            let env = [first.env_of(first_wire), second.fallback_env(second_wire)].concat();
            let env = borrowed(&env);
            let data = data_dir();
            let server = Server::process(data.path(), &first, &env).await;
            let project = server.create("Build").await;
            until("the second provider is asked", async || {
                (second.asked_for(2) == 1).then_some(())
            })
            .await;
            server.kill();
            let server = Server::start_and(data.path(), &first, &env);
            let mut feed = server.feed(project).await;
            until("it is asked again", async || {
                (second.asked_for(2) == 2).then_some(())
            })
            .await;
            second.release();
            let (state, message) = feed.ended(1).await;
            assert_eq!(state, RunState::Succeeded, "{what}: {}", message.content);
            assert_once(&feed, &what);
            assert_eq!((first.asked_for(1), second.asked_for(1)), (1, 0), "{what}");
            for model in [&first, &second] {
                assert_eq!(model.refused(), Vec::<String>::new(), "{what}");
            }
            // Nothing that one provider sealed or made up was sent to the other.
            for turn in second.turns_of("Build") {
                let own = usize::from(second_wire == Wire::Messages) + 1;
                let answers = turn["messages"].as_array().unwrap().iter();
                let answers = answers
                    .filter(|message| message["role"] == "assistant")
                    .count();
                let seals = turn
                    .to_string()
                    .matches("sealed by the scripted server")
                    .count();
                let most = if second_wire == Wire::Chat {
                    0
                } else {
                    own * (answers - 1)
                };
                assert_eq!(seals, most, "{what}: {turn}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_wants_responses_is_asked_over_them_from_then_on() {
    let refusal = "Function tools with reasoning_effort are not supported for m in /v1/chat/completions. To use function tools, use \
                   /v1/responses or set reasoning_effort to 'none'.";
    let first = Reply::InTurn(vec![Reply::Status(400, refusal), mark()]);
    let model = Model::start([("Build", vec![first, marks(), Reply::done()])]).await;
    model.has_responses();
    let data = data_dir();
    let server = Server::start_and(data.path(), &model, &[("AI_REASONING", "high")]);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_once(&feed, "learned");
    assert_eq!(model.refused(), Vec::<String>::new());
    let efforts: Vec<Value> = model
        .turns()
        .iter()
        .map(|turn| turn["sent"]["reasoning"]["effort"].clone())
        .collect();
    assert_eq!(
        efforts,
        [json!(null), json!("high"), json!("high"), json!("high")]
    );
}

/// A list without its end, as it is sent.
fn open_list(value: &Value) -> String {
    value.to_string().trim_end_matches(']').to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_byte_for_byte_what_was_sent_before() {
    for wire in ALL {
        let steps = (1..30).map(|number| Reply::write(&format!("notes/{number}.txt"), "noted"));
        let script: Vec<Reply> = steps.chain([Reply::done()]).collect();
        let model = Model::start([("Build", script)]).await;
        let (state, content, _) = run(&model, wire, &[]).await;
        assert_eq!(state, RunState::Succeeded, "{wire:?}: {content}");
        let turns = model.turns();
        assert_eq!(turns.len(), 30, "{wire:?}");
        for pair in turns.windows(2) {
            let [before, after] = pair else { continue };
            let sent = |turn: &Value| match wire {
                Wire::Chat => turn.clone(),
                _ => turn["sent"].clone(),
            };
            let (before, after) = (sent(before), sent(after));
            for field in ["tools", "instructions", "system", "prompt_cache_key"] {
                assert_eq!(
                    before[field].to_string(),
                    after[field].to_string(),
                    "{wire:?}"
                );
            }
            let list = if wire == Wire::Responses {
                "input"
            } else {
                "messages"
            };
            let (before, after) = (open_list(&before[list]), open_list(&after[list]));
            assert!(
                before.len() > 2 && after.len() > before.len() && after.starts_with(&before),
                "{wire:?}: {before}\n{after}"
            );
        }
    }
}
