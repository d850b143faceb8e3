//! Edits in the Code tab over HTTP: nobody's changes are overwritten, whatever a file's name and
//! whatever happens to its sandbox.

use std::{fs, path::Path};

use codeflow::protocol::{FileMatches, FileSaved, FileView, ProjectId, RunState};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::support::{Model, Reply, Server, data_dir, until};

/// A server and a project whose first run has ended.
async fn project(data: &Path, model: &Model) -> (Server, ProjectId) {
    let server = Server::start(data, model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    (server, project)
}

fn build(command: &str) -> (&'static str, Vec<Reply>) {
    let call = Reply::call("terminal", json!({ "command": command }));
    ("Build", vec![call, Reply::done()])
}

/// A part of a query.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn read(server: &Server, project: ProjectId, path: &str) -> Result<FileView, Value> {
    let path = encoded(path);
    let answer = server
        .get(&format!(
            "/api/files/read?project={project}&path={path}&plain=true"
        ))
        .await;
    if answer.status().is_success() {
        Ok(answer.json().await.unwrap())
    } else {
        Err(answer.json().await.unwrap())
    }
}

async fn text(server: &Server, project: ProjectId, path: &str) -> Option<String> {
    read(server, project, path).await.ok()?.text
}

/// Writes a text; `base` is the hash of what it replaces.
async fn write(
    server: &Server,
    project: ProjectId,
    path: &str,
    content: &str,
    base: &str,
) -> Result<FileSaved, (StatusCode, String)> {
    let form = [
        ("project", &*project.to_string()),
        ("path", path),
        ("content", content),
        ("base", base),
    ];
    let (status, answer) = server.post("/api/files/write", &form).await;
    if status.is_success() {
        Ok(serde_json::from_value(answer).unwrap())
    } else {
        Err((status, sentence(&answer)))
    }
}

async fn change(
    server: &Server,
    project: ProjectId,
    what: &str,
    form: &[(&str, &str)],
) -> Result<(), (StatusCode, String)> {
    let project = project.to_string();
    let form = [&[("project", &*project)], form].concat();
    let (status, answer) = server.post(&format!("/api/files/{what}"), &form).await;
    match status.is_success() {
        true => Ok(()),
        false => Err((status, sentence(&answer))),
    }
}

fn sentence(answer: &Value) -> String {
    answer["message"].as_str().unwrap_or_default().to_owned()
}

fn saved(outcome: Result<FileSaved, (StatusCode, String)>) -> String {
    match outcome {
        Ok(FileSaved::Saved { hash }) => hash,
        other => panic!("not saved: {other:?}"),
    }
}

