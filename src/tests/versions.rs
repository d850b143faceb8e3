//! Versions: listed, viewed, restored without losing anything, compared and downloaded.

use std::io::{Cursor, Read as _};

use codeflow::protocol::{
    Author, ChangeKind, EventKind, FileDiff, Fragment, PreviewState, ProjectId, RunState,
    VersionDiff, VersionView,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::support::{ControlPlane, Host, Model, PATIENCE, Reply, Server, data_dir, http, until};

/// A name that is awkward in addresses, headers and archives.
const ODD: &str = "public/[id] (a)@b #1 100% 🚀.txt";

async fn model() -> Model {
    let shell = |command: &str| Reply::call("terminal", json!({ "command": command }));
    Model::start([
        (
            "Build",
            vec![
                Reply::write("index.html", "<h1>One</h1>"),
                Reply::write(ODD, "odd"),
                shell("echo '#!/bin/sh' > run.sh; chmod +x run.sh; ln -s index.html link.html; mkdir empty"),
                Reply::done(),
            ],
        ),
        (
            "Change",
            vec![
                Reply::write("index.html", "<h1>Two</h1>"),
                Reply::write("lib/second.html", "<h1>Second</h1>"),
                shell("rm -r public run.sh; mkdir run.sh; touch run.sh/x"),
                Reply::done(),
            ],
        ),
        ("Wait", vec![Reply::done().held()]),
    ])
    .await
}

async fn versions(server: &Server, project: ProjectId) -> Vec<Fragment> {
    let listed = server
        .get(&format!("/api/versions/list?project={project}"))
        .await;
    listed.json().await.unwrap()
}

async fn restore(server: &Server, project: ProjectId, version: &str) -> (StatusCode, Value) {
    let form = [("project", &*project.to_string()), ("version", version)];
    server.post("/api/versions/restore", &form).await
}

/// The file's text, as the Code tab shows it; `None` when there is none.
async fn text(server: &Server, project: ProjectId, path: &str) -> Option<String> {
    let read = server
        .get(&format!("/api/files/read?project={project}&path={path}"))
        .await;
    if read.status() == 404 {
        return None;
    }
    let view: Value = read.json().await.unwrap();
    Some(view["lines"].to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_looked_at_compared_downloaded_and_restored_and_nothing_newer_is_lost() {
    let host = Host::start().await;
    let data = tempfile::tempdir().unwrap();
    let model = model().await;
    let server = host.serve(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    server.send(project, "Change").await;
    feed.succeeded(2).await;
    let listed = versions(&server, project).await;
    let numbers: Vec<_> = listed
        .iter()
        .map(|version| (version.number, version.author))
        .collect();
    assert_eq!(numbers, [(2, Author::Agent), (1, Author::Agent)]);
    assert_eq!(
        listed[0].changed,
        Some(5),
        "two pages, the odd file, run.sh and what is in its place"
    );

    // What differs.
    let compared = server
        .get(&format!(
            "/api/versions/compare?project={project}&from=1&to=2"
        ))
        .await;
    let diff: VersionDiff = compared.json().await.unwrap();
    let kind = |path: &str| {
        let mut changes = diff.changes.iter();
        changes
            .find(|change| change.path == path)
            .map(|change| change.kind)
    };
    assert_eq!(kind("index.html"), Some(ChangeKind::Changed));
    assert_eq!(kind("lib/second.html"), Some(ChangeKind::Added));
    assert_eq!(kind(ODD), Some(ChangeKind::Removed));
    let lines = server
        .get(&format!(
            "/api/versions/diff?project={project}&to=2&path=index.html"
        ))
        .await;
    let lines: FileDiff = lines.json().await.unwrap();
    assert!(
        lines.lines.contains(&"-<h1>One</h1>".to_owned()),
        "{:?}",
        lines.lines
    );
    assert_eq!(lines.after.as_deref(), Some("<h1>Two</h1>"));

    // A version is looked at in a sandbox of its own.
    let own = host.get("/v2/sandboxes").await[0]["sandboxID"].clone();
    let own = own.as_str().unwrap();
    let look = format!("/api/versions/view?project={project}&version=1");
    let url = until("the version is shown", async || {
        let view: VersionView = server.get(&look).await.json().await.unwrap();
        assert!(!view.newest);
        match view.preview {
            PreviewState::Ready { url, .. } => Some(url),
            PreviewState::Failed { reason, .. } => panic!("{reason}"),
            _ => None,
        }
    })
    .await;
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    assert!(!address.contains(own));
    let page = http()
        .get(host.url())
        .header("host", address)
        .send()
        .await
        .unwrap();
    assert_eq!(page.text().await.unwrap(), "<h1>One</h1>");
    let count = async || host.get("/v2/sandboxes").await.as_array().unwrap().len();
    assert_eq!(count().await, 2);
    server.get(&look).await;
    assert_eq!(count().await, 2, "it is found again");
    let files = server
        .get(&format!(
            "/api/versions/file?project={project}&version=1&path=run.sh"
        ))
        .await;
    assert_eq!(files.status(), 200);

    // Somebody's command makes files, and a cache.
    let sandbox = host.client.connect(own, PATIENCE).await.unwrap();
    for path in ["late.txt", "node_modules/kept", "index.html"] {
        let path = format!("/home/user/{path}");
        sandbox
            .write_file(&path, b"by hand".to_vec())
            .await
            .unwrap();
    }
    let (status, restored) = restore(&server, project, "1").await;
    assert_eq!(status, 200, "{restored}");
    let restored: Fragment = serde_json::from_value(restored).unwrap();
    assert_eq!(
        (restored.number, restored.author, restored.restored),
        (4, Author::Restore, Some(1))
    );
    let files = feed
        .find(|kind| match kind {
            EventKind::Files { files } if files.iter().any(|file| file.path == "late.txt") => {
                Some(files.clone())
            }
            _ => None,
        })
        .await;
    assert!(files.iter().any(|file| file.path == "index.html"));
    assert!(
        text(&server, project, "index.html")
            .await
            .unwrap()
            .contains("One")
    );
    for gone in ["late.txt", "lib/second.html", "run.sh/x"] {
        assert_eq!(text(&server, project, gone).await, None, "{gone}");
    }
    let kept = sandbox
        .read_file("/home/user/node_modules/kept")
        .await
        .unwrap();
    assert_eq!(kept, b"by hand");
    let unsaved = &versions(&server, project).await[1];
    assert_eq!((unsaved.number, unsaved.author), (3, Author::You));
    let late = server
        .get(&format!(
            "/api/versions/file?project={project}&version=3&path=late.txt"
        ))
        .await;
    assert!(late.text().await.unwrap().contains("by hand"));

    // Two at once: one after the other.
    let (one, two) = tokio::join!(
        restore(&server, project, "2"),
        restore(&server, project, "3")
    );
    assert_eq!((one.0, two.0), (StatusCode::OK, StatusCode::OK));
    let numbers: Vec<_> = versions(&server, project)
        .await
        .iter()
        .map(|version| version.number)
        .collect();
    assert_eq!(numbers, [6, 5, 4, 3, 2, 1]);

    // The archive has everything as it was.
    let zip = server
        .get(&format!("/projects/{project}/download.zip?version=4"))
        .await;
    assert_eq!(zip.headers()["content-type"], "application/zip");
    let named = zip.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        named.contains("filename*=UTF-8''") && named.contains("-v4.zip"),
        "{named}"
    );
    let mut zip = ZipArchive::new(Cursor::new(zip.bytes().await.unwrap())).unwrap();
    let mut file = |name: &str| {
        let mut file = zip
            .by_name(name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        (text, file.unix_mode().unwrap())
    };
    assert_eq!(file("index.html"), ("<h1>One</h1>".to_owned(), 0o100_644));
    assert_eq!(file(ODD).0, "odd");
    assert_eq!(file("run.sh").1, 0o100_755);
    assert_eq!(file("link.html"), ("index.html".to_owned(), 0o120_777));
    assert!(file("README.md").0.contains("version 4"));
    assert!(zip.by_name("empty/").unwrap().is_dir());

    // Names that lead nowhere, and other projects' versions.
    let other = server.create("Wait").await;
    for (project, version) in [
        (project, "99"),
        (project, "nonsense"),
        (other, "1"),
        (other, &*restored.id.to_string()),
    ] {
        let (status, refused) = restore(&server, project, version).await;
        assert_eq!(status, 404, "{version}");
        assert_eq!(
            refused["message"],
            "There is no such version of this project."
        );
        let zip = server
            .get(&format!(
                "/projects/{project}/download.zip?version={version}"
            ))
            .await;
        assert_eq!(zip.status(), 404);
    }

    // A run at work is left alone.
    server.send(project, "Wait").await;
    until("it works", async || {
        (server.states(project).await.last() == Some(&RunState::Running)).then_some(())
    })
    .await;
    let (status, refused) = restore(&server, project, "1").await;
    assert_eq!(status, 409, "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("run is at work")
    );
    model.release();
    feed.succeeded(3).await;

    // Its user names the project.
    let rename = async |title: &str| {
        let form = [("project", &*project.to_string()), ("title", title)];
        server.post("/api/projects/rename", &form).await
    };
    let (status, refused) = rename(" \n ").await;
    assert_eq!(
        (status, &refused["field"]),
        (StatusCode::BAD_REQUEST, &json!("title"))
    );
    assert_eq!(rename("My  shop").await.0, 200);
    let title = feed
        .find(|kind| match kind {
            EventKind::Title { title } if title == "My shop" => Some(title.clone()),
            _ => None,
        })
        .await;
    assert_eq!(server.workspace(project).await.project.title, title);
    drop(server);
    host.stop().await;
}

#[tokio::test]
async fn a_crash_in_a_restore_leaves_the_app_as_the_restored_version() {
    let data = data_dir();
    let model = model().await;
    let env = [("CODEFLOW_CRASH_AT", "after:restore-version")];
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    server.send(project, "Change").await;
    feed.succeeded(2).await;
    let form = [
        ("project", project.to_string()),
        ("version", "1".to_owned()),
    ];
    let cut = http()
        .post(format!("{}/api/versions/restore", server.url()))
        .form(&form)
        .send()
        .await;
    assert!(cut.is_err());
    server.died().await;

    let server = Server::start(data.path(), &model);
    assert_eq!(versions(&server, project).await[0].author, Author::Restore);
    assert!(
        text(&server, project, "index.html")
            .await
            .unwrap()
            .contains("One")
    );
    assert_eq!(text(&server, project, "lib/second.html").await, None);
    let read = server
        .get(&format!("/api/versions/list?project={project}"))
        .await;
    assert_eq!(read.status(), 200);
}
