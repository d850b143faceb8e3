//! Teams on the real server: invitations, joining, removal, who pays, who is present, and what ends
//! with a membership.

use codeflow::{
    accounts::Token,
    protocol::{
        ApiError, Credits, ErrorCode, FeedFrame, InvitationView, Invited, Message, MessageKind,
        People, ProjectId, ProjectRole, ProjectSummary, Standing, Team, Timestamp, Workspace,
    },
    store::{Actor, NewInvitation, Store},
};
use futures::StreamExt as _;
use reqwest::{Method, StatusCode};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, client::IntoClientRequest as _},
};

use crate::own_account::join_by_mail;
use crate::shares::Person;
use crate::support::{MailServer, Model, PATIENCE, Reply, Server, data_dir, http, until};

/// A project with an app but without a sandbox.
async fn project_of(owner: &Person<'_>) -> ProjectId {
    owner.post("/api/showcase/use", &[("slug", "quiz")]).await
}

/// The token of an invitation's link.
fn token(invited: &Invited) -> String {
    invited.link.rsplit('/').next().unwrap().to_owned()
}

async fn invite(owner: &Person<'_>, project: ProjectId, role: &str, email: &str) -> String {
    let form = [
        ("project", &*project.to_string()),
        ("role", role),
        ("email", email),
    ];
    token(&owner.post("/api/team/invite", &form).await)
}

/// Joins the project by a link.
pub async fn join(owner: &Person<'_>, project: ProjectId, role: &str, joins: &Person<'_>) {
    let token = invite(owner, project, role, "").await;
    let to: String = joins
        .post("/api/invitations/join", &[("token", &token)])
        .await;
    assert_eq!(to, format!("/projects/{project}"));
}

async fn people(owner: &Person<'_>, project: ProjectId) -> People {
    owner
        .get(&format!("/api/team/people?project={project}"))
        .await
}

/// Removes the member with this address from the project.
pub async fn remove(owner: &Person<'_>, project: ProjectId, email: &str) {
    let members = people(owner, project).await.members;
    let member = members.iter().find(|one| one.email == email).unwrap();
    let form = [
        ("project", &*project.to_string()),
        ("user", &*member.id.to_string()),
    ];
    let () = owner.post("/api/team/remove", &form).await;
}

async fn refusal(person: &Person<'_>, method: Method, path: &str, token: &str) -> ApiError {
    let path = match method {
        Method::GET => format!("{path}?token={token}"),
        _ => path.to_owned(),
    };
    let response = person.ask(method, &path, &[("token", token)]).await;
    let status = response.status();
    let error: ApiError = response.json().await.unwrap();
    assert_eq!(status.as_u16(), error.code.status());
    error
}

