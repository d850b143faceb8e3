//! Buying the larger plan from a scripted Stripe: checkout, signed events that come twice and in
//! any order, a Stripe that is down, and the end of payments when the account is deleted.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
};
use codeflow::protocol::{Credits, Timestamp};
use parking_lot::Mutex;
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::accounts::command;
use crate::support::{Model, Server, data_dir, http};

const PASSWORD: &str = "seven uncommon lanterns";
const KEY: &str = "sk_test_of_the_test";
const SECRET: &str = "whsec_of_the_test";

/// Its state, and the requests that it received.
#[derive(Default)]
struct Scripted {
    /// The states of the customer's subscriptions.
    subscriptions: Vec<&'static str>,
    is_down: bool,
    asked: Vec<(String, String)>,
}

struct Stripe {
    url: String,
    scripted: Arc<Mutex<Scripted>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Stripe {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let scripted = Arc::<Mutex<Scripted>>::default();
        let router = Router::new().fallback(answer).with_state(scripted.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            scripted,
            serving,
        }
    }

    fn env(&self) -> [(&str, &str); 5] {
        [
            ("AUTH", "on"),
            ("STRIPE_SECRET_KEY", KEY),
            ("STRIPE_WEBHOOK_SECRET", SECRET),
            ("STRIPE_API_URL", &self.url),
            ("PRO_PRICE", "19.90 eur"),
        ]
    }

    /// What the last request to this path said.
    fn asked(&self, path: &str) -> String {
        let scripted = self.scripted.lock();
        let asked = scripted.asked.iter().rev().find(|asked| asked.0 == path);
        asked.unwrap().1.clone()
    }
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(scripted): State<Arc<Mutex<Scripted>>>,
    request: Request,
) -> (StatusCode, Json<Value>) {
    let authorization = request.headers()["authorization"].to_str().unwrap();
    assert_eq!(authorization, format!("Bearer {KEY}"));
    let path = format!("{} {}", request.method(), request.uri().path());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
    let mut scripted = scripted.lock();
    scripted.asked.push((path.clone(), query + &body));
    if scripted.is_down {
        let error = json!({"error": {"message": "down"}});
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(error));
    }
    let answer = match path.as_str() {
        "POST /v1/checkout/sessions" => json!({"id": "cs_1", "url": "https://pay.test/cs_1"}),
        "POST /v1/billing_portal/sessions" => json!({"url": "https://pay.test/portal"}),
        "GET /v1/subscriptions" => {
            let all = scripted.subscriptions.iter();
            let all = all.map(|status| json!({"id": "sub_1", "status": status}));
            json!({"data": all.collect::<Vec<_>>()})
        }
        "DELETE /v1/customers/cus_1" => json!({"id": "cus_1", "deleted": true}),
        _ => return (StatusCode::NOT_FOUND, Json(json!({}))),
    };
    (StatusCode::OK, Json(answer))
}

/// HMAC-SHA256 by its definition (RFC 2104), in hex.
fn hmac(key: &str, text: &str) -> String {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        key.bytes()
            .zip(&mut block)
            .for_each(|(key, byte)| *byte ^= key);
        block
    };
    let inner = Sha256::digest([&pad(0x36)[..], text.as_bytes()].concat());
    hex::encode(Sha256::digest([&pad(0x5c)[..], &inner[..]].concat()))
}

/// Sends the event as Stripe does, signed with the secret this many seconds ago.
async fn send_event(server: &Server, event: &Value, secret: &str, ago: i64) -> Response {
    let (at, body) = (Timestamp::now().0 / 1000 - ago, event.to_string());
    let signature = hmac(secret, &format!("{at}.{body}"));
    let request = http()
        .post(format!("{}/api/billing/webhook", server.url()))
        .header("stripe-signature", format!("t={at},v1={signature}"))
        .body(body);
    request.send().await.unwrap()
}

async fn happened(server: &Server, event: &Value) {
    assert_eq!(send_event(server, event, SECRET, 0).await.status(), 200);
}

async fn get(server: &Server, path: &str, cookie: &str) -> Response {
    let request = http()
        .get(format!("{}{path}", server.url()))
        .header("accept", "text/html")
        .header("cookie", cookie);
    request.send().await.unwrap()
}

async fn page(server: &Server, path: &str, cookie: &str) -> String {
    get(server, path, cookie).await.text().await.unwrap()
}

/// Where the answer leads.
fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()["location"].to_str().unwrap()
}

async fn left(server: &Server, cookie: &str) -> i64 {
    let found = get(server, "/api/account/credits", cookie).await;
    let credits: Option<Credits> = found.json().await.unwrap();
    credits.unwrap().left
}

