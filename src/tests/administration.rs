//! Administration on the real server: what administrators do with accounts, projects, sandboxes and
//! tables, and that the audit log records all of it. `authorization` tests that nobody else has
//! access.

mod browser;
pub mod models;

use codeflow::{
    protocol::{
        AccountRole, DataPage, ProjectInside, ProjectPage, SandboxOverview, UserPage, UserState,
    },
    store::{AccountChange, Actor, Store},
};
use futures::StreamExt as _;
use reqwest::Method;

use crate::support::{Model, Postgres, Reply, Server, data_dir, until};
use browser::{Browser, cookie};

const PASSWORD: &str = "seven uncommon lanterns";
const OTHER: &str = "quiet marble harbour nine";

/// As the command does it.
async fn make_administrator(store: &Store, email: &str) {
    let account = store.find_account(email).await.unwrap();
    let change = AccountChange::Role(AccountRole::Admin);
    let by = Actor::shell();
    store
        .change_account(&by, &account.id, change)
        .await
        .unwrap();
}

/// A server with accounts on the database, and an administrator.
async fn administrated(server: &Server, store: Store) -> Browser<'_> {
    let boss = Browser::sign_up(server, "boss@example.com").await;
    make_administrator(&store, "boss@example.com").await;
    store.close().await;
    boss
}

async fn start(data: &tempfile::TempDir, env: &[(&str, &str)]) -> (Server, Store) {
    let model = Model::start([]).await;
    let server = Server::start_and(data.path(), &model, &[&[("AUTH", "on")], env].concat());
    let store = Store::open_file(&data.path().join("codeflow.sqlite")).await;
    (server, store.unwrap())
}

