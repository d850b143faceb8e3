//! Accounts on the real server: sign-up, sign-in, sign-out, links, sessions and their cookie, and
//! what guessing must not reveal.

use codeflow::protocol::{ApiError, AuditPage, ErrorCode, SavedPrompt, SessionSummary};
use reqwest::{Response, StatusCode, header};

use crate::support::{Model, Server, data_dir, secrets};

pub const PASSWORD: &str = "seven uncommon lanterns";
pub const OTHER: &str = "quiet marble harbour nine";

pub async fn server(data: &tempfile::TempDir, env: &[(&str, &str)]) -> Server {
    let model = Model::start([]).await;
    Server::start_and(data.path(), &model, &[&[("AUTH", "on")], env].concat())
}

/// The cookie that the answer sets, as a browser sends it; `None` if the answer removes it.
pub fn cookie(response: &Response) -> Option<String> {
    let set = response
        .headers()
        .get(header::SET_COOKIE)?
        .to_str()
        .unwrap();
    let pair = set.split(';').next().unwrap();
    (!pair.ends_with('=')).then(|| pair.to_owned())
}

pub async fn post(server: &Server, path: &str, cookie: &str, form: &[(&str, &str)]) -> Response {
    secrets::remember_request(cookie, form);
    let request = crate::support::http()
        .post(format!("{}{path}", server.url()))
        .header("accept", "application/json")
        .header("cookie", cookie)
        .form(form);
    request.send().await.unwrap()
}

pub async fn get(server: &Server, path: &str, cookie: &str) -> Response {
    let request = crate::support::http()
        .get(format!("{}{path}", server.url()))
        .header("cookie", cookie);
    request.send().await.unwrap()
}

pub async fn sign(server: &Server, path: &str, email: &str, password: &str) -> Response {
    let form = [("email", email), ("password", password)];
    post(server, &format!("/api/account/{path}"), "", &form).await
}

pub async fn refusal(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let error: ApiError = response.json().await.unwrap();
    (status, error.message)
}

pub async fn sessions(server: &Server, cookie: &str) -> Vec<SessionSummary> {
    let found = get(server, "/api/account/sessions", cookie).await;
    assert_eq!(found.status(), 200);
    found.json().await.unwrap()
}

#[tokio::test]
async fn one_signs_up_out_and_in_and_nothing_tells_an_unknown_account_from_a_wrong_password() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let signed_up = sign(&server, "sign-up", "Ada@Example.com", PASSWORD).await;
    assert_eq!(signed_up.status(), 200);
    let set = signed_up.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.contains("HttpOnly; SameSite=Lax; Path=/"), "{set}");
    let first = cookie(&signed_up).unwrap();
    assert_eq!(sessions(&server, &first).await.len(), 1);

    let out = post(&server, "/api/account/sign-out", &first, &[]).await;
    assert_eq!((out.status(), cookie(&out)), (StatusCode::OK, None));
    // A stolen cookie is useless after sign-out.
    let gone = get(&server, "/api/account/sessions", &first).await;
    assert_eq!(gone.status(), 401);

    let wrong = refusal(sign(&server, "sign-in", "ada@example.com", OTHER).await).await;
    let unknown = refusal(sign(&server, "sign-in", "bob@example.com", OTHER).await).await;
    assert_eq!(wrong.0, 401);
    assert_eq!(wrong, unknown);
    let again = sign(&server, "sign-in", " ADA@example.COM ", PASSWORD).await;
    assert_eq!(again.status(), 200);
    let second = cookie(&again).unwrap();
    assert_ne!(first, second);

    // Signing in neither reuses an unknown cookie as a session nor keeps the old session.
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let rotated = post(&server, "/api/account/sign-in", &second, &form).await;
    let third = cookie(&rotated).unwrap();
    assert_ne!(third, second);
    assert_eq!(sessions(&server, &third).await.len(), 1);
    let fixed = get(&server, "/api/account/sessions", &second).await;
    assert_eq!(fixed.status(), 401);

    // The database has neither the password nor a token.
    server.stop();
    let database = std::fs::read(data.path().join("codeflow.sqlite")).unwrap();
    let has = |text: &str| {
        database
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    let token = third.split('=').nth(1).unwrap();
    assert!(has("ada@example.com") && !has(PASSWORD) && !has(token));
}

