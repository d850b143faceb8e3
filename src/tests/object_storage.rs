//! Files and images in an S3-compatible bucket: a project lives there as it does in the database,
//! and what goes wrong with the bucket is said in words and loses nothing.

mod contents;

use std::{io::Read as _, path::Path};

use codeflow::{
    config::{Env, ObjectStorage},
    protocol::{AppEntry, ProjectId, RunState},
    store::{NewFragment, Store},
};
use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::{Value, json};

use crate::{
    environments::codeflow,
    start_up::failure,
    support::{Model, Reply, S3, Server, data_dir, picture, s3::Fault, until},
};

/// As a server reads these variables.
fn settings(env: &[(&str, &str)]) -> ObjectStorage {
    let env = Env::of(env.iter().copied(), "/usr/bin/codeflow");
    ObjectStorage::from_env(&env).unwrap().unwrap()
}

/// Changes the database behind the server's back.
async fn execute(url: &str, statement: &str) {
    let database = Database::connect(url).await.unwrap();
    database.execute_unprepared(statement).await.unwrap();
    database.close().await.unwrap();
}

/// The number that a query answers with.
async fn number(url: &str, query: &str) -> i64 {
    let database = Database::connect(url).await.unwrap();
    let backend = database.get_database_backend();
    let query = match backend {
        DbBackend::Postgres => format!("SELECT ({query})::BIGINT"),
        _ => query.to_owned(),
    };
    let row = database
        .query_one_raw(Statement::from_string(backend, query))
        .await
        .unwrap();
    let number = row.unwrap().try_get_by_index(0).unwrap();
    database.close().await.unwrap();
    number
}

fn sqlite(data: &Path) -> String {
    format!("sqlite:{}", data.join("codeflow.sqlite").display())
}

async fn model() -> Model {
    let random = "head -c 300000 /dev/urandom > random.bin";
    Model::start([
        (
            "Build",
            vec![
                Reply::write("index.html", "<h1>One</h1>"),
                Reply::call("terminal", json!({ "command": random })),
                Reply::done().held(),
            ],
        ),
        (
            "Change",
            vec![Reply::write("index.html", "<h1>Two</h1>"), Reply::done()],
        ),
        ("Go on", vec![Reply::done()]),
    ])
    .await
}

/// The text of the app's page, as the Code tab shows it.
async fn page(server: &Server, project: ProjectId) -> String {
    let path = format!("/api/files/read?project={project}&path=index.html");
    server.get(&path).await.text().await.unwrap()
}