async fn accounts_are_managed_and_all_of_it_is_in_the_log(boss: &Browser<'_>) {
    let server = boss.server;
    let ada = Browser::sign_up(server, "Ada@example.com").await;
    let made = ada.done::<String>("/api/showcase/use", &[("slug", "quiz")]);
    let project = made.await;
    let user = boss.id_of("ada@example").await;
    let of_ada = [("user", &*user)];

    // An id that nobody has, and an unknown plan.
    let nobody = [("user", "nobody"), ("plan", "pro")];
    let refused = boss.post("/api/admin/users/plan", &nobody).await;
    assert_eq!(refused.status(), 404);
    let pro = [("user", &*user), ("plan", "pro")];
    boss.done::<()>("/api/admin/users/plan", &pro).await;
    let found: UserPage = boss
        .get("/api/admin/users?filter[plan]=pro&filter[state]=active")
        .await;
    let [ref summary] = found.users[..] else {
        panic!("{found:?}");
    };
    assert_eq!(summary.account.email, "Ada@example.com");
    assert_eq!((summary.projects, summary.runs), (1, 1));
    assert!(summary.seen_at.is_some());

    // Once disabled, she is signed out and can't sign in until she is enabled.
    boss.done::<()>("/api/admin/users/disable", &of_ada).await;
    assert_eq!(ada.status("/api/account/sessions").await, 401);
    let sign_in = [("email", "ada@example.com"), ("password", PASSWORD)];
    let refused = ada.post("/api/account/sign-in", &sign_in).await;
    assert_eq!(refused.status(), 401);
    let page: UserPage = boss.get("/api/admin/users?filter[state]=disabled").await;
    assert_eq!(page.users[0].state, UserState::Disabled);
    boss.done::<()>("/api/admin/users/enable", &of_ada).await;
    assert_eq!(ada.status("/api/account/sessions").await, 401);
    let again = ada.post("/api/account/sign-in", &sign_in).await;
    assert_eq!(again.status(), 200);

    // The link sets a password once.
    let link: String = boss.done("/api/admin/users/reset-link", &of_ada).await;
    let token = link.split("/reset?link=").nth(1).unwrap();
    let form = [("link", token), ("password", OTHER)];
    assert_eq!(ada.post("/api/account/reset", &form).await.status(), 200);
    assert_eq!(ada.post("/api/account/reset", &form).await.status(), 400);

    // The last administrator stays one; one of two need not.
    let own = boss.id_of("boss@example.com").await;
    let alone = [
        ("role", vec![("user", &*own), ("role", "user")]),
        ("disable", vec![("user", &*own)]),
    ];
    for (action, form) in &alone {
        let refused = boss.post(&format!("/api/admin/users/{action}"), form).await;
        assert_eq!(refused.status(), 409, "{action}");
        let text = refused.text().await.unwrap();
        assert!(text.contains("last administrator"), "{text}");
    }
    let promoted = [("user", &*user), ("role", "admin")];
    boss.done::<()>("/api/admin/users/role", &promoted).await;
    let demoted = [("user", &*user), ("role", "user")];
    boss.done::<()>("/api/admin/users/role", &demoted).await;

    // The administrator sees her data; looking at one of her runs is logged, at most once in a
    // while.
    let projects: ProjectPage = boss
        .get("/api/admin/projects?filter[search]=ada@example.com")
        .await;
    let [ref overview] = projects.projects[..] else {
        panic!("{projects:?}");
    };
    assert_eq!(overview.id.to_string(), project);
    assert_eq!(overview.owner, "Ada@example.com");
    assert!(
        overview.versions == 1 && overview.bytes > 1000,
        "{overview:?}"
    );
    let (run, _) = overview.last_run.unwrap();
    for _ in 0..3 {
        boss.get::<serde_json::Value>(&format!("/api/runs/details?run={run}"))
            .await;
    }

    let path = format!("/api/admin/project?project={project}&file=app/page.tsx");
    let inside: ProjectInside = boss.get(&path).await;
    assert!(inside.content.unwrap().contains("export default"));
    assert!(!inside.messages.is_empty());
    assert_eq!(inside.versions.len(), 1);
    let path = format!("/api/admin/project?project={project}&file=no.txt");
    assert_eq!(boss.status(&path).await, 404);

    let log = boss.audit("").await;
    let actions: Vec<&str> = log.entries.iter().map(|entry| &*entry.action).collect();
    let expected = [
        // A run, the project, its file.
        "open",
        "open",
        "open",
        "set role",
        "set role",
        "make reset link",
        "enable account",
        "disable account",
        "set plan",
        // The first administrator, by the shell.
        "set role",
    ];
    assert_eq!(actions, expected);
    let [.., plan, first] = &log.entries[..] else {
        panic!("{log:?}");
    };
    assert_eq!(first.actor, "the shell");
    assert_eq!(plan.actor, "boss@example.com");
    assert_eq!(plan.subject.id, user);
    assert_eq!(plan.subject.name, "Ada@example.com");
    assert_eq!(plan.details, r#"{"from":"free","to":"pro"}"#);
    assert_eq!(plan.address, "127.0.0.1");
    let text = serde_json::to_string(&log).unwrap();
    assert!(!text.contains(token), "a secret is in the log");
}

#[tokio::test]
async fn accounts_are_managed() {
    let data = data_dir();
    let (server, store) = start(&data, &[]).await;
    let boss = administrated(&server, store).await;
    accounts_are_managed_and_all_of_it_is_in_the_log(&boss).await;
}

#[tokio::test]
async fn administration_works_on_postgresql() {
    let (postgres, data) = (Postgres::start().await, data_dir());
    let model = Model::start([]).await;
    let env = [("AUTH", "on"), ("DATABASE_URL", &*postgres.url)];
    let server = Server::start_and(data.path(), &model, &env);
    let store = Store::open(&postgres.url).await.unwrap();
    let boss = administrated(&server, store).await;
    accounts_are_managed_and_all_of_it_is_in_the_log(&boss).await;
    let all: DataPage = boss.get("/api/admin/data").await;
    let mut paths = Vec::new();
    for table in &all.tables {
        let rows: DataPage = boss
            .get(&format!("/api/admin/data?filter[table]={table}"))
            .await;
        for column in rows.columns.iter().filter(|column| !column.is_length) {
            for operator in [
                "contains",
                "starts_with",
                "is",
                "is_not",
                "less",
                "more",
                "is_empty",
            ] {
                paths.push(format!(
                    "/api/admin/data?filter[table]={table}&filter[column]={}\
                     &filter[operator]={operator}&filter[value]=7&filter[sort]={}",
                    column.name, column.name
                ));
            }
        }
    }
    assert!(paths.len() > 500, "{}", paths.len());
    // Several at a time: on a busy machine each waits for its turn.
    futures::stream::iter(&paths)
        .for_each_concurrent(6, async |path| drop(boss.get::<DataPage>(path).await))
        .await;
    let found: DataPage = boss
        .get("/api/admin/data?filter[table]=users&filter[column]=email&filter[value]=ADA")
        .await;
    assert_eq!(found.rows.len(), 1);
    assert_eq!(found.left_out, ["password_hash"]);
    drop(server);
}

#[tokio::test]
async fn people_are_invited_and_an_invitation_is_revoked() {
    let data = data_dir();
    let (server, store) = start(&data, &[]).await;
    let boss = administrated(&server, store).await;
    for days in ["0", "91"] {
        let refused = boss
            .post("/api/admin/invitations/make", &[("days", days)])
            .await;
        assert_eq!(refused.status(), 400, "{days}");
    }
    let invite = async || -> String {
        boss.done("/api/admin/invitations/make", &[("days", "7")])
            .await
    };
    let token = |link: &str| link.split("/sign-up?link=").nth(1).unwrap().to_owned();
    let (used, revoked) = (token(&invite().await), token(&invite().await));
    let open: UserPage = boss.get("/api/admin/users").await;
    assert_eq!(open.invitations.len(), 2);
    assert_eq!(open.invitations[0].made_by, "boss@example.com");
    let id = open.invitations[0].id.to_string();
    let of_id = [("invitation", &*id)];
    boss.done::<()>("/api/admin/invitations/revoke", &of_id)
        .await;
    let again = boss.post("/api/admin/invitations/revoke", &of_id).await;
    assert_eq!(again.status(), 404);
    let guest = Browser {
        server: &server,
        cookie: String::new(),
    };
    for (link, email, status) in [
        (&revoked, "eve@example.com", 400),
        (&used, "guest@example.com", 200),
        (&used, "another@example.com", 400),
    ] {
        let form = [("email", email), ("password", OTHER), ("link", &**link)];
        let signed_up = guest.post("/api/account/sign-up", &form).await;
        assert_eq!(signed_up.status(), status, "{email}");
    }
    let open: UserPage = boss.get("/api/admin/users").await;
    assert!(open.invitations.is_empty());
    assert_eq!(
        boss.audit("filter[subject]=invitation").await.entries.len(),
        3
    );
}

#[tokio::test]
async fn an_administrator_acts_as_somebody_else_for_an_hour_under_a_banner() {
    let data = data_dir();
    let (server, store) = start(&data, &[]).await;
    let boss = administrated(&server, store).await;
    let ada = Browser::sign_up(&server, "ada@example.com").await;
    let other = Browser::sign_up(&server, "other@example.com").await;
    let user = boss.id_of("ada@example.com").await;
    let own = boss.id_of("boss@example.com").await;
    // Nobody acts as an administrator.
    let refused = boss
        .post("/api/admin/users/sign-in", &[("user", &own)])
        .await;
    assert_eq!(refused.status(), 409);
    let began = boss
        .post("/api/admin/users/sign-in", &[("user", &user)])
        .await;
    assert_eq!(began.status(), 200);
    let acting = Browser {
        server: &server,
        cookie: cookie(&began),
    };
    // The administrator's own session has ended.
    assert_eq!(boss.status("/api/admin/users").await, 401);
    for page in ["/", "/settings", "/usage"] {
        let (status, text) = acting.page(page).await;
        assert_eq!(status, 200);
        assert!(text.contains("You are signed in as"), "{page}");
        let (_, text) = ada.page(page).await;
        assert!(!text.contains("You are signed in as"), "{page}");
    }
    // Not even when the account becomes an administrator's.
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    make_administrator(&store, "ada@example.com").await;
    assert_eq!(acting.status("/api/admin/users").await, 404);
    assert_eq!(acting.page("/admin/runs").await.0, 404);
    assert_eq!(ada.status("/api/admin/users").await, 200);

    let sessions = "/api/admin/data?filter[table]=sessions&filter[column]=acting_user_id\
                    &filter[operator]=is_not&filter[value]=";
    let found: DataPage = ada.get(sessions).await;
    let value = |row: &[Option<String>], name: &str| -> Option<i64> {
        let index = found.columns.iter().position(|column| column.name == name);
        row[index.unwrap()].as_ref()?.parse().ok()
    };
    let column = found
        .columns
        .iter()
        .position(|column| column.name == "acting_user_id");
    let row = found
        .rows
        .iter()
        .find(|row| row[column.unwrap()].is_some())
        .unwrap();
    let lasts = value(row, "expires_at").unwrap() - value(row, "created_at").unwrap();
    assert!((3_500_000..=3_600_000).contains(&lasts), "{lasts}");
    assert!(
        !found
            .columns
            .iter()
            .any(|column| column.name == "token_hash")
    );

    // It ends with the administrator's right to it.
    let boss_id = [("user", &*own), ("role", "user")];
    ada.done::<()>("/api/admin/users/role", &boss_id).await;
    assert_eq!(acting.status("/api/account/sessions").await, 401);
    assert_eq!(other.status("/api/account/sessions").await, 200);
    let entries = ada.audit("filter[action]=sign%20in%20as").await.entries;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].subject.name, "ada@example.com");
    store.close().await;
}