#[tokio::test]
async fn of_two_sign_ups_of_one_address_at_once_one_wins_and_the_same_form_sent_twice_signs_in() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let forms = [
        ("eve@example.com", PASSWORD),
        ("EVE@example.com", OTHER),
        ("\"eve\"@Example.com", PASSWORD),
        (" eve@example.com", OTHER),
    ];
    let all = forms.map(|(email, password)| sign(&server, "sign-up", email, password));
    let mut lost = Vec::new();
    let mut won = Vec::new();
    for (response, (_, password)) in futures::future::join_all(all).await.into_iter().zip(forms) {
        match response.status() {
            StatusCode::OK => won.push((password, cookie(&response).unwrap())),
            _ => lost.push(refusal(response).await),
        }
    }
    assert_eq!((won.len(), lost.len()), (2, 2));
    assert_eq!(won[0].0, won[1].0, "the account has one password");
    assert_eq!(sessions(&server, &won[0].1).await.len(), 2);
    let wrong = "another harbour of lanterns";
    let taken = refusal(sign(&server, "sign-up", "eve@example.com", wrong).await).await;
    assert_eq!(taken.0, 400);
    assert!(
        taken
            .1
            .contains("can't be made with this address. If you have one"),
        "{}",
        taken.1
    );
    assert!(lost.iter().all(|one| *one == taken), "{lost:?}");
    // An account that may not sign in and one without a password are refused alike.
    command(&data, &["create", "bob@example.com"]);
    let closed = refusal(sign(&server, "sign-up", "bob@example.com", wrong).await).await;
    assert_eq!(closed, taken);
    for (email, password, field) in [
        ("no address", PASSWORD, "email"),
        ("new@example.com", "password1", "password"),
    ] {
        let refused = sign(&server, "sign-up", email, password).await;
        let error: ApiError = refused.json().await.unwrap();
        assert_eq!(error.field.as_deref(), Some(field));
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_by_account_and_address() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    sign(&server, "sign-up", "ada@example.com", PASSWORD).await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let mut last = sign(&server, "sign-in", email, OTHER).await;
        for _ in 0..10 {
            last = sign(&server, "sign-in", email, OTHER).await;
        }
        let wait: u64 = last.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=30).contains(&wait));
        let error: ApiError = last.json().await.unwrap();
        assert_eq!(error.code, ErrorCode::TooMany);
    }
    // Signing up is no way around it.
    let guess = sign(&server, "sign-up", "ada@example.com", PASSWORD).await;
    assert_eq!(guess.status(), 429);
    // Another address has its own count, but a stranger can't claim one.
    let request = crate::support::http()
        .post(format!("{}/api/account/sign-in", server.url()))
        .header("accept", "application/json")
        .header("x-forwarded-for", "192.0.2.7")
        .form(&[("email", "ada@example.com"), ("password", PASSWORD)]);
    assert_eq!(request.send().await.unwrap().status(), 429);
    let fine = sign(&server, "sign-up", "carol@example.com", PASSWORD).await;
    assert_eq!(fine.status(), 200);
}

