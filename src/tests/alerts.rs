//! Alerts of the real server: sent by e-mail and to a webhook that fails at first, once when they
//! fire and once when they are resolved.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use codeflow::protocol::RunState;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::support::{MailServer, Model, PATIENCE, Reply, Server, data_dir, until};

#[derive(Clone)]
struct Hook {
    asked: Arc<AtomicUsize>,
    sent: mpsc::UnboundedSender<Value>,
}

/// A webhook that refuses the first request; returns its address and the alerts that it receives.
async fn webhook() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (sent, taken) = mpsc::unbounded_channel();
    let hook = Hook {
        asked: Arc::default(),
        sent,
    };
    let take = async |State(hook): State<Hook>, Json(body): Json<Value>| {
        if hook.asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return StatusCode::BAD_GATEWAY;
        }
        let _ = hook.sent.send(body);
        StatusCode::NO_CONTENT
    };
    let router = Router::new()
        .route("/hooks/secret-part", post(take))
        .with_state(hook);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!(
        "http://{}/hooks/secret-part",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, taken)
}

async fn next(taken: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    let sent = tokio::time::timeout(PATIENCE, taken.recv()).await;
    sent.expect("no alert came").unwrap()
}

#[tokio::test]
async fn an_alert_is_sent_once_when_it_fires_and_once_when_it_is_resolved() {
    let data = data_dir();
    let (hook, mut taken) = webhook().await;
    let mut mail = MailServer::start().await;
    let model = Model::start([("Build", vec![Reply::done().held()])]).await;
    let env = [
        ("ALERT_WEBHOOK_URL", &*hook),
        ("ALERT_EMAIL", "ops@example.com"),
        ("SMTP_URL", &*mail.url),
        ("ALERT_SECONDS", "1"),
        ("ALERT_QUEUE_SECONDS", "1"),
        // The machine's own.
        ("ALERT_DISK_PERCENT", "0"),
        ("ALERT_SLOW_SECONDS", "0"),
    ];
    // A separate process, because counters in this one are shared with other tests' servers.
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    server.send(project, "Build").await;
    let begun = next(&mut taken).await;
    assert_eq!(
        (&begun["alert"], &begun["state"]),
        (&"queue".into(), &"firing".into())
    );
    let message = begun["message"].as_str().unwrap();
    assert!(message.contains("RUNS_MAX_CONCURRENT"), "{message}");
    assert_eq!(begun["content"], begun["text"]);
    let letter = mail.letter().await;
    assert!(
        letter.contains("Subject: CodeFlow needs attention")
            && letter.contains("To: ops@example.com")
            && letter.contains("A run has waited"),
        "{letter}"
    );

    until("both are built", async || {
        model.release();
        let states = server.states(project).await;
        states
            .iter()
            .all(|state| *state == RunState::Succeeded)
            .then_some(())
    })
    .await;
    let over = next(&mut taken).await;
    assert_eq!(
        (&over["alert"], &over["state"]),
        (&"queue".into(), &"resolved".into())
    );
    assert!(
        mail.letter()
            .await
            .contains("Subject: CodeFlow: an alert is over")
    );
    assert!(taken.is_empty() && mail.is_empty(), "each is sent once");
    let log = server.log();
    assert!(
        log.contains("A run has waited") && !log.contains("secret-part"),
        "{log}"
    );
}

#[tokio::test]
async fn a_storm_of_sign_ins_fires_an_alert() {
    let data = data_dir();
    let (hook, mut taken) = webhook().await;
    let model = Model::start([]).await;
    let env = [
        ("AUTH", "on"),
        ("ALERT_WEBHOOK_URL", &*hook),
        ("ALERT_SECONDS", "1"),
        ("ALERT_SIGN_INS", "3"),
        ("ALERT_DISK_PERCENT", "0"),
        ("ALERT_SLOW_SECONDS", "0"),
    ];
    let server = Server::process(data.path(), &model, &env).await;
    for number in 0..3 {
        let email = format!("nobody{number}@example.com");
        let form = [("email", &*email), ("password", "seven wrong lanterns")];
        let (status, _) = server.post("/api/account/sign-in", &form).await;
        assert_eq!(status, 401);
    }
    let sent = next(&mut taken).await;
    assert_eq!(
        (&sent["alert"], &sent["state"]),
        (&"sign_ins".into(), &"firing".into())
    );
    assert!(
        sent["message"].as_str().unwrap().starts_with("3 sign-ins"),
        "{sent}"
    );
}
