//! The engine on PostgreSQL: it behaves as on SQLite.

use std::time::Duration;

use codeflow::{
    protocol::{AppEntry, MessageKind, RunState, SecondStepSetup, UserId},
    store::{NewFragment, Store},
};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
use serde_json::json;

use crate::accounts::{PASSWORD, cookie, get, post, server, sessions, sign};
use crate::images::unused_images_go;
use crate::outside::sign_in;
use crate::passkeys::a_passkey_signs_in;
use crate::support::{Issuer, Model, Postgres, Reply, Server, data_dir, until};
use crate::teams::a_team_lives;
use crate::two_steps::{code, first_step, second_step};

#[tokio::test]
async fn runs_on_postgresql_survive_a_crash_wait_in_order_and_are_followed_without_a_gap() {
    let (postgres, data) = (Postgres::start().await, data_dir());
    let append = |line: &str| {
        Reply::call(
            "terminal",
            json!({ "command": format!("echo {line} >> log.txt") }),
        )
    };
    let model = Model::start([
        (
            "Build",
            vec![
                append("first"),
                Reply::write("index.html", "<h1>Über</h1>"),
                append("second").held(),
                Reply::call("readFiles", json!({ "files": ["log.txt"] })),
                Reply::done(),
            ],
        ),
        (
            "Zerobytes",
            vec![Reply::Text("<task_summary>Zero\0 bytes\0.</task_summary>")],
        ),
        (
            "Change",
            vec![Reply::InTurn(vec![
                Reply::Status(500, "oops"),
                Reply::done(),
            ])],
        ),
    ])
    .await;
    let env = [("DATABASE_URL", &*postgres.url)];
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    server.send(project, "Change").await;
    until("the third turn is asked for", async || {
        (model.asked_for(3) == 1).then_some(())
    })
    .await;
    server.kill();

    let server = Server::start_and(data.path(), &model, &env);
    until("it is asked for again", async || {
        (model.asked_for(3) == 2).then_some(())
    })
    .await;
    assert_eq!(
        server.states(project).await,
        [RunState::Running, RunState::Queued]
    );
    model.release();
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(2).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    assert_eq!(server.states(project).await, [RunState::Succeeded; 2]);
    assert_eq!(message.fragment.unwrap().number, 2);
    let workspace = server.workspace(project).await;
    let results = workspace
        .messages
        .iter()
        .filter(|message| message.kind == MessageKind::Result);
    assert_eq!(results.count(), 2);

    let store = Store::open(&postgres.url).await.unwrap();
    let steps = store.list_steps(workspace.runs[0].id).await.unwrap();
    let step = |name: &str| steps.iter().find(|step| step.name == name).unwrap();
    assert_eq!((step("turn-1").attempt, step("turn-3").attempt), (1, 2));
    assert_eq!(step("turn-1").spent.input_tokens, 7);
    assert!(
        step("turn-4-readFiles-1")
            .output
            .as_ref()
            .unwrap()
            .contains("first\\nsecond")
    );
    let files = store
        .latest_version(project)
        .await
        .unwrap()
        .unwrap()
        .entries;
    assert!(files.contains(&AppEntry::file(
        "index.html",
        "<h1>Über</h1>".as_bytes().to_vec()
    )));
    let output = store
        .step_output(workspace.messages[0].id, "turn-4-readFiles-1")
        .await
        .unwrap();
    assert!(output.unwrap().contains("first\\nsecond"));
    let usage = store.list_usage(None).await.unwrap();
    assert_eq!(
        (usage.len(), usage[0].runs, usage[0].unpriced),
        (1, 2, true)
    );
    let (local, days) = (UserId::local(), 30);
    let by_day = store.list_usage_by_day(&local, days).await.unwrap();
    let runs: u64 = by_day.iter().map(|used| used.runs).sum();
    assert_eq!((by_day.len(), runs), (30, 2));
    let by_model = store.list_usage_by_model(&local, days).await.unwrap();
    assert_eq!(by_model[0].runs, 2);
    assert!(by_model[0].model.is_some() && by_model[0].spent.input_tokens > 0);
    unused_images_go(&store).await;
    // The sweeps' statements, too.
    assert_eq!(
        store
            .trim_runs(Duration::ZERO, 10, |_, _| "null".to_owned())
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store.list_steps(workspace.runs[0].id).await.unwrap()[0]
            .output
            .as_deref(),
        Some("null")
    );
    store.remove_unused_blobs(10).await.unwrap();
    assert!(store.latest_version(project).await.unwrap().is_some());
    let unused = store.unused_projects(Duration::ZERO).await.unwrap();
    assert_eq!(
        unused
            .iter()
            .map(|unused| unused.project)
            .collect::<Vec<_>>(),
        [project]
    );
    store.give_back_space().await.unwrap();
    store.close().await;

    server.send(project, "Nothing is scripted for this").await;
    assert_eq!(feed.ended(3).await.0, RunState::Failed);
    // PostgreSQL takes no zero bytes in texts, and what programs print has them.
    server.send(project, "Zero\0bytes").await;
    let (state, message) = feed.ended(4).await;
    assert_eq!(
        (state, message.content.as_str()),
        (RunState::Succeeded, "Zero\u{fffd} bytes\u{fffd}.")
    );
    server.stop();
}

