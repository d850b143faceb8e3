//! A project survives its history: whatever of it is refused, damaged or from another version, the
//! next message works.

use std::{fs, path::Path};

use codeflow::protocol::{RunDetails, RunPage, RunState};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use serde_json::json;

use crate::support::{Model, Reply, Server, VISION, data_dir, picture, until};

/// Changes the database behind the server's back, without its constraints.
pub async fn damage(data: &Path, statements: &[&str]) {
    let mut options =
        ConnectOptions::new(format!("sqlite:{}", data.join("codeflow.sqlite").display()));
    options.max_connections(1);
    let database = Database::connect(options).await.unwrap();
    database
        .execute_unprepared("PRAGMA foreign_keys = OFF")
        .await
        .unwrap();
    for statement in statements {
        let changed = database.execute_unprepared(statement).await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement}");
    }
    database.close().await.unwrap();
}

#[tokio::test]
async fn unreadable_rows_are_skipped_and_harm_nothing_else() {
    let data = data_dir();
    let read = || Reply::call("readFiles", json!({ "files": ["index.html", "lost.html"] }));
    let model = Model::start([
        (
            "Build",
            vec![
                Reply::write("index.html", "<h1>Kept</h1>"),
                Reply::write("lost.html", "<h1>Lost</h1>"),
                Reply::done(),
            ],
        ),
        ("Change", vec![read(), Reply::done()]),
        ("Go on", vec![read(), Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    server.send(project, "Change").await;
    feed.succeeded(2).await;
    let runs = server.workspace(project).await.runs;
    let last = runs[1].id;
    server.stop();
    // The sandbox goes too, so that the app has to be made from a version with a hole.
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();
    damage(
        data.path(),
        &[
            &format!("UPDATE runs SET state = 'dreaming' WHERE id = '{}'", runs[0].id),
            r#"UPDATE events SET kind = '{"type":"hologram","depth":3}' WHERE subject = 'title'"#,
            &format!("UPDATE events SET kind = '{{broken' WHERE subject = 'status' AND run_id = '{last}'"),
            "UPDATE events SET kind = X'ff00fe' WHERE subject = 'text:2'",
            r#"UPDATE events SET kind = '{"type":"preview","preview":{"state":"floating"}}' WHERE subject = 'preview'"#,
            "UPDATE messages SET role = 'oracle' WHERE role = 'assistant' AND id = (SELECT min(id) FROM messages WHERE role = 'assistant')",
            &format!("UPDATE steps SET output = X'ff00fe' WHERE run_id = '{last}' AND name = 'verify-1'"),
            &format!("UPDATE steps SET output = '{{broken' WHERE run_id = '{last}' AND name = 'turn-1'"),
            "DELETE FROM blobs WHERE hash IN (SELECT hash FROM fragment_files WHERE path = 'lost.html')",
            "INSERT INTO projects (id, user_id, title, last_seq, created_at, updated_at) VALUES ('nonsense', 'local', 'Nonsense', 0, 0, 0)",
            "INSERT INTO runs (id, project_id, message_id, state, created_at) VALUES ('nonsense', 'nonsense', 'nonsense', 'queued', 0)",
            &format!(
                "INSERT INTO runs (id, project_id, message_id, state, created_at) VALUES ('nonsense too', '{project}', 'nonsense', 'running', 0)"
            ),
        ],
    )
    .await;

    let server = Server::start(data.path(), &model);
    let workspace = server.workspace(project).await;
    let states: Vec<_> = workspace.runs.iter().map(|run| run.state).collect();
    assert_eq!(
        (states, workspace.messages.len()),
        (vec![RunState::Succeeded], 3)
    );
    for page in ["/", &format!("/projects/{project}"), "/admin/runs"] {
        assert_eq!(server.get(page).await.status(), 200, "{page}");
    }
    let list: RunPage = server.get("/api/runs/list?").await.json().await.unwrap();
    assert_eq!(
        list.runs.iter().map(|run| run.run.id).collect::<Vec<_>>(),
        [last]
    );
    let details: RunDetails = server
        .get(&format!("/api/runs/details?run={last}"))
        .await
        .json()
        .await
        .unwrap();
    let names: Vec<_> = details.steps.iter().map(|step| &*step.name).collect();
    assert!(
        names.contains(&"turn-1") && !names.contains(&"verify-1"),
        "{names:?}"
    );

    server.send(project, "Go on").await;
    let mut feed = server.feed(project).await;
    // One of the two replies before can't be read.
    feed.succeeded(3).await;
    let read = feed.tool("turn-1-readFiles-1").output.unwrap();
    assert!(
        read.contains("<h1>Kept</h1>") && !read.contains("<h1>Lost</h1>"),
        "{read}"
    );
}

#[tokio::test]
async fn a_run_whose_saved_step_is_damaged_ends_and_the_next_one_begins() {
    let data = data_dir();
    let model = Model::start([
        (
            "Build",
            vec![
                Reply::write("index.html", "<h1>Kept</h1>"),
                Reply::done().held(),
            ],
        ),
        ("Go on", vec![Reply::done()]),
    ])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    until("the second turn is asked for", async || {
        (model.asked_for(2) == 1).then_some(())
    })
    .await;
    server.kill();
    damage(
        data.path(),
        &["UPDATE steps SET output = '{broken' WHERE name = 'turn-1'"],
    )
    .await;
    let server = Server::start(data.path(), &model);
    let mut feed = server.feed(project).await;
    feed.failed(1).await;
    server.send(project, "Go on").await;
    feed.succeeded(2).await;
}

#[tokio::test]
async fn a_refused_or_lost_image_spoils_no_later_message() {
    let data = data_dir();
    let model = Model::start([
        (
            VISION,
            vec![Reply::Status(
                400,
                "Invalid image_url: the image can't be decoded",
            )],
        ),
        ("Go on", vec![Reply::done()]),
        ("And on", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let image = server.upload(picture(250)).await.1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, project) = server
        .post(
            "/api/projects/create",
            &[("prompt", "Build this"), ("image", &image)],
        )
        .await;
    let project = serde_json::from_value(project).unwrap();
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Failed);
    assert!(
        message.content.contains("can't be decoded"),
        "{}",
        message.content
    );
    server.send(project, "Go on").await;
    feed.succeeded(2).await;

    let refused = server.workspace(project).await.runs[0].id.to_string();
    damage(
        data.path(),
        &[&format!("DELETE FROM blobs WHERE hash = '{image}'")],
    )
    .await;
    assert!(
        server
            .post("/api/runs/replay", &[("run", &refused)])
            .await
            .0
            .is_success()
    );
    let message = feed.failed(3).await;
    assert!(
        message.content.contains("is no longer stored"),
        "{}",
        message.content
    );
    server.send(project, "And on").await;
    feed.succeeded(4).await;
}

#[tokio::test]
async fn a_refused_chat_is_sent_again_with_less_of_what_is_old() {
    let data = data_dir();
    let refused = |status| Reply::Status(status, "Invalid value in 'messages[2].content'");
    let model = Model::start([
        (
            "Build",
            vec![
                Reply::write("index.html", "<h1>An odd file</h1>"),
                Reply::done(),
            ],
        ),
        (
            "Again",
            vec![Reply::InTurn(vec![refused(400), Reply::done()])],
        ),
        (
            "Once more",
            vec![Reply::InTurn(vec![
                refused(422),
                refused(400),
                Reply::done(),
            ])],
        ),
        ("Not at all", vec![refused(400)]),
        ("Go on", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    // Which of the last messages and contents each request has.
    let has = |text: &'static str| {
        let turns = model.turns();
        turns
            .iter()
            .skip(2)
            .map(|turn| turn["messages"].to_string().contains(text))
            .collect::<Vec<_>>()
    };
    server.send(project, "Again").await;
    feed.succeeded(2).await;
    assert_eq!(has("what you asked for"), [true, false]);
    assert_eq!(has("An odd file"), [true, true]);
    server.send(project, "Once more").await;
    feed.succeeded(3).await;
    assert_eq!(has("An odd file")[2..], [true, true, false]);
    server.send(project, "Not at all").await;
    let message = feed.failed(4).await;
    assert!(
        message.content.contains("messages[2].content"),
        "{}",
        message.content
    );
    server.send(project, "Go on").await;
    feed.succeeded(5).await;
}

#[tokio::test]
async fn texts_that_are_far_too_long_or_full_of_zero_bytes_spoil_no_later_message() {
    let data = data_dir();
    let long: &'static str = format!(
        "<task_summary>{}</task_summary>",
        "Done \u{0} and done. ".repeat(60_000)
    )
    .leak();
    let model = Model::start([
        (
            "Build",
            vec![
                Reply::call(
                    "terminal",
                    json!({ "command": "head -c 100000 /dev/zero; head -c 1000 /dev/urandom" }),
                ),
                Reply::write("zeros.txt", "a\0b"),
                Reply::Text(long),
            ],
        ),
        ("Go on", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    let million = "Build ".repeat(170_000);
    let (status, _) = server
        .post(
            "/api/messages/send",
            &[("project", &project.to_string()), ("text", &million)],
        )
        .await;
    assert!(status.is_client_error(), "{status}");
    server.send(project, "Go on").await;
    feed.succeeded(2).await;
}
