//! Who may access what: every route, server function, page and socket is requested without a
//! session, with an ended session, and by a disabled user, another user, a removed member, a viewer
//! and an editor. The table is compared with the router's paths, so that a new path needs a row.

mod table;

use codeflow::{
    accounts::Token,
    protocol::{NewApiToken, ProjectId, Timestamp, UserId},
    server,
    store::{AccountChange, Actor, NewSession, Store},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::{
    shares::Person,
    support::{Model, Server, data_dir, http, picture},
    teams,
};
use table::{
    Row,
    Rule::{Admin, AdminPage, All, Own, Owner, Page, Read, SignedIn, Write},
    TABLE,
};

const PASSWORD: &str = "seven uncommon lanterns";
/// The title of the owner's project.
const SECRET: &str = "Nobody else's business";

#[test]
fn every_path_of_the_router_has_a_row() {
    let rows: std::collections::BTreeSet<String> = TABLE
        .iter()
        .map(|row| {
            row.path
                .replace("/:id", "/{id}")
                .replace("/:slug", "/{slug}")
                .replace("/:token", "/{token}")
        })
        .collect();
    let paths = server::paths();
    let paths = paths
        .iter()
        .map(|path| {
            path.replace("/:id", "/{id}")
                .replace("/:slug", "/{slug}")
                .replace("/:token", "/{token}")
        })
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

/// The owner's data.
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

/// The credentials of a request: a session's cookie and, where only programs ask, a token.
#[derive(Default)]
struct Key {
    cookie: String,
    token: String,
}

impl Key {
    /// The session's, with a token of its user.
    async fn of(server: &Server, cookie: String) -> Self {
        let request = http()
            .post(format!("{}/api/account/tokens/create", server.url()))
            .header("accept", "application/json")
            .header("cookie", &cookie)
            .form(&[("name", "A program")]);
        let made: NewApiToken = request.send().await.unwrap().json().await.unwrap();
        let token = made.token;
        Self { cookie, token }
    }
}

async fn ask(server: &Server, key: &Key, things: &Things, row: &Row) -> Response {
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
        .header("cookie", &key.cookie);
    let is_for_programs = *path == "/mcp" || path.starts_with("/api/v1/");
    if is_for_programs && !key.token.is_empty() {
        request = request.bearer_auth(&key.token);
    }
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
    } else if *method == "POST" && is_for_programs {
        let fields: std::collections::HashMap<_, _> = form.iter().copied().collect();
        request = request.json(&fields);
    } else if *method == "POST" && *path != "/api/files/upload" {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, things.named_in(value)))
            .collect();
        request = request.form(&form);
    }
    request.send().await.unwrap()
}

/// Who asks for the owner's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// Without a valid session.
    Nobody,
    /// In a session of their own, but not in the project.
    Stranger,
    Viewer,
    Editor,
}

/// What is wrong with the answer to the row; `None` if nothing is.
async fn fault(asker: Asker, row: &Row, response: Response) -> Option<String> {
    let status = response.status();
    let to = response.headers().get("location").cloned();
    let text = response.text().await.unwrap_or_default();
    let is_in = matches!(asker, Asker::Viewer | Asker::Editor);
    let absent = ["project", "run", "message", "preview"];
    let is_absent = absent
        .iter()
        .any(|what| text.contains(&format!("There is no such {what}.")));
    // An allowed request may fail, but not because of who asks.
    let allowed = !matches!(status.as_u16(), 401 | 403 | 500) && !is_absent;
    let right = match (row.rule, asker) {
        (All, _) => status != 401 && !status.is_server_error(),
        (Page | AdminPage, Asker::Nobody) => {
            let to = to.as_ref().map(|to| to.to_str().unwrap());
            status == 303 && to.is_some_and(|to| to.starts_with("/sign-in?to="))
        }
        (_, Asker::Nobody) => status == 401,
        (SignedIn, _) => status != 401,
        (Admin | AdminPage | Owner, _) => status == 404,
        (Page, _) => match row.path {
            "/projects/:id" if !is_in => status == 404,
            "/invite/:token" => status == 404,
            _ => status == 200,
        },
        (Read | Write | Own, Asker::Stranger) => status == 404,
        (Read, Asker::Viewer | Asker::Editor) | (Write, Asker::Editor) => allowed,
        (Write, Asker::Viewer) | (Own, Asker::Viewer | Asker::Editor) => status == 403,
    };
    // A way to what is a 404 for them.
    let leads_astray = text.contains("href=\"/admin/");
    let tells = !is_in && text.contains(SECRET);
    (!right || tells || leads_astray).then(|| format!("{status} from {}: {text:.200}", row.path))
}