#[tokio::test]
async fn a_password_is_changed_and_reset_and_the_other_sessions_end() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let one = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let two = cookie(&sign(&server, "sign-in", "ada@example.com", PASSWORD).await).unwrap();
    assert_eq!(sessions(&server, &one).await.len(), 2);
    let stranger = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();

    // You can't end another user's session, only your own.
    let all = sessions(&server, &one).await;
    let other = all
        .iter()
        .find(|session| !session.current)
        .unwrap()
        .id
        .to_string();
    let form = [("session", &*other)];
    let foreign = post(&server, "/api/account/sessions/end", &stranger, &form);
    assert_eq!(foreign.await.status(), 404);
    let ended = post(
        &server,
        "/api/account/sessions/end",
        &one,
        &[("session", &other)],
    )
    .await;
    assert_eq!(ended.status(), 200);
    assert_eq!(
        get(&server, "/api/account/sessions", &two).await.status(),
        401
    );

    let form = [("current", OTHER), ("password", OTHER)];
    let wrong = post(&server, "/api/account/password", &one, &form).await;
    assert_eq!(wrong.status(), 400);
    let form = [("current", PASSWORD), ("password", OTHER)];
    let changed = post(&server, "/api/account/password", &one, &form).await;
    let three = cookie(&changed).unwrap();
    assert_eq!(
        get(&server, "/api/account/sessions", &one).await.status(),
        401
    );
    assert_eq!(sessions(&server, &three).await.len(), 1);
    assert_eq!(
        sign(&server, "sign-in", "ada@example.com", PASSWORD)
            .await
            .status(),
        401
    );

    let link = command(&data, &["reset-link", "ADA@example.com"]);
    let token = link.split_once("/reset?link=").unwrap().1;
    let weak = [("link", token), ("password", "password1")];
    assert_eq!(
        post(&server, "/api/account/reset", "", &weak)
            .await
            .status(),
        400
    );
    let form = [("link", token), ("password", "another harbour of lanterns")];
    let uses = (0..4).map(|_| post(&server, "/api/account/reset", "", &form));
    let uses = futures::future::join_all(uses).await;
    let worked = uses
        .iter()
        .filter(|response| response.status() == 200)
        .count();
    assert_eq!(worked, 1, "a link works once");
    assert_eq!(
        get(&server, "/api/account/sessions", &three).await.status(),
        401
    );
    for wrong in ["", "x", token, &"a".repeat(43)] {
        let form = [("link", wrong), ("password", OTHER)];
        let refused = refusal(post(&server, "/api/account/reset", "", &form).await).await;
        assert_eq!(refused.0, 400);
        assert!(refused.1.contains("expired or was used"), "{}", refused.1);
    }
}

/// What `codeflow user …` prints.
pub fn command(data: &tempfile::TempDir, arguments: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_codeflow"))
        .arg("user")
        .args(arguments)
        .env("CODEFLOW_DATA_DIR", data.path())
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    said.trim().to_owned()
}

#[tokio::test]
async fn the_first_administrator_comes_by_the_link_of_the_start_and_takes_over_what_was_there() {
    let data = data_dir();
    let model = Model::start([]).await;
    let before = Server::start_and(data.path(), &model, &[]);
    let theme = [("name", "theme"), ("value", "dark")];
    let theme: std::collections::HashMap<_, _> = theme.into();
    let kept = crate::support::http()
        .post(format!("{}/api/preferences", before.url()))
        .json(&theme);
    assert!(kept.send().await.unwrap().status().is_success());
    let saved = [("name", "Shop"), ("text", "Build a shop")];
    let (status, _) = before.post("/api/prompts/save", &saved).await;
    assert_eq!(status, 200);
    assert!(!before.log().contains("there is no administrator"));
    before.stop();

    let server = server(&data, &[("SIGN_UP", "closed")]).await;
    let stranger = refusal(sign(&server, "sign-up", "eve@example.com", PASSWORD).await).await;
    assert_eq!(stranger.0, 403);
    let log = server.log();
    let token = log
        .split_once("/sign-up?link=")
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap();
    let form = [
        ("email", "root@example.com"),
        ("password", PASSWORD),
        ("link", token),
    ];
    let made = post(&server, "/api/account/sign-up", "", &form).await;
    let root = cookie(&made).unwrap();
    let preferences = get(&server, "/api/preferences", &root)
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(preferences, "{\"theme\":\"dark\"}");
    let prompts = get(&server, "/api/prompts/list", &root).await;
    let prompts: Vec<SavedPrompt> = prompts.json().await.unwrap();
    assert_eq!(prompts.len(), 1, "{prompts:?}");
    let form = [
        ("email", "eve@example.com"),
        ("password", PASSWORD),
        ("link", token),
    ];
    assert_eq!(
        post(&server, "/api/account/sign-up", "", &form)
            .await
            .status(),
        400
    );

    // An administrator creates accounts on the machine, even while the server runs.
    let link = command(&data, &["create", "bob@example.com", "--plan", "pro"]);
    let token = link.split_once("/reset?link=").unwrap().1;
    let form = [("link", token), ("password", OTHER)];
    let bob = cookie(&post(&server, "/api/account/reset", "", &form).await).unwrap();
    assert_eq!(get(&server, "/admin/runs", &bob).await.status(), 404);
    assert_eq!(
        command(&data, &["set-role", "bob@example.com", "admin"]),
        "bob@example.com has the role admin"
    );
    assert_eq!(get(&server, "/admin/runs", &bob).await.status(), 200);
    command(&data, &["set-plan", "bob@example.com", "free"]);
    command(&data, &["end-two-step", "bob@example.com"]);
    command(&data, &["set-email", "bob@example.com", "rob@example.com"]);
    let log = get(&server, "/api/admin/audit", &bob).await;
    let log: AuditPage = log.json().await.unwrap();
    let noted = log.entries.iter().filter(|one| one.actor == "the shell");
    let noted: Vec<_> = noted
        .map(|one| (&*one.action, &*one.subject.name))
        .collect();
    let expected = [
        "set email",
        "end two-step sign-in",
        "set plan",
        "set role",
        "make reset link",
        "create account",
    ];
    assert_eq!(
        noted[..6],
        expected.map(|action| (action, "bob@example.com"))
    );
    let invitation = command(&data, &["invite-link"]);
    let token = invitation.split_once("/sign-up?link=").unwrap().1;
    let form = [
        ("email", "carol@example.com"),
        ("password", OTHER),
        ("link", token),
    ];
    assert_eq!(
        post(&server, "/api/account/sign-up", "", &form)
            .await
            .status(),
        200
    );
    server.stop();

    // Without accounts again, the administrator's data is there.
    let after = Server::start_and(data.path(), &model, &[]);
    let preferences = after.get("/api/preferences").await.text().await.unwrap();
    assert_eq!(preferences, "{\"theme\":\"dark\"}");
}

