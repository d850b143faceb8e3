//! The E2B client against known answers of the real service, including odd ones (recorded or read
//! from its sources), from a scripted server.

mod commands;
mod retries;
mod states;
mod streams;

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use codeflow::sandbox::{CommandOutput, RunOptions, Sandbox, SandboxError};
use serde_json::json;

use crate::support::{
    PATIENCE,
    e2b::{Answer, E2b, SANDBOX, message},
};

const CREATE: &str = "POST /v2/sandboxes";
const CONNECT: &str = "POST /v2/sandboxes/i62mff4ahtrdfdkyn2esc/connect";
const KILL: &str = "DELETE /sandboxes/i62mff4ahtrdfdkyn2esc";
const START: &str = "POST /process.Process/Start";
const SIGNAL: &str = "POST /process.Process/SendSignal";
const READ: &str = "GET /files";
const WRITE: &str = "POST /files";
const LIST: &str = "POST /filesystem.Filesystem/ListDir";
const PAGE: &str = "GET /";

fn started() -> Vec<u8> {
    message(json!({ "event": { "start": { "pid": 1234 } } }))
}

fn stdout(bytes: &[u8]) -> Vec<u8> {
    message(json!({ "event": { "data": { "stdout": STANDARD.encode(bytes) } } }))
}

fn exited() -> Vec<u8> {
    message(json!({ "event": { "end": { "exited": true, "status": "exit status 0" } } }))
}

async fn run(sandbox: &Sandbox) -> Result<CommandOutput, SandboxError> {
    let options = RunOptions {
        cwd: "/home/user".to_owned(),
        envs: HashMap::new(),
        timeout: PATIENCE,
    };
    sandbox.run("true", &options).await
}

/// A service whose command answers like this, and the client's result.
async fn run_against(answer: Answer) -> (E2b, Result<CommandOutput, SandboxError>) {
    let e2b = E2b::start([(START, vec![answer])]).await;
    let output = run(&e2b.sandbox().await).await;
    (e2b, output)
}

fn refused_for_now() -> Answer {
    Answer::json(
        429,
        json!({ "code": 429, "message": "Rate limit exceeded" }),
    )
}

#[tokio::test]
async fn unknown_fields_and_nulls_in_the_answer_to_create_do_no_harm() {
    let odd = json!({
        "templateID": "rki5dems9wqfm4r03t7g", "sandboxID": SANDBOX, "clientID": "6532622b", "envdVersion": "0.9.1",
        "envdAccessToken": null, "trafficAccessToken": null, "domain": null, "alias": null,
        "lifecycle": { "onTimeout": "pause", "autoResume": true }, "somethingElse": [1, { "a": null }],
    });
    let e2b = E2b::start([
        (CREATE, vec![Answer::json(201, odd)]),
        (READ, vec![Answer::json(200, json!({}))]),
    ])
    .await;
    let sandbox = e2b.sandbox().await;
    assert_eq!(sandbox.id(), SANDBOX);
    assert_eq!(
        sandbox.preview_url(3000),
        format!("https://3000-{SANDBOX}.e2b.app/")
    );
    sandbox.read_file("/home/user/x").await.unwrap();
    assert!(
        !e2b.asked(READ)[0].contains("x-access-token"),
        "there is none to send"
    );
}

#[tokio::test]
async fn an_error_s_code_may_be_a_number_or_a_word() {
    let number = |status: u16, message: &str| {
        Answer::json(status, json!({ "code": status, "message": message }))
    };
    let word =
        |status, code: &str| Answer::json(status, json!({ "code": code, "message": "a word" }));
    let asked = async |path, answer| {
        let e2b = E2b::start([(path, vec![answer])]).await;
        let sandbox = e2b.sandbox().await;
        match path {
            READ => sandbox.read_file("x").await.map(|_| ()),
            WRITE => sandbox.write_file("x", "x").await,
            _ => sandbox.list_dir("x", 1).await.map(|_| ()),
        }
        .unwrap_err()
    };
    let error = asked(READ, Answer::gone()).await;
    assert!(matches!(error, SandboxError::NotFound), "{error:?}");
    let error = asked(READ, number(404, "path '/home/user/x' does not exist")).await;
    assert!(
        matches!(&error, SandboxError::NoSuchPath(message) if message.contains("/x")),
        "{error:?}"
    );
    let error = asked(READ, number(401, "invalid signature")).await;
    assert!(
        matches!(error, SandboxError::Unauthenticated(_)),
        "{error:?}"
    );
    // Asked again, a full disk is as full.
    let error = asked(WRITE, number(507, "not enough disk space available")).await;
    assert!(
        matches!(&error, SandboxError::Refused(message) if message.contains("disk space")),
        "{error:?}"
    );
    let error = asked(LIST, word(404, "not_found")).await;
    assert!(
        matches!(&error, SandboxError::NoSuchPath(message) if message == "a word"),
        "{error:?}"
    );
    let error = asked(LIST, word(400, "invalid_argument")).await;
    assert!(matches!(error, SandboxError::Refused(_)), "{error:?}");
    let error = asked(LIST, word(503, "unavailable")).await;
    assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn the_error_for_an_unknown_template_names_it() {
    let answer = Answer::json(
        404,
        json!({ "code": 404, "message": "template 'nextjs' not found" }),
    );
    let e2b = E2b::start([(CREATE, vec![answer])]).await;
    let error = e2b.refusal().await;
    assert!(
        matches!(&error, SandboxError::Refused(message) if message.contains("nextjs")),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_html_of_a_proxy_becomes_its_status_alone() {
    for status in [502, 503] {
        let e2b = E2b::start(
            [CONNECT, START, READ, LIST].map(|asked| (asked, vec![Answer::html(status)])),
        )
        .await;
        let sandbox = e2b.sandbox().await;
        for error in [
            e2b.client.connect(SANDBOX, PATIENCE).await.unwrap_err(),
            run(&sandbox).await.unwrap_err(),
            sandbox.read_file("x").await.unwrap_err(),
            sandbox.list_dir("x", 1).await.unwrap_err(),
        ] {
            assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
            let text = error.to_string();
            assert!(
                text.contains(&status.to_string()) && !text.contains('<'),
                "{text}"
            );
        }
    }
}
