//! Passkeys on the real server, with a test authenticator: adding, using, and everything that must
//! not sign in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use codeflow::{
    protocol::{ApiError, Passkey, SecondStepSetup},
    store::{AccountChange, Actor, Store},
};
use reqwest::{Response, StatusCode};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::{
    accounts::{OTHER, PASSWORD, cookie, get, post, refusal, server, sessions, sign},
    outside::{set, sign_in as sign_in_outside},
    own_account::found_in_database,
    support::{Issuer, Server, data_dir},
    two_steps::code,
};

const NOBODY: &str = "This passkey signs nobody in here. Use another one, or your address and \
                      password.";
const EXPIRED: &str = "This took too long, or was answered already. Begin again: a passkey must \
                       answer within five minutes.";
const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 4;
const HAS_KEY: u8 = 64;

/// An authenticator with one passkey.
struct Device {
    key: EcdsaKeyPair,
    credential: String,
    handle: String,
    counter: u32,
    origin: &'static str,
    flags: u8,
}

impl Device {
    fn new() -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let id: [u8; 16] = ring::rand::generate(&random).unwrap().expose();
        Self {
            key: EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap(),
            credential: URL_SAFE_NO_PAD.encode(id),
            handle: String::new(),
            counter: 0,
            origin: "http://localhost:3000",
            flags: USER_PRESENT | USER_VERIFIED,
        }
    }

    fn client_data(&self, kind: &str, question: &Value) -> String {
        let (challenge, origin) = (&question["challenge"], self.origin);
        json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false })
            .to_string()
    }

    fn data(&self, rp: &str, flags: u8) -> Vec<u8> {
        let hash = digest(&SHA256, rp.as_bytes());
        [hash.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn answer(&self, response: &Value) -> String {
        json!({
            "id": self.credential,
            "rawId": self.credential,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        })
        .to_string()
    }

    /// Makes the passkey that the question asks for.
    fn make(&mut self, question: &str) -> String {
        let question: Value = serde_json::from_str(question).unwrap();
        self.handle = question["user"]["id"].as_str().unwrap().to_owned();
        let rp = question["rp"]["id"].as_str().unwrap();
        let id = URL_SAFE_NO_PAD.decode(&self.credential).unwrap();
        let point = self.key.public_key().as_ref();
        // COSE: an elliptic curve (1: 2), ES256 (3: -7), P-256 (-1: 1), x (-2) and y (-3).
        let key = [
            &[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..],
            &point[1..33],
            &[0x22, 0x58, 32],
            &point[33..],
        ];
        let data = [
            self.data(rp, self.flags | HAS_KEY),
            vec![0; 16],
            (id.len() as u16).to_be_bytes().to_vec(),
            id,
            key.concat(),
        ]
        .concat();
        let object = [
            &b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..],
            &[u8::try_from(data.len()).unwrap()],
            &data,
        ]
        .concat();
        let client_data = self.client_data("webauthn.create", &question);
        self.answer(&json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "attestationObject": URL_SAFE_NO_PAD.encode(object),
        }))
    }

    /// Signs what the question asks.
    fn sign(&mut self, question: &str) -> String {
        self.counter += 1;
        let question: Value = serde_json::from_str(question).unwrap();
        let data = self.data(question["rpId"].as_str().unwrap(), self.flags);
        let client_data = self.client_data("webauthn.get", &question);
        let hash = digest(&SHA256, client_data.as_bytes());
        let signed = [&data[..], hash.as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        self.answer(&json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "userHandle": self.handle,
        }))
    }
}

/// The question, and the cookie that its answer is to come with.
async fn asked(response: Response) -> (String, String) {
    assert_eq!(response.status(), 200);
    let token = set(&response, "codeflow-passkey").unwrap();
    (response.json().await.unwrap(), token)
}

async fn begin(server: &Server, who: &str, name: &str) -> (String, String) {
    let form = [("name", name), ("current", PASSWORD)];
    asked(post(server, "/api/account/passkeys/begin", who, &form).await).await
}

async fn finish(server: &Server, who: &str, token: &str, answer: &str) -> Response {
    let (cookies, form) = (format!("{who}; {token}"), [("answer", answer)]);
    post(server, "/api/account/passkeys/add", &cookies, &form).await
}

