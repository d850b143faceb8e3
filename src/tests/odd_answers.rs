//! The client of E2B's protocol against answers that the real service is known to give, odd ones
//! too (recorded or read from its sources), from a scripted server.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use codeflow::sandbox::{CommandOutput, RunOptions, Sandbox, SandboxError};
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    e2b::{Answer, E2b, End, SANDBOX, client, end_of_stream, frame, message},
    until,
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

/// A service whose command answers so, and what the client makes of it.
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
async fn a_sandbox_is_made_of_an_answer_with_unknown_fields_and_nulls() {
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
async fn errors_are_told_by_codes_that_are_numbers_and_by_codes_that_are_words() {
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
async fn a_template_that_is_unknown_is_told_by_its_name() {
    let answer = Answer::json(
        404,
        json!({ "code": 404, "message": "template 'nextjs' not found" }),
    );
    let e2b = E2b::start([(CREATE, vec![answer])]).await;
    let error = e2b
        .client
        .create(PATIENCE, &HashMap::new())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SandboxError::Refused(message) if message.contains("nextjs")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_command_that_exits_without_a_code_has_succeeded_and_one_that_did_not_exit_has_not() {
    let (_e2b, output) = run_against(Answer::stream([
        started(),
        exited(),
        end_of_stream(json!({})),
    ]))
    .await;
    assert_eq!(output.unwrap(), CommandOutput::default());

    for end in [
        json!({ "exitCode": -1, "status": "signal: killed", "error": "signal: killed" }),
        json!({ "status": "signal: killed" }),
    ] {
        let end = message(json!({ "event": { "end": end } }));
        let (_e2b, output) =
            run_against(Answer::stream([started(), end, end_of_stream(json!({}))])).await;
        let output = output.unwrap();
        assert_eq!((output.exit_code, output.timed_out), (-1, false));
    }
}

#[tokio::test]
async fn keepalives_and_empty_and_unknown_events_are_not_output() {
    let pieces = [
        started(),
        message(json!({ "event": { "keepalive": {} } })),
        stdout(b"a"),
        message(json!({})),
        message(json!({ "event": {} })),
        message(json!({ "event": { "data": {} } })),
        message(json!({ "event": { "weather": { "rain": true } }, "more": 1 })),
        stdout(b"b"),
        exited(),
        end_of_stream(json!({ "metadata": { "k": ["v"] } })),
    ];
    let (_e2b, output) = run_against(Answer::stream(pieces)).await;
    assert_eq!(output.unwrap().stdout, b"ab");
}

#[tokio::test]
async fn a_character_cut_between_two_events_is_whole_in_the_output() {
    let (head, tail) = "wörld €".as_bytes().split_at(8);
    assert!(std::str::from_utf8(head).is_err());
    let pieces = [
        started(),
        stdout(head),
        stdout(tail),
        exited(),
        end_of_stream(json!({})),
    ];
    let (_e2b, output) = run_against(Answer::stream(pieces)).await;
    assert_eq!(
        String::from_utf8(output.unwrap().stdout).unwrap(),
        "wörld €"
    );
}

#[tokio::test]
async fn frames_may_come_byte_by_byte_or_all_at_once() {
    let bytes = [
        started(),
        stdout(b"out"),
        exited(),
        end_of_stream(json!({})),
    ]
    .concat();
    let pieces: Vec<_> = bytes.iter().map(|byte| vec![*byte]).collect();
    for pieces in [pieces, vec![bytes]] {
        let (_e2b, output) = run_against(Answer::stream(pieces)).await;
        assert_eq!(output.unwrap().stdout, b"out");
    }
}

#[tokio::test]
async fn a_commands_result_stands_however_its_stream_ends_after_it() {
    for end in [End::Whole, End::Cut] {
        let (e2b, output) =
            run_against(Answer::stream([started(), stdout(b"out"), exited()]).ending(end)).await;
        let output = output.unwrap();
        assert_eq!((output.exit_code, &output.stdout[..]), (0, &b"out"[..]));
        assert!(
            e2b.asked(SIGNAL).is_empty(),
            "what has ended needs no killing"
        );
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_command_is_an_error_and_the_command_is_killed() {
    let in_a_frame = stdout(b"out")[..9].to_vec();
    for (last, end) in [
        (stdout(b"out"), End::Whole),
        (stdout(b"out"), End::Cut),
        (in_a_frame, End::Whole),
        (end_of_stream(json!({})), End::Whole),
    ] {
        let (e2b, output) = run_against(Answer::stream([started(), last]).ending(end)).await;
        let error = output.unwrap_err();
        assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
        let kill = until("the command is killed", async || e2b.asked(SIGNAL).pop()).await;
        assert!(kill.contains("1234"), "{kill}");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_makes_the_sandbox_unavailable() {
    let (_e2b, output) =
        run_against(Answer::stream([started(), stdout(b"out")]).ending(End::Reset)).await;
    let error = output.unwrap_err();
    assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");

    let half = |end| Answer::json(200, json!("half a file")).ending(end);
    for end in [End::Cut, End::Reset] {
        let e2b = E2b::start([
            (READ, vec![half(end)]),
            (PAGE, vec![half(end)]),
            (CONNECT, vec![half(end)]),
        ])
        .await;
        let sandbox = e2b.sandbox().await;
        for error in [
            sandbox.read_file("x").await.unwrap_err(),
            sandbox.fetch(3000, "/", 1 << 20).await.unwrap_err(),
            e2b.client.connect(SANDBOX, PATIENCE).await.unwrap_err(),
        ] {
            assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
        }
    }
}

#[tokio::test]
async fn the_error_at_a_streams_end_says_what_became_of_the_command() {
    let ends_with = async |code: &str| {
        let end = end_of_stream(json!({ "error": { "code": code, "message": "it says" } }));
        run_against(Answer::stream([started(), stdout(b"out"), end]))
            .await
            .1
    };
    let output = ends_with("deadline_exceeded").await.unwrap();
    assert_eq!((output.timed_out, output.exit_code), (true, -1));
    assert_eq!(output.stdout, b"out", "what it said before counts");

    let error = ends_with("unavailable").await.unwrap_err();
    assert!(
        matches!(&error, SandboxError::Unavailable(message) if message == "it says"),
        "{error:?}"
    );
    let error = ends_with("not_found").await.unwrap_err();
    assert!(
        matches!(&error, SandboxError::NoSuchPath(message) if message == "it says"),
        "{error:?}"
    );
    let error = ends_with("resource_exhausted").await.unwrap_err();
    assert!(
        matches!(error, SandboxError::RateLimited { .. }),
        "{error:?}"
    );
    let error = ends_with("a_code_of_tomorrow").await.unwrap_err();
    assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn frames_that_are_compressed_or_too_long_or_no_json_are_not_the_protocol() {
    let too_long = [&[0], &u32::MAX.to_be_bytes()[..]].concat();
    for odd in [
        frame(1, "{}"),
        too_long,
        frame(0, "<html>"),
        frame(2, "<html>"),
    ] {
        let (_e2b, output) = run_against(Answer::stream([started(), odd])).await;
        let error = output.unwrap_err();
        assert!(matches!(error, SandboxError::Protocol(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_refused_for_now_is_made_again_after_the_time_that_the_service_tells() {
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
async fn without_such_a_time_the_call_is_made_again_three_times_at_most() {
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
    let error = e2b
        .client
        .create(PATIENCE, &HashMap::new())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SandboxError::Unavailable(message) if message.contains("sandbox_capacity_unavailable")),
        "{error:?}"
    );
    assert_eq!(e2b.asked(CREATE).len(), 4);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_caller() {
    let e2b = E2b::start([(CREATE, vec![refused_for_now().with("retry-after", "3600")])]).await;
    let error = e2b
        .client
        .create(PATIENCE, &HashMap::new())
        .await
        .unwrap_err();
    assert!(
        matches!(error, SandboxError::RateLimited { retry_after: Some(wait), .. } if wait == Duration::from_secs(3600)),
        "{error:?}"
    );
    assert_eq!(e2b.asked(CREATE).len(), 1);
}

#[tokio::test]
async fn what_is_harmless_twice_is_asked_again_when_its_answer_is_lost_and_nothing_else_is() {
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
async fn a_connection_that_is_refused_is_tried_again() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let early = client(&format!("http://{}", socket.local_addr().unwrap()));
    let made = tokio::spawn(async move { early.create(PATIENCE, &HashMap::new()).await });
    // Until then, connections are refused.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _e2b = E2b::on(socket.listen(16).unwrap(), []);
    assert_eq!(made.await.unwrap().unwrap().id(), SANDBOX);
}

#[tokio::test]
async fn a_page_of_some_proxy_is_told_by_its_status_alone() {
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

#[tokio::test]
async fn a_paused_sandbox_that_the_data_plane_does_not_know_is_woken_by_connect() {
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
async fn a_sandbox_between_two_states_is_asked_again_and_is_not_its_apps_failure() {
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
async fn a_sandbox_that_has_vanished_is_told_apart_from_a_port_that_is_not_open() {
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
