//! Signing in with accounts of other services, against a scripted issuer: wrong or forged answers
//! sign nobody in.

use codeflow::protocol::LinkedIdentity;
use reqwest::{Response, StatusCode};
use serde_json::json;

use crate::{
    accounts::{PASSWORD, cookie, get, post, server, sessions, sign},
    support::{Issuer, Server, data_dir, http},
};

/// The value of the header; empty without it.
fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

/// A cookie that the answer sets.
pub fn set(response: &Response, name: &str) -> Option<String> {
    let all = response.headers().get_all("set-cookie").iter();
    let mut pairs = all.map(|set| set.to_str().unwrap().split(';').next().unwrap());
    let found = pairs.find(|pair| pair.starts_with(&format!("{name}=")) && !pair.ends_with('='));
    found.map(str::to_owned)
}

/// Begins; returns the page of the service, and the cookie.
async fn begin(server: &Server, provider: &str) -> (String, String) {
    let path = format!("/sign-in/with/{provider}?to=%2Fusage");
    let led = get(server, &path, "").await;
    assert_eq!(led.status(), StatusCode::SEE_OTHER);
    let token = set(&led, "codeflow-outside").unwrap_or_default();
    (header(&led, "location"), token)
}

/// The service leads back.
async fn back(
    server: &Server,
    provider: &str,
    query: &[(String, String)],
    cookie: &str,
) -> Response {
    let url = format!("{}/sign-in/with/{provider}/back", server.url());
    let url = reqwest::Url::parse_with_params(&url, query).unwrap();
    let request = http().get(url).header("cookie", cookie);
    request.send().await.unwrap()
}

/// The whole way; returns where it leads, and the session's cookie.
pub async fn sign_in(server: &Server, issuer: &Issuer, provider: &str) -> (String, Option<String>) {
    let (page, token) = begin(server, provider).await;
    let answer = back(server, provider, &issuer.agree(&page), &token).await;
    (
        header(&answer, "location"),
        set(&answer, "codeflow-session"),
    )
}

#[tokio::test]
async fn an_account_of_another_service_makes_one_here_and_signs_in_to_it_again() {
    let (data, issuer) = (data_dir(), Issuer::start().await);
    let server = server(&data, &issuer.env()).await;
    for (provider, email) in [("oidc", "ada@example.com"), ("github", "octo@example.com")] {
        issuer.says(|script| script.email = email.to_owned());
        let (to, first) = sign_in(&server, &issuer, provider).await;
        assert_eq!(to, "/usage");
        assert_eq!(sessions(&server, &first.unwrap()).await.len(), 1);
        // Another address, and the same person.
        issuer.says(|script| script.email = "renamed@example.com".to_owned());
        let (_, second) = sign_in(&server, &issuer, provider).await;
        assert_eq!(sessions(&server, &second.unwrap()).await.len(), 2);
    }
    let page = get(&server, "/sign-in", "").await.text().await.unwrap();
    assert!(page.contains("Continue with GitHub"), "{page}");
    // No account is made without a confirmed address.
    issuer.says(|script| {
        script.subject = "eve".to_owned();
        script.is_verified = false;
    });
    let (to, session) = sign_in(&server, &issuer, "oidc").await;
    assert_eq!((&*to, session), ("/sign-in?refused=no-email", None));
    let page = get(&server, &to, "").await.text().await.unwrap();
    assert!(page.contains("confirmed e-mail address"), "{page}");
}

#[tokio::test]
async fn an_equal_address_links_nothing_but_its_owner_does() {
    let (data, issuer) = (data_dir(), Issuer::start().await);
    let server = server(&data, &issuer.env()).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();
    for provider in ["oidc", "github"] {
        let (to, session) = sign_in(&server, &issuer, provider).await;
        assert_eq!((&*to, session), ("/sign-in?refused=taken", None));
    }
    let link = async |who: &str| {
        let form = [("provider", "oidc")];
        let led = post(&server, "/api/account/identities/link", who, &form).await;
        let token = set(&led, "codeflow-outside").unwrap();
        (led.json::<String>().await.unwrap(), token)
    };
    // Not when somebody else, or nobody, is signed in by then.
    for other in [&*eve, ""] {
        let (page, token) = link(&ada).await;
        let cookies = format!("{token}; {other}");
        let answer = back(&server, "oidc", &issuer.agree(&page), &cookies).await;
        assert!(header(&answer, "location").ends_with("?refused=expired"));
    }
    let (page, token) = link(&ada).await;
    let cookies = format!("{token}; {ada}");
    let answer = back(&server, "oidc", &issuer.agree(&page), &cookies).await;
    assert_eq!(header(&answer, "location"), "/settings");
    let (to, session) = sign_in(&server, &issuer, "oidc").await;
    assert_eq!(to, "/usage");
    assert_eq!(sessions(&server, &session.unwrap()).await.len(), 2);
    // One identity signs in to one account.
    let (page, token) = link(&eve).await;
    let cookies = format!("{token}; {eve}");
    let answer = back(&server, "oidc", &issuer.agree(&page), &cookies).await;
    assert_eq!(header(&answer, "location"), "/settings?refused=linked");

    let list = get(&server, "/api/account/identities", &ada).await;
    let list: Vec<LinkedIdentity> = list.json().await.unwrap();
    let [one] = &list[..] else { panic!("{list:?}") };
    assert_eq!((&*one.subject, &*one.label), ("ada", "ada@example.com"));
    let form = [("issuer", &*one.issuer), ("subject", "ada")];
    let unlink = "/api/account/identities/unlink";
    assert_eq!(post(&server, unlink, &eve, &form).await.status(), 404);
    assert_eq!(post(&server, unlink, &ada, &form).await.status(), 200);
    let (to, _) = sign_in(&server, &issuer, "oidc").await;
    assert_eq!(to, "/sign-in?refused=taken");
}