#[tokio::test]
async fn the_log_is_searched_and_cut_into_pages() {
    let data = data_dir();
    let (server, store) = start(&data, &[]).await;
    let boss = administrated(&server, store).await;
    let user = boss.id_of("boss@example.com").await;
    for round in 0..55 {
        let plan = if round % 2 == 0 { "pro" } else { "free" };
        boss.done::<()>("/api/admin/users/plan", &[("user", &user), ("plan", plan)])
            .await;
    }
    let first = boss.audit("").await;
    assert_eq!(first.entries.len(), 50);
    let next = first.next.unwrap();
    let second = boss.audit(&format!("filter[before]={next}")).await;
    assert_eq!((second.entries.len(), second.next), (6, None));
    for (filter, found) in [
        ("filter[actor]=BOSS", true),
        ("filter[actor]=ada", false),
        ("filter[action]=set%20plan", true),
        ("filter[action]=set", false),
        ("filter[subject]=boss@", true),
        ("filter[text]=%22to%22:%22pro%22", true),
        ("filter[text]=%25", false),
        ("filter[from]=2020-02-29&filter[to]=2999-12-31", true),
        ("filter[to]=2020-02-29", false),
        ("filter[from]=2999-01-01", false),
    ] {
        let entries = boss.audit(filter).await.entries;
        assert_eq!(!entries.is_empty(), found, "{filter}");
    }
    let refused = boss.ask(Method::GET, "/api/admin/audit?filter[from]=yesterday", &[]);
    assert_eq!(refused.await.status(), 400);
    let (status, page) = boss.page("/admin/audit?actor=boss").await;
    assert_eq!(status, 200);
    assert!(page.contains(" UTC"), "times have their zone");
    let (_, page) = boss.page("/admin/audit?from=yesterday").await;
    assert!(page.contains("Write days as year, month and day"));
}