#[tokio::test]
async fn accounts_on_postgresql_have_two_steps_passkeys_a_copy_an_end_and_other_services() {
    let (postgres, data) = (Postgres::start().await, data_dir());
    let issuer = Issuer::start().await;
    let env = [&[("DATABASE_URL", &*postgres.url)][..], &issuer.env()].concat();
    let server = server(&data, &env).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let password = [("current", PASSWORD)];
    let setup = post(&server, "/api/account/two-step/begin", &ada, &password).await;
    let setup: SecondStepSetup = setup.json().await.unwrap();
    let form = [("code", &*code(&setup.secret, 0))];
    let codes = post(&server, "/api/account/two-step/confirm", &ada, &form).await;
    let codes: Vec<String> = codes.json().await.unwrap();
    for code in [code(&setup.secret, 1), codes[0].clone()] {
        let step = first_step(&server).await;
        assert!(second_step(&server, &step, &code).await.is_ok(), "{code}");
        let step = first_step(&server).await;
        assert!(second_step(&server, &step, &code).await.is_err(), "{code}");
    }
    // New recovery codes take the place of those before.
    let wrong = [("current", "another password")];
    let refused = post(&server, "/api/account/two-step/codes", &ada, &wrong).await;
    assert_eq!(refused.status(), 400);
    let renewed = post(&server, "/api/account/two-step/codes", &ada, &password).await;
    let renewed: Vec<String> = renewed.json().await.unwrap();
    assert_eq!(renewed.len(), codes.len());
    for (code, works) in [(&codes[1], false), (&renewed[0], true)] {
        let step = first_step(&server).await;
        let signed_in = second_step(&server, &step, code).await;
        assert_eq!(signed_in.is_ok(), works, "{code}");
    }
    a_passkey_signs_in(&server, &ada).await;
    let export = get(&server, "/api/account/export.zip", &ada).await;
    assert_eq!(export.status(), 200);
    let (to, _) = sign_in(&server, &issuer, "oidc").await;
    assert_eq!(to, "/sign-in?refused=taken");
    let deleted = post(&server, "/api/account/delete", &ada, &password).await;
    assert_eq!(deleted.status(), 200);
    for count in 1..3 {
        let (_, session) = sign_in(&server, &issuer, "oidc").await;
        assert_eq!(sessions(&server, &session.unwrap()).await.len(), count);
    }
}

#[tokio::test]
async fn a_team_on_postgresql_is_what_it_is_on_sqlite() {
    let (postgres, data) = (Postgres::start().await, data_dir());
    let model = Model::start([]).await;
    let env = [("AUTH", "on"), ("DATABASE_URL", &*postgres.url)];
    let server = Server::start_and(data.path(), &model, &env);
    a_team_lives(&server).await;
}

#[tokio::test]
async fn an_unknown_value_names_its_column_and_a_lost_content_is_found_on_both_databases() {
    let (postgres, data) = (Postgres::start().await, data_dir());
    let file = data.path().join("values.db");
    let sqlite = format!("sqlite:{}", file.display());
    Store::open_file(&file).await.unwrap().close().await;
    for (url, unchecked) in [
        (&*sqlite, "PRAGMA foreign_keys = OFF"),
        (&*postgres.url, "SET session_replication_role = replica"),
    ] {
        let store = Store::open(url).await.unwrap();
        let new = NewFragment {
            project_title: "App".to_owned(),
            title: "One".to_owned(),
            entries: ["a", "b", "c"]
                .map(|path| AppEntry::file(path, path.into()))
                .into(),
            partial: false,
            picture: None,
        };
        let user = UserId::local();
        let made = store.create_ready_project(&user, "Build", "Done", &new);
        let project = made.await.unwrap().id;
        let version = store.latest_fragment(project).await.unwrap().unwrap().id;
        let mut one = ConnectOptions::new(url);
        let db = Database::connect(one.max_connections(1).clone())
            .await
            .unwrap();
        let set_kind = async |kind: &str| {
            let set = format!("UPDATE fragment_files SET kind = '{kind}' WHERE path = 'b'");
            db.execute_unprepared(&set).await.unwrap();
        };
        set_kind("device").await;
        let error = store.version_file(version, "b").await.unwrap_err();
        let words = error.to_string();
        assert!(
            words.contains("the column kind holds no FileKind: “device” is none of"),
            "{words}"
        );
        let error = store.latest_file(project, "b").await.unwrap_err();
        assert_eq!(error.to_string(), words);
        let paths = store.latest_paths(project).await.unwrap();
        assert_eq!(paths, ["a", "c"], "it costs nothing but itself");

        set_kind("executable").await;
        db.execute_unprepared(unchecked).await.unwrap();
        let lose = "DELETE FROM blobs WHERE hash IN \
             (SELECT hash FROM fragment_files WHERE path IN ('a', 'b'))";
        db.execute_unprepared(lose).await.unwrap();
        let lost = store.lost_files().await.unwrap();
        let found = lost.iter().map(|file| (file.project, file.version));
        assert_eq!(found.collect::<Vec<_>>(), [(project, 1), (project, 1)]);
        store.put_back(&lost[1].hash, b"b").await.unwrap();
        store.forget_files(&lost[..1]).await.unwrap();
        assert!(store.lost_files().await.unwrap().is_empty());
        let left = store.latest_version(project).await.unwrap().unwrap();
        let paths: Vec<&str> = left.entries.iter().map(|entry| &*entry.path).collect();
        assert_eq!((&*paths, left.partial), (&["b", "c"][..], true));
        db.close().await.unwrap();
        store.close().await;
    }
}