/// Skips requests that would invalidate the credentials of the next rows, or start something
/// unrelated.
fn is_left_out(asker: Asker, path: &str) -> bool {
    let ends = ["/api/account/sign-out", "/api/account/sessions/end-others"];
    let of_members = ["/api/team/leave", "/api/projects/create"];
    match asker {
        Asker::Nobody => false,
        Asker::Stranger => ends.contains(&path),
        Asker::Viewer | Asker::Editor => ends.contains(&path) || of_members.contains(&path),
    }
}

#[tokio::test]
async fn nobody_gets_what_is_anothers() {
    let data = data_dir();
    let model = Model::start([]).await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = sign_up(&server, "owner@example.com").await;
    let stranger = sign_up(&server, "stranger@example.com").await;
    let disabled = sign_up(&server, "disabled@example.com").await;
    let people = Person::of(&server, &owner);
    let owner_key = Key::of(&server, owner.clone()).await;
    let stranger = Key::of(&server, stranger).await;
    let disabled = Key::of(&server, disabled).await;
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
    // An ended session and a disabled user.
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
    let before = Some(Timestamp(Timestamp::now().0 - 1));
    store
        .add_api_token(&user, &token.hash(), "cf_", "Expired", before)
        .await
        .unwrap();
    let ended = NewSession {
        user,
        token: token.hash(),
        agent: String::new(),
        address: String::new(),
        expires_at: Timestamp(Timestamp::now().0 - 1),
    };
    store.add_session(ended, None).await.unwrap();
    let expired = Key {
        cookie: format!("{}={}", owner.split('=').next().unwrap(), token.expose()),
        token: format!("cf_{}", token.expose()),
    };
    let account = store.find_account("disabled@example.com").await.unwrap();
    let change = AccountChange::Disabled(true);
    store
        .change_account(&Actor::shell(), &account.id, change)
        .await
        .unwrap();

    let mut members = Vec::new();
    for (role, email) in [
        ("viewer", "viewer@example.com"),
        ("editor", "editor@example.com"),
        ("editor", "removed@example.com"),
    ] {
        let member = Person::sign_up(&server, email).await;
        let project = things.project.parse().unwrap();
        teams::join(&people, project, role, &member).await;
        if email.starts_with("removed") {
            teams::remove(&people, project, email).await;
        }
        members.push(Key::of(&server, member.cookie).await);
    }
    let [viewer, editor, removed] = <[Key; 3]>::try_from(members).ok().unwrap();

    let mut wrong = Vec::new();
    for row in TABLE {
        for (who, key, asker) in [
            ("nobody", &Key::default(), Asker::Nobody),
            ("an ended session", &expired, Asker::Nobody),
            ("a disabled user", &disabled, Asker::Nobody),
            ("another user", &stranger, Asker::Stranger),
            ("a removed member", &removed, Asker::Stranger),
            ("a viewer", &viewer, Asker::Viewer),
        ] {
            if !is_left_out(asker, row.path) {
                let response = ask(&server, key, &things, row).await;
                let fault = fault(asker, row, response).await;
                wrong.extend(fault.map(|fault| format!("{who} got {fault}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // No refused request had an effect, and the owner still has access to everything.
    let rows = TABLE
        .iter()
        .filter(|row| row.method == "GET" && matches!(row.rule, Read | Own | Owner));
    // Nothing is at these: there is no picture, no sandbox, and no step.
    let empty = ["pictures", "view", "step"];
    for row in rows.filter(|row| !empty.iter().any(|part| row.path.contains(part))) {
        let status = ask(&server, &owner_key, &things, row).await.status();
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

    // An editor changes things, and comes last.
    for row in TABLE {
        if !is_left_out(Asker::Editor, row.path) {
            let response = ask(&server, &editor, &things, row).await;
            wrong.extend(fault(Asker::Editor, row, response).await);
        }
    }
    assert!(wrong.is_empty(), "an editor got {wrong:#?}");
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

/// Opens the socket with the cookie, runs `first` once the first frame arrived, and returns why the
/// socket was closed.
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