/// Adds a passkey to the account of who is signed in.
async fn add(server: &Server, who: &str, name: &str) -> Device {
    let mut device = Device::new();
    let (question, token) = begin(server, who, name).await;
    let answer = device.make(&question);
    assert_eq!(finish(server, who, &token, &answer).await.status(), 200);
    device
}

async fn begin_sign_in(server: &Server) -> (String, String) {
    asked(post(server, "/api/account/sign-in/passkey/begin", "", &[]).await).await
}

async fn finish_sign_in(server: &Server, cookies: &str, answer: &str) -> Response {
    let form = [("answer", answer), ("to", "/usage")];
    post(server, "/api/account/sign-in/passkey", cookies, &form).await
}

async fn sign_in(server: &Server, device: &mut Device) -> Response {
    let (question, token) = begin_sign_in(server).await;
    finish_sign_in(server, &token, &device.sign(&question)).await
}

async fn list(server: &Server, who: &str) -> Vec<Passkey> {
    let listed = get(server, "/api/account/passkeys", who).await;
    listed.json().await.unwrap()
}

/// Adds a passkey and signs in with it, twice.
pub async fn a_passkey_signs_in(server: &Server, who: &str) {
    let mut device = add(server, who, "Phone").await;
    for _ in 0..2 {
        let signed_in = sign_in(server, &mut device).await;
        let session = set(&signed_in, "codeflow-session").unwrap();
        assert!(!sessions(server, &session).await.is_empty());
    }
    let listed = list(server, who).await;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].used_at.is_some());
}

#[tokio::test]
async fn a_passkey_signs_in_without_password_and_code_until_it_is_removed() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();
    for (name, password, field) in [
        ("Phone", OTHER, "current"),
        (" ", PASSWORD, "name"),
        ("a\nb", PASSWORD, "name"),
    ] {
        let form = [("name", name), ("current", password)];
        let answer = post(&server, "/api/account/passkeys/begin", &ada, &form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let error: ApiError = answer.json().await.unwrap();
        assert_eq!(error.field.as_deref(), Some(field));
    }
    assert!(list(&server, &ada).await.is_empty());
    let mut phone = add(&server, &ada, " Ada's phone ").await;
    let first = list(&server, &ada).await.remove(0);
    assert_eq!((&*first.name, first.used_at), ("Ada's phone", None));
    assert!(list(&server, &eve).await.is_empty());

    // The next question says which passkeys there are, and to whom they belong.
    let (question, _) = begin(&server, &ada, "Key").await;
    let question: Value = serde_json::from_str(&question).unwrap();
    assert_eq!(question["excludeCredentials"][0]["id"], phone.credential);
    assert_eq!(question["user"]["id"], phone.handle);
    assert_eq!(question["user"]["name"], "ada@example.com");
    assert_eq!(question["rp"]["id"], "localhost");
    let mut key = add(&server, &ada, "Key").await;

    let form = [("current", PASSWORD)];
    let setup = post(&server, "/api/account/two-step/begin", &ada, &form).await;
    let setup: SecondStepSetup = setup.json().await.unwrap();
    let form = [("code", &*code(&setup.secret, 0))];
    let on = post(&server, "/api/account/two-step/confirm", &ada, &form).await;
    assert_eq!(on.status(), 200);
    // It takes the place of the session that the browser had.
    let (question, token) = begin_sign_in(&server).await;
    let (cookies, answer) = (format!("{token}; {eve}"), phone.sign(&question));
    let signed_in = finish_sign_in(&server, &cookies, &answer).await;
    assert_eq!(signed_in.status(), 200);
    let session = set(&signed_in, "codeflow-session").unwrap();
    assert!(set(&signed_in, "codeflow-passkey").is_none(), "it is used");
    assert_eq!(signed_in.json::<String>().await.unwrap(), "/usage");
    let account = get(&server, "/api/account/export.zip", &eve).await;
    assert_eq!(account.status(), 401);
    assert_eq!(sessions(&server, &session).await.len(), 2);
    assert!(list(&server, &ada).await[0].used_at.is_some());

    let eve = cookie(&sign(&server, "sign-in", "eve@example.com", PASSWORD).await).unwrap();
    let id = first.id.to_string();
    let rename = async |who: &str, name: &str| {
        let form = [("passkey", &*id), ("name", name)];
        let renamed = post(&server, "/api/account/passkeys/rename", who, &form).await;
        renamed.status().as_u16()
    };
    assert_eq!(rename(&eve, "Mine").await, 404);
    assert_eq!(rename(&ada, "").await, 400);
    assert_eq!(rename(&ada, "Telephone").await, 200);
    assert_eq!(list(&server, &ada).await[0].name, "Telephone");
    let remove = async |who: &str| {
        let form = [("passkey", &*id)];
        let removed = post(&server, "/api/account/passkeys/remove", who, &form).await;
        removed.status().as_u16()
    };
    assert_eq!(remove(&eve).await, 404);
    assert_eq!(sign_in(&server, &mut phone).await.status(), 200);
    assert_eq!(remove(&ada).await, 200);
    assert_eq!(remove(&ada).await, 404);
    let refused = refusal(sign_in(&server, &mut phone).await).await;
    assert_eq!(refused, (StatusCode::UNAUTHORIZED, NOBODY.to_owned()));

    // All goes with the account.
    assert_eq!(sign_in(&server, &mut key).await.status(), 200);
    let places = found_in_database(&data, &[&key.credential]).await;
    assert_eq!(places, ["passkeys.credential_id"]);
    let form = [("current", PASSWORD)];
    let deleted = post(&server, "/api/account/delete", &ada, &form).await;
    assert_eq!(deleted.status(), 200);
    let places = found_in_database(&data, &[&key.credential]).await;
    assert!(places.is_empty(), "{places:?}");
    let refused = refusal(sign_in(&server, &mut key).await).await;
    assert_eq!(refused, (StatusCode::UNAUTHORIZED, NOBODY.to_owned()));
}