async fn post(server: &Server, path: &str, cookie: &str, form: &[(&str, &str)]) -> Response {
    let request = http()
        .post(format!("{}{path}", server.url()))
        .header("accept", "application/json")
        .header("cookie", cookie)
        .form(form);
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_plan_is_bought_kept_through_odd_events_and_ended() {
    let (data, stripe) = (data_dir(), Stripe::start().await);
    let model = Model::start([]).await;
    let server = Server::start_and(data.path(), &model, &stripe.env());
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let signed_up = post(&server, "/api/account/sign-up", "", &form).await;
    let set = signed_up.headers()["set-cookie"].to_str().unwrap();
    let cookie = set.split(';').next().unwrap().to_owned();

    let plans = page(&server, "/pricing", &cookie).await;
    assert!(plans.contains("19.90 EUR a month"), "{plans}");
    assert!(plans.contains("/api/billing/checkout"));
    let out = get(&server, "/api/billing/checkout", "").await;
    assert_eq!(location(&out), "/sign-in?to=/pricing");
    let bought = get(&server, "/api/billing/checkout", &cookie).await;
    assert_eq!(location(&bought), "https://pay.test/cs_1");
    let asked = stripe.asked("POST /v1/checkout/sessions");
    let asked: std::collections::HashMap<String, String> =
        url::form_urlencoded::parse(asked.as_bytes())
            .into_owned()
            .collect();
    assert_eq!(asked["mode"], "subscription");
    assert_eq!(asked["customer_email"], "ada@example.com");
    assert_eq!(asked["line_items[0][price_data][unit_amount]"], "1990");
    assert_eq!(asked["line_items[0][price_data][currency]"], "eur");
    let user = asked["client_reference_id"].clone();
    assert_eq!(asked["subscription_data[metadata][user]"], user);

    // Only Stripe can report a payment.
    let completed = json!({
        "type": "checkout.session.completed",
        "data": {"object": {"customer": "cus_1", "client_reference_id": user}},
    });
    let of_subscription = |kind: &str| {
        json!({
            "type": format!("customer.subscription.{kind}"),
            "data": {"object": {"customer": "cus_1", "metadata": {"user": user}}},
        })
    };
    for (secret, ago) in [("whsec_other", 0), (SECRET, 600), (SECRET, -600)] {
        let refused = send_event(&server, &completed, secret, ago).await;
        assert_eq!(refused.status(), 400);
    }
    let unsigned = post(&server, "/api/billing/webhook", &cookie, &[]).await;
    assert_eq!(unsigned.status(), 400);
    assert_eq!(left(&server, &cookie).await, 5);

    // The subscription's event may come before that of the session; both may come again.
    stripe.scripted.lock().subscriptions = vec!["canceled", "active"];
    for event in [
        of_subscription("created"),
        completed.clone(),
        completed.clone(),
    ] {
        happened(&server, &event).await;
        assert_eq!(left(&server, &cookie).await, 100);
    }
    let plans = page(&server, "/pricing", &cookie).await;
    assert!(plans.contains("Current plan") && plans.contains("/api/billing/portal"));
    // Nobody can buy the plan twice.
    for way in ["checkout", "portal"] {
        let led = get(&server, &format!("/api/billing/{way}"), &cookie).await;
        assert_eq!(location(&led), "https://pay.test/portal");
    }
    assert!(
        stripe
            .asked("POST /v1/billing_portal/sessions")
            .contains("customer=cus_1")
    );

    // If a lookup fails, Stripe sends the event again, and nothing is left half done.
    stripe.scripted.lock().subscriptions = vec!["canceled"];
    stripe.scripted.lock().is_down = true;
    let late = send_event(&server, &of_subscription("deleted"), SECRET, 0).await;
    assert_eq!(late.status(), 503);
    assert_eq!(left(&server, &cookie).await, 100);
    let led = get(&server, "/api/billing/portal", &cookie).await;
    assert_eq!(location(&led), "/pricing?unreachable=yes");
    let plans = page(&server, "/pricing?unreachable=yes", &cookie).await;
    assert!(plans.contains("Stripe can"), "{plans}");
    stripe.scripted.lock().is_down = false;
    happened(&server, &of_subscription("deleted")).await;
    assert_eq!(left(&server, &cookie).await, 5);
    // An earlier event that comes late changes nothing, nor what an administrator gave meanwhile.
    happened(&server, &of_subscription("updated")).await;
    assert_eq!(left(&server, &cookie).await, 5);
    command(&data, &["set-plan", "ada@example.com", "pro"]);
    happened(&server, &of_subscription("deleted")).await;
    happened(&server, &completed).await;
    let plans = page(&server, "/pricing", &cookie).await;
    let (_, pro) = plans.split_once("plan-pro").unwrap();
    assert!(pro.contains("Current plan"), "{plans}");

    // Events of others, and such as nobody waits for.
    let stranger = json!({
        "type": "customer.subscription.updated",
        "data": {"object": {"customer": "cus_9", "metadata": {"user": "nobody"}}},
    });
    happened(&server, &stranger).await;
    let other = json!({"type": "invoice.paid", "data": {"object": {"customer": "cus_1"}}});
    happened(&server, &other).await;

    // Deleting the account ends its payments; if one can't be ended, the account stays.
    let form = [("current", PASSWORD)];
    stripe.scripted.lock().is_down = true;
    let kept = post(&server, "/api/account/delete", &cookie, &form).await;
    assert_eq!(kept.status(), 503);
    stripe.scripted.lock().is_down = false;
    let gone = post(&server, "/api/account/delete", &cookie, &form).await;
    assert_eq!(gone.status(), 200);
    stripe.asked("DELETE /v1/customers/cus_1");
    happened(&server, &completed).await;
    assert!(!server.log().contains(KEY) && !server.log().contains(SECRET));
    server.stop();
}