#[tokio::test]
async fn a_browser_without_scripts_signs_in_by_forms_and_comes_back_to_where_it_wanted_to_go() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let page = async |path: &str, cookie: &str| {
        let request = crate::support::http()
            .get(format!("{}{path}", server.url()))
            .header("accept", "text/html")
            .header("cookie", cookie);
        request.send().await.unwrap()
    };
    let led = page("/settings?a=b", "").await;
    assert_eq!(led.status(), 303);
    assert_eq!(led.headers()["location"], "/sign-in?to=%2Fsettings%3Fa%3Db");
    let form = async |path: &str, fields: &[(&str, &str)]| {
        let request = crate::support::http()
            .post(format!("{}{path}", server.url()))
            .header("accept", "text/html,application/xhtml+xml")
            .header(
                "referer",
                format!("{}/sign-in?to=%2Fsettings", server.url()),
            )
            .form(fields);
        request.send().await.unwrap()
    };
    let fields = [
        ("email", "ada@example.com"),
        ("password", PASSWORD),
        ("to", "/settings?a=b"),
    ];
    let signed_up = form("/api/account/sign-up", &fields).await;
    assert_eq!(signed_up.status(), 302);
    assert_eq!(signed_up.headers()["location"], "/settings?a=b");
    let ada = cookie(&signed_up).unwrap();
    let settings = page("/settings", &ada).await;
    assert_eq!(settings.status(), 200);
    assert!(settings.text().await.unwrap().contains("ada@example.com"));
    assert_eq!(page("/sign-in", &ada).await.headers()["location"], "/");

    let wrong = [
        ("email", "ada@example.com"),
        ("password", OTHER),
        ("to", "/"),
    ];
    let refused = form("/api/account/sign-in", &wrong).await;
    assert_eq!(refused.status(), 302);
    let back = refused.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        !back.contains("quiet") && back.contains("/sign-in"),
        "{back}"
    );
    let path = back.strip_prefix(&server.url()).unwrap_or(&back);
    let again = page(path, "").await.text().await.unwrap();
    assert!(
        again.contains("The e-mail address or the password is wrong."),
        "{again}"
    );
    let evil = [
        ("email", "ada@example.com"),
        ("password", PASSWORD),
        ("to", "//evil.example"),
    ];
    assert_eq!(
        form("/api/account/sign-in", &evil).await.headers()["location"],
        "/"
    );
}
