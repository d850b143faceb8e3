//! Backups: made while runs write, restored elsewhere, moved to PostgreSQL and back; and the
//! problems that `doctor` finds.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use codeflow::{
    protocol::{ProjectId, RunState},
    store::Store,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::json;

use crate::{
    environments::codeflow,
    support::{Model, Postgres, Reply, Server, data_dir, until},
};

/// The number of active runs.
const RUNS: usize = 20;

/// A model that builds a different app for each prompt. Every other one stops before its end.
async fn model() -> (Model, Vec<&'static str>) {
    let prompts: Vec<&str> = (0..RUNS)
        .map(|number| &*Box::leak(format!("Build {number}").into_boxed_str()))
        .collect();
    let script = prompts.iter().enumerate().map(|(number, prompt)| {
        let end = Reply::done();
        let bytes = format!("head -c 2000 /dev/urandom > random-{number}.bin; ln -s x link");
        let replies = vec![
            Reply::write("index.html", &format!("<h1>App {number}</h1>")),
            Reply::call("terminal", json!({ "command": bytes })),
            Reply::write("same.txt", "the same in all"),
            if number % 2 == 0 { end } else { end.held() },
        ];
        (*prompt, replies)
    });
    (Model::start(script.collect::<Vec<_>>()).await, prompts)
}

fn backup(data: &Path, folder: &Path) -> String {
    let folder = folder.to_str().unwrap();
    let (succeeded, printed, line) = codeflow(data, &[], &["backup", folder], "");
    assert!(succeeded, "{line}");
    printed
}

