//! Whose is what: every route, server function, page and socket is asked by nobody, by another user,
//! with an ended session and by a disabled user. The table is compared with the router's paths, so
//! that a new one needs its row.

use codeflow::{
    accounts::Token,
    protocol::{ProjectId, Timestamp, UserId},
    server,
    store::{NewSession, Store},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::support::{Model, Server, data_dir, http, picture};

const PASSWORD: &str = "seven uncommon lanterns";
/// The title of what is the owner's.
const SECRET: &str = "Nobody else's business";

/// Who may have what a path answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Whoever asks.
    All,
    /// Whoever is signed in, about themselves.
    SignedIn,
    /// The owner alone: to others it looks absent.
    Owner,
    /// A page: who is not signed in is led to sign in, and to others it shows nothing of it.
    Page,
    /// A page for administrators.
    AdminPage,
}
use Rule::{AdminPage, All, Owner, Page, SignedIn};

/// A path as the router has it, how it is asked (`{project}`, `{run}`, `{image}` and `{picture}` are
/// the owner's), the form that goes with it, and who may have what it answers with.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    Rule,
);

const TABLE: &[Row] = &[
    ("/healthz", "GET", "/healthz", &[], All),
    ("/readyz", "GET", "/readyz", &[], All),
    ("/", "GET", "/", &[], All),
    ("/sign-in", "GET", "/sign-in", &[], All),
    ("/sign-up", "GET", "/sign-up", &[], All),
    ("/reset", "GET", "/reset", &[], All),
    ("/settings", "GET", "/settings", &[], Page),
    ("/usage", "GET", "/usage", &[], Page),
    ("/projects/:id", "GET", "/projects/{project}", &[], Page),
    ("/admin/runs", "GET", "/admin/runs", &[], AdminPage),
    (
        "/admin/runs/:id",
        "GET",
        "/admin/runs/{run}",
        &[],
        AdminPage,
    ),
    // Its socket is asked below.
    (
        "/ws/projects/{id}",
        "GET",
        "/ws/projects/{project}",
        &[],
        All,
    ),
    (
        "/ws/projects/{id}/terminal",
        "GET",
        "/ws/projects/{project}/terminal",
        &[],
        All,
    ),
    (
        "/projects/{id}/download.zip",
        "GET",
        "/projects/{project}/download.zip",
        &[],
        Owner,
    ),
    ("/api/images", "POST", "/api/images", &[], SignedIn),
    ("/api/images/{id}", "GET", "/api/images/{image}", &[], Owner),
    (
        "/api/pictures/{id}",
        "GET",
        "/api/pictures/{image}",
        &[],
        Owner,
    ),
    (
        "/api/files/upload",
        "POST",
        "/api/files/upload?project={project}&path=a.txt",
        &[],
        Owner,
    ),
    (
        "/api/files/raw",
        "GET",
        "/api/files/raw?project={project}&path=app/page.tsx",
        &[],
        Owner,
    ),
    ("/api/preferences", "GET", "/api/preferences", &[], All),
    ("/api/model", "GET", "/api/model", &[], All),
    ("/api/usage", "GET", "/api/usage", &[], SignedIn),
    ("/api/showcase/list", "GET", "/api/showcase/list", &[], All),
    (
        "/api/showcase/use",
        "POST",
        "/api/showcase/use",
        &[("slug", "quiz")],
        SignedIn,
    ),
    (
        "/api/projects/create",
        "POST",
        "/api/projects/create",
        &[("prompt", "Build")],
        SignedIn,
    ),
    (
        "/api/projects/list",
        "GET",
        "/api/projects/list",
        &[],
        SignedIn,
    ),
    (
        "/api/projects/workspace",
        "GET",
        "/api/projects/workspace?project={project}",
        &[],
        Owner,
    ),
    (
        "/api/projects/rename",
        "POST",
        "/api/projects/rename",
        &[("project", "{project}"), ("title", "Mine")],
        Owner,
    ),
    (
        "/api/projects/duplicate",
        "POST",
        "/api/projects/duplicate",
        &[("project", "{project}")],
        Owner,
    ),
    (
        "/api/projects/delete",
        "POST",
        "/api/projects/delete",
        &[("project", "{project}")],
        Owner,
    ),
    (
        "/api/projects/undelete",
        "POST",
        "/api/projects/undelete",
        &[("project", "{project}")],
        Owner,
    ),
    (
        "/api/messages/send",
        "POST",
        "/api/messages/send",
        &[("project", "{project}"), ("text", "More")],
        Owner,
    ),
    (
        "/api/messages/edit",
        "POST",
        "/api/messages/edit",
        &[("message", "{message}"), ("text", "More")],
        Owner,
    ),
    (
        "/api/messages/retry",
        "POST",
        "/api/messages/retry",
        &[("message", "{message}")],
        Owner,
    ),
    (
        "/api/messages/remove",
        "POST",
        "/api/messages/remove",
        &[("message", "{message}")],
        Owner,
    ),
    (
        "/api/projects/history",
        "GET",
        "/api/projects/history?project={project}&before={message}",
        &[],
        Owner,
    ),
    (
        "/api/runs/step",
        "GET",
        "/api/runs/step?run={run}&step=turn-1-terminal-1",
        &[],
        Owner,
    ),
    (
        "/api/preview/attend",
        "POST",
        "/api/preview/attend",
        &[("project", "{project}")],
        Owner,
    ),
    (
        "/api/preview/log",
        "GET",
        "/api/preview/log?project={project}&after=0",
        &[],
        Owner,
    ),
    // As JSON, below.
    ("/api/preview/element", "POST", "", &[], Owner),
    ("/api/preview/element/change", "POST", "", &[], Owner),
    (
        "/api/preview/errors",
        "POST",
        "/api/preview/errors",
        &[("project", "{project}")],
        Owner,
    ),
    ("/api/runs/list", "GET", "/api/runs/list", &[], SignedIn),
    (
        "/api/runs/details",
        "GET",
        "/api/runs/details?run={run}",
        &[],
        Owner,
    ),
    (
        "/api/runs/events",
        "GET",
        "/api/runs/events?run={run}",
        &[],
        Owner,
    ),
    (
        "/api/runs/cancel",
        "POST",
        "/api/runs/cancel",
        &[("run", "{run}")],
        Owner,
    ),
    (
        "/api/runs/replay",
        "POST",
        "/api/runs/replay",
        &[("run", "{run}")],
        Owner,
    ),
    (
        "/api/files/list",
        "GET",
        "/api/files/list?project={project}",
        &[],
        Owner,
    ),
    (
        "/api/files/read",
        "GET",
        "/api/files/read?project={project}&path=app/page.tsx",
        &[],
        Owner,
    ),
    (
        "/api/files/saved",
        "GET",
        "/api/files/saved?project={project}&path=app/page.tsx",
        &[],
        Owner,
    ),
    (
        "/api/files/write",
        "POST",
        "/api/files/write",
        &[
            ("project", "{project}"),
            ("path", "a.txt"),
            ("content", "a"),
        ],
        Owner,
    ),
    (
        "/api/files/folder",
        "POST",
        "/api/files/folder",
        &[("project", "{project}"), ("path", "a")],
        Owner,
    ),
    (
        "/api/files/move",
        "POST",
        "/api/files/move",
        &[("project", "{project}"), ("from", "a"), ("to", "b")],
        Owner,
    ),
    (
        "/api/files/delete",
        "POST",
        "/api/files/delete",
        &[("project", "{project}"), ("path", "a")],
        Owner,
    ),
    (
        "/api/files/search",
        "GET",
        "/api/files/search?project={project}&text=a",
        &[],
        Owner,
    ),
    (
        "/api/versions/list",
        "GET",
        "/api/versions/list?project={project}",
        &[],
        Owner,
    ),
    (
        "/api/versions/view",
        "GET",
        "/api/versions/view?project={project}&version=1",
        &[],
        Owner,
    ),
    (
        "/api/versions/restore",
        "POST",
        "/api/versions/restore",
        &[("project", "{project}"), ("version", "1")],
        Owner,
    ),
    (
        "/api/versions/files",
        "GET",
        "/api/versions/files?project={project}&version=1",
        &[],
        Owner,
    ),
    (
        "/api/versions/file",
        "GET",
        "/api/versions/file?project={project}&version=1&path=app/page.tsx",
        &[],
        Owner,
    ),
    (
        "/api/versions/compare",
        "GET",
        "/api/versions/compare?project={project}&to=1",
        &[],
        Owner,
    ),
    (
        "/api/versions/diff",
        "GET",
        "/api/versions/diff?project={project}&to=1&path=app/page.tsx",
        &[],
        Owner,
    ),
    (
        "/api/account/sign-up",
        "POST",
        "/api/account/sign-up",
        &[("email", "x"), ("password", "x")],
        All,
    ),
    (
        "/api/account/sign-in",
        "POST",
        "/api/account/sign-in",
        &[("email", "x"), ("password", "x")],
        All,
    ),
    ("/api/account/sign-out", "POST", "", &[], All),
    (
        "/api/account/reset",
        "POST",
        "/api/account/reset",
        &[("link", "x"), ("password", "x")],
        All,
    ),
    (
        "/api/account/password",
        "POST",
        "/api/account/password",
        &[("current", "x"), ("password", "x")],
        SignedIn,
    ),
    (
        "/api/account/rename",
        "POST",
        "/api/account/rename",
        &[("name", "x")],
        SignedIn,
    ),
    (
        "/api/account/sessions",
        "GET",
        "/api/account/sessions",
        &[],
        SignedIn,
    ),
    ("/api/account/sessions/end", "POST", "", &[], SignedIn),
    (
        "/api/account/sessions/end-others",
        "POST",
        "/api/account/sessions/end-others",
        &[],
        SignedIn,
    ),
    (
        "/api/account/delete",
        "POST",
        "/api/account/delete",
        &[("password", "x")],
        SignedIn,
    ),
];