#[tokio::test]
async fn nothing_but_the_owners_answer_to_this_browsers_question_signs_in() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();
    let mut own = add(&server, &ada, "Phone").await;
    let mut foreign = add(&server, &eve, "Phone").await;
    let nobody = (StatusCode::UNAUTHORIZED, NOBODY.to_owned());
    let expired = (StatusCode::FORBIDDEN, EXPIRED.to_owned());
    let attempt = async |device: &mut Device| refusal(sign_in(&server, device).await).await;

    for origin in [
        "https://evil.example",
        "https://localhost:3000",
        "http://3000-iabc.localhost:3000",
        "http://localhost.evil.example:3000",
    ] {
        own.origin = origin;
        assert_eq!(attempt(&mut own).await, nobody, "{origin}");
    }
    own.origin = "http://localhost:3001";
    assert_eq!(sign_in(&server, &mut own).await.status(), 200);
    own.flags = USER_PRESENT;
    assert_eq!(attempt(&mut own).await, nobody, "nobody was verified");
    own.flags |= USER_VERIFIED;

    // An answer to another question, twice, of another browser, and none at all.
    let (question, _) = begin_sign_in(&server).await;
    let (_, token) = begin_sign_in(&server).await;
    let answer = own.sign(&question);
    let finished = finish_sign_in(&server, &token, &answer).await;
    assert_eq!(refusal(finished).await, nobody);
    let (question, token) = begin_sign_in(&server).await;
    let answer = own.sign(&question);
    let finished = finish_sign_in(&server, &token, &answer).await;
    assert_eq!(finished.status(), 200);
    let again = finish_sign_in(&server, &token, &answer).await;
    assert_eq!(refusal(again).await, expired);
    let (question, token) = begin_sign_in(&server).await;
    let answer = own.sign(&question);
    let elsewhere = finish_sign_in(&server, "", &answer).await;
    assert_eq!(refusal(elsewhere).await, expired);
    let garbage = finish_sign_in(&server, &token, "{\"id\":\"x\"}").await;
    assert_eq!(refusal(garbage).await, nobody);
    // A question for a passkey is none for a signature.
    let (_, token) = begin(&server, &ada, "Key").await;
    let confused = finish_sign_in(&server, &token, &answer).await;
    assert_eq!(refusal(confused).await, expired);

    // What others call theirs, or themselves.
    let credential = foreign.credential.clone();
    foreign.credential.clone_from(&own.credential);
    assert_eq!(attempt(&mut foreign).await, nobody);
    let handle = std::mem::replace(&mut foreign.handle, own.handle.clone());
    assert_eq!(attempt(&mut foreign).await, nobody);
    foreign.credential = credential;
    assert_eq!(attempt(&mut foreign).await, nobody);
    foreign.handle = handle;
    assert_eq!(sign_in(&server, &mut foreign).await.status(), 200);
    assert_eq!(attempt(&mut Device::new()).await, nobody);

    // Too late.
    let (question, token) = begin_sign_in(&server).await;
    let file = data.path().join("codeflow.sqlite");
    let db = Database::connect(format!("sqlite:{}", file.display())).await;
    let db = db.unwrap();
    let later = "UPDATE one_time_links SET expires_at = expires_at - 300000";
    db.execute_unprepared(later).await.unwrap();
    db.close().await.unwrap();
    let finished = finish_sign_in(&server, &token, &own.sign(&question)).await;
    assert_eq!(refusal(finished).await, expired);

    // A copy lags behind.
    own.counter -= 8;
    let (status, words) = attempt(&mut own).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(words.contains("may have been copied"), "{words}");
    assert!(server.log().contains("a passkey's counter went back"));
    own.counter += 8;
    assert_eq!(sign_in(&server, &mut own).await.status(), 200);

    let store = Store::open_file(&file).await.unwrap();
    let user = store.find_account("ada@example.com").await.unwrap().id;
    for (disabled, status) in [(true, 401), (false, 200)] {
        let change = AccountChange::Disabled(disabled);
        let changed = store.change_account(&Actor::shell(), &user, change).await;
        changed.unwrap();
        let finished = sign_in(&server, &mut own).await;
        assert_eq!(finished.status(), status);
        if disabled {
            assert_eq!(refusal(finished).await, nobody);
        }
    }
}