/// The lines of a backup's copy of the database.
fn lines(folder: &Path) -> BTreeSet<String> {
    let copy = fs::File::open(folder.join("database.jsonl.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(copy).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// How many versions of the project are the same in both, with their files; all of `copy` must be.
async fn same_versions(original: &Store, copy: &Store, project: ProjectId) -> usize {
    let versions = copy.list_versions(project).await.unwrap();
    for version in &versions {
        let kept = copy.find_version(project, version.id).await.unwrap();
        let written = original.find_version(project, version.id).await.unwrap();
        assert_eq!(kept.entries, written.entries);
        assert_eq!(kept.fragment, written.fragment);
        assert!(kept.entries.len() >= 3);
    }
    versions.len()
}

/// Waits until every run has succeeded.
async fn all_succeed(server: &Server, model: &Model, projects: &[ProjectId]) {
    for project in projects {
        until("its run has succeeded", async || {
            // Those that have come to their last answer meanwhile.
            model.release();
            let states = server.states(*project).await;
            (states == [RunState::Succeeded]).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_twenty_runs_is_restored_elsewhere_and_nothing_is_missing() {
    let (data, (model, prompts)) = (data_dir(), model().await);
    let env = [("RUNS_MAX_CONCURRENT", "20"), ("SANDBOX_MEMORY_MB", "256")];
    let server = Server::start_and(data.path(), &model, &env);
    let created = prompts.iter().map(|prompt| server.create(prompt));
    let projects: Vec<ProjectId> = futures::future::join_all(created).await;
    until("a run has ended", async || {
        let states = server.states(projects[0]).await;
        (states == [RunState::Succeeded]).then_some(())
    })
    .await;

    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    backup(data.path(), first.path());
    // Once more over an earlier one, while the others go on.
    backup(data.path(), second.path());
    for project in projects.iter().skip(1).step_by(2) {
        let state = server.states(*project).await;
        assert!(!state[0].is_final(), "the backups were made meanwhile");
    }
    let key = fs::metadata(first.path().join("secret.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    all_succeed(&server, &model, &projects).await;
    let printed = backup(data.path(), second.path());
    assert!(!printed.contains(" 0 of them new"), "{printed}");
    let kept = lines(second.path()).len();
    let printed = backup(data.path(), second.path());
    assert!(printed.contains(" 0 of them new"), "{printed}");
    assert!(lines(second.path()).len() >= kept);
    let original = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();

    // The last one has everything.
    let whole = tempfile::tempdir().unwrap();
    let from = second.path().to_str().unwrap();
    let (succeeded, printed, line) = codeflow(whole.path(), &[], &["restore", from], "");
    assert!(succeeded, "{line}");
    assert!(printed.contains("is in place"), "{printed}");
    let copy = Store::open_file(&whole.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    for project in &projects {
        assert_eq!(same_versions(&original, &copy, *project).await, 1);
    }
    copy.close().await;
    let (succeeded, printed, line) = codeflow(whole.path(), &[], &["doctor"], "");
    assert!(succeeded, "{line}");
    assert_eq!(printed, "nothing is left over, and nothing is missing\n");
    let (_, _, line) = codeflow(whole.path(), &[], &["restore", from], "");
    assert!(line.contains("is restored into an empty"), "{line}");

    // The first backup has unfinished runs; a server elsewhere finishes them.
    let elsewhere = data_dir();
    let from = first.path().to_str().unwrap();
    let (succeeded, _, line) = codeflow(elsewhere.path(), &[], &["restore", from], "");
    assert!(succeeded, "{line}");
    let keys =
        [data.path(), elsewhere.path()].map(|data| fs::read(data.join("secret.key")).unwrap());
    assert_eq!(keys[0], keys[1]);
    let copy = Store::open_file(&elsewhere.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let mut versions = 0;
    for project in &projects {
        versions += same_versions(&original, &copy, *project).await;
    }
    assert!((1..=RUNS / 2).contains(&versions), "{versions}");
    copy.close().await;
    original.close().await;
    server.stop();
    let server = Server::start_and(elsewhere.path(), &model, &env);
    all_succeed(&server, &model, &projects).await;
    for project in &projects {
        assert_eq!(
            server.get(&format!("/projects/{project}")).await.status(),
            200
        );
        let path = format!("/api/files/read?project={project}&path=same.txt");
        let text = server.get(&path).await.text().await.unwrap();
        assert!(text.contains("the same in all"), "{text}");
    }
    server.stop();

    // To PostgreSQL and back.
    let postgres = Postgres::start().await;
    let database = [("DATABASE_URL", &*postgres.url)];
    let (empty, third) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = second.path().to_str().unwrap();
    let (succeeded, _, line) = codeflow(empty.path(), &database, &["restore", from], "");
    assert!(succeeded, "{line}");
    let to = third.path().to_str().unwrap();
    let (succeeded, _, line) = codeflow(empty.path(), &database, &["backup", to], "");
    assert!(succeeded, "{line}");
    assert_eq!(lines(second.path()), lines(third.path()));
    let copy = Store::open(&postgres.url).await.unwrap();
    let again = tempfile::tempdir().unwrap();
    let (succeeded, _, line) = codeflow(again.path(), &[], &["restore", to], "");
    assert!(succeeded, "{line}");
    let back = Store::open_file(&again.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    for project in &projects {
        assert_eq!(same_versions(&copy, &back, *project).await, 1);
    }
    copy.close().await;
    back.close().await;
    let (_, _, line) = codeflow(
        tempfile::tempdir().unwrap().path(),
        &database,
        &["restore", to],
        "",
    );
    assert!(line.contains("the database has rows"), "{line}");
    let staging = [database[0], ("CODEFLOW_ENV", "staging")];
    let (succeeded, _, line) =
        codeflow(empty.path(), &staging, &["reset", "--staging", "--yes"], "");
    assert!(succeeded, "{line}");
}

#[test]
fn what_is_no_backup_of_this_version_or_of_any_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().to_str().unwrap();
    let restore = |copy: &str| {
        let data = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join("database.jsonl.gz")).unwrap();
        let mut file = GzEncoder::new(file, Compression::fast());
        file.write_all(copy.as_bytes()).unwrap();
        file.finish().unwrap();
        let (succeeded, _, line) = codeflow(data.path(), &[], &["restore", from], "");
        assert!(!succeeded, "{copy}");
        line
    };
    let data = tempfile::tempdir().unwrap();
    let (_, _, line) = codeflow(data.path(), &[], &["restore", from], "");
    assert!(line.contains("this is no backup"), "{line}");
    let (_, _, line) = codeflow(data.path(), &[], &["backup", from], "");
    assert!(line.contains("there is no database at"), "{line}");
    let head = |migrations: &str| {
        format!(r#"{{"line":"head","format":1,"codeflow":"9.1.0","migrations":[{migrations}]}}"#)
    };
    let line = restore(&head(r#""m20990101_000001_later""#));
    assert!(
        line.contains("the backup is of CodeFlow 9.1.0, which is newer") && line.contains("m2099"),
        "{line}"
    );
    for (copy, why) in [
        (String::new(), "does not begin as one"),
        ("[1]\n".to_owned(), "does not begin as one"),
        (head(""), "of its copy of the database is missing"),
        (format!("{}\n[null]\n", head("")), "a row has no table"),
        (
            format!("{}\n{{\"line\":\"end\",\"rows\":3}}\n", head("")),
            "a line can't be read",
        ),
    ] {
        let line = restore(&copy);
        assert!(line.contains(why), "{line}");
    }
    let (succeeded, ..) = codeflow(data.path(), &[], &["migrate"], "");
    assert!(succeeded);
    let others = tempfile::tempdir().unwrap();
    fs::write(others.path().join("letter.txt"), "mine").unwrap();
    let place = others.path().to_str().unwrap();
    let (_, _, line) = codeflow(data.path(), &[], &["backup", place], "");
    assert!(
        line.contains("has files of others, such as letter.txt"),
        "{line}"
    );
}

#[test]
fn the_doctor_names_what_is_left_over_and_removes_it_only_when_told_to() {
    let data = tempfile::tempdir().unwrap();
    let (_, _, line) = codeflow(data.path(), &[], &["doctor"], "");
    assert!(line.contains("there is no database at"), "{line}");
    let (succeeded, ..) = codeflow(data.path(), &[], &["migrate"], "");
    assert!(succeeded);
    let sandboxes = data.path().join("sandboxes");
    let record = |id: &str, metadata: serde_json::Value| {
        let record = json!({
            "id": id, "template": "nextjs", "version": "v1", "token": null,
            "metadata": metadata, "envs": {}, "started_at": 1, "end_at": 2, "timeout": 1,
            "auto_pause": true, "auto_resume": true,
        });
        fs::create_dir_all(sandboxes.join(id)).unwrap();
        fs::write(sandboxes.join(id).join("sandbox.json"), record.to_string()).unwrap();
    };
    let project = "00000000-0000-7000-8000-000000000000";
    record("iorphan", json!({ "project": project }));
    record(
        "iforeign",
        json!({ "project": project, "installation": "another" }),
    );
    record("iown", json!({}));
    fs::create_dir(sandboxes.join("iunfinished")).unwrap();
    fs::create_dir(sandboxes.join("idamaged")).unwrap();
    fs::write(sandboxes.join("idamaged/sandbox.json"), "{").unwrap();
    fs::write(sandboxes.join("iown/sandbox.json.part"), "{").unwrap();
    let left = || {
        let entries = fs::read_dir(&sandboxes).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<BTreeSet<_>>()
    };
    let before = left();
    let (succeeded, report, line) = codeflow(data.path(), &[], &["doctor"], "");
    assert!(succeeded, "{line}");
    for what in [
        "iorphan is of no project: would be removed",
        "iunfinished was never finished: would be removed",
        "sandbox.json.part was left half-written: would be removed",
        "Nothing was changed",
    ] {
        assert!(report.contains(what), "{report}");
    }
    assert_eq!(report.lines().count(), 4, "{report}");
    assert_eq!(left(), before);
    let (succeeded, report, line) = codeflow(data.path(), &[], &["doctor", "--fix"], "");
    assert!(succeeded && !report.contains("would"), "{report} {line}");
    let kept = ["idamaged", "iforeign", "iown"].map(str::to_owned);
    assert_eq!(left(), BTreeSet::from(kept));
    let (_, report, _) = codeflow(data.path(), &[], &["doctor"], "");
    assert_eq!(report, "nothing is left over, and nothing is missing\n");
}