#[tokio::test]
async fn whatever_invitation_cant_be_used_is_refused_in_the_same_words() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = Person::sign_up(&server, "owner@example.com").await;
    let ada = Person::sign_up(&server, "ada@example.com").await;
    let ben = Person::sign_up(&server, "ben@example.com").await;
    let project = project_of(&owner).await;
    let used = invite(&owner, project, "viewer", "").await;
    let _: String = ben.post("/api/invitations/join", &[("token", &used)]).await;
    let revoked = invite(&owner, project, "viewer", "").await;
    let open = people(&owner, project).await.invitations;
    let form = [
        ("project", &*project.to_string()),
        ("invitation", &*open[0].id.to_string()),
    ];
    let () = owner.post("/api/team/revoke", &form).await;
    // Another one to the same address takes its place.
    let replaced = invite(&owner, project, "viewer", "ADA@example.com").await;
    let _ = invite(&owner, project, "editor", "ada@example.com").await;
    let database = data.path().join("codeflow.sqlite");
    let store = Store::open_file(&database).await.unwrap();
    let user = store.user_of(project).await.unwrap();
    let (late, by) = (
        Token::new(),
        Actor {
            user,
            name: "owner@example.com".to_owned(),
            address: String::new(),
        },
    );
    let expired = NewInvitation {
        project,
        role: ProjectRole::Viewer,
        email: None,
        token_hash: late.hash(),
        expires_at: Timestamp(Timestamp::now().0 - 1),
    };
    store.invite_to_project(&by, expired).await.unwrap();
    store.close().await;
    let unknown = Token::new();
    let mut said = Vec::new();
    for wrong in [
        "none",
        unknown.expose(),
        late.expose(),
        &used,
        &revoked,
        &replaced,
    ] {
        for (method, path) in [
            (Method::GET, "/api/invitations/get"),
            (Method::POST, "/api/invitations/join"),
        ] {
            let error = refusal(&ada, method, path, wrong).await;
            assert_eq!(error.code, ErrorCode::NotFound);
            said.push(error.message);
        }
        let (status, page) = ada.page(&format!("/invite/{wrong}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(
            page.contains("was used already, or was withdrawn"),
            "{page}"
        );
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    let shared: Vec<ProjectSummary> = ada.get("/api/projects/list").await;
    assert!(shared.is_empty());
}

#[tokio::test]
async fn an_invitation_by_e_mail_is_for_the_account_with_that_address() {
    let (data, mut mail) = (data_dir(), MailServer::start().await);
    let model = Model::start([]).await;
    let env = [("AUTH", "on"), ("SMTP_URL", &*mail.url)];
    let server = Server::start_and(data.path(), &model, &env);
    let owner = join_by_mail(&server, &mut mail, "owner@example.com").await;
    let owner = Person::of(&server, &owner);
    let ada = join_by_mail(&server, &mut mail, "ada@example.com").await;
    let ada = Person::of(&server, &ada);
    let ben = join_by_mail(&server, &mut mail, "ben@example.com").await;
    let ben = Person::of(&server, &ben);
    let project = project_of(&owner).await;
    let token = invite(&owner, project, "editor", "Ada@Example.com").await;
    let letter = mail.letter().await;
    assert!(letter.contains(&format!("/invite/{token}")), "{letter}");
    assert!(letter.contains("owner@example.com invites you"), "{letter}");

    // Who is not signed in comes back after that.
    let nobody = Person::nobody(&server);
    let request = http()
        .get(format!("{}/invite/{token}", server.url()))
        .header("accept", "text/html");
    let led = request.send().await.unwrap();
    let to = led.headers()["location"].to_str().unwrap();
    assert_eq!(to, format!("/sign-in?to=%2Finvite%2F{}", escaped(&token)));
    let asked = nobody
        .ask(Method::POST, "/api/invitations/join", &[("token", &token)])
        .await;
    assert_eq!(asked.status(), 401);

    let path = format!("/api/invitations/get?token={token}");
    let seen = async |person: &Person<'_>| -> InvitationView { person.get(&path).await };
    assert_eq!(seen(&ben).await.standing, Standing::OtherAddress);
    let error = refusal(&ben, Method::POST, "/api/invitations/join", &token).await;
    assert_eq!(error.code, ErrorCode::Forbidden);
    assert!(error.message.contains("another e-mail address"));
    assert_eq!(seen(&owner).await.standing, Standing::Owner);
    let (status, page) = owner.page(&format!("/invite/{token}")).await;
    assert!(
        status == 200 && page.contains("is your own project"),
        "{page}"
    );

    let view = seen(&ada).await;
    assert_eq!(view.standing, Standing::Invited);
    assert_eq!((&*view.inviter, view.role), ("owner", ProjectRole::Editor));
    let (_, page) = ada.page(&format!("/invite/{token}")).await;
    assert!(
        page.contains("as an editor") && page.contains(">Join<"),
        "{page}"
    );
    // As a browser sends it without scripts; and once more.
    for _ in 0..2 {
        let request = http()
            .post(format!("{}/api/invitations/join", server.url()))
            .header("accept", "text/html")
            .header("cookie", &ada.cookie)
            .form(&[("token", &token)]);
        let joined = request.send().await.unwrap();
        let to = joined.headers()["location"].to_str().unwrap();
        assert_eq!(to, format!("/projects/{project}"));
    }
    assert_eq!(seen(&ada).await.standing, Standing::Joined);
    let now = people(&owner, project).await;
    assert_eq!((now.members.len(), now.invitations.len()), (1, 0));
    assert_eq!(now.members[0].email, "ada@example.com");
    for (email, status) in [
        ("ada@example.com", 409),
        ("OWNER@example.com", 409),
        ("no address", 400),
    ] {
        let form = [
            ("project", &*project.to_string()),
            ("role", "viewer"),
            ("email", email),
        ];
        let refused = owner.ask(Method::POST, "/api/team/invite", &form).await;
        assert_eq!(refused.status(), status, "{email}");
    }
    assert!(mail.is_empty());
}

/// As a query's value.
fn escaped(token: &str) -> String {
    token.replace('-', "%2D").replace('_', "%5F")
}

/// Rules of a team, on either database.
pub async fn a_team_lives(server: &Server) {
    let owner = Person::sign_up(server, "owner@example.com").await;
    let ada = Person::sign_up(server, "ada@example.com").await;
    let ben = Person::sign_up(server, "ben@example.com").await;
    let project = project_of(&owner).await;
    let id = project.to_string();
    // If two people use one link at once, one joins; somebody who uses it twice at once joins once.
    let token = invite(&owner, project, "editor", "").await;
    let form = [("token", &*token)];
    let join = |person| Person::ask(person, Method::POST, "/api/invitations/join", &form);
    let mut answers: Vec<StatusCode> =
        futures::future::join_all([join(&ada), join(&ben), join(&ada), join(&ben)])
            .await
            .iter()
            .map(reqwest::Response::status)
            .collect();
    answers.sort();
    assert_eq!(answers, [200, 200, 404, 404]);
    let members = people(&owner, project).await.members;
    assert_eq!(members.len(), 1);
    let (member, email) = match &*members[0].email {
        "ada@example.com" => (&ada, "ada@example.com"),
        _ => (&ben, "ben@example.com"),
    };
    let listed: Vec<ProjectSummary> = member.get("/api/projects/list").await;
    let shared = listed[0].shared.as_ref().unwrap();
    assert_eq!(
        (&*shared.owner, shared.role),
        ("owner", ProjectRole::Editor)
    );
    let (_, home) = member.page("/").await;
    assert!(home.contains("Shared with you"), "{home}");
    let rename = [("project", &*id), ("title", "Ours")];
    let renamed = async || {
        let asked = member.ask(Method::POST, "/api/projects/rename", &rename);
        asked.await.status()
    };
    assert_eq!(renamed().await, 200);

    let user = members[0].id.to_string();
    for (role, status) in [("viewer", 403), ("editor", 200)] {
        let form = [("project", &*id), ("user", &*user), ("role", role)];
        let () = owner.post("/api/team/role", &form).await;
        assert_eq!(renamed().await, status);
    }
    let form = [("project", &*id), ("user", &*user), ("role", "owner")];
    let refused = owner.ask(Method::POST, "/api/team/role", &form).await;
    assert_eq!(refused.status(), 400);
    let left = owner
        .ask(Method::POST, "/api/team/leave", &[("project", &id)])
        .await;
    assert_eq!(left.status(), 409);
    remove(&owner, project, email).await;
    assert_eq!(renamed().await, 404);
    // A link that was used brings nobody back.
    assert_eq!(join(member).await.status(), 404);

    self::join(&owner, project, "viewer", member).await;
    let () = member.post("/api/team/leave", &[("project", &id)]).await;
    assert!(people(&owner, project).await.members.is_empty());
    // An account takes its memberships along, and a project its members and invitations.
    self::join(&owner, project, "viewer", member).await;
    let password = [("current", "seven uncommon lanterns")];
    let deleted = member
        .ask(Method::POST, "/api/account/delete", &password)
        .await;
    assert_eq!(deleted.status(), 200);
    assert!(people(&owner, project).await.members.is_empty());
}

#[tokio::test]
async fn one_joins_by_a_link_and_roles_change_and_end() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    a_team_lives(&server).await;
    let database = data.path().join("codeflow.sqlite");
    let store = Store::open_file(&database).await.unwrap();
    let (log, _) = store
        .list_audit(&Default::default(), None, None)
        .await
        .unwrap();
    let done: Vec<&str> = log.iter().map(|entry| &*entry.action).collect();
    for action in [
        "invite to project",
        "join project",
        "change project role",
        "remove from project",
        "leave project",
    ] {
        assert!(done.contains(&action), "{action} is not among {done:?}");
    }
    store.close().await;
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(server: &Server, path: &str, person: &Person<'_>) -> Socket {
    let url = format!("ws://127.0.0.1:{}{path}", server.port);
    let mut request = url.into_client_request().unwrap();
    let cookie = person.cookie.parse().unwrap();
    request.headers_mut().insert("cookie", cookie);
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

async fn next(socket: &mut Socket) -> tungstenite::Message {
    let next = tokio::time::timeout(PATIENCE, socket.next()).await;
    next.unwrap().expect("it ended").unwrap()
}

/// The next frame about the project's people.
async fn team(socket: &mut Socket) -> Team {
    loop {
        if let tungstenite::Message::Text(text) = next(socket).await
            && let FeedFrame::Team { team } = serde_json::from_str(&text).unwrap()
        {
            return team;
        }
    }
}

/// Why the server closed it, and whether it said before that the project is gone.
async fn closed(socket: &mut Socket) -> (String, bool) {
    let mut is_gone = false;
    loop {
        match next(socket).await {
            tungstenite::Message::Close(close) => {
                return (close.unwrap().reason.to_string(), is_gone);
            }
            tungstenite::Message::Text(text) => {
                is_gone |= matches!(serde_json::from_str(&text), Ok(FeedFrame::Gone));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_others_are_seen_while_they_are_there_and_what_is_open_ends_with_the_membership() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = Person::sign_up(&server, "owner@example.com").await;
    let ada = Person::sign_up(&server, "ada@example.com").await;
    let project = project_of(&owner).await;
    join(&owner, project, "editor", &ada).await;
    let path = format!("/ws/projects/{project}?after=0");
    let mut owners = open(&server, &path, &owner).await;
    let first = team(&mut owners).await;
    assert_eq!((first.people.len(), first.here.len()), (2, 1));
    assert!(first.others_here().is_empty());
    let mut adas = open(&server, &path, &ada).await;
    let both = team(&mut owners).await;
    assert_eq!(both.others_here()[0].name, "ada");
    let seen = team(&mut adas).await;
    assert_eq!(seen.role, ProjectRole::Editor);
    assert_eq!(seen.others_here()[0].name, "owner");
    drop(adas);
    assert!(team(&mut owners).await.others_here().is_empty());

    let mut adas = open(&server, &path, &ada).await;
    assert_eq!(team(&mut adas).await.role, ProjectRole::Editor);
    let terminal = format!("/ws/projects/{project}/terminal");
    let mut shell = open(&server, &terminal, &ada).await;
    let member = people(&owner, project).await.members.remove(0).id;
    let form = [
        ("project", &*project.to_string()),
        ("user", &*member.to_string()),
        ("role", "viewer"),
    ];
    let () = owner.post("/api/team/role", &form).await;
    let (reason, _) = closed(&mut shell).await;
    assert_eq!(reason, "you may not change this project any more");
    let (reason, _) = closed(&mut open(&server, &terminal, &ada).await).await;
    assert!(reason.contains("You may look at this project"), "{reason}");
    assert_eq!(team(&mut adas).await.role, ProjectRole::Viewer);
    remove(&owner, project, "ada@example.com").await;
    let end = ("there is no such project".to_owned(), true);
    assert_eq!(closed(&mut adas).await, end);
    let (reason, _) = closed(&mut open(&server, &path, &ada).await).await;
    assert_eq!(reason, "there is no such project");
}

#[tokio::test]
async fn who_sends_a_message_is_named_and_pays() {
    let data = data_dir();
    let change = vec![Reply::write("index.html", "<h1>Words</h1>"), Reply::done()];
    let model = Model::start([("Change", change)]).await;
    let env = [("AUTH", "on"), ("FREE_POINTS", "2")];
    let server = Server::start_and(data.path(), &model, &env);
    let owner = Person::sign_up(&server, "owner@example.com").await;
    let ada = Person::sign_up(&server, "ada@example.com").await;
    let project = project_of(&owner).await;
    join(&owner, project, "editor", &ada).await;
    let left = async |person: &Person<'_>| -> i64 {
        let credits: Option<Credits> = person.get("/api/account/credits").await;
        credits.unwrap().left
    };
    let send = [("project", &*project.to_string()), ("text", "Change")];
    let sent = ada.ask(Method::POST, "/api/messages/send", &send).await;
    assert_eq!(sent.status(), 200);
    assert_eq!((left(&owner).await, left(&ada).await), (2, 1));
    owner.done(project, 2).await;
    let path = format!("/api/projects/workspace?project={project}");
    let seen: Workspace = owner.get(&path).await;
    let prompts = |message: &&Message| message.kind == MessageKind::Prompt;
    let asked = seen.messages.iter().rfind(prompts).unwrap();
    assert_eq!(seen.team.name_of(asked.user.as_ref()), "ada");
    let (_, page) = owner.page(&format!("/projects/{project}")).await;
    assert!(page.contains(">ada<"), "{page}");
    // What she used is hers, and what she restores has her name.
    let used = async |person: &Person<'_>| -> Vec<codeflow::protocol::UserUsage> {
        person.get("/api/usage").await
    };
    assert_eq!(used(&ada).await[0].runs, 1);
    assert_eq!(used(&owner).await[0].runs, 1);
    let restore = [("project", &*project.to_string()), ("version", "1")];
    let restored: codeflow::protocol::Fragment = until("nothing is at work", async || {
        let asked = ada
            .ask(Method::POST, "/api/versions/restore", &restore)
            .await;
        match asked.status() {
            StatusCode::OK => asked.json().await.ok(),
            _ => None,
        }
    })
    .await;
    assert_eq!(seen.team.name_of(restored.user.as_ref()), "ada");
    // Of her two credits one is left; then she is out of them, and the owner is not.
    for status in [200, 429] {
        let sent = ada.ask(Method::POST, "/api/messages/send", &send).await;
        assert_eq!(sent.status(), status);
    }
    assert_eq!(left(&owner).await, 2);
    // A viewer sees no way to send.
    let ben = Person::sign_up(&server, "ben@example.com").await;
    join(&owner, project, "viewer", &ben).await;
    let (_, page) = ben.page(&format!("/projects/{project}")).await;
    assert!(!page.contains("aria-label=\"Send\"") && !page.contains("Rename project"));
    assert!(page.contains("You are a viewer of this project"), "{page}");
}
