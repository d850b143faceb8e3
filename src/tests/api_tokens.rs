//! API tokens on the real server: created, listed, accepted only where they should be, and revoked.

use codeflow::{
    accounts::Token,
    protocol::{ApiError, ApiToken, ErrorCode, NewApiToken, Timestamp},
    store::{AccountChange, Actor, Store},
};
use reqwest::{Method, Response, StatusCode};

use crate::{
    accounts::{PASSWORD, cookie, get, post, refusal, server, sign},
    own_account::found_in_database,
    support::{Model, Server, data_dir, http},
};

pub const PROJECTS: &str = "/api/v1/projects";

/// Creates a token for the signed-in user.
pub async fn make(server: &Server, cookie: &str, form: &[(&str, &str)]) -> NewApiToken {
    let made = post(server, "/api/account/tokens/create", cookie, form).await;
    assert_eq!(made.status(), 200);
    made.json().await.unwrap()
}

async fn list(server: &Server, cookie: &str) -> Vec<ApiToken> {
    let listed = get(server, "/api/account/tokens", cookie).await;
    listed.json().await.unwrap()
}

/// Sends a request with these headers.
async fn ask(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    let method = if path == "/mcp" {
        Method::POST
    } else {
        Method::GET
    };
    let mut request = http().request(method, format!("{}{path}", server.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// Asserts that both APIs refuse with a sentence that contains these words.
async fn refused(server: &Server, authorization: &str, words: &str) {
    for path in [PROJECTS, "/mcp"] {
        let mut headers = vec![("accept", "application/json")];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization));
        }
        let answer = ask(server, path, &headers).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{authorization}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        let error: ApiError = answer.json().await.unwrap();
        assert_eq!(error.code, ErrorCode::Unauthorized);
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[tokio::test]
async fn a_token_is_shown_once_counts_for_programs_alone_and_ends_when_it_is_revoked() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();
    assert!(list(&server, &ada).await.is_empty());
    let form = [("name", " My editor "), ("days", "30")];
    let NewApiToken { summary, token } = make(&server, &ada, &form).await;
    assert_eq!(token.len(), 46, "{token}");
    assert!(token.starts_with(&summary.prefix) && summary.prefix.starts_with("cf_"));
    assert_eq!((&*summary.name, summary.prefix.len()), ("My editor", 8));
    let lasts = summary.expires_at.unwrap().0 - Timestamp::now().0;
    let days = lasts as f64 / (24.0 * 3_600_000.0);
    assert!((29.9..=30.0).contains(&days), "{days}");
    assert_eq!(list(&server, &ada).await, std::slice::from_ref(&summary));
    assert!(list(&server, &eve).await.is_empty());
    let endless = make(&server, &ada, &[("name", "Endless")]).await.summary;
    assert_eq!(endless.expires_at, None);
    for (form, field) in [
        ([("name", " "), ("days", "30")], "name"),
        ([("name", "a\nb"), ("days", "30")], "name"),
        ([("name", "a"), ("days", "0")], "days"),
        ([("name", "a"), ("days", "366")], "days"),
    ] {
        let answer = post(&server, "/api/account/tokens/create", &ada, &form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let error: ApiError = answer.json().await.unwrap();
        assert_eq!(error.field.as_deref(), Some(field));
    }

    // The token works for programs' paths, where cookies don't.
    let bearer = format!("Bearer {token}");
    let answer = ask(&server, PROJECTS, &[("authorization", &bearer)]).await;
    assert_eq!(answer.status(), 200);
    let used_at = async || {
        let listed = list(&server, &ada).await;
        let found = listed.into_iter().find(|one| one.id == summary.id);
        found.unwrap().used_at.unwrap()
    };
    let first = used_at().await;
    let lower = format!("bearer {token}");
    let answer = ask(&server, PROJECTS, &[("authorization", &lower)]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(used_at().await, first, "not every request is a write");
    assert_eq!(get(&server, PROJECTS, &ada).await.status(), 401);
    for path in [
        "/api/projects/list",
        "/api/account/tokens",
        "/api/admin/users",
        "/api/account/export.zip",
    ] {
        let answer = ask(&server, path, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status(), 401, "{path}");
    }

    refused(&server, "", "make one in the settings").await;
    refused(&server, &token, "must be “Bearer cf_…”").await;
    refused(&server, "Bearer ", "must be “Bearer cf_…”").await;
    refused(&server, "Basic YTpi", "must be “Bearer cf_…”").await;
    refused(&server, &bearer[..bearer.len() - 1], "whole").await;
    let guessed = format!("Bearer cf_{}", Token::new().expose());
    refused(&server, &guessed, "was revoked").await;

    // Only its owner can revoke it, and only once.
    let id = summary.id.to_string();
    let revoke = async |who| {
        post(
            &server,
            "/api/account/tokens/revoke",
            who,
            &[("token", &id)],
        )
        .await
    };
    let foreign = refusal(revoke(&*eve).await).await;
    assert_eq!(
        foreign,
        (
            StatusCode::NOT_FOUND,
            "There is no such API token.".to_owned()
        )
    );
    assert_eq!(revoke(&*ada).await.status(), 200);
    assert_eq!(revoke(&*ada).await.status(), 404);
    refused(&server, &bearer, "was revoked").await;
    assert_eq!(list(&server, &ada).await, [endless]);

    let log = server.log();
    assert!(log.contains("API token made"), "{log}");
    let secret = &token["cf_".len()..];
    assert!(!log.contains(secret));
    assert!(found_in_database(&data, &[secret]).await.is_empty());
}

#[tokio::test]
async fn an_expired_token_and_one_of_a_disabled_account_say_so_and_no_administrator_is_one() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let made = make(&server, &ada, &[("name", "Editor")]).await;
    let bearer = format!("Bearer {}", made.token);
    let file = data.path().join("codeflow.sqlite");
    let store = Store::open_file(&file).await.unwrap();
    let user = store.find_account("ada@example.com").await.unwrap().id;
    let (token, before) = (Token::new(), Timestamp(Timestamp::now().0 - 1));
    let hash = token.hash();
    let added = store.add_api_token(&user, &hash, "cf_old", "Old", Some(before));
    added.await.unwrap();
    refused(
        &server,
        &format!("Bearer cf_{}", token.expose()),
        "has expired",
    )
    .await;
    let old = list(&server, &ada)
        .await
        .into_iter()
        .find(|one| one.expired);
    assert_eq!(old.unwrap().name, "Old");

    let change = AccountChange::Disabled(true);
    store
        .change_account(&Actor::shell(), &user, change)
        .await
        .unwrap();
    refused(&server, &bearer, "is disabled").await;
    let change = AccountChange::Disabled(false);
    store
        .change_account(&Actor::shell(), &user, change)
        .await
        .unwrap();
    let answer = ask(&server, PROJECTS, &[("authorization", &bearer)]).await;
    assert_eq!(answer.status(), 200);

    // It is listed for a while after its end.
    let week = 7 * 24 * 3_600_000;
    for ago in [week, 5 * week] {
        let (token, at) = (Token::new(), Timestamp(Timestamp::now().0 - ago));
        let hash = token.hash();
        let added = store.add_api_token(&user, &hash, "cf_", "Older", Some(at));
        added.await.unwrap();
    }
    store
        .remove_ended_sessions(std::time::Duration::from_secs(3600))
        .await
        .unwrap();
    // The session ended when the account was disabled.
    assert_eq!(store.list_api_tokens(&user).await.unwrap().len(), 3);
    store.close().await;
}

#[tokio::test]
async fn nobody_has_more_tokens_than_can_be_overseen() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
    let email = |name: &str| codeflow::store::NewUser {
        email: format!("{name}@example.com"),
        written_email: format!("{name}@example.com"),
        password_hash: None,
        role: codeflow::protocol::AccountRole::User,
        plan: codeflow::protocol::Plan::Free,
    };
    let ada = store.create_user(email("ada"), None).await.unwrap().id;
    let eve = store.create_user(email("eve"), None).await.unwrap().id;
    for number in 0..50 {
        let hash = format!("hash {number}");
        let added = store.add_api_token(&ada, &hash, "cf_", "One", None);
        added.await.unwrap();
    }
    let refused = store
        .add_api_token(&ada, "another", "cf_", "One", None)
        .await;
    let why = refused.unwrap_err().to_string();
    assert!(why.contains("Revoke one"), "{why}");
    store
        .add_api_token(&eve, "another", "cf_", "One", None)
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn without_accounts_no_token_is_needed_and_no_other_site_gets_in() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start(data.path(), &model);
    assert_eq!(ask(&server, PROJECTS, &[]).await.status(), 200);
    let (status, error) = server
        .post("/api/account/tokens/create", &[("name", "x")])
        .await;
    assert_eq!(status, 403);
    assert!(
        error["message"].as_str().unwrap().contains("no token"),
        "{error}"
    );
    for path in [PROJECTS, "/mcp"] {
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("host", "evil.example"),
        ] {
            let status = ask(&server, path, &[foreign]).await.status();
            assert!(
                [403, 421].contains(&status.as_u16()),
                "{path} {foreign:?}: {status}"
            );
        }
    }
    // Read-only requests too.
    let request = http().get(format!("{}/mcp", server.url()));
    let answer = request
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 403);
    server.stop();
}
