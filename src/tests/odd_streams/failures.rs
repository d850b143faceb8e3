//! Answers that fail, are refused, are cut off or lead nowhere: each has its own message and its
//! own number of attempts.

use codeflow::protocol::{EventKind, RunState};
use serde_json::{Value, json};

use super::{answer, beside, data, delta, done, end, ended_by, few_at_a_time, piece, run};
use crate::support::{Model, Reply, Server, data_dir};

#[tokio::test]
async fn a_failure_of_any_shape_is_reported_in_its_own_words_after_the_attempts_it_deserves() {
    let good = delta(json!({ "content": "I begin" }));
    let event = |event: &str| Reply::Raw(vec![data(&good), event.to_owned(), done()]);
    let body = |kind, body: &str| Reply::Body(kind, vec![body.as_bytes().to_vec()]);
    let rows = [
        (
            "M9 detail",
            event("data: {\"detail\":\"model is loading\"}\n\n"),
            4,
            "model is loading",
        ),
        (
            "M9 an event",
            event("event: error\ndata: {\"message\":\"upstream overloaded\",\"status\":529}\n\n"),
            4,
            "upstream overloaded (529)",
        ),
        (
            "M9 beside a reason",
            event(
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}],\"error\":{\"message\":\"engine died\"}}\n\n",
            ),
            4,
            "engine died",
        ),
        (
            "M9 a key",
            event(
                "data: {\"error\":{\"type\":\"authentication_error\",\"message\":\"bad key\"}}\n\n",
            ),
            1,
            "OPENAI_API_KEY",
        ),
        (
            "M9 refused",
            event("data: {\"error\":{\"code\":\"content_filter\",\"message\":\"not that\"}}\n\n"),
            1,
            "refused to answer this: not that",
        ),
        (
            "M10 a page",
            body("text/html", "<html><title>Sign in</title>"),
            1,
            "it sent text/html that begins with “<html><title>Sign in",
        ),
        (
            "M10 words",
            body("text/plain", "It works!"),
            1,
            "text/plain that begins with “It works!”",
        ),
        (
            "M10 nothing",
            body("text/event-stream", ""),
            1,
            "that is empty",
        ),
        (
            "M10 an error",
            body(
                "application/json",
                "{\"error\":{\"message\":\"no such model\",\"code\":404}}",
            ),
            1,
            "no such model (404)",
        ),
        (
            "M9 llama.cpp",
            event("error: {\"code\":500,\"message\":\"slot died\",\"type\":\"server_error\"}\n\n"),
            4,
            "slot died (500)",
        ),
        (
            "M9 DashScope",
            event("data: {\"code\":\"InvalidApiKey\",\"message\":\"No API-key provided\"}\n\n"),
            1,
            "OPENAI_API_KEY",
        ),
        (
            "M9 Bedrock",
            event("data: {\"modelStreamErrorException\":{\"message\":\"the model failed\"}}\n\n"),
            4,
            "the model failed",
        ),
        (
            "M10 JSON that is no answer",
            body(
                "application/json",
                "{\"status\":\"ok\",\"version\":\"1.2\"}",
            ),
            1,
            "application/json that begins with “{\"status\":\"ok\"",
        ),
        (
            "a page of a proxy's",
            Reply::Status(502, "<html>"),
            4,
            "<html>",
        ),
    ];
    let model = &Model::start(
        rows.iter()
            .map(|(name, reply, ..)| (*name, vec![reply.clone()])),
    )
    .await;
    let data = data_dir();
    let server = &Server::start(data.path(), model);
    let checked = rows.iter().map(|(name, _, attempts, said)| async move {
        let (state, content, _) = run(server, name).await;
        assert_eq!(state, RunState::Failed, "{name}");
        assert!(content.contains(said), "{name}: {content}");
        assert_eq!(model.turns_of(name).len(), *attempts, "{name}: {content}");
    });
    few_at_a_time(checked).await;
}

/// A command that says this many characters.
fn say(number: usize) -> Reply {
    Reply::call(
        "terminal",
        json!({ "command": format!("printf '%06000d' {number}") }),
    )
}

