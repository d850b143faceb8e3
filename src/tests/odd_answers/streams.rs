//! Streams of commands, odd in their frames, their events and their ends.

use codeflow::sandbox::{CommandOutput, SandboxError};
use serde_json::json;

use super::{CONNECT, PAGE, READ, SIGNAL, exited, run_against, started, stdout};
use crate::support::{
    PATIENCE,
    e2b::{Answer, E2b, End, SANDBOX, end_of_stream, frame, message},
    until,
};

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
async fn frames_may_arrive_byte_by_byte_or_all_at_once() {
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
async fn a_command_s_result_stands_however_its_stream_ends_after_it() {
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
async fn the_error_that_ends_a_stream_says_what_became_of_the_command() {
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
async fn frames_that_are_compressed_or_too_long_or_not_json_are_protocol_errors() {
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