#[tokio::test]
async fn files_are_written_moved_and_deleted_and_what_others_wrote_is_never_replaced() {
    let data = data_dir();
    let make = "ln -s /etc out; ln -s ../app/page.tsx app/again.tsx; ln -s node_modules near; mkdir -p node_modules/x; \
                head -c 200 /dev/urandom > binary; head -c 2M /dev/zero | tr '\\0' 'x' > huge.txt; echo closed > closed; chmod 000 closed";
    let model = Model::start([build(make)]).await;
    let (server, project) = project(data.path(), &model).await;
    let server = &server;

    // A text is read with its hash, written over it, and refused over anything else.
    let page = read(server, project, "app/page.tsx").await.unwrap();
    assert!(page.text.unwrap().contains("The template") && page.lines.is_empty());
    let first = saved(write(server, project, "app/page.tsx", "one", &page.hash).await);
    assert_eq!(
        text(server, project, "app/page.tsx").await.as_deref(),
        Some("one")
    );
    for base in [page.hash.as_str(), ""] {
        let refused = write(server, project, "app/page.tsx", "two", base).await;
        let Ok(FileSaved::Conflict {
            theirs: Some(theirs),
        }) = refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(
            (theirs.text.as_deref(), &theirs.hash),
            (Some("one"), &first)
        );
    }
    // Written again, as after an answer that was lost, it is no conflict.
    assert_eq!(
        saved(write(server, project, "app/page.tsx", "one", &page.hash).await),
        first
    );
    // Writing through a link inside the app writes its target.
    saved(write(server, project, "app/again.tsx", "by the link", &first).await);
    assert_eq!(
        text(server, project, "app/page.tsx").await.as_deref(),
        Some("by the link")
    );
    let gone = write(server, project, "gone.txt", "x", &first).await;
    assert_eq!(gone, Ok(FileSaved::Conflict { theirs: None }));

    // Whatever it is called.
    let longest = format!("{}é", "n".repeat(253));
    let names = [
        "app/[id]/(group)/@modal/page.tsx",
        " a blank ",
        "100%25 #1 ?&=+.txt",
        "🙂 é.md",
        "-rf",
        "a\\b'\"`$(id);*",
        &longest,
    ];
    for name in names {
        let hash = saved(write(server, project, name, name, "").await);
        assert_eq!(
            text(server, project, name).await.as_deref(),
            Some(name),
            "{name}"
        );
        let to = "moved/here.txt";
        change(server, project, "move", &[("from", name), ("to", to)])
            .await
            .unwrap();
        assert_eq!(
            read(server, project, to).await.unwrap().hash,
            hash,
            "{name}"
        );
        change(server, project, "move", &[("from", to), ("to", name)])
            .await
            .unwrap();
        assert_eq!(
            text(server, project, name).await.as_deref(),
            Some(name),
            "{name}"
        );
        change(server, project, "delete", &[("path", name)])
            .await
            .unwrap();
        assert_eq!(text(server, project, name).await, None, "{name}");
    }

    // Impossible changes are refused with a sentence, and nothing is changed.
    let too_long = "x".repeat(256);
    for (path, word) in [
        ("", "name"),
        ("../x", "inside the app"),
        ("/etc/passwd", "inside the app"),
        ("app/../../x", "inside the app"),
        ("a\0b", "zero bytes"),
        (&too_long, "255"),
        ("node_modules/x/y.js", "node_modules"),
        (".next/x", ".next"),
        ("out/passwd", "link"),
        ("near/y.js", "tools generate"),
        ("app", "folder"),
        ("closed", "permissions"),
    ] {
        let (status, why) = write(server, project, path, "x", "").await.unwrap_err();
        assert!([400, 409].contains(&status.as_u16()), "{path}: {status}");
        assert!(why.contains(word) && why.ends_with('.'), "{path}: {why}");
    }
    for (what, form, word) in [
        ("folder", &[("path", "app")][..], "already"),
        (
            "move",
            &[("from", "app"), ("to", "app/in/itself")],
            "itself",
        ),
        (
            "move",
            &[("from", "app/page.tsx"), ("to", "index.html")],
            "already",
        ),
        ("move", &[("from", "nothing"), ("to", "x")], "not there"),
        (
            "move",
            &[("from", "app/page.tsx"), ("to", "out/page.tsx")],
            "link",
        ),
        ("delete", &[("path", "nothing")], "not there"),
        ("delete", &[("path", "out/passwd")], "link"),
        ("delete", &[("path", "..")], "inside the app"),
    ] {
        let (status, why) = change(server, project, what, form).await.unwrap_err();
        assert!([400, 409].contains(&status.as_u16()), "{form:?}: {status}");
        assert!(why.contains(word) && why.ends_with('.'), "{form:?}: {why}");
    }
    let large = "x".repeat((1 << 20) + 1);
    let (status, why) = write(server, project, "large.txt", &large, "")
        .await
        .unwrap_err();
    assert!(status == 413 && why.contains("1024 kB"), "{status} {why}");
    for (path, word) in [("binary", "binary"), ("huge.txt", "1024 kB")] {
        let file = read(server, project, path).await.unwrap();
        assert!(
            file.notice.unwrap().contains(word) && file.text.is_none(),
            "{path}"
        );
    }
    assert!(read(server, project, "out/passwd").await.is_err());

    // A folder is moved and deleted with its contents.
    change(server, project, "folder", &[("path", "lib/empty")])
        .await
        .unwrap();
    change(
        server,
        project,
        "move",
        &[("from", "app"), ("to", "src/app")],
    )
    .await
    .unwrap();
    assert_eq!(
        text(server, project, "src/app/page.tsx").await.as_deref(),
        Some("by the link")
    );
    change(server, project, "delete", &[("path", "src")])
        .await
        .unwrap();
    assert_eq!(text(server, project, "src/app/page.tsx").await, None);

    let found: FileMatches = server
        .get(&format!(
            "/api/files/search?project={project}&text={}",
            encoded("THE TEMPLATE")
        ))
        .await
        .json()
        .await
        .unwrap();
    let paths: Vec<_> = found
        .matches
        .iter()
        .map(|found| (found.path.as_str(), found.line))
        .collect();
    assert_eq!(paths, [("index.html", 1)]);
}

