//! Sandboxes that are paused, between two states, or gone.

use codeflow::sandbox::SandboxError;
use serde_json::{Value, json};

use super::{CONNECT, KILL, PAGE, READ, START, run};
use crate::support::{
    PATIENCE,
    e2b::{Answer, E2b, SANDBOX},
};

#[tokio::test]
async fn connect_wakes_a_paused_sandbox_that_the_data_plane_does_not_know() {
    let e2b = E2b::start([
        (READ, vec![Answer::gone(), Answer::json(200, json!("kept"))]),
        (CONNECT, vec![Answer::sandbox(201)]),
    ])
    .await;
    let sandbox = e2b.sandbox().await;
    assert!(matches!(
        sandbox.read_file("x").await,
        Err(SandboxError::NotFound)
    ));
    assert_eq!(e2b.asked(READ).len(), 1, "asking again does not wake it");
    let sandbox = e2b.client.connect(SANDBOX, PATIENCE).await.unwrap();
    assert_eq!(sandbox.read_file("x").await.unwrap(), b"\"kept\"");
}

#[tokio::test]
async fn a_request_to_a_sandbox_between_two_states_is_retried_and_the_app_is_not_blamed() {
    let pausing = Answer::json(
        409,
        json!({ "code": 409, "message": "Sandbox \"i62\" is being paused" }),
    );
    let text = "The sandbox is still transitioning. Try again in a moment.";
    let transitioning = Answer::json(
        409,
        json!({ "sandboxId": SANDBOX, "message": text, "code": 409 }),
    );
    let e2b = E2b::start([
        (
            CONNECT,
            vec![pausing.clone(), Answer::sandbox(201), pausing],
        ),
        (
            READ,
            vec![transitioning.clone(), Answer::json(200, json!("kept"))],
        ),
        (PAGE, vec![transitioning]),
    ])
    .await;
    let sandbox = e2b.client.connect(SANDBOX, PATIENCE).await.unwrap();
    assert_eq!(sandbox.read_file("x").await.unwrap(), b"\"kept\"");
    for error in [
        sandbox.fetch(3000, "/", 1000).await.unwrap_err(),
        e2b.client.connect(SANDBOX, PATIENCE).await.unwrap_err(),
    ] {
        assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_sandbox_that_is_gone_differs_from_a_port_that_is_not_open() {
    let message = format!("Sandbox \"{SANDBOX}\" doesn't exist or you don't have access to it");
    let gone = Answer::json(404, json!({ "code": 404, "message": message }));
    let proxys = |status: u16, message: &str, more: Value| {
        let mut body = json!({ "sandboxId": SANDBOX, "message": message, "code": status });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Answer::json(status, body)
    };
    let e2b = E2b::start([
        (CONNECT, vec![gone.clone()]),
        (KILL, vec![gone]),
        (START, vec![Answer::gone()]),
        (
            PAGE,
            vec![
                Answer::gone(),
                proxys(
                    502,
                    "The sandbox is running but port is not open",
                    json!({ "port": 3000 }),
                ),
                proxys(
                    429,
                    "too many concurrent incoming connections (limit: 1)",
                    json!({ "connectionLimit": 1 }),
                ),
                Answer::json(502, json!({ "message": "an app's own gateway" })),
            ],
        ),
    ])
    .await;
    let sandbox = e2b.sandbox().await;
    assert!(matches!(
        e2b.client.connect(SANDBOX, PATIENCE).await,
        Err(SandboxError::NotFound)
    ));
    assert!(matches!(run(&sandbox).await, Err(SandboxError::NotFound)));
    e2b.client.kill(SANDBOX).await.unwrap();

    let fetch = async || sandbox.fetch(3000, "/", 1000).await;
    assert!(matches!(fetch().await, Err(SandboxError::NotFound)));
    assert!(fetch().await.unwrap().is_none(), "nothing listens yet");
    assert!(matches!(
        fetch().await,
        Err(SandboxError::RateLimited { .. })
    ));
    assert_eq!(
        fetch().await.unwrap().unwrap().status,
        502,
        "an app may say so itself"
    );
}