#[test]
fn every_path_of_the_router_has_a_row() {
    let rows: std::collections::BTreeSet<String> = TABLE
        .iter()
        .map(|row| row.0.replace("/:id", "/{id}"))
        .collect();
    let paths = server::paths();
    let paths = paths
        .iter()
        .map(|path| path.replace("/:id", "/{id}"))
        .collect();
    let missing: Vec<_> = rows.symmetric_difference(&paths).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

async fn sign_up(server: &Server, email: &str) -> String {
    let form = [("email", email), ("password", PASSWORD)];
    let request = http()
        .post(format!("{}/api/account/sign-up", server.url()))
        .header("accept", "application/json")
        .form(&form);
    let response = request.send().await.unwrap();
    let set = response.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// What the owner has.
struct Things {
    project: String,
    run: String,
    message: String,
    image: String,
}

impl Things {
    fn named_in(&self, text: &str) -> String {
        text.replace("{project}", &self.project)
            .replace("{run}", &self.run)
            .replace("{message}", &self.message)
            .replace("{image}", &self.image)
    }
}

async fn ask(
    server: &Server,
    cookie: &str,
    things: &Things,
    row: &(&str, &str, &str, &[(&str, &str)], Rule),
) -> Response {
    let (path, method, target, form, rule) = row;
    let target = if target.is_empty() { path } else { target };
    let url = format!("{}{}", server.url(), things.named_in(target));
    let accept = match rule {
        Page | AdminPage => "text/html",
        _ => "application/json",
    };
    let mut request = http()
        .request(Method::from_bytes(method.as_bytes()).unwrap(), url)
        .header("accept", accept)
        .header("cookie", cookie);
    if *path == "/api/images" {
        request = request.body(picture(7));
    } else if *path == "/api/preview/errors" {
        let errors: [Value; 0] = [];
        request = request.json(&serde_json::json!({"project": things.project, "errors": errors}));
    } else if path.starts_with("/api/preview/element") {
        let place = serde_json::json!({"tag": "p", "file": "app/page.tsx", "line": 1, "column": 1});
        request = request.json(&serde_json::json!({
            "project": things.project,
            "element": {"tag": "p", "text": "a", "class": "a", "places": []},
            "place": place,
            "part": "text",
            "from": "a",
            "to": "b",
        }));
    } else if *path == "/api/account/sessions/end" {
        request = request.form(&[("session", &things.run)]);
    } else if *method == "POST" && *path != "/api/files/upload" {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, things.named_in(value)))
            .collect();
        request = request.form(&form);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn nobody_gets_what_is_anothers() {
    let data = data_dir();
    let model = Model::start([]).await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = sign_up(&server, "owner@example.com").await;
    let stranger = sign_up(&server, "stranger@example.com").await;
    let disabled = sign_up(&server, "disabled@example.com").await;
    let ask_as_owner = async |method: Method, path: &str, form: &[(&str, &str)]| -> Value {
        let request = http()
            .request(method, format!("{}{path}", server.url()))
            .header("accept", "application/json")
            .header("cookie", &owner)
            .form(form);
        request.send().await.unwrap().json().await.unwrap()
    };
    let project = ask_as_owner(Method::POST, "/api/showcase/use", &[("slug", "quiz")]).await;
    let project = project.as_str().unwrap().to_owned();
    let form = [("project", &*project), ("title", SECRET)];
    ask_as_owner(Method::POST, "/api/projects/rename", &form).await;
    let workspace = format!("/api/projects/workspace?project={project}");
    let workspace = ask_as_owner(Method::GET, &workspace, &[]).await;
    let upload = http()
        .post(format!("{}/api/images", server.url()))
        .header("cookie", &owner)
        .body(picture(9));
    let image: Value = upload.send().await.unwrap().json().await.unwrap();
    let things = Things {
        run: workspace["runs"][0]["id"].as_str().unwrap().to_owned(),
        message: workspace["messages"][0]["id"].as_str().unwrap().to_owned(),
        image: image["id"].as_str().unwrap().to_owned(),
        project,
    };

    // A session that is over, and a user who may not come in any more.
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let user = store
        .find_credentials("owner@example.com")
        .await
        .unwrap()
        .unwrap()
        .user;
    let token = Token::new();
    let ended = NewSession {
        user,
        token: token.hash(),
        agent: String::new(),
        address: String::new(),
        expires_at: Timestamp(Timestamp::now().0 - 1),
    };
    store.add_session(ended, None).await.unwrap();
    let expired = format!("{}={}", owner.split('=').next().unwrap(), token.expose());
    store
        .set_disabled("disabled@example.com", true)
        .await
        .unwrap();

    let mut wrong = Vec::new();
    for row in TABLE {
        let (path, _, _, _, rule) = row;
        for (who, cookie) in [
            ("nobody", ""),
            ("an ended session", &*expired),
            ("a disabled user", &disabled),
            ("another user", &stranger),
        ] {
            let is_stranger = who == "another user";
            // It would end what the next rows ask with.
            let ends = ["/api/account/sign-out", "/api/account/sessions/end-others"];
            if is_stranger && ends.contains(path) {
                continue;
            }
            let response = ask(&server, cookie, &things, row).await;
            let status = response.status();
            let right = match rule {
                All => status != 401 && !status.is_server_error(),
                SignedIn if is_stranger => status != 401,
                SignedIn => status == 401,
                Owner if is_stranger => status == 404,
                Owner => status == 401,
                AdminPage if is_stranger => status == 404,
                Page if is_stranger => match *path {
                    "/projects/:id" => status == 404,
                    _ => status == 200,
                },
                Page | AdminPage => {
                    let to = response.headers().get("location");
                    status == 303 && to.unwrap().to_str().unwrap().starts_with("/sign-in?to=")
                }
            };
            let text = response.text().await.unwrap_or_default();
            if !right || text.contains(SECRET) {
                wrong.push(format!("{who} got {status} from {path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Nothing that was refused was done, and the owner has all of it.
    let rows = TABLE.iter().filter(|row| row.1 == "GET" && row.4 == Owner);
    // Nothing is at these: there is no picture, no sandbox, and no step.
    let empty = ["pictures", "view", "step"];
    for row in rows.filter(|row| !empty.iter().any(|part| row.0.contains(part))) {
        let status = ask(&server, &owner, &things, row).await.status();
        assert_eq!(status, StatusCode::OK, "{}", row.0);
    }
    let project: ProjectId = things.project.parse().unwrap();
    let user = store.user_of(project).await.unwrap();
    let projects = store.list_projects(&user).await.unwrap();
    assert_eq!(projects.len(), 1);
    assert_eq!(projects[0].title, SECRET);
    let none: UserId = UserId::local();
    assert!(store.list_projects(&none).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_feed_is_the_owners_and_ends_with_the_session() {
    let data = data_dir();
    let model = Model::start([]).await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = sign_up(&server, "owner@example.com").await;
    let stranger = sign_up(&server, "stranger@example.com").await;
    let request = http()
        .post(format!("{}/api/showcase/use", server.url()))
        .header("accept", "application/json")
        .header("cookie", &owner)
        .form(&[("slug", "quiz")]);
    let project: ProjectId = request.send().await.unwrap().json().await.unwrap();
    for (cookie, reason) in [
        ("", "you are signed out"),
        (&*stranger, "there is no such project"),
    ] {
        for socket in ["?after=0", "/terminal"] {
            let path = format!("/ws/projects/{project}{socket}");
            assert_eq!(closed(&server, &path, cookie, async || {}).await, reason);
        }
    }
    let sign_out = async || {
        let request = http()
            .post(format!("{}/api/account/sign-out", server.url()))
            .header("accept", "application/json")
            .header("cookie", &owner);
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    assert_eq!(
        closed(
            &server,
            &format!("/ws/projects/{project}?after=0"),
            &owner,
            sign_out
        )
        .await,
        "you are signed out"
    );
}

/// Opens the socket with the cookie, does something when the first frame is there, and returns why
/// it was closed.
async fn closed(server: &Server, path: &str, cookie: &str, first: impl AsyncFn()) -> String {
    use futures::StreamExt as _;
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

    let url = format!("ws://127.0.0.1:{}{path}", server.port);
    let mut request = url.into_client_request().unwrap();
    request
        .headers_mut()
        .insert("cookie", cookie.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let mut is_first = true;
    while let Some(frame) = socket.next().await {
        match frame.unwrap() {
            Message::Close(close) => return close.unwrap().reason.to_string(),
            _ if is_first => {
                is_first = false;
                first().await;
            }
            _ => {}
        }
    }
    panic!("it ended without a reason");
}