#[tokio::test]
async fn a_passkey_is_added_once_by_who_asked_for_it() {
    let (data, issuer) = (data_dir(), Issuer::start().await);
    let server = server(&data, &issuer.env()).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.org", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.org", PASSWORD).await).unwrap();
    let mut device = Device::new();
    let status = async |who: &str, token: &str, answer: &str| {
        finish(&server, who, token, answer).await.status().as_u16()
    };
    let (question, token) = begin(&server, &ada, "Phone").await;
    let answer = device.make(&question);
    assert_eq!(status(&eve, &token, &answer).await, 403, "she didn't ask");
    assert_eq!(status(&ada, &token, &answer).await, 403, "it is used up");
    for (origin, flags) in [
        ("https://evil.example", USER_PRESENT | USER_VERIFIED),
        ("http://localhost:3000", USER_PRESENT),
    ] {
        let (question, token) = begin(&server, &ada, "Phone").await;
        let mut wrong = Device::new();
        (wrong.origin, wrong.flags) = (origin, flags);
        let answer = wrong.make(&question);
        assert_eq!(status(&ada, &token, &answer).await, 403, "{origin}");
    }
    let (question, token) = begin(&server, &ada, "Phone").await;
    let answer = device.make(&question);
    assert_eq!(status(&ada, &token, &answer).await, 200);
    assert_eq!(status(&ada, &token, &answer).await, 403);
    // The same one again, also to another account.
    for who in [&ada, &eve] {
        let (question, token) = begin(&server, who, "Phone").await;
        let answer = device.make(&question);
        let (status, words) = refusal(finish(&server, who, &token, &answer).await).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(words, "This passkey was added already.");
    }
    assert_eq!(list(&server, &ada).await.len(), 1);
    assert!(list(&server, &eve).await.is_empty());

    // Who came by another service sets a password first, as for all that asks for it.
    let (_, octo) = sign_in_outside(&server, &issuer, "github").await;
    let (octo, form) = (octo.unwrap(), [("name", "Phone"), ("current", "")]);
    let begun = post(&server, "/api/account/passkeys/begin", &octo, &form).await;
    let (status, words) = refusal(begun).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(words.contains("no password yet"), "{words}");
}

#[tokio::test]
async fn an_address_for_which_browsers_have_no_passkeys_says_so() {
    let data = data_dir();
    let env = [("PUBLIC_URL", "http://127.0.0.1:3000")];
    let server = server(&data, &env).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let form = [("name", "Phone"), ("current", PASSWORD)];
    for (path, who) in [
        ("/api/account/passkeys/begin", &*ada),
        ("/api/account/sign-in/passkey/begin", ""),
    ] {
        let (status, words) = refusal(post(&server, path, who, &form).await).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(words.contains("host name and https"), "{words}");
    }
    let page = get(&server, "/settings", &ada).await.text().await.unwrap();
    assert!(
        page.contains("Browsers have no passkeys for this"),
        "{page}"
    );
}