#[tokio::test]
async fn a_chat_refused_as_too_long_in_any_wording_is_sent_again_shortened() {
    let cut = || Reply::Raw(vec![data(&delta(json!({ "content": "I beg" }))), done()]);
    let rows = [
        (
            "M15 input",
            vec![Reply::Status(400, "input is too long for requested model")],
        ),
        (
            "M15 a length",
            vec![Reply::Status(400, "Input length 210000 exceeds 200000")],
        ),
        ("M15 tokens", vec![Reply::Status(500, "too many tokens")]),
        ("M15 a string", vec![Reply::Status(422, "string too long")]),
        ("M15 a status", vec![Reply::Status(413, "Payload")]),
        (
            "M15 Chinese",
            vec![Reply::Status(400, "输入长度超过模型的最大限制")],
        ),
        (
            "M15 in the stream",
            vec![Reply::Raw(vec![data(
                &json!({ "object": "error", "message": "This model's maximum context length is 8192 tokens", "code": 400 }),
            )])],
        ),
        ("M15 without a word", vec![cut(), cut()]),
    ];
    let script = rows.iter().map(|(name, refusals)| {
        let last = Reply::InTurn(refusals.iter().cloned().chain([Reply::done()]).collect());
        (*name, (1..=4).map(say).chain([last]).collect())
    });
    let model = &Model::start(script).await;
    let data = data_dir();
    let server = &Server::start(data.path(), model);
    let checked = rows.iter().map(|(name, refusals)| async move {
        let (state, content, _) = run(server, name).await;
        assert_eq!(state, RunState::Succeeded, "{name}: {content}");
        let turns = model.turns_of(name);
        assert_eq!(turns.len(), 4 + refusals.len() + 1, "{name}");
        let [.., before, last] = &turns[..] else {
            panic!("{name}")
        };
        assert!(
            last.to_string().len() < before.to_string().len() - 6000,
            "{name}"
        );
        assert_eq!(
            last["messages"][0], before["messages"][0],
            "{name}: the rules stay"
        );
    });
    few_at_a_time(checked).await;
}

#[tokio::test]
async fn a_call_that_is_cut_off_writes_nothing_and_its_draft_leaves_the_page() {
    let half = || {
        piece(
            json!(0),
            json!("a"),
            "createOrUpdateFiles",
            "{\"files\":[{\"path\":\"half.txt\",\"content\":\"half of i",
        )
    };
    let look = || Reply::call("terminal", json!({ "command": "ls" }));
    let finishes = ["tool_calls", "max_tokens", "MAX_TOKENS", "length", "stop"];
    let script = finishes.map(|finish| {
        (
            finish,
            vec![ended_by(finish, &[half()]), look(), Reply::done()],
        )
    });
    let model = &Model::start(script).await;
    let data = data_dir();
    let server = &Server::start(data.path(), model);
    let checked = finishes.iter().map(|finish| async move {
        let (state, content, feed) = run(server, finish).await;
        assert_eq!(state, RunState::Succeeded, "{finish}: {content}");
        let turns = model.turns_of(finish);
        let note = turns[1]["messages"].as_array().unwrap().last().unwrap()["content"]
            .as_str()
            .unwrap();
        assert!(
            note.contains("cut off") && note.contains("fewer or smaller files"),
            "{finish}: {note}"
        );
        assert!(
            !feed
                .tool("turn-2-terminal-1")
                .output
                .unwrap()
                .contains("half.txt"),
            "{finish}"
        );
        let drafts = feed.events.iter().filter_map(|event| match &event.kind {
            EventKind::Draft { turn: 1, piece } => Some(piece.is_some()),
            _ => None,
        });
        let drafts: Vec<bool> = drafts.collect();
        assert!(
            drafts.first() == Some(&true) && drafts.last() == Some(&false),
            "{finish}: {drafts:?}"
        );
    });
    few_at_a_time(checked).await;
}

/// A chunk that reports usage.
fn usage(input: u64, output: u64) -> Value {
    json!({ "choices": [], "usage": { "prompt_tokens": input, "completion_tokens": output } })
}

