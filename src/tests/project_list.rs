//! The list of projects over HTTP: titles, copies, deletion that can be undone, pictures, the
//! showcase, and preferences.

use std::path::Path;

use codeflow::{
    protocol::{ProjectId, ProjectStatus, ProjectSummary, RunState},
    store::Store,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Model, Reply, Server, data_dir, until};

fn builds() -> Vec<Reply> {
    vec![
        Reply::write("index.html", "<h1 style='color:red'>Kept</h1>"),
        Reply::done(),
    ]
}

async fn list(server: &Server) -> Vec<ProjectSummary> {
    server.get("/api/projects/list").await.json().await.unwrap()
}

async fn open(data: &Path) -> Store {
    Store::open_file(&data.join("codeflow.sqlite"))
        .await
        .unwrap()
}

/// Waits until no deleted project is stored.
async fn rows_are_gone(store: &Store) {
    until("the rows are gone", async || {
        let deleted = store.deleted_projects().await.unwrap();
        deleted.is_empty().then_some(())
    })
    .await;
}

async fn built(server: &Server) -> ProjectId {
    let project = server.create("Build").await;
    let (state, message) = server.feed(project).await.ended(1).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
    project
}

#[tokio::test]
async fn a_project_is_renamed_once_and_for_all_its_runs_and_open_pages_follow() {
    let data = data_dir();
    let model = Model::start([("Build", builds())]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let id = project.to_string();
    let form = [("project", id.as_str()), ("title", "  Mine \n and yours ")];
    let (status, renamed) = server.post("/api/projects/rename", &form).await;
    assert_eq!(
        (status, &renamed["title"]),
        (StatusCode::OK, &json!("Mine and yours"))
    );

    let mut feed = server.feed(project).await;
    feed.ended(1).await;
    let workspace = server.workspace(project).await;
    assert_eq!(workspace.project.title, "Mine and yours");
    let listed = list(&server).await;
    assert_eq!(listed[0].title, "Mine and yours");
    assert_eq!(listed[0].status, ProjectStatus::Ready);

    for (title, field) in [("  ", "title"), (&*"x".repeat(101), "title")] {
        let form = [("project", id.as_str()), ("title", title)];
        let (status, error) = server.post("/api/projects/rename", &form).await;
        assert_eq!(
            (status, &error["field"]),
            (StatusCode::BAD_REQUEST, &json!(field))
        );
    }
    let unknown = ProjectId::new().to_string();
    let form = [("project", unknown.as_str()), ("title", "A")];
    let (status, _) = server.post("/api/projects/rename", &form).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_copy_has_the_files_of_the_latest_version_and_a_life_of_its_own() {
    let data = data_dir();
    let model = Model::start([("Build", builds())]).await;
    let server = Server::start(data.path(), &model);
    let store = open(data.path()).await;
    let project = built(&server).await;
    let id = project.to_string();
    let (status, copy) = server
        .post("/api/projects/duplicate", &[("project", &id)])
        .await;
    assert_eq!(status, StatusCode::OK, "{copy}");
    let copied: ProjectId = serde_json::from_value(copy["id"].clone()).unwrap();
    assert!(copy["title"].as_str().unwrap().starts_with("Copy of "));
    let entries = |version: codeflow::store::Version| version.entries;
    let version = async |of| store.latest_version(of).await.unwrap().map(entries);
    assert_eq!(version(copied).await, version(project).await);
    let workspace = server.workspace(copied).await;
    assert_eq!(workspace.messages.len(), 2);
    assert_eq!(store.sandbox_of(copied).await.unwrap(), None);

    // Its sandbox is made from the version when somebody looks.
    let read = server
        .get(&format!("/api/files/read?project={copied}&path=index.html"))
        .await;
    assert!(read.text().await.unwrap().contains("Kept"));
}

#[tokio::test]
async fn a_deletion_is_undone_in_time_and_else_takes_the_sandbox_and_everything_with_it() {
    let data = data_dir();
    let model = Model::start([("Build", builds())]).await;
    let server = Server::start(data.path(), &model);
    let store = open(data.path()).await;
    let project = built(&server).await;
    let id = project.to_string();
    let sandbox = store.sandbox_of(project).await.unwrap().unwrap();
    let is_there = || data.path().join("sandboxes").join(&sandbox).exists();
    assert!(is_there());

    let form = [("project", id.as_str())];
    assert_eq!(
        server.post("/api/projects/delete", &form).await.0,
        StatusCode::OK
    );
    assert!(list(&server).await.is_empty());
    let page = server
        .get(&format!("/api/projects/workspace?project={id}"))
        .await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        server.post("/api/projects/undelete", &form).await.0,
        StatusCode::OK
    );
    assert_eq!(list(&server).await.len(), 1);
    assert!(is_there());

    server.post("/api/projects/delete", &form).await;
    until("the sandbox is gone", async || (!is_there()).then_some(())).await;
    rows_are_gone(&store).await;
    assert_eq!(
        server.post("/api/projects/undelete", &form).await.0,
        StatusCode::NOT_FOUND
    );
    assert!(store.list_runs(project).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deletion_stops_the_runs_and_is_completed_after_the_server_was_killed() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done().held()])]).await;
    let server = Server::process(data.path(), &model, &[]).await;
    let store = open(data.path()).await;
    let project = server.create("Build").await;
    until("the run works", async || {
        let states = server.states(project).await;
        (states == [RunState::Running]).then_some(())
    })
    .await;
    let id = project.to_string();
    assert_eq!(
        server
            .post("/api/projects/delete", &[("project", &id)])
            .await
            .0,
        StatusCode::OK
    );
    let runs = store.list_runs(project).await.unwrap();
    assert_eq!(runs[0].state, RunState::Cancelled);
    server.kill();

    assert_eq!(store.deleted_projects().await.unwrap().len(), 1);
    let server = Server::process(data.path(), &model, &[]).await;
    assert!(list(&server).await.is_empty());
    rows_are_gone(&store).await;
    assert!(store.list_runs(project).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_version_has_a_picture_that_is_served_while_its_project_is_there() {
    let data = data_dir();
    let model = Model::start([("Build", builds())]).await;
    let server = Server::process(data.path(), &model, &[("CHROMIUM_PATH", "")]).await;
    let project = built(&server).await;
    let path = list(&server).await[0].picture_path().unwrap();
    let picture = server.get(&path).await;
    assert_eq!(picture.headers()["content-type"], "image/jpeg");
    assert!(
        picture.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let bytes = picture.bytes().await.unwrap();
    assert!(bytes.starts_with(&[0xff, 0xd8]) && bytes.len() <= 100_000);

    let unknown = format!("/api/pictures/{}", "0".repeat(64));
    assert_eq!(server.get(&unknown).await.status(), StatusCode::NOT_FOUND);
    let id = project.to_string();
    server
        .post("/api/projects/delete", &[("project", &id)])
        .await;
    until("the picture is gone", async || {
        (server.get(&path).await.status() == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_app_of_the_showcase_becomes_a_project_with_any_model() {
    let data = data_dir();
    let model = Model::start([("Build", builds())]).await;
    let server = Server::start(data.path(), &model);
    let apps = server.get("/api/showcase/list").await;
    let apps: Vec<codeflow::protocol::ShowcaseApp> = apps.json().await.unwrap();
    assert!(
        apps.iter()
            .any(|app| app.slug == "todo-app" && !app.category.is_empty())
    );
    let (status, id) = server
        .post("/api/showcase/use", &[("slug", "todo-app")])
        .await;
    assert_eq!(status, StatusCode::OK, "{id}");
    let project: ProjectId = serde_json::from_value(id).unwrap();
    let workspace = server.workspace(project).await;
    assert_eq!(workspace.runs[0].state, RunState::Succeeded);
    assert_eq!(workspace.messages[1].fragment.as_ref().unwrap().number, 1);
    let read = server
        .get(&format!(
            "/api/files/read?project={project}&path=components/todo-app.tsx"
        ))
        .await;
    assert_eq!(read.status(), StatusCode::OK);
    let (status, _) = server
        .post("/api/showcase/use", &[("slug", "../todo-app")])
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn preferences_are_kept_and_every_page_begins_with_them() {
    let data = data_dir();
    let model = Model::start([("Build", builds())]).await;
    let server = Server::start(data.path(), &model);
    let client = reqwest::Client::new();
    let set = async |name: &str, value: &str| {
        let body = json!({ "name": name, "value": value });
        let sent = client.post(format!("{}/api/preferences", server.url()));
        sent.json(&body).send().await.unwrap().status()
    };
    assert_eq!(set("theme", "light").await, StatusCode::NO_CONTENT);
    assert_eq!(set("theme", "dark").await, StatusCode::NO_CONTENT);
    assert_eq!(set("Theme!", "dark").await, StatusCode::CONFLICT);
    assert_eq!(set("theme", &"x".repeat(401)).await, StatusCode::CONFLICT);
    let page = client
        .get(format!("{}/", server.url()))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    let html = page.split('>').find(|tag| tag.contains("<html")).unwrap();
    assert!(
        html.contains("data-preferences") && html.contains("dark"),
        "{html}"
    );
}