/// Waits until the run's last answer is asked for, and lets it come.
async fn release(model: &Model) {
    until("the last answer is asked for", async || {
        (model.asked_for(3) >= 1).then_some(())
    })
    .await;
    model.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_lives_in_the_bucket_from_its_first_version_to_its_end() {
    let (data, s3, model) = (data_dir(), S3::start().await, model().await);
    let env = [&s3.env()[..], &[("SWEEP_SECONDS", "1")]].concat();
    let server = Server::start_and(data.path(), &model, &env);
    let (status, image) = server.upload(picture(200)).await;
    assert_eq!(status, 200, "{image}");
    let project = server.create("Build").await;
    release(&model).await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    assert!(s3.has(b"<h1>One</h1>"));
    server.send(project, "Change").await;
    feed.succeeded(2).await;
    assert!(s3.has(b"<h1>One</h1>") && s3.has(b"<h1>Two</h1>"));
    let url = sqlite(data.path());
    let kept = "SELECT coalesce(sum(length(content)), 0) FROM blobs";
    assert_eq!(number(&url, kept).await, 0, "nothing is in the database");

    // Opened, copied, restored and downloaded.
    let id = image["id"].as_str().unwrap();
    let shown = server.get(&format!("/api/images/{id}")).await;
    assert_eq!(shown.status(), 200);
    let shown = shown.bytes().await.unwrap();
    assert!(s3.has(&shown), "the image is in the bucket");
    let form = [("project", &*project.to_string())];
    let (status, copy) = server.post("/api/projects/duplicate", &form).await;
    assert_eq!(status, 200, "{copy}");
    let copy: ProjectId = serde_json::from_value(copy["id"].clone()).unwrap();
    assert!(page(&server, copy).await.contains("Two"));
    let form = [("project", &*project.to_string()), ("version", "1")];
    let (status, restored) = server.post("/api/versions/restore", &form).await;
    assert_eq!(status, 200, "{restored}");
    assert!(page(&server, project).await.contains("One"));
    for path in [
        format!("/projects/{project}/download.zip?version=2"),
        format!("/projects/{copy}/download.zip"),
    ] {
        let archive = server.get(&path).await;
        assert_eq!(archive.status(), 200, "{path}");
        let archive = std::io::Cursor::new(archive.bytes().await.unwrap());
        let mut archive = zip::ZipArchive::new(archive).unwrap();
        let mut text = String::new();
        let mut file = archive.by_name("index.html").unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "<h1>Two</h1>");
    }
    let figures = server.get("/metrics").await.text().await.unwrap();
    let put = r#"codeflow_bucket_requests_total{operation="put",outcome="ok"}"#;
    assert!(figures.contains(put), "{figures}");

    // Deleted, and swept a day later.
    for project in [project, copy] {
        let form = [("project", &*project.to_string())];
        let (status, answer) = server.post("/api/projects/delete", &form).await;
        assert!(status.is_success(), "{answer}");
    }
    until("only the image has a row", async || {
        (number(&url, "SELECT count(*) FROM blobs").await == 1).then_some(())
    })
    .await;
    assert!(s3.has(b"<h1>One</h1>"), "a backup may still want it");
    execute(&url, "UPDATE loose_objects SET since = 0").await;
    until("the objects are gone", async || {
        (s3.contents().len() == 1).then_some(())
    })
    .await;
    assert!(s3.has(&shown));
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_fails_in_the_middle_of_a_save_is_said_in_words_and_loses_nothing() {
    let (data, s3, model) = (data_dir(), S3::start().await, model().await);
    let server = Server::start_and(data.path(), &model, &s3.env());
    let project = server.create("Build").await;
    until("the last answer is asked for", async || {
        (model.asked_for(3) == 1).then_some(())
    })
    .await;
    s3.fail(None, Fault::Refused(503, "SlowDown"), usize::MAX);
    model.release();
    let mut feed = server.feed(project).await;
    let message = feed.failed(1).await;
    assert!(
        message
            .content
            .contains("The storage of files can't be reached"),
        "{}",
        message.content
    );
    assert!(!message.content.contains("S3"), "{}", message.content);
    let log = server.log();
    assert!(
        log.contains("S3_ENDPOINT=http") && log.contains("SlowDown"),
        "{log}"
    );
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!(
        (&ready["files"], &ready["database"]),
        (&json!("do not answer"), &json!("ok"))
    );
    // Pages that need no content are there, and an image is refused in words.
    for path in ["/".to_owned(), format!("/projects/{project}")] {
        assert_eq!(server.get(&path).await.status(), 200, "{path}");
    }
    let (status, refused) = server.upload(picture(1)).await;
    assert_eq!(status, 503, "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("Try again in a moment")
    );

    s3.heal();
    assert_eq!(server.get("/readyz").await.status(), 200);
    assert_eq!(server.upload(picture(1)).await.0, 200);
    server.send(project, "Go on").await;
    feed.succeeded(2).await;
    assert!(s3.has(b"<h1>One</h1>"));
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let store = store.with_bucket(Some(&settings(&s3.env()))).await.unwrap();
    let version = store.latest_version(project).await.unwrap().unwrap();
    let paths: Vec<_> = version.entries.iter().map(|entry| &*entry.path).collect();
    assert!(
        paths.contains(&"index.html") && paths.contains(&"random.bin"),
        "{paths:?}"
    );
    assert!(store.compare_with_bucket().await.unwrap().lost.is_empty());

    // A file that is lost there is that file's error.
    s3.flip(b"<h1>One</h1>");
    store.close().await;
    let version = format!("/api/versions/file?project={project}&version=1&path=index.html");
    let lost = server.get(&version).await;
    let (status, text) = (lost.status(), lost.text().await.unwrap());
    assert_eq!(status, 404, "{text}");
    assert!(text.contains("missing from the server's storage"), "{text}");
    let other = format!("/api/versions/file?project={project}&version=1&path=random.bin");
    assert_eq!(server.get(&other).await.status(), 200);
    assert_eq!(
        server.states(project).await,
        [RunState::Failed, RunState::Succeeded]
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_can_t_be_used_stops_the_start_in_one_line() {
    let (data, s3) = (data_dir(), S3::start().await);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let start = async |wrong: &[(&'static str, &str)]| {
        let demo = [("AI_PROVIDER", "demo")];
        let env = [&demo[..], &s3.env(), wrong].concat();
        let child = Server::spawn(data.path(), &env);
        let line = tokio::task::spawn_blocking(move || failure(child))
            .await
            .unwrap();
        assert!(!line.contains(S3::SECRET_KEY) && line.len() < 400, "{line}");
        line
    };
    for (wrong, expected) in [
        (
            ("S3_ACCESS_KEY", "unknown"),
            "S3_ACCESS_KEY and S3_SECRET_KEY (not shown) are refused by http",
        ),
        (("S3_SECRET_KEY", "guessed"), "(SignatureDoesNotMatch)"),
        (
            ("S3_BUCKET", "no-such-bucket"),
            "S3_BUCKET=no-such-bucket: there is no such bucket at http",
        ),
        (
            ("S3_REGION", "elsewhere"),
            "S3_REGION: the bucket codeflow-files",
        ),
        (("S3_ENDPOINT", &*nobody), "it gives no usable answer ("),
        (
            ("S3_ENDPOINT", "minio"),
            "S3_ENDPOINT=minio: the storage's https address",
        ),
        (
            ("S3_SECRET_KEY", ""),
            "S3_SECRET_KEY is not set: the access key's secret",
        ),
    ] {
        let line = start(&[wrong]).await;
        assert!(
            line.starts_with("codeflow: S3_") && line.contains(expected),
            "{line}"
        );
    }
    s3.fail(Some(Method::PUT), Fault::Refused(403, "AccessDenied"), 100);
    let line = start(&[]).await;
    assert!(
        line.contains("does not let this key read, write, list and delete"),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_have_what_is_in_the_bucket_and_the_doctor_compares_it() {
    let (data, s3) = (data_dir(), S3::start().await);
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let store = store.with_bucket(Some(&settings(&s3.env()))).await.unwrap();
    let contents = ["one", "two", "three", "four", "five", ""];
    let entries = contents.map(|content| AppEntry::file(format!("{content}.txt"), content.into()));
    let new = NewFragment {
        project_title: "App".to_owned(),
        title: "App".to_owned(),
        entries: entries.into(),
        partial: false,
        picture: Some(b"a picture"[..].into()),
    };
    let local = codeflow::protocol::UserId::local();
    let project = store
        .create_ready_project(&local, "Build", "Done", &new)
        .await
        .unwrap()
        .id;
    let version = store.latest_version(project).await.unwrap().unwrap();
    store.close().await;
    let run = async |data: &Path, env: &[(&str, &str)], arguments: &[&str]| {
        let env: Vec<(String, String)> = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let arguments: Vec<String> = arguments.iter().map(|&one| one.to_owned()).collect();
        let data = data.to_owned();
        let running = tokio::task::spawn_blocking(move || {
            let env: Vec<_> = env
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            codeflow(&data, &env, &arguments, "")
        });
        running.await.unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().to_str().unwrap();
    let (done, _, line) = run(data.path(), &[], &["backup", to]).await;
    assert!(!done && line.contains("S3_BUCKET is not set"), "{line}");
    let (done, printed, line) = run(data.path(), &s3.env(), &["backup", to]).await;
    assert!(
        done && printed.contains("7 files, 7 of them new"),
        "{printed} {line}"
    );
    s3.asked();
    let (done, printed, line) = run(data.path(), &s3.env(), &["backup", to]).await;
    assert!(
        done && printed.contains("7 files, 0 of them new"),
        "{printed} {line}"
    );
    assert_eq!(s3.asked(), [], "only what is missing is read");

    // Restored into a database alone, and into another bucket.
    let read = async |data: &Path, bucket: Option<&S3>| {
        let store = Store::open_file(&data.join("codeflow.sqlite"))
            .await
            .unwrap();
        let settings = bucket.map(|s3| settings(&s3.env()));
        let store = store.with_bucket(settings.as_ref()).await.unwrap();
        let read = store.latest_version(project).await.unwrap().unwrap();
        assert_eq!(read.entries, version.entries);
        store.close().await;
    };
    let (alone, moved, other) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        S3::start().await,
    );
    let (done, _, line) = run(alone.path(), &[], &["restore", to]).await;
    assert!(done, "{line}");
    read(alone.path(), None).await;
    let (done, _, line) = run(moved.path(), &s3.env(), &["restore", to]).await;
    assert!(
        !done && line.contains("is restored into an empty one"),
        "{line}"
    );
    let (done, _, line) = run(moved.path(), &other.env(), &["restore", to]).await;
    assert!(done, "{line}");
    assert_eq!(other.contents(), s3.contents());
    read(moved.path(), Some(&other)).await;

    // The doctor.
    let (done, report, line) = run(data.path(), &s3.env(), &["doctor"]).await;
    assert_eq!(
        report, "nothing is left over, and nothing is missing\n",
        "{line}"
    );
    assert!(done);
    let (done, _, line) = run(data.path(), &[], &["doctor"]).await;
    assert!(!done && line.contains("S3_BUCKET is not set"), "{line}");
    for lost in ["one", "two"] {
        s3.lose(lost.as_bytes());
    }
    s3.lose(b"a picture");
    s3.put("blobs/st/stray", b"nobody's".to_vec());
    let (_, report, line) = run(data.path(), &s3.env(), &["doctor", "--backup", to]).await;
    for found in [
        "2 files of versions: their contents are in the backup",
        "one.txt of version 1",
        "1 pictures and images whose objects are missing: they are in the backup",
        "1 objects in the bucket that nothing names: would be removed",
    ] {
        assert!(report.contains(found), "{report} {line}");
    }
    let fix = ["doctor", "--fix", "--backup", to];
    let (done, report, line) = run(data.path(), &s3.env(), &fix).await;
    assert!(done, "{report} {line}");
    assert!(s3.has(b"one") && s3.has(b"two") && s3.has(b"a picture"));
    let (_, report, _) = run(data.path(), &s3.env(), &["doctor"]).await;
    assert_eq!(report, "nothing is left over, and nothing is missing\n");
    read(data.path(), Some(&s3)).await;
    s3.lose(b"three");
    let (_, report, _) = run(data.path(), &s3.env(), &["doctor", "--fix"]).await;
    assert!(
        report.contains("1 files of versions: their contents are gone"),
        "{report}"
    );
    let (_, report, _) = run(data.path(), &s3.env(), &["doctor"]).await;
    assert_eq!(report, "nothing is left over, and nothing is missing\n");

    // Staging is emptied with its objects.
    let staging = [("CODEFLOW_ENV", "staging")];
    let (done, _, line) = run(data.path(), &staging, &["reset", "--staging", "--yes"]).await;
    assert!(done, "{line}");
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let store = store.with_bucket(Some(&settings(&s3.env()))).await.unwrap();
    assert!(store.remove_loose_objects(100).await.unwrap() > 0);
    assert_eq!(s3.contents().keys().collect::<Vec<_>>(), ["blobs/st/stray"]);
    store.close().await;
}