#[tokio::test]
async fn the_largest_usage_counts_and_an_estimate_where_none_is_reported() {
    let call = || piece(json!(0), json!("a"), "listFiles", "{}");
    let bare = || answer(&[call()]);
    let after_the_end = |usages: &[Value]| {
        let parts = [call(), end("tool_calls")]
            .into_iter()
            .chain(usages.to_vec());
        Reply::Raw(parts.map(|part| data(&part)).chain([done()]).collect())
    };
    let growing = {
        let [first, second, third] = [(690, 1), (690, 5), (690, 10)].map(|(i, o)| usage(i, o));
        answer(&[first, call(), second, third])
    };
    let zeros_last = after_the_end(&[usage(690, 10), usage(0, 0)]);
    let zeros_first = after_the_end(&[usage(0, 0), usage(690, 10)]);
    // The limit, an answer that is repeated, and how many of them the limit lets through.
    let rows: [(&str, &str, Reply, usize, &str, bool); 5] = [
        (
            "RUN_MAX_TOKENS",
            "1000",
            growing,
            2,
            "it has used 1400 tokens",
            false,
        ),
        (
            "RUN_MAX_TOKENS",
            "1000",
            zeros_last,
            2,
            "it has used 1400 tokens",
            false,
        ),
        (
            "RUN_MAX_TOKENS",
            "1000",
            zeros_first,
            2,
            "it has used 1400 tokens",
            false,
        ),
        // The rules and the tools alone are more.
        ("RUN_MAX_TOKENS", "1000", bare(), 1, "RUN_MAX_TOKENS", true),
        ("RUN_MAX_COST", "0.001", bare(), 1, "RUN_MAX_COST", true),
    ];
    for (limit, value, reply, turns, said, estimated) in rows {
        let model = Model::start([("Build", vec![reply; 29])]).await;
        let data = data_dir();
        let env = [("AI_MODEL", "gpt-4o"), (limit, value)];
        let server = Server::start_and(data.path(), &model, &env);
        let (state, content, _) = run(&server, "Build").await;
        assert_eq!(state, RunState::Failed);
        assert!(content.contains(said), "{content}");
        assert_eq!(model.turns().len(), turns, "{content}");
        let usage: Value = server.get("/api/usage").await.json().await.unwrap();
        // It is left out where nothing was.
        assert_eq!(usage[0]["spent"]["estimated"] == true, estimated, "{usage}");
    }
}

#[tokio::test]
async fn an_odd_field_is_logged_once_for_its_provider() {
    let odd = || beside(delta(json!({ "tool_calls": {}, "content": 7 })));
    let model = Model::start([
        ("Build", vec![odd(), odd(), Reply::done()]),
        ("Again", vec![odd(), Reply::done()]),
    ])
    .await;
    let data = data_dir();
    let server = Server::start(data.path(), &model);
    for prompt in ["Build", "Again"] {
        let (state, content, _) = run(&server, prompt).await;
        assert_eq!(state, RunState::Succeeded, "{content}");
    }
    let log = server.log();
    for field in ["tool_calls", "content"] {
        let said = log.lines().filter(|line| {
            line.contains("read leniently") && line.contains(&format!("field=\"{field}\""))
        });
        assert_eq!(said.count(), 1, "{field}: {log}");
    }
}

#[tokio::test]
async fn going_in_circles_ends_a_run_early_and_the_error_names_the_circle() {
    let write = |turn: usize| Reply::write("x.txt", &format!("x={}", turn % 2));
    let random = |_| Reply::call("terminal", json!({ "command": "echo $RANDOM" }));
    let miss = |turn: usize| {
        Reply::call(
            "editFile",
            json!({ "path": "index.html", "old": format!("no {turn}"), "new": "" }),
        )
    };
    let rows: [(&'static str, Vec<Reply>, &str); 3] = [
        (
            "M14 to and fro",
            (0..29).map(write).collect(),
            "the same change of x.txt",
        ),
        (
            "M14 a command",
            (0..29).map(random).collect(),
            "echo $RANDOM",
        ),
        (
            "M14 misses",
            (0..29).map(miss).collect(),
            "a text in index.html",
        ),
    ];
    let model = &Model::start(
        rows.iter()
            .map(|(name, replies, _)| (*name, replies.clone())),
    )
    .await;
    let data = data_dir();
    let server = &Server::start(data.path(), model);
    let checked = rows.iter().map(|(name, _, said)| async move {
        let (state, content, _) = run(server, name).await;
        assert_eq!(state, RunState::Failed, "{name}");
        assert!(
            content.contains("went round in circles") && content.contains(said),
            "{name}: {content}"
        );
        assert!(
            model.turns_of(name).len() <= 12,
            "{name}: {}",
            model.turns_of(name).len()
        );
    });
    few_at_a_time(checked).await;
}