#[tokio::test]
async fn administration_works_without_scripts_and_a_link_is_shown_once() {
    let data = data_dir();
    let (server, store) = start(&data, &[]).await;
    let boss = administrated(&server, store).await;
    let user = boss.id_of("boss@example.com").await;
    for (name, path) in [
        ("Runs", "/admin/runs"),
        ("Users", "/admin/users"),
        ("Projects", "/admin/projects"),
        ("Sandboxes", "/admin/sandboxes"),
        ("Models", "/admin/models"),
        ("Data", "/admin/data"),
        ("Audit log", "/admin/audit"),
    ] {
        let (status, page) = boss.page(path).await;
        assert_eq!(status, 200, "{path}");
        let heading = page.split("<h1").nth(1).unwrap();
        assert!(
            heading
                .split("</h1>")
                .next()
                .unwrap()
                .contains(&format!(">{name}")),
            "{path}"
        );
        let nav = page
            .split(r#"<nav aria-label="Administration""#)
            .nth(1)
            .unwrap();
        let current = nav.split("aria-current=\"page\"").next().unwrap();
        assert!(
            current.ends_with(&format!("href=\"{path}\" ")),
            "{path}: {current}"
        );
    }
    let page = "/admin/users?search=boss";
    let make = ("/api/admin/users/reset-link", [("user", &*user)]);
    assert_eq!(boss.form(page, make.0, &make.1).await, page);
    let (_, shown) = boss.page(page).await;
    assert!(shown.contains("/reset?link="), "{shown}");
    let (_, again) = boss.page(page).await;
    assert!(!again.contains("/reset?link="));
    // What is refused says so, and nothing else is on the way.
    let demote = [("user", &*user), ("role", "user")];
    let led = boss.form(page, "/api/admin/users/role", &demote).await;
    assert_eq!(led, page);
    let (status, refused) = boss.page(page).await;
    assert_eq!(status, 200);
    assert!(refused.contains("This is the last administrator."));

    let (_, rows) = boss
        .page("/admin/data?table=users&column=email&value=boss")
        .await;
    assert!(rows.contains("boss@example.com") && !rows.contains("$argon2"));
    let (_, refused) = boss
        .page("/admin/data?table=users&column=password_hash")
        .await;
    assert!(refused.contains("There is no such column."));
}

#[tokio::test]
async fn a_sandbox_is_listed_with_what_it_uses_and_killed() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::write("a.txt", "a"), Reply::done()])]).await;
    let server = Server::start_and(data.path(), &model, &[]);
    // The local user is the administrator.
    let local = Browser {
        server: &server,
        cookie: String::new(),
    };
    let project = server.create("Build").await;
    let sandbox = until("the sandbox is measured", async || {
        let listed: Vec<SandboxOverview> = local.get("/api/admin/sandboxes").await;
        let found = listed
            .into_iter()
            .find(|found| found.project == Some(project));
        found.filter(|found| found.used.is_some())
    })
    .await;
    assert!(sandbox.own && sandbox.title.is_some(), "{sandbox:?}");
    assert!(sandbox.used.unwrap().memory > 0);
    let kill = [("sandbox", &*sandbox.id)];
    let unknown = local.post("/api/admin/sandboxes/kill", &[("sandbox", "unknown")]);
    assert_eq!(unknown.await.status(), 404);
    local.done::<()>("/api/admin/sandboxes/kill", &kill).await;
    let listed: Vec<SandboxOverview> = local.get("/api/admin/sandboxes").await;
    assert!(
        listed.iter().all(|found| found.id != sandbox.id),
        "{listed:?}"
    );
    let entries = local.audit("filter[action]=kill%20sandbox").await.entries;
    assert_eq!(entries[0].subject.id, sandbox.id);
    assert_eq!(entries[0].actor, "the local user");
}
