//! Whose is what: every route, server function, page and socket is asked by nobody, by another
//! user, with an ended session and by a disabled user. The table is compared with the router's
//! paths, so that a new one needs its row.

mod table;

use codeflow::{
    accounts::Token,
    protocol::{ProjectId, Timestamp, UserId},
    server,
    store::{NewSession, Store},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::support::{Model, Server, data_dir, http, picture};
use table::{
    Row,
    Rule::{Admin, AdminPage, All, Owner, Page, SignedIn},
    TABLE,
};

const PASSWORD: &str = "seven uncommon lanterns";
/// The title of what is the owner's.
const SECRET: &str = "Nobody else's business";

#[test]
fn every_path_of_the_router_has_a_row() {
    let rows: std::collections::BTreeSet<String> = TABLE
        .iter()
        .map(|row| {
            row.path
                .replace("/:id", "/{id}")
                .replace("/:slug", "/{slug}")
        })
        .collect();
    let paths = server::paths();
    let paths = paths
        .iter()
        .map(|path| path.replace("/:id", "/{id}").replace("/:slug", "/{slug}"))
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
    owner: String,
    project: String,
    run: String,
    message: String,
    image: String,
}

impl Things {
    fn named_in(&self, text: &str) -> String {
        text.replace("{owner}", &self.owner)
            .replace("{project}", &self.project)
            .replace("{run}", &self.run)
            .replace("{message}", &self.message)
            .replace("{image}", &self.image)
    }
}

async fn ask(server: &Server, cookie: &str, things: &Things, row: &Row) -> Response {
    let Row {
        path,
        method,
        target,
        form,
        rule,
    } = row;
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
    let things = Things {
        owner: user.to_string(),
        run: workspace["runs"][0]["id"].as_str().unwrap().to_owned(),
        message: workspace["messages"][0]["id"].as_str().unwrap().to_owned(),
        image: image["id"].as_str().unwrap().to_owned(),
        project,
    };
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
        let Row { path, rule, .. } = row;
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
                AdminPage | Admin if is_stranger => status == 404,
                Admin => status == 401,
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
            // A way to what is a 404 for them.
            let leads_astray = text.contains("href=\"/admin/");
            if !right || text.contains(SECRET) || leads_astray {
                wrong.push(format!("{who} got {status} from {path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Nothing that was refused was done, and the owner has all of it.
    let rows = TABLE
        .iter()
        .filter(|row| row.method == "GET" && row.rule == Owner);
    // Nothing is at these: there is no picture, no sandbox, and no step.
    let empty = ["pictures", "view", "step"];
    for row in rows.filter(|row| !empty.iter().any(|part| row.path.contains(part))) {
        let status = ask(&server, &owner, &things, row).await.status();
        assert_eq!(status, StatusCode::OK, "{}", row.path);
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
