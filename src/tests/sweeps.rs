//! Freeing disk space: unneeded data is removed by age and by need; versions never are.

use std::{fs, path::Path};

use codeflow::{
    protocol::{EventKind, ProjectId, RunState, Workspace},
    store::Store,
};
use serde_json::{Value, json};

use crate::{
    history::damage,
    support::{Model, Reply, Server, data_dir, until},
};

/// Thirty-one days, in milliseconds.
const LONG: i64 = 31 * 24 * 3600 * 1000;
const TWO_HOURS: i64 = 2 * 3600 * 1000;

fn builds() -> Vec<Reply> {
    vec![Reply::write("index.html", "<h1>Kept</h1>"), Reply::done()]
}

fn reads() -> Vec<Reply> {
    vec![
        Reply::call("readFiles", json!({ "files": ["index.html"] })),
        Reply::done(),
    ]
}

async fn open(data: &Path) -> Store {
    Store::open_file(&data.join("codeflow.sqlite"))
        .await
        .unwrap()
}

/// A project with a version; its id and its sandbox's.
async fn built(server: &Server, store: &Store) -> (ProjectId, String) {
    let project = server.create("Build").await;
    let (state, message) = server.feed(project).await.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    (project, store.sandbox_of(project).await.unwrap().unwrap())
}

fn is_there(data: &Path, sandbox: &str) -> bool {
    data.join("sandboxes").join(sandbox).exists()
}

#[tokio::test]
async fn old_runs_keep_their_figures_and_lose_their_outputs_and_nothing_that_is_needed_goes() {
    let data = data_dir();
    let model = Model::start([("Build", builds()), ("Change", reads()), ("Go on", reads())]).await;
    let server = Server::start_and(data.path(), &model, &[("SWEEP_SECONDS", "1")]);
    let store = open(data.path()).await;
    let (project, _) = built(&server, &store).await;
    server.send(project, "Change").await;
    server.feed(project).await.ended(2).await;
    let before = server.workspace(project).await;
    let [old, newest] = [before.runs[0].id, before.runs[1].id];
    let (old_before, newest_before) = (server.details(old).await, server.details(newest).await);
    let files = store
        .latest_version(project)
        .await
        .unwrap()
        .map(|version| version.entries);

    damage(
        data.path(),
        &[
            &format!("UPDATE runs SET finished_at = finished_at - {LONG}"),
            "INSERT INTO blobs (hash, size, content) VALUES ('nobody has it', 1, X'00')",
        ],
    )
    .await;
    until("the old run is trimmed", async || {
        let steps = store.list_steps(old).await.unwrap();
        steps
            .iter()
            .all(|step| {
                step.output
                    .as_ref()
                    .is_some_and(|output| output.len() < 200)
            })
            .then_some(())
    })
    .await;
    until("the blob is gone", async || {
        // Another one can take its place only when it is not there.
        let gone = damage_if(
            data.path(),
            "INSERT INTO blobs (hash, size, content) VALUES ('nobody has it', 1, X'00')",
        )
        .await;
        gone.then_some(())
    })
    .await;

    let old_after = server.details(old).await;
    for (before, after) in old_before.steps.iter().zip(&old_after.steps) {
        assert!(
            after.output.as_ref().unwrap().contains("no longer kept")
                || after.name == "build-agent-input",
            "{after:?}"
        );
        let figures = |step: &codeflow::protocol::StepSummary| {
            (
                step.name.clone(),
                step.state,
                step.attempt,
                step.started_at,
                step.finished_at,
                step.spent,
            )
        };
        assert_eq!(figures(before), figures(after));
    }
    assert_eq!(old_before.summary.spent, old_after.summary.spent);
    assert_eq!(
        newest_before.steps,
        server.details(newest).await.steps,
        "the newest run stays whole"
    );
    let kept = store.events_of_run(old).await.unwrap();
    assert!(kept.iter().all(|event| matches!(
        event.kind,
        EventKind::Message { .. }
            | EventKind::Run { .. }
            | EventKind::Title { .. }
            | EventKind::Files { .. }
    )));
    let after = server.workspace(project).await;
    // This test has changed when they ended.
    let runs = |workspace: &Workspace| {
        workspace
            .runs
            .iter()
            .map(|run| (run.id, run.state))
            .collect::<Vec<_>>()
    };
    assert_eq!(runs(&before), runs(&after));
    assert_eq!(
        (before.messages, before.events),
        (after.messages, after.events)
    );
    assert_eq!(
        store
            .latest_version(project)
            .await
            .unwrap()
            .map(|version| version.entries),
        files
    );

    server.send(project, "Go on").await;
    let mut feed = server.feed(project).await;
    assert_eq!(feed.ended(3).await.0, RunState::Succeeded);
    store.close().await;
}

/// Whether the statement succeeded.
async fn damage_if(data: &Path, statement: &str) -> bool {
    let url = format!("sqlite:{}", data.join("codeflow.sqlite").display());
    let database = sea_orm::Database::connect(url).await.unwrap();
    let done = sea_orm::ConnectionTrait::execute_unprepared(&database, statement)
        .await
        .is_ok();
    database.close().await.unwrap();
    done
}

