//! A scripted issuer of OpenID Connect, and of GitHub's API: it validates requests like a real one,
//! and its tokens can be wrong in every way.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The issuer's next answers.
#[derive(Debug, Clone)]
pub struct Script {
    pub subject: String,
    pub email: String,
    pub is_verified: bool,
    /// Claims in place of the right ones.
    pub claims: Value,
    /// Signs with a key that it does not publish.
    pub wrong_key: bool,
    /// Answers 503 to everything.
    pub is_down: bool,
}

/// The data behind a code.
struct Agreed {
    nonce: String,
    challenge: String,
    back: String,
}

struct Inner {
    url: String,
    script: Mutex<Script>,
    codes: Mutex<HashMap<String, Agreed>>,
    keys: [EcdsaKeyPair; 2],
}

#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

impl Issuer {
    pub const CLIENT: &'static str = "codeflow-test";
    pub const SECRET: &'static str = "a secret: of the test";

    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let random = SystemRandom::new();
        let key = |_| {
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap()
        };
        let issuer = Self(Arc::new(Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            script: Mutex::new(Script {
                subject: "ada".to_owned(),
                email: "ada@example.com".to_owned(),
                is_verified: true,
                claims: json!({}),
                wrong_key: false,
                is_down: false,
            }),
            codes: Mutex::default(),
            keys: [0, 1].map(key),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/login/oauth/access_token", post(token))
            .route("/user", get(user))
            .route("/user/emails", get(emails))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    pub fn env(&self) -> [(&'static str, &str); 7] {
        [
            ("OIDC_ISSUER", &self.0.url),
            ("OIDC_CLIENT_ID", Self::CLIENT),
            ("OIDC_CLIENT_SECRET", Self::SECRET),
            ("GITHUB_URL", &self.0.url),
            ("GITHUB_API_URL", &self.0.url),
            ("GITHUB_CLIENT_ID", Self::CLIENT),
            ("GITHUB_CLIENT_SECRET", Self::SECRET),
        ]
    }

    pub fn says(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.script.lock());
    }

    /// Consents on the page to which somebody was redirected. Returns the query of the redirect
    /// back.
    pub fn agree(&self, page: &str) -> Vec<(String, String)> {
        let page = url::Url::parse(page).unwrap();
        let asked: HashMap<String, String> = page.query_pairs().into_owned().collect();
        assert_eq!(asked["client_id"], Self::CLIENT);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        let agreed = Agreed {
            nonce: asked.get("nonce").cloned().unwrap_or_default(),
            challenge: asked["code_challenge"].clone(),
            back: asked["redirect_uri"].clone(),
        };
        let code = format!("code of {}", asked["state"]);
        self.0.codes.lock().insert(code.clone(), agreed);
        vec![
            ("code".to_owned(), code),
            ("state".to_owned(), asked["state"].clone()),
        ]
    }

    fn sign(&self, claims: &Value, wrong: bool) -> String {
        let header = json!({"alg": "ES256", "kid": "first"});
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let key = &self.0.keys[usize::from(wrong)];
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn discovery(State(Issuer(inner)): State<Issuer>) -> Response {
    if inner.script.lock().is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let at = |path: &str| format!("{}{path}", inner.url);
    Json(json!({
        "issuer": inner.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
    }))
    .into_response()
}

async fn keys(State(Issuer(inner)): State<Issuer>) -> Json<Value> {
    let point = &inner.keys[0].public_key().as_ref()[1..];
    let part = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = (part(&point[..32]), part(&point[32..]));
    Json(json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "first", "use": "sig", "x": x, "y": y},
    ]}))
}

async fn token(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let refused =
        |why: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response();
    let script = issuer.0.script.lock().clone();
    let in_form = form.get("client_secret").map(String::as_str) == Some(Issuer::SECRET);
    let basic = base64::engine::general_purpose::STANDARD
        .encode(format!("{}:a+secret%3A+of+the+test", Issuer::CLIENT));
    let in_header = headers
        .get("authorization")
        .is_some_and(|sent| sent == &*format!("Basic {basic}"));
    if !in_form && !in_header {
        return refused("invalid_client");
    }
    let Some(agreed) = issuer.0.codes.lock().remove(&form["code"]) else {
        return refused("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if challenge != agreed.challenge || form["redirect_uri"] != agreed.back {
        return refused("invalid_grant");
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut claims = json!({
        "iss": issuer.0.url,
        "sub": script.subject,
        "aud": Issuer::CLIENT,
        "exp": now + 300,
        "iat": now,
        "nonce": agreed.nonce,
        "email": script.email,
        "email_verified": script.is_verified,
    });
    for (name, value) in script.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let id_token = issuer.sign(&claims, script.wrong_key);
    Json(json!({"access_token": "a token", "token_type": "bearer", "id_token": id_token}))
        .into_response()
}

fn is_allowed(headers: &HeaderMap) -> bool {
    let sent = headers.get("authorization");
    sent.is_some_and(|sent| sent == "Bearer a token")
}

async fn user(State(Issuer(inner)): State<Issuer>, headers: HeaderMap) -> Response {
    if !is_allowed(&headers) || inner.script.lock().is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(json!({"id": 4711, "login": inner.script.lock().subject})).into_response()
}

async fn emails(State(Issuer(inner)): State<Issuer>) -> Json<Value> {
    let script = inner.script.lock();
    Json(json!([
        {"email": "second@example.com", "primary": false, "verified": true},
        {"email": script.email, "primary": true, "verified": script.is_verified},
    ]))
}