#[tokio::test]
async fn uploads_have_a_limit_and_what_is_shown_as_it_is_can_t_run_as_the_app_s_own_page() {
    let data = data_dir();
    let model = Model::start([build("true")]).await;
    let (server, project) = project(data.path(), &model).await;
    let upload = async |path: &str, content: Vec<u8>| {
        let path = encoded(path);
        let url = format!(
            "{}/api/files/upload?project={project}&path={path}",
            server.url()
        );
        let answer = crate::support::http()
            .post(url)
            .body(content)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let drawing =
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    for (path, content) in [
        ("public/drawing.svg", drawing.clone()),
        ("public/page.html", b"<script>alert(1)</script>".to_vec()),
        ("public/a \"b\" 🙂.bin", vec![7; 32 << 20]),
    ] {
        let (status, answer) = upload(path, content.clone()).await;
        assert_eq!(
            (status.as_u16(), &answer["outcome"]),
            (200, &json!("saved")),
            "{path}"
        );
        let raw = server
            .get(&format!(
                "/api/files/raw?project={project}&path={}",
                encoded(path)
            ))
            .await;
        let header = |name: &str| raw.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("sandbox"),
            "{policy}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        let is_image = path.ends_with(".svg");
        let (media_type, disposition) = match is_image {
            true => ("image/svg+xml", "inline;"),
            false => ("application/octet-stream", "attachment;"),
        };
        assert_eq!(header("content-type"), media_type, "{path}");
        assert!(
            header("content-disposition").starts_with(disposition),
            "{path}"
        );
        assert!(raw.bytes().await.unwrap() == content, "{path}");
    }
    let (status, answer) = upload("public/film.mp4", vec![0; 40 << 20]).await;
    assert_eq!(status, 413);
    assert!(sentence(&answer).contains("32 MB"), "{answer}");
    // An upload replaces a file only if it says so.
    let (status, answer) = upload("public/drawing.svg", b"other".to_vec()).await;
    assert_eq!(
        (status.as_u16(), &answer["outcome"]),
        (200, &json!("conflict"))
    );
}

#[tokio::test]
async fn edits_survive_a_kill_and_a_lost_sandbox_become_one_version_and_wait_for_a_run_at_work() {
    let data = data_dir();
    let look = "cat app/page.tsx; ls lib";
    let model = Model::start([
        build("true"),
        (
            "Look",
            vec![
                Reply::call("terminal", json!({ "command": look })),
                Reply::done(),
            ],
        ),
        (
            "Wait",
            vec![
                Reply::call(
                    "terminal",
                    json!({ "command": "while [ ! -e go ]; do sleep 0.05; done" }),
                ),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;
    let page = read(&server, project, "app/page.tsx").await.unwrap();
    let hash = saved(write(&server, project, "app/page.tsx", "mine", &page.hash).await);
    saved(write(&server, project, "lib/new.ts", "new", "").await);
    change(
        &server,
        project,
        "move",
        &[("from", "app/icon.png"), ("to", "lib/icon.png")],
    )
    .await
    .unwrap();
    server.kill();
    fs::remove_dir_all(data.path().join("sandboxes")).unwrap();

    let server = Server::start(data.path(), &model);
    assert_eq!(
        text(&server, project, "app/page.tsx").await.as_deref(),
        Some("mine")
    );
    assert_eq!(
        text(&server, project, "lib/new.ts").await.as_deref(),
        Some("new")
    );
    assert!(read(&server, project, "app/icon.png").await.is_err());

    server.send(project, "Look").await;
    let mut feed = server.feed(project).await;
    let second = feed.succeeded(2).await.fragment.unwrap();
    // The edits are the version between the two runs'.
    assert_eq!(second.number, 3);
    let output = feed.tool("turn-1-terminal-1").output.unwrap();
    assert!(
        output.contains("mine") && output.contains("icon.png"),
        "{output}"
    );

    server.send(project, "Wait").await;
    until("the run is at work", async || {
        (server.states(project).await.last() == Some(&RunState::Running)).then_some(())
    })
    .await;
    let (status, why) = write(&server, project, "app/page.tsx", "later", &hash)
        .await
        .unwrap_err();
    assert!(
        status == 409 && why.contains("A run is at work"),
        "{status} {why}"
    );
    server
        .post(
            "/api/runs/cancel",
            &[(
                "run",
                &server.workspace(project).await.runs[2].id.to_string(),
            )],
        )
        .await;
    until("what was typed is saved", async || {
        write(&server, project, "app/page.tsx", "later", &hash)
            .await
            .ok()
    })
    .await;
    assert_eq!(
        text(&server, project, "app/page.tsx").await.as_deref(),
        Some("later")
    );
}

#[tokio::test]
async fn a_text_that_reached_the_app_and_was_not_recorded_is_recorded_when_it_is_sent_again() {
    const PAGE: &str = "app/page.tsx";
    let data = data_dir();
    let model = Model::start([build("true")]).await;
    let (server, project) = project(data.path(), &model).await;
    let before = read(&server, project, PAGE).await.unwrap().hash;
    let file = data.path().join("codeflow.sqlite");
    let database = Database::connect(format!("sqlite:{}", file.display()));
    let database = database.await.unwrap();
    let refuse =
        "CREATE TRIGGER refused BEFORE INSERT ON edits BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.execute_unprepared(refuse).await.unwrap();
    let (status, _) = write(&server, project, PAGE, "first", &before)
        .await
        .unwrap_err();
    assert_eq!(status, 500);
    // By its text, the page knows that what its next one meets is its own.
    let next = write(&server, project, PAGE, "second", &before).await;
    let Ok(FileSaved::Conflict {
        theirs: Some(theirs),
    }) = next
    else {
        panic!("{next:?}");
    };
    assert_eq!(theirs.text.as_deref(), Some("first"));
    let drop = "DROP TRIGGER refused";
    database.execute_unprepared(drop).await.unwrap();
    let hash = saved(write(&server, project, PAGE, "first", &before).await);
    assert_eq!(hash, theirs.hash);
    let list = format!("/api/files/list?project={project}");
    let listed: Value = server.get(&list).await.json().await.unwrap();
    assert!(listed.to_string().contains("\"edited\":true"), "{listed}");
    saved(write(&server, project, PAGE, "second", &hash).await);
}
