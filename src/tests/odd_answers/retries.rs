//! Which requests are retried, after how long, and how many times.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use codeflow::sandbox::SandboxError;
use serde_json::json;

use super::{CONNECT, CREATE, KILL, READ, START, WRITE, refused_for_now, run};
use crate::support::{
    PATIENCE,
    e2b::{Answer, E2b, SANDBOX, client},
};

#[tokio::test]
async fn a_call_that_is_refused_for_now_is_retried_after_the_time_the_service_asks_for() {
    let answers = vec![
        refused_for_now().with("retry-after", "1"),
        Answer::sandbox(201),
    ];
    let e2b = E2b::start([(CREATE, answers)]).await;
    let begun = Instant::now();
    assert_eq!(e2b.sandbox().await.id(), SANDBOX);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(e2b.asked(CREATE).len(), 2);
}

#[tokio::test]
async fn without_such_a_time_a_call_is_retried_three_times_at_most() {
    let full = Answer::json(
        503,
        json!({ "code": 503, "message": "Failed to place sandbox", "error_code": "sandbox_capacity_unavailable" }),
    );
    let date = refused_for_now().with("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT");
    let e2b = E2b::start([(
        CREATE,
        vec![refused_for_now(), full.clone(), date, Answer::sandbox(201)],
    )])
    .await;
    assert_eq!(e2b.sandbox().await.id(), SANDBOX);
    assert_eq!(e2b.asked(CREATE).len(), 4);

    let e2b = E2b::start([(CREATE, vec![full])]).await;
    let error = e2b.refusal().await;
    assert!(
        matches!(&error, SandboxError::Unavailable(message) if message.contains("sandbox_capacity_unavailable")),
        "{error:?}"
    );
    assert_eq!(e2b.asked(CREATE).len(), 4);
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_caller() {
    let e2b = E2b::start([(CREATE, vec![refused_for_now().with("retry-after", "3600")])]).await;
    let error = e2b.refusal().await;
    assert!(
        matches!(error, SandboxError::RateLimited { retry_after: Some(wait), .. } if wait == Duration::from_secs(3600)),
        "{error:?}"
    );
    assert_eq!(e2b.asked(CREATE).len(), 1);
}

#[tokio::test]
async fn only_idempotent_requests_are_retried_when_the_answer_is_lost() {
    let file = Answer::json(200, json!("a file"));
    let e2b = E2b::start([
        (CREATE, vec![Answer::sandbox(201), Answer::lost()]),
        (CONNECT, vec![Answer::lost(), Answer::sandbox(200)]),
        (
            KILL,
            vec![
                Answer::lost(),
                Answer::json(404, json!({ "code": 404, "message": "gone" })),
            ],
        ),
        (READ, vec![Answer::lost(), Answer::html(502), file]),
        (WRITE, vec![Answer::lost()]),
        (
            START,
            vec![Answer::lost(), refused_for_now(), Answer::html(503)],
        ),
    ])
    .await;
    let sandbox = e2b.sandbox().await;
    e2b.client.connect(SANDBOX, PATIENCE).await.unwrap();
    assert_eq!(sandbox.read_file("x").await.unwrap(), b"\"a file\"");
    e2b.client.kill(SANDBOX).await.unwrap();
    assert_eq!(
        (
            e2b.asked(CONNECT).len(),
            e2b.asked(READ).len(),
            e2b.asked(KILL).len()
        ),
        (2, 3, 2)
    );

    assert!(e2b.client.create(PATIENCE, &HashMap::new()).await.is_err());
    assert!(sandbox.write_file("x", "x").await.is_err());
    assert_eq!((e2b.asked(CREATE).len(), e2b.asked(WRITE).len()), (2, 1));
    for commands in 1..=3 {
        assert!(run(&sandbox).await.is_err());
        assert_eq!(e2b.asked(START).len(), commands);
    }
}

#[tokio::test]
async fn a_refused_connection_is_retried() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let early = client(&format!("http://{}", socket.local_addr().unwrap()));
    let made = tokio::spawn(async move { early.create(PATIENCE, &HashMap::new()).await });
    // Until then, connections are refused.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _e2b = E2b::on(socket.listen(16).unwrap(), []);
    assert_eq!(made.await.unwrap().unwrap().id(), SANDBOX);
}