#[tokio::test]
async fn sandboxes_that_no_project_has_go_and_young_or_needed_ones_stay() {
    let data = data_dir();
    let model = Model::start([("Build", builds()), ("Go on", reads())]).await;
    let server = Server::start(data.path(), &model);
    let store = open(data.path()).await;
    let (_, needed) = built(&server, &store).await;
    let (deleted, of_deleted) = built(&server, &store).await;
    let (moved, of_moved) = built(&server, &store).await;
    let (young, of_young) = built(&server, &store).await;
    store.close().await;
    server.stop();
    for sandbox in [&needed, &of_deleted, &of_moved] {
        let path = data
            .path()
            .join("sandboxes")
            .join(sandbox)
            .join("sandbox.json");
        let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record["started_at"] = json!(record["started_at"].as_i64().unwrap() - TWO_HOURS);
        fs::write(&path, record.to_string()).unwrap();
    }
    damage(
        data.path(),
        &[
            &format!("DELETE FROM projects WHERE id IN ('{deleted}', '{young}')"),
            &format!("UPDATE projects SET sandbox = '{needed}' WHERE id = '{moved}'"),
        ],
    )
    .await;
    let server = Server::start(data.path(), &model);
    until("the two are gone", async || {
        (!is_there(data.path(), &of_deleted) && !is_there(data.path(), &of_moved)).then_some(())
    })
    .await;
    assert!(is_there(data.path(), &needed) && is_there(data.path(), &of_young));
    server.stop();
}

#[tokio::test]
async fn an_unused_project_loses_its_sandbox_and_never_its_work_by_age_and_when_the_disk_runs_low()
{
    let data = data_dir();
    let large = "head -c 40M /dev/zero > film; mkdir -m 000 closed";
    let with_large = vec![
        Reply::write("index.html", "<h1>Kept</h1>"),
        Reply::call("terminal", json!({ "command": large })),
        Reply::done(),
    ];
    let model = Model::start([
        ("Build", builds()),
        ("Large files", with_large),
        ("Go on", reads()),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let store = open(data.path()).await;
    let (old, of_old) = built(&server, &store).await;
    let unsaved = server.create("Large files").await;
    assert_eq!(
        server.feed(unsaved).await.ended(1).await.0,
        RunState::Succeeded
    );
    let of_unsaved = store.sandbox_of(unsaved).await.unwrap().unwrap();
    let (lost, of_lost) = built(&server, &store).await;
    let (recent, of_recent) = built(&server, &store).await;
    let (used, of_used) = built(&server, &store).await;
    server.stop();
    fs::remove_dir_all(data.path().join("sandboxes").join(&of_lost)).unwrap();
    let age = |project: ProjectId, by: i64| {
        format!(
            "UPDATE projects SET updated_at = updated_at - {by}, used_at = used_at - {by} WHERE id = '{project}'"
        )
    };
    // The sandbox then has a file that is in no version.
    let unsave = |project: ProjectId| {
        format!(
            "DELETE FROM fragment_files WHERE path = 'index.html' AND fragment_id IN (SELECT id FROM fragments WHERE project_id = '{project}')"
        )
    };
    damage(
        data.path(),
        &[
            &age(old, LONG),
            &age(unsaved, LONG),
            &age(lost, LONG),
            &age(recent, TWO_HOURS),
            &unsave(unsaved),
            &unsave(recent),
        ],
    )
    .await;
    let server = Server::start(data.path(), &model);
    let is_gone = async |project: ProjectId, sandbox: &str| {
        until("the project's sandbox is gone", async || {
            (store.sandbox_of(project).await.unwrap().is_none() && !is_there(data.path(), sandbox))
                .then_some(())
        })
        .await;
    };
    is_gone(old, &of_old).await;
    is_gone(unsaved, &of_unsaved).await;
    is_gone(lost, &of_lost).await;
    assert!(
        [&of_recent, &of_used]
            .iter()
            .all(|sandbox| is_there(data.path(), sandbox))
    );
    let drafts = async |project: ProjectId| {
        let versions = store.list_versions(project).await.unwrap();
        let drafts = versions.iter().filter(|version| version.draft);
        drafts
            .map(|draft| (draft.number, draft.title.clone(), draft.changed))
            .collect::<Vec<_>>()
    };
    assert!(drafts(old).await.is_empty(), "its version has everything");
    let unsaved_changes = (1, "Unsaved changes".to_owned(), Some(1));
    assert_eq!(
        drafts(unsaved).await,
        std::slice::from_ref(&unsaved_changes)
    );
    assert_eq!(server.workspace(old).await.notice, None);
    let notice = server.workspace(lost).await.notice.unwrap();
    assert!(notice.contains("was lost"), "{notice}");
    let notice = server.workspace(unsaved).await.notice.unwrap();
    assert!(
        notice.contains("`film`: a file of 40 MiB") && notice.contains("`closed`: a folder"),
        "{notice}"
    );
    let page = server.get(&format!("/projects/{unsaved}")).await;
    assert!(
        page.text().await.unwrap().contains("a file of 40 MiB"),
        "the page says what is gone"
    );
    let goes_on = async |server: &Server, project: ProjectId| {
        server.send(project, "Go on").await;
        let mut feed = server.feed(project).await;
        assert_eq!(feed.ended(2).await.0, RunState::Succeeded);
        let read = feed.tool("turn-1-readFiles-1").output.unwrap();
        assert!(read.contains("<h1>Kept</h1>"), "{read}");
    };
    goes_on(&server, old).await;
    goes_on(&server, unsaved).await;
    server.stop();

    // No disk has as much.
    let server = Server::start_and(data.path(), &model, &[("DISK_FREE_MB", "1000000000")]);
    is_gone(recent, &of_recent).await;
    assert!(is_there(data.path(), &of_used));
    assert_eq!(store.sandbox_of(used).await.unwrap(), Some(of_used));
    assert_eq!(drafts(recent).await, [unsaved_changes]);
    goes_on(&server, recent).await;
    store.close().await;
}
