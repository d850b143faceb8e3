//! Odd answers: cut off, empty, full of thoughts, with an early summary or none, and missing
//! titles.

use codeflow::protocol::{EventKind, MessageKind, RunState};
use serde_json::{Value, json};

use crate::support::{Feed, Model, NAMING, Reply, Server, data_dir};

/// An answer whose deltas are these.
fn answer(deltas: impl IntoIterator<Item = Value>, finish: &str) -> Reply {
    let line = |delta: Value, finish: Value| {
        format!(
            "data: {}\n\n",
            json!({ "choices": [{ "delta": delta, "finish_reason": finish }] })
        )
    };
    let mut lines: Vec<String> = deltas
        .into_iter()
        .map(|delta| line(delta, Value::Null))
        .collect();
    lines.push(line(json!({}), json!(finish)));
    lines.push("data: [DONE]\n\n".to_owned());
    Reply::Raw(lines)
}

fn call(index: usize, name: &str, arguments: &str) -> Value {
    let function = json!({ "name": name, "arguments": arguments });
    json!({ "tool_calls": [{ "index": index, "id": format!("call_{index}"), "function": function }] })
}

/// The only run of a project with these answers: its state, its message, the model and the feed.
async fn ended(replies: Vec<Reply>) -> (RunState, String, Model, Feed) {
    let data = data_dir();
    let model = Model::start([("Build", replies)]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    (state, message.content, model, feed)
}

fn last_note(model: &Model, request: usize) -> String {
    let (role, note) = model.said(request).pop().unwrap();
    assert_eq!(role, "system", "{note}");
    note
}

#[tokio::test]
async fn a_cut_off_answer_keeps_its_complete_calls_and_the_model_continues_from_there() {
    let cut = answer(
        [
            call(
                0,
                "createOrUpdateFiles",
                r#"{"files":[{"path":"whole.txt","content":"all of it"}]}"#,
            ),
            call(
                1,
                "createOrUpdateFiles",
                r#"{"files":[{"path":"half.txt","content":"half of i"#,
            ),
        ],
        "length",
    );
    let talk = answer([json!({ "content": "I was about to" })], "length");
    let read = Reply::call("readFiles", json!({ "files": ["whole.txt", "half.txt"] }));
    let (state, content, model, feed) = ended(vec![cut, talk, read, Reply::done()]).await;
    assert_eq!(state, RunState::Succeeded, "{content}");
    for request in [2, 3] {
        let note = last_note(&model, request);
        assert!(
            note.contains("cut off") && note.contains("fewer or smaller files"),
            "{note}"
        );
    }
    let output = feed.tool("turn-3-readFiles-1").output.unwrap();
    assert!(
        output.contains("=== whole.txt\nall of it") && !output.contains("half of i"),
        "{output}"
    );
}

#[tokio::test]
async fn a_model_that_is_cut_off_again_and_again_is_an_error() {
    let endless = || answer([json!({ "content": "And then" })], "length");
    let (state, content, model, _) = ended(vec![endless(), endless(), Reply::done()]).await;
    assert_eq!(state, RunState::Failed);
    assert!(
        content.contains("limit of output tokens") && content.contains("AI_MODEL"),
        "{content}"
    );
    assert_eq!(model.turns().len(), 2);
}

#[tokio::test]
async fn an_empty_answer_is_asked_for_again() {
    let empty = answer([json!({ "role": "assistant", "content": "" })], "stop");
    let list = Reply::call("listFiles", json!({ "path": "." }));
    let (state, content, model, _) = ended(vec![
        Reply::InTurn(vec![empty.clone(), list]),
        Reply::done(),
    ])
    .await;
    assert_eq!(state, RunState::Succeeded, "{content}");
    assert_eq!(model.asked_for(1), 2);
    let (state, content, model, _) = ended(vec![empty]).await;
    assert_eq!(state, RunState::Failed);
    assert!(content.contains("cut off: it is empty"), "{content}");
    assert_eq!(model.asked_for(1), 3);
}

#[tokio::test]
async fn a_summary_beside_calls_counts_if_nothing_else_follows() {
    let early = answer(
        [
            json!({ "content": "<task_summary>All of it is there.</task_summary>" }),
            call(0, "listFiles", r#"{"path":"."}"#),
        ],
        "tool_calls",
    );
    for last in [answer([], "stop"), Reply::Text("All done!")] {
        let (state, content, model, _) = ended(vec![early.clone(), last]).await;
        assert_eq!(
            (state, content.as_str()),
            (RunState::Succeeded, "All of it is there.")
        );
        assert_eq!(model.turns().len(), 2);
    }
    // What follows is what counts.
    let write = Reply::write("more.txt", "more");
    let (_, content, model, _) = ended(vec![early, write, Reply::done()]).await;
    assert_eq!(content, "Built **what you asked for**.");
    assert_eq!(model.turns().len(), 3);
}

#[tokio::test]
async fn written_down_thinking_is_shown_as_such_and_neither_said_nor_sent_back_nor_obeyed() {
    let thinking = "<think>\nI could end with <task_summary>nothing</task_summary>, or write\n```html index.html\nno\n```\n</think>\n\nI look first.";
    let first = answer(
        [
            json!({ "content": thinking }),
            call(0, "listFiles", r#"{"path":"."}"#),
        ],
        "tool_calls",
    );
    let data = data_dir();
    let title = Reply::Text("<think>\nA short one.\n</think>\n\nBread shop");
    let model = Model::start([("Build", vec![first, Reply::done()]), (NAMING, vec![title])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let message = feed.succeeded(1).await;
    assert_eq!(message.content, "Built **what you asked for**.");
    assert_eq!(feed.said(1), "I look first.");
    let thought = feed.events.iter().find_map(|event| match &event.kind {
        EventKind::Thinking { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert!(thought.unwrap().starts_with("I could end with"));
    assert!(!model.turns()[1].to_string().contains("think>"));
    assert_eq!(server.workspace(project).await.project.title, "Bread shop");
}

#[tokio::test]
async fn a_repair_that_stalls_ends_with_what_the_check_found() {
    let give_up = || Reply::Text("I don't know how.");
    let replies = vec![
        Reply::write("broken", "<html>no</html>"),
        Reply::done(),
        give_up(),
        give_up(),
    ];
    let (state, content, model, _) = ended(replies).await;
    assert_eq!(state, RunState::Failed);
    for part in ["without saying that it is done", "does not work yet", "500"] {
        assert!(content.contains(part), "{part} is not in {content}");
    }
    assert_eq!(model.turns().len(), 4, "it was reminded once");
}

#[tokio::test]
async fn a_missing_title_becomes_the_prompt_s_first_words() {
    for naming in [
        Reply::Status(404, "no such model"),
        answer([], "stop"),
        Reply::Text("\n \n"),
    ] {
        let data = data_dir();
        let prompt = "Build me a shop for bread, with a cart and a page for each loaf, please, and make it warm";
        let model = Model::start([(prompt, vec![Reply::done()]), (NAMING, vec![naming])]).await;
        let server = Server::start(data.path(), &model);
        let project = server.create(prompt).await;
        let (state, message) = server.feed(project).await.ended(1).await;
        assert_eq!(
            (state, message.kind),
            (RunState::Succeeded, MessageKind::Result),
            "{}",
            message.content
        );
        let title = "Build me a shop for bread, with a cart and a page for each…";
        assert_eq!(server.workspace(project).await.project.title, title);
        assert_eq!(message.fragment.unwrap().title, title);
    }
}