#[tokio::test]
async fn nothing_that_is_not_said_by_the_issuer_to_this_server_now_signs_in() {
    let (data, issuer) = (data_dir(), Issuer::start().await);
    let server = server(&data, &issuer.env()).await;
    let long_ago = 1_000_000_000;
    for claims in [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"aud": "another"}),
        json!({"aud": ["codeflow-test", "another"]}),
        json!({"azp": "another"}),
        json!({"iss": "https://accounts.example.com"}),
        json!({"exp": long_ago}),
        json!({"iat": 9_000_000_000_i64}),
        json!({"sub": ""}),
    ] {
        issuer.says(|script| script.claims = claims.clone());
        let (to, session) = sign_in(&server, &issuer, "oidc").await;
        assert_eq!(
            (&*to, session),
            ("/sign-in?refused=refused", None),
            "{claims}"
        );
    }
    issuer.says(|script| {
        script.claims = json!({});
        script.wrong_key = true;
    });
    let (to, session) = sign_in(&server, &issuer, "oidc").await;
    assert_eq!((&*to, session), ("/sign-in?refused=refused", None));
    issuer.says(|script| script.wrong_key = false);

    // Another state, another service, another browser, and nobody's.
    let (page, token) = begin(&server, "oidc").await;
    let mut query = issuer.agree(&page);
    query[1].1 = "another".to_owned();
    let answer = back(&server, "oidc", &query, &token).await;
    assert_eq!(header(&answer, "location"), "/sign-in?refused=expired");
    let (page, token) = begin(&server, "oidc").await;
    let answer = back(&server, "github", &issuer.agree(&page), &token).await;
    assert_eq!(header(&answer, "location"), "/sign-in?refused=expired");
    let (page, _) = begin(&server, "oidc").await;
    let (_, others) = begin(&server, "oidc").await;
    for token in [&*others, "", "codeflow-outside=x"] {
        let answer = back(&server, "oidc", &issuer.agree(&page), token).await;
        assert_eq!(
            header(&answer, "location"),
            "/sign-in?refused=expired",
            "{token}"
        );
    }
    // An answer of another issuer (RFC 9207), and one that was cancelled.
    let (page, token) = begin(&server, "oidc").await;
    let mut query = issuer.agree(&page);
    query.push(("iss".to_owned(), "https://accounts.example.com".to_owned()));
    let answer = back(&server, "oidc", &query, &token).await;
    assert_eq!(header(&answer, "location"), "/sign-in?refused=refused");
    let (page, token) = begin(&server, "oidc").await;
    let mut query = issuer.agree(&page);
    query[0] = ("error".to_owned(), "access_denied".to_owned());
    let answer = back(&server, "oidc", &query, &token).await;
    assert_eq!(header(&answer, "location"), "/sign-in?refused=cancelled");

    // What worked once works no second time.
    let (page, token) = begin(&server, "oidc").await;
    let query = issuer.agree(&page);
    let answer = back(&server, "oidc", &query, &token).await;
    assert!(set(&answer, "codeflow-session").is_some());
    issuer.agree(&page);
    let answer = back(&server, "oidc", &query, &token).await;
    assert_eq!(header(&answer, "location"), "/sign-in?refused=expired");
    // A code that was used is refused by the issuer, too.
    let (page, token) = begin(&server, "oidc").await;
    let mut query = issuer.agree(&page);
    query[0].1 = "used".to_owned();
    let answer = back(&server, "oidc", &query, &token).await;
    assert_eq!(header(&answer, "location"), "/sign-in?refused=refused");

    issuer.says(|script| script.is_down = true);
    let (page, token) = begin(&server, "oidc").await;
    assert_eq!((&*page, &*token), ("/sign-in?refused=unreachable", ""));
    let (to, session) = sign_in(&server, &issuer, "github").await;
    assert_eq!((&*to, session), ("/sign-in?refused=unreachable", None));
    let unknown = get(&server, "/sign-in/with/nobody", "").await;
    assert_eq!(header(&unknown, "location"), "/sign-in?refused=refused");
}
